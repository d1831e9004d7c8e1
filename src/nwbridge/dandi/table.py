"""What stands in for the table that DANDI's client draws on the terminal: it keeps what became of each file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from nwbridge.dandi.folder import Progress


class Table:
    """Runs what the client gives it in threads, and keeps what became of each file."""

    def __init__(self, sizes: Mapping[str, int], progress: Progress | None) -> None:
        self.sizes, self.workers = dict(sizes), 1
        self.done: set[str] = set()
        self.skipped: set[str] = set()
        self.failed: dict[str, str] = {}
        self._progress: Callable[[str, int, int], None] = progress or (lambda *_: None)
        self._bytes = dict.fromkeys(sizes, 0)
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._waiting: list[Future[None]] = []

    def __enter__(self) -> Table:
        self._pool = ThreadPoolExecutor(self.workers, "nwbridge-upload")
        return self

    def __call__(self, row: Mapping[Any, Any]) -> None:
        """Take one row of the client's: a path, and what yields its other columns as they become known."""
        steps = next((value for key, value in row.items() if isinstance(key, tuple)), None)
        if steps is not None:
            self._waiting.append(self._pool.submit(self._run, row["path"], steps))
        elif row.get("status") == "ERROR":
            self.failed[row["path"]] = str(row.get("message", ""))

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            for future in self._waiting if kind is None else ():
                future.result()
        finally:
            self._stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, place: str, steps: Any) -> None:
        for step in steps:
            if self._stop.is_set():
                steps.close()
                return
            self._note(place, step)

    def _note(self, place: str, step: Mapping[str, Any]) -> None:
        status = step.get("status")
        if place not in self.sizes:
            return  # dandiset.yaml
        with self._lock:
            if status == "ERROR":
                self.failed[place] = str(step.get("message", ""))
            elif status in ("done", "skipped"):
                (self.done if status == "done" else self.skipped).add(place)
                self._bytes[place] = self.sizes[place]
            elif "progress" in step:
                self._bytes[place] = int(self.sizes[place] * step["progress"] / 100)
            total = max(1, sum(self.sizes.values()))
            self._progress("uploading", sum(self._bytes.values()), total)
