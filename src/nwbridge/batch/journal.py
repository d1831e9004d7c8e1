"""The story of a batch, a line of JSON for every step: kept through kills, torn lines and a full disk."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nwbridge.errors import CannotWrite

NAME = "results.jsonl"
_BALLAST, _LOCK = ".nwbridge-ballast", ".nwbridge-lock"
BALLAST_BYTES = 1 << 20  # room for the stories that are told when the disk is full
_FULL = (errno.ENOSPC, errno.EDQUOT)


Told = dict[tuple[str, str | None], dict[str, Any]]


class Journal:
    """The lines of a folder of results; only one process may write them at a time."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        """Make and lock the folder; CannotWrite where that fails, or where another batch works on it."""
        self.path, self._root = folder / NAME, root
        self._ballast = folder / _BALLAST
        self.started: Told = {}  # of each job and its file the last line that says so
        self.written: Told = {}
        self.failed: Told = {}
        self.last: dict[str, dict[str, Any]] = {}  # the last word on each job
        self.files: dict[str, set[str]] = {}  # that a job has become, by one name or another
        self._lock: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / _LOCK)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._mend()
            for line in read(self.path):
                self._note(line)
            self._put_ballast()
        except OSError as error:
            self._unlock()
            raise CannotWrite(f"{error.filename or folder} cannot be written: {error.strerror}") from error
        except CannotWrite:
            self._unlock()
            raise

    def append(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Write a line, with the time and the recordings' root, so that it outlives whatever comes; return it."""
        full = dict(line) | {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        full |= {"root": str(self._root)} if self._root else {}
        data = json.dumps(full, default=str, allow_nan=False).encode() + b"\n"
        try:
            self._write(data)
        except OSError as error:
            if error.errno not in _FULL:
                raise CannotWrite(f"{self.path} cannot be written: {error.strerror}") from error
            with suppress(OSError):
                self._ballast.unlink()
            try:
                self._write(data)
            except OSError as again:
                raise CannotWrite(
                    f"there is no space left for {self.path}: free some, then give the same command again"
                ) from again
        self._note(full)
        return full

    def _note(self, line: dict[str, Any]) -> None:
        job, status = line.get("job"), line.get("status")
        if not isinstance(job, str) or status not in ("started", "written", "failed", "gone"):
            return
        if status != "started":
            self.last[job] = line
        if status != "gone":
            getattr(self, status)[job, line.get("out")] = line
            if status == "written" and isinstance(line.get("out"), str):
                self.files.setdefault(job, set()).add(line["out"])

    def _write(self, data: bytes) -> None:
        """Append all or nothing."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, end)
            raise

    def _mend(self) -> None:
        """Cut off a last line that was never finished."""
        size = end = os.lseek(self._file, 0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            os.lseek(self._file, start, os.SEEK_SET)
            found = os.read(self._file, end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            os.ftruncate(self._file, end)

    def _put_ballast(self) -> None:
        with suppress(OSError), self._ballast.open("wb") as file:
            file.write(os.urandom(BALLAST_BYTES))  # zeros might take no space

    def close(self) -> None:
        """Give up the folder."""
        with suppress(OSError):
            self._ballast.unlink(missing_ok=True)
        os.close(self._file)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            if os.name == "posix":  # while it is ours: afterwards it may be another's
                with suppress(OSError):
                    (self.path.parent / _LOCK).unlink()
            os.close(self._lock)
            self._lock = None
            if os.name != "posix":  # where an open file cannot be removed, by us or from others
                with suppress(OSError):
                    (self.path.parent / _LOCK).unlink()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a results file that are whole; none where there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    for text in data.split(b"\n"):
        with suppress(ValueError, RecursionError):
            line = json.loads(text)
            if isinstance(line, dict):
                found.append(line)
    return found


def _locked(path: Path) -> int:
    """Return the descriptor of a locked file; CannotWrite where another process has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise CannotWrite(
                f"another batch is writing to {path.parent}: wait until it ends, or choose another folder"
            ) from None
        except OSError:
            return descriptor  # a file system without locks: better unlocked than not at all
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # noqa: PTH116
                return descriptor
        os.close(descriptor)  # its owner removed it meanwhile


def _lock(descriptor: int) -> None:
    if os.name == "posix":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError as error:
            raise BlockingIOError from error
