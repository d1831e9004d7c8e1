"""Part files beside the files that they will be: one or several, which take their names together, or none does."""

from __future__ import annotations

import errno
import os
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nwbridge.errors import CannotWrite
from nwbridge.nwb import backend
from nwbridge.nwb.endings import ZARR

_LOCK = "unable to lock file"  # HDF5's words
_HOST = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:20] or "host"
MAX_NAME = 255  # bytes that file systems allow


def _part_path(out: Path, suffix: str) -> Path:
    """Return a name of this run's own for an output that is not yet whole: `NAME.HOST-PID-TOKEN.part.nwb`."""
    stem = out.name.removesuffix(suffix)
    return out.with_name(f"{stem}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}.part{suffix}")


def remove_abandoned(out: Path) -> None:
    """Remove part files of runs on this machine that were killed, and put back what one of them moved aside."""
    if os.name != "posix":
        return  # elsewhere a process cannot be asked whether it lives
    kind = backend.of(out)
    stem, end = re.escape(out.name.removesuffix(kind.suffix)), re.escape(kind.suffix)
    pattern = re.compile(rf"{stem}\.{re.escape(_HOST)}-(\d+)-[0-9a-f]{{8}}\.(part|old){end}")
    for file in list(out.parent.iterdir()):
        if (match := pattern.fullmatch(file.name)) and not _lives(int(match[1])):
            with suppress(OSError):
                if match[2] == "old" and not os.path.lexists(out):
                    file.rename(out)
                else:
                    kind.remove(file)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def check_target(out: Path, *, overwrite: bool) -> None:
    """Raise CannotWrite unless `out` can be written as it was asked for."""
    try:
        if "\0" in str(out):
            raise CannotWrite(f"{str(out)!r:.80} is no name of a file")
        if out.suffix != ".nwb" and not (out.name.endswith(ZARR) and out.name != ZARR):
            raise CannotWrite(f"{out} should end in .nwb, or in {ZARR} for Zarr")
        kind = backend.of(out)
        kind.refuse(out)
        if os.path.lexists(out) and not overwrite:
            raise _taken(out)
        if not os.path.isdir(out.parent):  # noqa: PTH112
            raise CannotWrite(f"the folder {out.parent} does not exist: create it first")
        if not os.access(out.parent, os.W_OK | os.X_OK):
            raise CannotWrite(f"the folder {out.parent} is read-only: choose another")
        if len(os.fsencode(_part_path(out, kind.suffix).name)) > MAX_NAME:
            raise CannotWrite(f"the name {out.name[:40]}… is too long: choose a shorter one")
    except (OSError, ValueError) as error:
        raise CannotWrite(f"{out!s:.80} cannot be written: {error}") from error


def _taken(out: Path) -> CannotWrite:
    return CannotWrite(f"{out} exists already: choose another name or say --overwrite")


@contextmanager
def part_file(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield the path to write to; give it its final name if all went well, remove it if not."""
    with part_files([out], overwrite=overwrite) as (part,):
        yield part


@contextmanager
def part_files(outs: Sequence[Path], *, overwrite: bool) -> Iterator[list[Path]]:
    """Yield the paths to write to; give them all their final names if all went well, remove them all if not."""
    kinds = [backend.of(out) for out in outs]
    parts = [_part_path(out, kind.suffix) for out, kind in zip(outs, kinds, strict=True)]
    try:
        for out in outs:
            remove_abandoned(out)
        yield parts
        for kind, part in zip(kinds, parts, strict=True):
            kind.sync(part)
        _publish(outs, parts, overwrite=overwrite)
        for folder in dict.fromkeys(out.parent for out in outs):
            _sync_folder(folder)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "errno" not in str(error):
            raise  # HDF5 says RuntimeError where a full disk stops it from closing
        raise _cannot_write(outs[0] if len(outs) == 1 else outs[0].parent, error) from error
    finally:
        for kind, part in zip(kinds, parts, strict=True):
            with suppress(OSError):
                kind.remove(part)


def _publish(outs: Sequence[Path], parts: Sequence[Path], *, overwrite: bool) -> None:
    """Give finished files their names, all or none; what several replace is kept aside until the last has its name."""
    kept: list[tuple[Path, Path]] = []
    named: list[Path] = []
    try:
        for out, part in zip(outs, parts, strict=True):
            kind = backend.of(out)
            if overwrite and len(outs) > 1 and os.path.lexists(out):
                aside = part.with_name(f"{part.name.removesuffix(f'.part{kind.suffix}')}.old{kind.suffix}")
                out.rename(aside)
                kept.append((aside, out))
            if not kind.publish(part, out, overwrite=overwrite):
                raise _taken(out)
            named.append(out)
    except BaseException:
        for out in named:
            backend.of(out).remove(out)
        for aside, out in kept:
            aside.rename(out)
        raise
    for aside, out in kept:
        backend.of(out).remove(aside)


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power failure, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cannot_write(out: Path, error: OSError | RuntimeError) -> CannotWrite:
    text = " ".join(str(error).split())
    told = re.search(r"errno = (\d+)", text)  # HDF5 has it in its words only
    number = int(told.group(1)) if told else getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CannotWrite(f"there is not enough space for {out}: free some or write elsewhere; nothing was kept")
    if _LOCK in text:
        return CannotWrite(f"{out} cannot be locked on this file system: set HDF5_USE_FILE_LOCKING=FALSE and try again")
    reason = os.strerror(number) if number else text
    return CannotWrite(f"{out} cannot be written: {reason}; nothing was kept")
