"""Recordings drawn side by side in processes; one that breaks its process costs no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbridge.processes.pool import Event, Pool, Runner
from nwbridge.report.detail import detail_of
from nwbridge.report.entries import Entry

if TYPE_CHECKING:  # what draws is loaded in the processes first, and here while they work
    from nwbridge.report.recording import Drawn

Progress = Callable[[str, int, int], None]
DRAW = "draw"  # what a task of ours does, for executors that do others too


def draw_all(
    entries: Sequence[Entry], workers: int, *, check: bool, progress: Progress, executor: Runner | None = None
) -> list[Drawn | None]:
    """Return what was drawn of each entry, in order; None of those without a file."""
    tasks = [
        {
            "do": DRAW,
            "number": number,
            "path": str(entry.path.absolute()),
            "name": entry.name,
            "check": check and entry.line is None,
        }
        for number, entry in enumerate(entries)
        if entry.path is not None
    ]
    found: dict[int, Drawn] = {}
    progress("drawing", 0, len(tasks))
    with _executor(executor, min(workers, len(tasks))) as chosen:
        for event in chosen.run(tasks, {"recordings": len(entries)}):
            if event.what == "done":
                found[event.task["number"]] = _drawn(event)
                progress("drawing", len(found), len(tasks))
    return [found.get(number) for number in range(len(entries))]


def perform(task: Mapping[str, Any], shared: Mapping[str, Any], _: Progress) -> dict[str, Any]:
    """Draw one file; plain values in, plain values out."""
    from nwbridge.report.recording import draw

    detail, number = detail_of(shared["recordings"]), task["number"]
    drawn = draw(Path(task["path"]), detail, f"r{number}", task["name"], check=task["check"])
    plain: dict[str, Any] = json.loads(json.dumps(asdict(drawn), default=str))
    return {"drawn": plain}


def _drawn(event: Event) -> Drawn:
    from nwbridge.report.recording import Drawn

    if "drawn" in event.values:
        return Drawn(**event.values["drawn"])
    name = Path(event.task["path"]).name
    if event.values.get("error") == "WorkerDied":
        return Drawn(trouble=f"{name} ended the process that read it: the file is damaged")
    return Drawn(trouble=f"{name} was not drawn: {event.values.get('message')}")


class _Here:
    """Does tasks in this process."""

    def run(self, tasks: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> Iterator[Event]:
        for task in tasks:
            yield Event("done", task, perform(task, shared, lambda *_: None))


@contextmanager
def _executor(given: Runner | None, workers: int) -> Iterator[Runner]:
    if given is not None or workers <= 1:
        yield given or _Here()
        return
    pool = Pool(workers, "nwbridge.report.work:perform")
    try:
        yield pool
    finally:
        pool.close()
