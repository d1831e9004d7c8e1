"""A whole folder before the gate: each file in it, and what only shows among several."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

import h5py

from nwbridge.dandi import dandiset
from nwbridge.dandi.client import require
from nwbridge.dandi.gate import check, expected
from nwbridge.errors import BadSource
from nwbridge.model import Finding, Severity
from nwbridge.model.session import SOURCES

Findings = dict[str, list[Finding]]
Progress = Callable[[str, int, int], None]
FIRST_BYTES = 1 << 16  # of an array, which tell recordings apart
ALL = "."  # the folder itself, among the files' findings
_ZARR = (
    "nwbridge neither checks nor uploads Zarr: write HDF5, or use dandi upload, which takes folders at most 7 deep "
    "and chunks of at most 5 GiB"
)


def check_folder(folder: Path | str, progress: Progress | None = None) -> Findings:
    """Return what `check` says of every NWB file in a dandiset's folder, and of what else it finds there.

    The keys are paths inside the folder; every NWB file has one, also where there is nothing to say. What was found
    about the folder as a whole has the key ``.``. Files that are not NWB are left alone, and never uploaded.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadSource(f"{folder} is no folder" if folder.exists() else f"{folder} does not exist")
    require()
    found: Findings = {}
    files, others = _walk(folder)
    for number, place in enumerate(files):
        if progress is not None:
            progress("checking", number, len(files))
        found[place] = _check(folder, place)
    if progress is not None:
        progress("checked", 1, 1)
    for place, finding in [*others, *_among(folder, files, found)]:
        found.setdefault(place, []).insert(0, finding)
    if (folder / dandiset.NAME).is_file() and (wrong := dandiset.check(folder / dandiset.NAME)):
        found[dandiset.NAME] = wrong
    if not files:
        text = f"there is no NWB file in {folder}"
        advice = "convert into it: nwbridge convert RECORDING FOLDER --for dandi"
        found.setdefault(ALL, []).append(Finding("error", text, advice, check="dandi folder"))
    return found


def passes(found: Findings) -> bool:
    """Whether nothing found is an error."""
    return all(finding.severity != "error" for findings in found.values() for finding in findings)


def _walk(folder: Path) -> tuple[list[str], list[tuple[str, Finding]]]:
    """Return the NWB files of a folder, and what is to be said of the rest; hidden ones are left out, as by DANDI."""
    files: list[str] = []
    others: list[tuple[str, Finding]] = []

    def say(path: Path, text: str, advice: str) -> None:
        others.append((place_of(path), Finding("error", text, advice, check="dandi folder")))

    def place_of(path: Path) -> str:
        return path.relative_to(folder).as_posix()

    for here, folders, names in os.walk(folder):
        for name in sorted(folders):
            path = Path(here, name)
            if path.suffix == ".zarr":
                say(path, "NWB as Zarr is a folder, which this gate does not let through", _ZARR)
            elif path.is_symlink() and not name.startswith("."):
                say(path, "a link to a folder, which DANDI's client does not follow", "put the folder itself here")
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
        for name in sorted(names):
            path = Path(here, name)
            if name.endswith(".part.nwb"):
                say(
                    path, "left by a conversion that was interrupted or is running", "let it finish, or remove the file"
                )
            elif path.suffix.lower() == ".nwb" and not name.startswith("."):
                files.append(place_of(path))
    return files, others


def _check(folder: Path, place: str) -> list[Finding]:
    path = folder / place
    if not path.exists():  # a link to what is not there
        text = "a link to a file that is not there"
        return [Finding("error", text, "get the file, or remove the link", check="dandi damaged")]
    return check(path, folder)


