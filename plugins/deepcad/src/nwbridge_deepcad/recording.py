"""A DeepCAD recording: finds the low-SNR and the high-SNR movie, and describes them as a pair on one plane.

Data: Li et al. 2021, Nature Methods, doi:10.1038/s41592-021-01225-0; the two detection paths are strictly synchronized.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from nwbridge import BadOption, BadSource, Channel, Finding, LazyArray, Movie, Plane, Session, Subject, arrays, option
from nwbridge_deepcad.names import GROUPS, SNR, STRUCTURES, Said, read_names

PAPERS = {"DeepCAD": "doi:10.1038/s41592-021-01225-0", "DeepCAD-RT": "doi:10.1038/s41587-022-01450-8"}
PATHS = {"low": "low-SNR detection path", "high": "high-SNR detection path"}
SERIES = {"low": "TwoPhotonSeriesLowSNR", "high": "TwoPhotonSeriesHighSNR"}
TOLD_BY = {"indicator": "DeepCAD-RT", "species": "DeepCAD-RT", "group": "DeepCAD", "height_um": "DeepCAD"}
WHICH = "check which is right; what was said first was used"
ORIGINS = {
    "rate_hz": "Ophys.TwoPhotonSeries.rate",
    "height_um": "Ophys.ImagingPlane.grid_spacing",
    "indicator": "Ophys.ImagingPlane.indicator",
    "species": "Subject.species",
}


@dataclass(frozen=True)
class DeepcadOptions:
    """What names may leave open."""

    group: int | None = option(None, "row (1 to 14) of the download guide's table, where names do not begin with it")


def detect(path: Path) -> str | None:
    """Look for TIFFs named lowSNR or highSNR."""
    named = [name for name in map(PurePosixPath, arrays.peek(path)) if _which(name)]
    others = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return f"TIFF named lowSNR or highSNR: {named[0].name}{others}" if named else None


def _which(name: PurePosixPath) -> str | None:
    """Return the detection path that a TIFF is named after."""
    match = SNR.search(name.name) if name.suffix.lower() in (".tif", ".tiff") else None
    return match.group(1).lower() if match else None


def describe(path: Path, options: DeepcadOptions) -> Session | Mapping[str, Callable[[], Session]]:
    """Describe the pair, or the one movie that is there; or offer the recordings, where several lie together."""
    if options.group is not None and options.group not in GROUPS:
        raise BadOption(f"--group {options.group}: the download guide has rows 1 to {len(GROUPS)}")
    files = arrays.files_in(path)
    found = {
        name: partial(_session, path, files.prefix, name, pair, options) for name, pair in _recordings(files).items()
    }
    return found if len(found) > 1 else next(iter(found.values()))()


def _session(path: Path, prefix: str, name: str, pair: dict[str, arrays.Blob], options: DeepcadOptions) -> Session:
    movies = {which: arrays.from_tiff(blob) for which, blob in pair.items()}
    inner = [part for blob in pair.values() for part in reversed(PurePosixPath(blob.name).parts)]
    names = [name for name in dict.fromkeys([*inner, prefix, path.name, path.parent.name]) if name]
    facts, contradictions = read_names(names, options.group)
    said = {key: fact.value for key, fact in facts.items()}
    view = (said["height_um"], said["width_um"]) if {"height_um", "width_um"} <= said.keys() else None
    rows, columns = next(iter(movies.values())).shape[1:]
    plane = Plane(
        description=_settings(said),
        channels=tuple(Channel(f"{which.capitalize()}SNR", PATHS[which]) for which in movies),
        indicator=said.get("indicator"),
        rate_hz=said.get("rate_hz"),
        pixel_um=(view[0] / rows, view[1] / columns) if view else None,
    )
    elements = tuple(
        Movie(
            SERIES[which],
            data,
            plane,
            description=PATHS[which] + ("; motion corrected by the authors" if "_MC" in pair[which].name else ""),
            rate_hz=plane.rate_hz,
            pmt_gain=said.get("amp"),
            field_of_view_um=view,
        )
        for which, data in movies.items()
    )
    paper = next((data_set for key, data_set in TOLD_BY.items() if key in said), None)
    return Session(
        id=name,
        description=_sentence(said, list(movies), paper),
        elements=elements,
        subject=_subject(said, name),
        files=tuple(sorted({blob.path for blob in pair.values()})),
        related_publications=(PAPERS[paper],) if paper else None,
        findings=tuple(
            Finding("warning", text, advice, path.name, "deepcad")
            for text, advice in (*_compare(movies, pair), *((text, WHICH) for text in contradictions))
        ),
        origins=_origins(facts),
    )


def _recordings(files: arrays.Files) -> dict[str, dict[str, arrays.Blob]]:
    """Return the TIFF of each detection path of every recording, by a name that a file can have."""
    found: dict[str, dict[str, arrays.Blob]] = {}
    for key, blob in files.blobs.items():
        if which := _which(PurePosixPath(key)):
            there = found.setdefault(SNR.sub("", key), {})
            if there.setdefault(which, blob) is not blob:
                raise BadSource(
                    f"{files.path.name}: {there[which].name} and {blob.name} are both {which}-SNR; keep one"
                )
    if not found:
        raise BadSource(f"{files.path.name} holds no TIFF named lowSNR or highSNR")
    pairs = [{which: there[which] for which in PATHS if which in there} for there in found.values()]
    if len(found) == 1 and files.path.name not in files:
        return {re.sub(r"\.zip$", "", files.path.name, flags=re.I): pairs[0]}
    names = [
        re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(key).with_suffix("").as_posix()).lstrip("._-") for key in found
    ]
    if len(set(names)) < len(names):
        raise BadSource(f"{files.path.name}: names of its recordings are too alike: {', '.join(found)}; rename some")
    return dict(zip(names, pairs, strict=True))


def _compare(movies: dict[str, LazyArray], pair: dict[str, arrays.Blob]) -> Iterator[tuple[str, str]]:
    """Yield what was found and what to do: half a pair is said, a pair has the same frames of the same shape."""
    for lacking in PATHS.keys() - movies:
        (there,) = movies
        text = f"only the {there}-SNR movie is here; the {lacking}-SNR movie of the pair is missing"
        yield text, "give the zip or folder that holds both, if you have it"
        return
    low, high = movies["low"], movies["high"]
    if low.shape != high.shape:
        shapes = " and ".join(f"{pair[w].name} {m.shape[0]} × {m.shape[1]} × {m.shape[2]}" for w, m in movies.items())
        raise BadSource(f"the movies of the pair differ: {shapes} (frames × rows × columns); expected the same")
    if low.dtype != high.dtype:
        yield f"the low-SNR movie is {low.dtype}, the high-SNR movie {high.dtype}", "check the files"


def _settings(said: dict[str, Any]) -> str | None:
    """Say what has no field of its own in an imaging plane."""
    words = {
        "depth_um": "{:g} µm below the pia mater",
        "power_mw": "excitation power {:g} mW",
        "fraction": "power setting {:g}",
        "zoom": "zoom {:g}",
        "amp": "amplifier gain {:g}",
    }
    return "; ".join(text.format(said[key]) for key, text in words.items() if key in said) or None


def _sentence(said: dict[str, Any], movies: list[str], paper: str | None) -> str:
    pair = "Synchronized low-SNR and high-SNR two-photon movies"
    what = pair if len(movies) == 2 else f"Two-photon movie ({movies[0]}-SNR)"
    of = f" of {STRUCTURES[said['structures']]}" if "structures" in said else ""
    deep = f" {said['depth_um']:g} µm below the pia mater" if "depth_um" in said else ""
    power = f", excited with {said['power_mw']:g} mW" if "power_mw" in said else ""
    return f"{what}{of}{deep}{power}" + (f", from the {paper} data set." if paper else ".")


def _subject(said: dict[str, Any], name: str) -> Subject:
    species = "Mus musculus" if "species" in said else None
    if said.get("group") not in GROUPS:
        return Subject(subject_id=name, species=species)
    text = (
        f"named after group {said['group']} of the download guide, which does not say which recordings share an animal"
    )
    return Subject(subject_id=f"deepcad-group-{said['group']:02d}", species=species, description=text)


def _origins(facts: dict[str, Said]) -> dict[str, str]:
    origins = {key: f"the name {facts[fact].by}" for fact, key in ORIGINS.items() if fact in facts}
    if "height_um" in facts:
        origins["Ophys.ImagingPlane.grid_spacing"] += ": field of view divided by pixels"
    grouped = "group" in facts and facts["group"].value in GROUPS
    return origins | {
        "NWBFile.session_id": "the name of the zip, folder or file",
        "Subject.subject_id": "the group in the download guide" if grouped else "the name of the recording",
        "Subject.description": "what the group means",
        "NWBFile.related_publications": "the data set's own paper",
    }
