"""What a report is about: NWB files, and the lines of a batch's results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwbridge.errors import BadOption, BadSource

RESULTS = "results.jsonl"
SUFFIXES = (".nwb", ".nwb.zarr")


@dataclass(frozen=True)
class Entry:
    """One recording: its file, if there is one, and the line that a batch wrote on it, if one did."""

    name: str  # as it is shown
    path: Path | None = None
    line: Mapping[str, Any] | None = None
    earlier: tuple[Path, ...] = ()  # files of the same recording that earlier runs left under other names


def entries(inputs: Sequence[Path], results: Iterable[Mapping[str, Any]] | None, root: Path | None) -> list[Entry]:
    """Return every recording once, in order: those of the results first, then files that no result names."""
    found: list[Entry] = []
    if results is not None:
        found += _of_results(results, root or Path())
    for path in inputs:
        found += _of_input(path)
    left = {os.path.realpath(file) for entry in found for file in entry.earlier}
    seen: set[str] = set()
    kept = []
    for entry in found:
        place = "" if entry.path is None else os.path.realpath(entry.path)
        key = place or f"job {entry.name}"
        if key not in seen and not (entry.line is None and place in left):
            seen.add(key)
            kept.append(entry)
    return kept


def _of_input(path: Path) -> Iterator[Entry]:
    if not os.path.lexists(path):
        raise BadOption(f"{path} does not exist")
    if path.name.endswith(SUFFIXES) or not path.is_dir():
        yield Entry(path.name, path)
        return
    results = path / RESULTS
    if results.is_file():
        yield from _of_results(_lines(results), path)
    files = sorted(_files(path))
    if not files and not results.is_file():
        raise BadSource(f"{path} holds no NWB file and no {RESULTS}: name a file, or the folder of a batch")
    yield from (Entry(file.relative_to(path).as_posix(), file) for file in files)


def _files(folder: Path) -> Iterator[Path]:
    """Yield every finished NWB file below a folder."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        stores = [name for name in folders if name.endswith(SUFFIXES)]
        folders[:] = [name for name in folders if name not in stores]
        yield from (Path(place) / name for name in (*names, *stores) if _is_finished(name))


def _is_finished(name: str) -> bool:
    return name.endswith(SUFFIXES) and ".part." not in name and not name.startswith(".")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of a results file; one that a killed run left half written tells nothing."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                if isinstance(line, dict):
                    yield line
    except OSError as error:
        raise BadSource(f"{path} cannot be read: {error.strerror}") from error


def _of_results(lines: Iterable[Mapping[str, Any]], root: Path) -> Iterator[Entry]:
    """Yield an entry for every job: its last line tells how it ended, with the file that is there of it."""
    last: dict[str, Mapping[str, Any]] = {}
    written: dict[str, dict[str, Mapping[str, Any]]] = {}  # of each job, the last line of each file that it became
    owner: dict[str, str] = {}  # of each file, who wrote it last
    for number, line in enumerate(lines):
        job = str(line.get("job") or line.get("path") or f"line {number + 1}")
        made, out = written.setdefault(job, {}), str(line.get("out"))
        if line.get("status") == "skipped" and out in made:
            line = made[out]  # a later run found it done: how it was made is the better story
        if line.get("status") in ("written", "skipped") and line.get("out"):
            made.pop(out, None)
            made[out], owner[out] = line, job
        last[job] = line
        if line.get("status") == "gone":  # it failed once, and is no recording any more
            del last[job]
    for job, line in last.items():
        files = [root / out for out in written[job] if owner[out] == job and (root / out).exists()]
        path = files[-1] if files else None
        if line.get("status") in ("written", "skipped") and path != root / str(line.get("out")):
            path = None  # the file that it speaks of is not there any more
        yield Entry(job, path, line, tuple(file for file in files if file != path))
