"""Runs a command as a process of its own and says what it cost. Unix only: `os.wait4` gives one child's resources.

This process must stay small: Linux counts what a child shared with its parent before `exec` into the child's peak.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What one run cost."""

    wall_s: float
    cpu_s: float  # user and system
    peak_mb: float  # resident, of the process itself
    file_mb: float
    output: str = ""


def run(command: Sequence[str | Path], out: Path | None = None) -> Cost:
    """Run a command that writes `out`; what lies there from an earlier run is removed first."""
    if out is not None:
        out.unlink(missing_ok=True)
    os.sync()  # nobody pays for writing back the file before
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        child = subprocess.Popen(list(map(str, command)), stdout=said, stderr=errors, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors.seek(0)
        output = said.read().decode("utf-8", "replace")
        if child.returncode:
            tail = errors.read().decode("utf-8", "replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command))} failed with {child.returncode}:\n{output[-2000:]}{tail}")
    size = out.stat().st_size / 1e6 if out is not None else 0.0
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT / 1e6, size, output)


def interleaved(cases: Mapping[str, tuple[Sequence[str | Path], Path | None]], runs: int) -> dict[str, list[Cost]]:
    """Run every case in turn, `runs` times over, so that a machine that slows down slows all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    for number in range(runs):
        for name, (command, out) in cases.items():
            cost = run(command, out)
            costs[name].append(cost)
            print(f"  {number + 1}/{runs} {name}: {cost.wall_s:.2f} s", file=sys.stderr, flush=True)
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each number."""
    names = ("wall_s", "cpu_s", "peak_mb", "file_mb")
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in names))
