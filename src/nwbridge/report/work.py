"""Recordings drawn side by side in processes; one that breaks its process costs no other."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nwbridge.report.detail import Detail, detail_of
from nwbridge.report.entries import Entry

if TYPE_CHECKING:
    from nwbridge.report.recording import Drawn

# what every process needs is loaded once, beside this process, which needs little of it until the first is done
_PRELOADED = ["nwbridge.report.recording", "nwbridge.nwb.read"]
_CHECKING = ["nwbridge.validation", "nwbinspector"]


def draw_all(
    entries: Sequence[Entry], workers: int, *, check: bool, progress: Callable[[str, int, int], None]
) -> list[Drawn | None]:
    """Return what was drawn of each entry, in order; None of those without a file."""
    detail = detail_of(len(entries))
    jobs = [
        _Job(number, entry.path, entry.name, detail, check and entry.line is None)
        for number, entry in enumerate(entries)
        if entry.path is not None
    ]
    found: dict[int, Drawn] = {}
    progress("drawing", 0, len(jobs))
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            found[job.number] = job()
            progress("drawing", len(found), len(jobs))
    else:
        _in_processes(jobs, workers, found, progress)
    return [found.get(number) for number in range(len(entries))]


@dataclass(frozen=True)
class _Job:
    """What is sent to a process: plain values."""

    number: int
    path: Path
    name: str
    detail: Detail
    check: bool

    def __call__(self) -> Drawn:
        from nwbridge.report.recording import draw

        return draw(self.path, self.detail, f"r{self.number}", self.name, check=self.check)


def _context(*, check: bool) -> multiprocessing.context.BaseContext:
    """Return processes that start clean: HDF5 and threads do not survive a plain fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED + (_CHECKING if check else []))
    return context


def _in_processes(
    jobs: Sequence[_Job], workers: int, found: dict[int, Drawn], progress: Callable[[str, int, int], None]
) -> None:
    _run(jobs, min(workers, len(jobs)), found, progress)
    for job in jobs:  # a process died: whose fault it was shows when each of the rest has one of its own
        if job.number not in found:
            _run([job], 1, found, progress)
        if job.number not in found:
            from nwbridge.report.recording import Drawn

            words = f"{job.path.name} ended the process that read it: the file is damaged"
            found[job.number] = Drawn(trouble=words)


def _run(
    jobs: Sequence[_Job], workers: int, found: dict[int, Drawn], progress: Callable[[str, int, int], None]
) -> None:
    check = any(job.check for job in jobs)
    with ProcessPoolExecutor(workers, mp_context=_context(check=check)) as pool:
        waiting = {pool.submit(job): job for job in jobs}
        for future in as_completed(waiting):
            try:
                found[waiting[future].number] = future.result()
            except BrokenProcessPool:
                continue
            progress("drawing", len(found), len(jobs))
