"""How a finished file takes its name: at once, and never from one that has appeared there meanwhile."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from nwbridge.errors import CannotWrite


def take_name(part: Path, out: Path, *, overwrite: bool) -> bool:
    """Give a file its final name; False, and nothing done, where that is taken and not to be overwritten."""
    if not overwrite:
        try:
            os.link(part, out)  # unlike a rename, fails where the name is taken
        except OSError:  # it is, or the file system has no hard links
            if os.path.lexists(out):
                return False
        else:
            return True
    part.replace(out)
    return True


def check_place(out: Path, *, overwrite: bool) -> None:
    """Raise CannotWrite unless a file can be written as it was asked for."""
    if "\0" in str(out):
        raise CannotWrite(f"{str(out)!r:.80} is no name of a file")
    try:
        if out.is_dir():
            raise CannotWrite(f"{out} is a folder; give the name of a file")
        if os.path.lexists(out) and not overwrite:
            raise _taken(out)
        if not out.parent.is_dir():
            raise CannotWrite(f"the folder {out.parent} does not exist: create it first")
    except OSError as error:
        raise CannotWrite(f"{out!s:.80} cannot be written: {error.strerror or error}") from error


def publish(content: bytes, out: Path, *, overwrite: bool) -> None:
    """Write beside and rename, so that the file is whole or absent; never over one that appeared meanwhile."""
    part = out.with_name(f".{out.stem[:100]}.{uuid.uuid4().hex[:8]}.part{out.suffix}")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not take_name(part, out, overwrite=overwrite):
            raise _taken(out)
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _taken(out: Path) -> CannotWrite:
    return CannotWrite(f"{out} exists already: choose another name or say --overwrite")
