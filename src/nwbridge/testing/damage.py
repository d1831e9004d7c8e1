"""Copies of a recording with one member removed or cut off, for folders, zips and single files."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

Change = Callable[[bytes], bytes | None]  # a member's bytes -> its new bytes, None to leave it out


def members(root: Path, path: Path) -> list[str]:
    """Return the names of a recording's files: all below `root`, and of the zip `path` its members as ``zip!member``.

    Of a numbered series only the first, a middle and the last are named.
    """
    names = sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            outer = path.relative_to(root).as_posix()
            names += sorted(f"{outer}!{name}" for name in archive.namelist() if not name.endswith("/"))
    series: dict[str, list[str]] = {}
    for name in names:
        series.setdefault(re.sub(r"\d+(?=\D*$)", "#", name), []).append(name)
    return [name for group in series.values() for name in dict.fromkeys((group[0], group[len(group) // 2], group[-1]))]


def changed(root: Path, path: Path, folder: Path, member: str, change: Change) -> Path:
    """Copy everything below `root` to `folder` with one member changed, and return the copy of `path`."""
    shutil.copytree(root, folder)
    outer, _, inner = member.partition("!")
    if inner:
        with zipfile.ZipFile(root / outer) as source, zipfile.ZipFile(folder / outer, "w") as target:
            for info in source.infolist():
                data: bytes | None = source.read(info)
                if info.filename == inner:
                    data = change(data or b"")
                if data is not None:
                    target.writestr(info, data)
    else:
        _replace(folder / outer, change)
    return folder / path.relative_to(root)


def _replace(file: Path, change: Change) -> None:
    data = change(file.read_bytes())
    if data is None:
        file.unlink()
    else:
        file.write_bytes(data)


def remove(data: bytes) -> None:
    """Leave a member out."""


def cut(data: bytes) -> bytes:
    """Keep the first 60 % of a member."""
    return data[: len(data) * 6 // 10]


def tree(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, size and time of change of everything at and below a path."""
    for entry in (path, *sorted(path.rglob("*"))):
        stat = entry.stat()
        yield entry.as_posix(), stat.st_size, stat.st_mtime_ns
