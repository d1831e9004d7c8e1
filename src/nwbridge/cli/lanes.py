"""Progress of many recordings: a bar for all and one for each that is worked on; or a line each, where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nwbridge.processes.pool import Event

WIDTH = 40


@contextmanager
def lanes(*, shown: bool) -> Iterator[Callable[[Event], None]]:
    """Yield the function that `nwbridge.convert_all` tells what happens."""
    if not shown:
        yield lambda event: None
    elif sys.stderr.isatty():
        bars = _Bars()
        try:
            yield bars.tell
        finally:
            bars.close()
    else:
        yield _Lines().tell


def sentence(line: dict[str, Any]) -> str:
    """Return what became of a recording, in a line."""
    if line["status"] == "failed":
        return f"{line['job']}: failed: {line['message']}"
    errors = sum(finding["severity"] == "error" for finding in line["findings"])
    found = f", {errors} error{'' if errors == 1 else 's'} in it" if errors else ""
    return f"{line['job']}: {line['out']}{found}, {line['seconds']['total']:.1f} s"


class _Lines:
    def __init__(self) -> None:
        self._done = self._all = 0

    def tell(self, event: Event) -> None:
        if event.what == "planned":
            self._all = event.values["jobs"]
        elif event.what == "note":
            print(event.values["message"], file=sys.stderr)
        elif event.what == "line":
            self._done += bool(event.task)
            count = f"[{self._done}/{self._all}] " if event.task else ""
            print(count + sentence(dict(event.values)), file=sys.stderr, flush=True)


class _Bars:
    def __init__(self) -> None:
        from tqdm import tqdm

        self._new = tqdm
        self._all: Any = tqdm(desc="looking", unit="", bar_format="{desc}: {n_fmt} {unit}", leave=False)
        self._running: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def tell(self, event: Event) -> None:
        if event.what == "planned":
            self._all.close()
            done = event.values["finished"]
            self._all = self._new(
                total=event.values["jobs"] + done, initial=done, desc="all", unit=" recordings", leave=False
            )
        elif event.what in ("report", "note"):
            self._all.set_description_str("drawing the report" if event.what == "report" else event.values["message"])
        elif event.what == "line":
            if event.values["status"] == "failed":
                self._all.write(sentence(dict(event.values)), file=sys.stderr)
            if event.task:
                self._all.update()
        elif event.task.get("do") == "describe":
            self._all.update(event.what == "done")
        else:
            self._tell_of(event)

    def _tell_of(self, event: Event) -> None:
        job = event.task["job"]
        if event.what == "progress" and job not in self._running:  # a cluster starts all at once, and does a few
            taken = {bar.pos for bar in self._running.values()}
            place = next(place for place in range(1, 1000) if -place not in taken)
            name = job if len(job) <= WIDTH else "…" + job[1 - WIDTH :]
            self._running[job] = self._new(desc=name, position=place, leave=False, bar_format="  {desc}")
            self._names[job] = name
        if event.what == "progress":
            done = 100 * event.values["done"] // (event.values["total"] or 1)
            self._running[job].set_description_str(f"{self._names[job]}: {event.values['phase']} {done} %")
        elif event.what == "done" and job in self._running:
            self._running.pop(job).close()

    def close(self) -> None:
        for bar in (*self._running.values(), self._all):
            bar.close()
