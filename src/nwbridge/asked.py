"""What a run of processing is asked for: steps with settings, files to read, and names of those to write."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwbridge.choosing import Chosen, pick_series, place_of, refuse_apart, without_folder
from nwbridge.errors import BadOption, BadSource, CannotWrite
from nwbridge.landing import same_file
from nwbridge.model import Element, Session
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.endings import ZARR
from nwbridge.nwb.source import detect
from nwbridge.nwb.write import Progress
from nwbridge.plugins import Registry


@dataclass(frozen=True)
class Asked:
    """What a run is asked for, as `processing.process` describes it."""

    steps: str | Sequence[str]
    options: Mapping[str, Any] | None = None
    series: str | None = None
    light: bool = False
    rows_first: bool = False
    threads: int | None = None
    chunks: tuple[int, int, int] | None = None
    compression: Compression = "fast"
    verify: bool = True
    overwrite: bool = False
    archive: str | None = None
    progress: Progress | None = None
    registry: Registry | None = None


def check_paths(paths: Sequence[Path], out: Path) -> None:
    """Refuse what is no NWB file in HDF5, and what has another's name: `out` is a file, or the folder of several."""
    if any(path.name.endswith(ZARR) for path in (*paths, out)):
        raise BadOption("nwbridge process reads and writes HDF5 (.nwb) only: give NWB in HDF5")
    for path in paths:
        if not path.exists():
            raise BadSource(f"{path} does not exist")
        if path.is_dir():
            raise BadSource(f"{path} is a folder; give one NWB file, or process all with nwbridge batch --process")
        if detect(path) is None:
            raise BadSource(f"{path.name} is no NWB file: turn it into one with nwbridge convert, then process that")
    for number, path in enumerate(paths):
        for other in paths[:number]:
            if path.name.casefold() == other.name.casefold() or same_file(path, other):
                raise BadOption(f"{other} and {path} would become one file: give files that differ, each of its name")


def check_folder(folder: Path) -> None:
    """Refuse a file where a folder is meant."""
    if folder.is_file() or (folder.suffix.lower() in (".nwb", ".h5", ".hdf5") and not folder.is_dir()):
        raise CannotWrite(f"{folder} is no folder: of several files, each becomes one of its name, in a folder")


def check_together(chosen: Sequence[Chosen], paths: Sequence[Path]) -> None:
    """Refuse several files where no step works on them together."""
    if len(paths) > 1:
        names = ",".join(step.processor.name for step in chosen)
        advice = f"process all files of a folder with nwbridge batch ROOT OUT --process {names}"
        refuse_apart(chosen, f"there are {len(paths)} files", advice)


def pick_members(
    asked: Asked, chosen: Sequence[Chosen], session: Session, path: Path, *, alone: bool
) -> tuple[Element, ...]:
    """Return what of a file belongs to the series: one element, and of a file that is `alone` as many as are named."""
    picked = pick_series(session, chosen[0].processor, path, asked.series)
    if len(picked) > 1 and not alone:
        raise BadOption(f"--series {asked.series}: several series are picked of one file only, and one of each of many")
    if len(picked) > 1:
        refuse_apart(chosen, f"--series {asked.series}", "name one at a time, and give each result to the next run")
    return picked


def places(
    paths: Sequence[Path], sessions: Sequence[Session], folder: Path, chosen: Sequence[Chosen], archive: str | None
) -> list[Path]:
    """Return where files go in a folder: under the names that the archive wants, or under their own."""
    if archive is None:
        return [folder / path.with_suffix(".nwb").name for path in paths]
    outs = [folder / place_of(session, chosen) for session in sessions]
    for path, out in zip(paths, outs, strict=True):
        if outs.count(out) > 1:
            raise BadOption(
                f"several files would become {out.name}, {path.name} one of them: {archive} tells them by subject and "
                "session; convert again with a session_id for each"
            )
    return outs


def refuse_in_place(paths: Sequence[Path], outs: Sequence[Path]) -> None:
    """Refuse to write what is read."""
    for out in outs:
        if any(same_file(out, path) for path in paths):
            what = "folder" if len(paths) > 1 else "name"
            raise BadOption(f"{out} is the file that is read: choose another {what}; nothing is changed in place")


def script(asked: Asked, chosen: Sequence[Chosen], paths: Sequence[Path], out: str) -> str:
    """Return the command without the user's folders."""
    words = ["nwbridge", "process", ",".join(step.processor.name for step in chosen)]
    words += [*(path.name for path in paths), out]
    words += ["--series", asked.series] if asked.series else []
    words += ["--light"] if asked.light else []
    words += ["--rows-first"] if asked.rows_first else []
    for key, value in (asked.options or {}).items():
        of, _, name = key.replace("-", "_").rpartition(".")
        steps = [step for step in chosen if of in ("", step.processor.name.replace("-", "_"))]
        parsed = next(getattr(step.options, name) for step in steps if hasattr(step.options, name))
        words += [f"--{key.replace('_', '-')}", str(without_folder(parsed if isinstance(parsed, Path) else value))]
    return shlex.join(words)
