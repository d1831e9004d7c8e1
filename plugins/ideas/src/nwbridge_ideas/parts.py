"""Which files of a folder belong to which recording: the parts of a CaImAn run, and everything else by itself."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nwbridge import BadSource
from nwbridge_ideas.isxd import read_isxd
from nwbridge_ideas.timing import Timing, timing_of

_PART = re.compile(r"(.*?)(cellset_raw|cellset_denoised|neural_events)(?:\.(\d{1,9}))?\.isxd", re.IGNORECASE)
_CAIMAN = re.compile(r".*caiman_output.*\.(hdf5|h5)", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """What the tool wrote for one movie of a run."""

    label: str  # prefix and number of its files
    raw: Path | None = None
    denoised: Path | None = None
    events: Path | None = None
    movies: tuple[Path, ...] = ()

    @property
    def cells(self) -> Path:
        """The cell set that stands for both."""
        found = self.raw or self.denoised
        assert found is not None  # noqa: S101 parts without a cell set are no parts
        return found


@dataclass(frozen=True)
class Run:
    """A folder of the tool's outputs."""

    folder: Path
    parts: tuple[Part, ...]  # in the order of their numbers
    caiman: Path | None


def isxd_files(folder: Path) -> list[Path]:
    """Return the .isxd files of a folder, not of those below it, sorted by name."""
    found = (entry for entry in folder.iterdir() if entry.suffix.lower() == ".isxd" and not entry.name.startswith("."))
    return sorted(entry for entry in found if entry.is_file())


def run_in(folder: Path, movies: tuple[Path, ...] = ()) -> tuple[Run | None, list[Path]]:
    """Return the run that a folder holds, and the files that do not belong to it.

    A movie belongs to the part whose cell set has its timing and its image size; `movies` are looked at as well.
    """
    files = isxd_files(folder)
    found: dict[tuple[int, str], Part] = {}
    for file in files:
        if match := _PART.fullmatch(file.name):
            prefix, kind, number = match[1], match[2].lower(), match[3] or ""
            label = f"{prefix}{number}".strip(" ._-") or "run"
            key = (int(number or 0), prefix)
            field = {"cellset_raw": "raw", "cellset_denoised": "denoised", "neural_events": "events"}[kind]
            part = found.get(key, Part(label))
            if (other := getattr(part, field)) is not None:
                raise BadSource(f"{folder.name}: {other.name} and {file.name} are the same part's {kind}")
            changes: dict[str, Any] = {field: file}
            found[key] = replace(part, **changes)
    parts = [found[key] for key in sorted(found) if found[key].raw or found[key].denoised]
    if not parts:
        return None, files
    taken = {file for part in parts for file in (part.raw, part.denoised, part.events)}
    others = [file for file in files if file not in taken]
    known = {file.resolve() for file in files}
    for movie in (*others, *(movie for movie in movies if movie.resolve() not in known)):
        for number, part in enumerate(parts):
            if _is_movie_of(movie, part):
                parts[number] = replace(part, movies=(*part.movies, movie))
                taken.add(movie)
                break
    written = sorted(entry for entry in folder.iterdir() if _CAIMAN.fullmatch(entry.name) and entry.is_file())
    if len(written) > 1:
        raise BadSource(
            f"{folder.name} holds {len(written)} outputs of CaImAn, {written[0].name} and {written[1].name}; "
            "expected one run a folder"
        )
    run = Run(folder, tuple(parts), written[0] if written else None)
    return run, [file for file in others if file not in taken]


def same_clock(one: Timing, other: Timing) -> bool:
    """Whether two files have the same samples at the same times."""
    return (one.start, one.period, one.count) == (other.start, other.period, other.count)


def _is_movie_of(path: Path, part: Part) -> bool:
    """Whether the footers fit; a damaged file belongs to nobody, and says so when it is described by itself."""
    try:
        movie, cells = read_isxd(path), read_isxd(part.cells)
        if movie.kind != "movie" or cells.kind != "cell set" or movie.shape() != cells.shape():
            return False
        return same_clock(timing_of(movie), timing_of(cells))
    except (BadSource, OSError):
        return False
