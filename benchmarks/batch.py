"""Many small recordings: the batch beside loops of single conversions, and Dask beside the pool.

What each case wrote is removed after it, so that the disk holds one case at a time.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.measure import Cost

OFTEN_S = 0.2  # between two looks at the memory
WORKERS = 4
LOOP = """
import sys
from pathlib import Path
import nwbridge
root, out = map(Path, sys.argv[1:])
out.mkdir()
for path in sorted(root.iterdir()):
    nwbridge.convert(path, out / f"{path.stem}.nwb")
"""
SHELL = 'mkdir "$2" && for path in "$1"/*; do "$0" convert "$path" "$2/$(basename "$path" .h5).nwb" --quiet; done'
HEAD = "| 60 recordings | wall s | CPU s | peak MB of all processes | NWB MB | beside the loop |"
LOOPED, POOL, DASK = (
    "a shell's loop of `nwbridge convert`",
    f"batch, {WORKERS} workers",
    f"batch --dask, {WORKERS} workers",
)


def cases(nwbridge: Path, root: Path, out: Path) -> dict[str, list[str | Path]]:
    """Return the commands that convert every recording of a folder."""
    ours = [nwbridge, "batch", root, out, "--quiet", "--no-report", "--workers", str(WORKERS)]
    return {
        LOOPED: ["sh", "-c", SHELL, nwbridge, root, out],
        "one Python process that calls `convert`": [sys.executable, "-c", LOOP, root, out],
        POOL: ours,
        DASK: [*ours, "--dask"],
    }


def measured(commands: Mapping[str, Sequence[str | Path]], out: Path, runs: int) -> dict[str, list[Cost]]:
    """Run every command in turn, `runs` times over."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(runs):
        for name, command in commands.items():
            cost = run(command, out)
            costs[name].append(cost)
            print(f"  {number + 1}/{runs} {name}: {cost.wall_s:.1f} s", file=sys.stderr, flush=True)
    return costs


def run(command: Sequence[str | Path], out: Path) -> Cost:
    """Run a command that fills a folder; its memory is that of all its processes at one moment, shared pages once."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    before = os.times()
    begin = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        peaks = _Peaks(child.pid)
        peaks.start()
        _, errors = child.communicate()
        wall = time.perf_counter() - begin
        peaks.join()
    if child.returncode:
        raise SystemExit(f"{command} failed with {child.returncode}: {errors[-2000:].decode('utf-8', 'replace')}")
    after = os.times()
    cpu = sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))
    size = sum(file.stat().st_size for file in out.rglob("*.nwb")) / 1e6
    shutil.rmtree(out)
    return Cost(wall, cpu, peaks.most / 1e6, size)


class _Peaks(threading.Thread):
    """Looks at the memory of a process and all below it until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.most = 0

    def run(self) -> None:
        while self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in (self._process, *_below(self._process)):
                try:
                    total += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.most = max(self.most, total)
            time.sleep(OFTEN_S)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def table(costs: Mapping[str, Sequence[Cost]], count: int, source_mb: float) -> list[str]:
    """Return the medians as Markdown."""
    walls = {name: statistics.median(cost.wall_s for cost in several) for name, several in costs.items()}
    lines = [
        f"### {count} recordings of {source_mb:.0f} MB",
        "",
        HEAD.replace("60", str(count)),
        "|---|---|---|---|---|---|",
    ]
    for name, several in costs.items():
        middle = [statistics.median(getattr(c, key) for c in several) for key in ("cpu_s", "peak_mb", "file_mb")]
        cells = f"{walls[name]:.1f} | {middle[0]:.1f} | {middle[1]:.0f} | {middle[2]:.0f}"
        lines.append(f"| {name} | {cells} | {walls[LOOPED] / walls[name]:.1f} × as fast |")
    return [*lines, "", f"Dask takes {walls[DASK] / walls[POOL]:.2f} × as long as the pool."]
