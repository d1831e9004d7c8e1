"""Progress on a terminal: one bar a phase, on standard error, and nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield the function that `nwbridge.convert` reports to."""
    if not (shown and sys.stderr.isatty()):
        yield lambda *_: None
        return
    from tqdm import tqdm

    current: tqdm[None] | None = None

    def show(phase: str, done: int, total: int) -> None:
        nonlocal current
        if current is None or current.desc.strip(": ") != phase:
            if current is not None:
                current.close()
            unit = {"unit": "B", "unit_scale": True} if total > 1 else {"bar_format": "{desc}"}
            current = tqdm(total=total, desc=phase, leave=False, mininterval=0.2, **unit)
        current.update(done - current.n)

    try:
        yield show
    finally:
        if current is not None:
            current.close()
