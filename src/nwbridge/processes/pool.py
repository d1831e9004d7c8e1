"""A pool of processes in which each loses only its own task when it is killed."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from nwbridge.errors import NwbridgeError
from nwbridge.processes.worker import GRACE_S

TRIES = 2


@dataclass(frozen=True)
class Event:
    """Something that happened to a task: started, progress or done."""

    what: str
    task: Mapping[str, Any]
    values: Mapping[str, Any]


class Runner(Protocol):
    """Whatever does tasks."""

    def run(self, tasks: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> Iterator[Event]:
        """Yield what happens to each task."""


class Executor(Runner, Protocol):
    """What does tasks elsewhere: the pool or a cluster."""

    @property
    def size(self) -> int:
        """How many tasks it does at a time."""

    def running(self) -> list[Mapping[str, Any]]:
        """Return the tasks that are being worked on by processes of ours."""

    def close(self) -> None:
        """Give up."""


class Pool:
    """Processes that take tasks one by one, from when they are needed until `close`.

    `work` names the function that does a task, as ``module:function``; its module is loaded before the first task
    comes. It takes the task, what all tasks share and a function that is told of progress, and returns plain values.
    """

    def __init__(self, size: int, work: str) -> None:
        self.size, self._work = size, work
        self._lanes: list[_Lane] = []
        self._words: _Words = queue.Queue()

    def run(self, tasks: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> Iterator[Event]:
        """Yield what happens to each task; `started` before the task is given to a process."""
        waiting, tries = deque(tasks), {id(task): 0 for task in tasks}
        while len(self._lanes) < min(self.size, len(tasks)):
            self._lanes.append(_Lane(self._words, self._work))
        while waiting or any(lane.task is not None for lane in self._lanes):
            for lane in self._lanes:
                if lane.task is None and waiting:
                    task = waiting.popleft()
                    tries[id(task)] += 1
                    yield Event("started", task, {"attempts": tries[id(task)]})
                    lane.give(task, shared)
            lane, word = self._next()
            task_ = lane.task
            if word is None:
                lane.replace()
                if task_ is None:
                    continue
                if tries[id(task_)] < TRIES:
                    waiting.appendleft(task_)
                else:
                    yield Event("done", task_, {**lane.died(), "attempts": tries[id(task_)]})
            elif task_ is not None and "answer" in word:
                lane.task = None
                yield Event("done", task_, {**word["answer"], "attempts": tries[id(task_)]})
            elif task_ is not None and "phase" in word:
                yield Event("progress", task_, word)

    def _next(self) -> tuple[_Lane, dict[str, Any] | None]:
        """Return what a process says, or None for one that has died."""
        while True:  # a wait without end cannot be interrupted on every system
            try:
                lane, process, word = self._words.get(timeout=1)
            except queue.Empty:  # what a process has begun may outlive it, and hold its pipe open
                if dead := next((lane for lane in self._lanes if lane.is_dead()), None):
                    return dead, None
                continue
            if lane.has(process):  # not the end of one that has been replaced
                return lane, word

    def running(self) -> list[Mapping[str, Any]]:
        """Return the tasks that are being worked on."""
        return [lane.task for lane in self._lanes if lane.task is not None]

    def close(self) -> None:
        """End every process: those that work give up, and remove what they have begun."""
        for lane in self._lanes:
            lane.leave()
        end = time.monotonic() + GRACE_S
        for lane in self._lanes:
            lane.end(end)
        self._lanes.clear()


_Words = queue.Queue[tuple["_Lane", subprocess.Popen[str], dict[str, Any] | None]]


class _Lane:
    """One process after another, for one task after another."""

    def __init__(self, words: _Words, work: str) -> None:
        self.task: Mapping[str, Any] | None = None
        self._words, self._work = words, work
        self._code: int | None = None
        self._idle_deaths = 0
        self._start()

    def _start(self) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; from nwbridge.processes.worker import main; main(sys.argv[1])"
        self._shared: Mapping[str, Any] | None = None  # what this process has been told
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the process
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", code, self._work]
        self._process = subprocess.Popen(  # noqa: S603 our own interpreter
            command, stdin=pipe, stdout=pipe, stderr=self._errors, text=True, encoding="utf-8"
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101
        with suppress(ValueError, OSError), process.stdout:
            for line in process.stdout:
                self._words.put((self, process, json.loads(line)))
        self._words.put((self, process, None))

    def has(self, process: subprocess.Popen[str]) -> bool:
        return self._process is process

    def is_dead(self) -> bool:
        return self._process.poll() is not None

    def give(self, task: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        self.task = task
        assert self._process.stdin is not None  # noqa: S101
        with suppress(OSError):  # it has died: that is told by its output, which ends
            words = {"task": task} if shared is self._shared else {"task": task, "shared": shared}
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
            self._shared = shared

    def replace(self) -> None:
        """Put a new process in the place of one that has died."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self._process.kill()  # if it lives, and only its pipe has ended
        self._code = self._process.wait()
        said = self._said()
        self._shut()
        self._idle_deaths = self._idle_deaths + 1 if self.task is None else 0
        if self._idle_deaths > TRIES:
            raise NwbridgeError(f"worker processes cannot be started: {said or self._how()}")
        self.task = None
        self._start()

    def _how(self) -> str:
        code = self._code or 0
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"signal {-code}, {signal.Signals(-code).name}"
        return f"signal {-code}"

    def died(self) -> dict[str, Any]:
        """Return why a task has no result."""
        memory = self._code == -getattr(signal, "SIGKILL", 9)
        hint = "out of memory? Take fewer --workers" if memory else "its reader crashed? Tell the authors of the plugin"
        message = f"its process died twice ({self._how()}): {hint}; the others were not harmed"
        return {"error": "WorkerDied", "message": message}

    def _said(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def leave(self) -> None:
        """Tell the process that there is nothing more to be done."""
        assert self._process.stdin is not None  # noqa: S101
        with suppress(OSError):
            self._process.stdin.close()

    def end(self, by: float) -> None:
        """Wait for the process to end, and end it if it does not."""
        try:
            self._process.wait(max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._shut()

    def _shut(self) -> None:
        self._listener.join(1)  # a process of the plugin's own may still hold the pipe
        for pipe in (self._process.stdin, self._errors):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
