"""Copies of a recording with one member removed or cut off, for folders, zips and single files."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

Change = Callable[[bytes], bytes | None]  # a member's bytes -> its new bytes, None to leave it out


def members(path: Path) -> list[str]:
    """Return the names of the files of a recording; of a numbered series only the first, a middle and the last."""
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if not name.endswith("/"))
    else:
        names = [path.name]
    series: dict[str, list[str]] = {}
    for name in names:
        series.setdefault(re.sub(r"\d+(?=\D*$)", "#", name), []).append(name)
    return [name for group in series.values() for name in dict.fromkeys((group[0], group[len(group) // 2], group[-1]))]


def changed(path: Path, folder: Path, member: str, change: Change) -> Path:
    """Copy a recording into `folder` with one member changed, and return the copy."""
    folder.mkdir(parents=True)
    copy = folder / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
        _replace(copy / member, change)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
            for info in source.infolist():
                data: bytes | None = source.read(info)
                if info.filename == member:
                    data = change(data or b"")
                if data is not None:
                    target.writestr(info, data)
    else:
        shutil.copy(path, copy)
        _replace(copy, change)
    return copy


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
