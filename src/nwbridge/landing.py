"""Where a finished file goes: the folder that is made for it, what it must not replace, and how long it took."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from nwbridge.errors import CannotWrite
from nwbridge.nwb.parts import check_target


@contextlib.contextmanager
def folder_for(out: Path, root: Path | None, *, overwrite: bool) -> Iterator[None]:
    """Make the folder of a file that is named below `root`; remove what was made if nothing came of it."""
    if root is None:
        yield
        return
    made = [place for place in (out.parent, *out.parent.parents) if not os.path.lexists(place)]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the folder {out.parent} cannot be made: {error.strerror}") from error
    try:
        check_target(out, overwrite=overwrite)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for place in made:
                place.rmdir()
        raise


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, or the first is a folder that the second lies in."""
    with contextlib.suppress(OSError):
        return one.exists() and any(one.samefile(place) for place in (other, *other.resolve().parents))
    return False


class Clock:
    """Seconds of each phase."""

    def __init__(self) -> None:
        self._begin = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """End a phase; of several with one name the seconds add up."""
        now = time.perf_counter()
        self.laps[phase] = round(self.laps.get(phase, 0) + now - self._last, 3)
        self._last = now

    def total(self) -> None:
        """End the last phase."""
        self.laps["total"] = round(time.perf_counter() - self._begin, 3)


def silent(phase: str, done: int, total: int) -> None:
    """Show nothing."""
