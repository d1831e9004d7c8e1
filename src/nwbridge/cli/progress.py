"""Progress on a terminal: one bar a phase, on standard error, and nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

IN_BYTES = frozenset({"writing", "verifying", "uploading"})  # phases in which the host tells bytes
_BYTES: dict[str, Any] = {"unit": "B", "unit_scale": True}
_COUNTS: dict[str, Any] = {
    "bar_format": "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
}
_TOLD = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
_WORDS: dict[str, Any] = {"bar_format": "{desc}"}


@contextmanager
def bar(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield the function that is told of progress, as `nwbridge.progress` describes it."""
    if not (shown and sys.stderr.isatty()):
        yield lambda *_: None
        return
    from tqdm import tqdm

    current: tqdm[None] | None = None
    shape: tuple[str, bool] | None = None  # of the current bar: its phase, and whether it counts anything
    words = ""  # of a bar that counts nothing

    def show(doing: str, done: int, total: int) -> None:
        nonlocal current, shape, words
        phase, _, detail = doing.partition(", ")
        if current is None or shape != (phase, total > 1):
            if current is not None:
                current.close()
            shape = (phase, total > 1)
            how = _WORDS if total <= 1 else _BYTES if phase in IN_BYTES else _COUNTS
            words = doing if total <= 1 else phase
            current = tqdm(total=total, desc=words, leave=False, mininterval=0.2, **how)
        if total > 1:
            current.total = total  # which may be an estimate
            if detail.endswith(" left"):  # the step knows better, also after it has gone on from a checkpoint
                current.bar_format = _TOLD
            current.set_postfix_str(detail, refresh=False)
            current.update(done - current.n)
        elif doing != words:
            words = doing
            current.set_description_str(doing)

    try:
        yield show
    finally:
        if current is not None:
            current.close()