def _among(folder: Path, files: Iterable[str], found: Findings) -> Iterator[tuple[str, Finding]]:
    """Yield what is wrong only because there are several files."""
    wanted: dict[str, list[str]] = defaultdict(list)
    objects: dict[str, list[str]] = defaultdict(list)
    identifiers: dict[str, list[str]] = defaultdict(list)
    spelled: dict[str, list[str]] = defaultdict(list)
    for place in files:
        spelled[place.casefold()].append(place)
        placed = all(finding.check != "dandi place" for finding in found[place])
        target = PurePosixPath(place) if placed else expected(folder / place)
        if target is not None:
            wanted[str(target)].append(place)
        one, other = _ids(folder / place)
        objects[one or place].append(place)
        identifiers[other or place].append(place)
    yield from _shared(spelled, "differs only in capitals from {others}", "give them different session ids")
    yield from _shared(
        wanted,
        "would have the same name as {others}",
        "give one another session: --set NWBFile.session_id=ID, or leave one out",
    )
    copies = "is a copy of {others}, with the same object ids, which DANDI takes only once"
    yield from _shared(objects, copies, "leave one out, or write one anew: nwbridge convert FILE.nwb NEW.nwb")
    copied = {tuple(places) for places in objects.values()}
    alike = {key: places for key, places in identifiers.items() if tuple(places) not in copied}
    yield from _shared(alike, "has the identifier of {others}", "write one of them anew", "warning")
    again = "holds the same recording as {others}: the same values, of the same source files"
    move = "remove the one whose name is out of date; where both are meant, add _desc-WORD to the name of one"
    yield from _shared(_recordings(folder, files, copied), again, move)


def _recordings(folder: Path, files: Iterable[str], copied: Collection[tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the files that were made of each recording, but for those that say by their names what was done."""
    made: dict[str, list[str]] = defaultdict(list)
    for place in files:
        if "_desc-" not in place and (sources := _sources(folder / place)):
            made[sources].append(place)
    found: dict[str, list[str]] = defaultdict(list)
    for sources, places in made.items():
        if len(places) > 1:  # a zip may hold several recordings
            for place in places:
                found[sources + _values(folder / place)].append(place)
    return {key: places for key, places in found.items() if tuple(places) not in copied}


def _shared(
    groups: dict[str, list[str]], text: str, advice: str, severity: Severity = "error"
) -> Iterator[tuple[str, Finding]]:
    for places in groups.values():
        for place in places if len(places) > 1 else ():
            others = ", ".join(other for other in places if other != place)
            yield place, Finding(severity, text.format(others=others), advice, check="dandi twice")


def _sources(path: Path) -> str:
    """Return the digests of the files that a file of nwbridge's was made of."""
    try:
        with h5py.File(path, "r") as file:
            held = file.get(f"analysis/{SOURCES}/sha256")
            return " ".join(sorted(held.asstr()[:])) if isinstance(held, h5py.Dataset) else ""
    except (OSError, RuntimeError, TypeError, ValueError):  # damage is told elsewhere
        return ""


def _values(path: Path) -> str:
    """Return the name of the largest array of a file, and a digest of its first values."""
    arrays: dict[str, h5py.Dataset] = {}

    def note(name: str, held: object) -> None:
        if isinstance(held, h5py.Dataset) and held.dtype.kind in "iufc" and held.shape:
            arrays[name] = held

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
            name = max(sorted(arrays), key=lambda name: arrays[name].nbytes, default="")
            rows = max(1, FIRST_BYTES // max(1, arrays[name][:1].nbytes)) if name else 0
            return f" {name} {hashlib.sha256(arrays[name][:rows].tobytes()).hexdigest()}" if name else ""
    except (OSError, RuntimeError, TypeError, ValueError):
        return f" {path}"


def _ids(path: Path) -> tuple[str, str]:
    """Return the object id and the identifier of a file, as far as it has them."""
    try:
        with h5py.File(path, "r") as file:
            held = file.get("identifier")
            text = held.asstr()[()] if isinstance(held, h5py.Dataset) and not held.shape else ""
            return str(file.attrs.get("object_id", "")), str(text)
    except (OSError, RuntimeError, TypeError, ValueError):  # damage is told elsewhere
        return "", ""
