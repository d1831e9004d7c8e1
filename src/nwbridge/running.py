"""What a processor may ask of the run that it is part of: to show progress, and how many threads to use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nwbridge import processors

Tell = Callable[[str, int, int], None]  # phase, done, in all
_TELL: ContextVar[Tell | None] = ContextVar("tell", default=None)
_THREADS: ContextVar[int | None] = ContextVar("threads", default=None)


def progress(doing: str, done: int, total: int) -> None:
    """Show how far long work is: ``progress("training, loss 0.012", 300, 1200)``; nothing happens outside of a run.

    Up to the first comma and blank stands the phase, which has one bar; what follows is shown beside it, and may
    change; where it ends in " left", as in "40 s left", no other time is reckoned. Both numbers count whatever the
    phase does, and `total` may be an estimate; of 1, only the words are shown.
    """
    if (tell := _TELL.get()) is not None:
        tell(doing, done, total)


def about(tell: Tell, words: str) -> Tell:
    """Return what tells the same, and says beside the phase which of several it is about."""

    def told(doing: str, done: int, total: int) -> None:
        phase, comma, detail = doing.partition(", ")
        tell(f"{phase}, {words}" + (f": {detail}" if comma else ""), done, total)

    return told


def threads() -> int:
    """Return how many threads a processor may use: what the user said, or as many as processors, at most 8."""
    return _THREADS.get() or processors.few()


@contextmanager
def running(tell: Tell, count: int) -> Iterator[None]:
    """Let what is called inside show progress through `tell`, and use `count` threads."""
    told, counted = _TELL.set(tell), _THREADS.set(count)
    try:
        yield
    finally:
        _TELL.reset(told)
        _THREADS.reset(counted)
