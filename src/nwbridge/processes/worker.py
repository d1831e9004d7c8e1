"""A worker process: takes tasks as lines of JSON from its standard input, and answers in lines on its output.

It ends when its input does, so that a killed parent leaves nobody behind, and then leaves no part file.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

GRACE_S = 5.0  # for a task that has been told to stop, before the process ends at once
OFTEN_S = 0.2  # between two words on the progress of one phase


class _Leaving(BaseException):
    """The task is given up: nobody waits for it."""


class _Voice:
    """Says things to the parent; whoever has no parent leaves."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._phase, self._last = out, "", 0.0
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.leaving = False

    def say(self, **words: Any) -> None:
        if os.getpid() != self._process:  # a fork of the plugin's, which came out of its code: its words are not ours
            os._exit(1)
        try:
            with self._lock:
                self._out.write(json.dumps(words) + "\n")
                self._out.flush()
        except (OSError, ValueError) as error:
            raise _Leaving from error

    def progress(self, phase: str, done: int, total: int) -> None:
        """Tell how far the running task is, not too often."""
        if self.leaving:
            raise _Leaving
        now = time.monotonic()
        if phase != self._phase or now - self._last > OFTEN_S:
            self._phase, self._last = phase, now
            self.say(phase=phase, done=done, total=total)


def main(work: str) -> None:
    """Work until there is nothing more to be done; `work` names the function that does a task."""
    voice = _Voice(_own_output())
    tasks: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def interrupted(*_: Any) -> None:
        if voice.leaving:  # Ctrl-C reaches every process of a terminal: what to do then is the parent's affair
            raise _Leaving

    def ended(*_: Any) -> None:
        voice.leaving = True
        raise _Leaving

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, ended)
    threading.Thread(target=_listen, args=(tasks, voice, threading.main_thread().ident), daemon=True).start()
    try:
        _work(work, tasks, voice)
    except _Leaving:
        sys.exit(1)


def _work(work: str, tasks: queue.Queue[dict[str, Any] | None], voice: _Voice) -> None:
    module, name = work.split(":")
    perform = getattr(import_module(module), name)
    voice.say(ready=True)
    shared: dict[str, Any] = {}
    while (task := tasks.get()) is not None:
        shared = task.get("shared", shared)  # only where it is another than before: it may be large
        voice.say(answer=perform(task["task"], shared, voice.progress))


def _listen(tasks: queue.Queue[dict[str, Any] | None], voice: _Voice, main_thread: int) -> None:
    """Pass on tasks until the parent has no more, or is no more; then a running task is stopped."""
    with suppress(OSError, ValueError):  # a plugin has closed it
        for line in sys.stdin:
            tasks.put(json.loads(line))
    voice.leaving = True
    tasks.put(None)
    if os.name == "posix":
        signal.pthread_kill(main_thread, signal.SIGINT)  # wakes a thread that waits
    else:
        import _thread

        _thread.interrupt_main()
    time.sleep(GRACE_S)
    os._exit(1)


def _own_output() -> IO[str]:
    """Return standard output for our words alone: what a plugin prints goes where errors go."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours
