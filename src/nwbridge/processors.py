"""How many processors this process may use, which bounds threads and processes."""

from __future__ import annotations

import os

MOST = 8  # threads or processes, unless more are asked for: more wait for memory


def usable() -> int:
    """Return the processors that this process may use: of a shared machine not all are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)


def few() -> int:
    """Return as many as are taken unless somebody says how many."""
    return min(MOST, usable())
