"""The same tasks on a Dask cluster, one that runs already or one of this machine's processes."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from nwbridge.errors import BadOption, MissingDependency, NwbridgeError
from nwbridge.processes.pool import Event
from nwbridge.version import __version__

TOPIC = "nwbridge"
PATIENCE_S = 60  # without any worker
HERE = ""  # the address that means a cluster of this machine


class Cluster:
    """Gives tasks to Dask's workers; what a dying one had begun, Dask gives to another."""

    def __init__(self, address: str, workers: int) -> None:
        distributed = _distributed()
        self._cluster: Any = None
        self._futures: list[Any] = []
        self._tasks: Sequence[Mapping[str, Any]] = ()
        self._left: set[int] = set()
        try:
            if address == HERE:
                self._cluster = _local(distributed, workers)
            self._client = distributed.Client(self._cluster or address, timeout=10, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            words = " ".join(str(error).split())
            raise BadOption(
                f"--dask {address}: there is no Dask scheduler ({words}); give one as tcp://HOST:8786"
            ) from error
        try:
            self._check_workers(address)
        except BaseException:
            self.close()
            raise

    def _check_workers(self, address: str) -> None:
        with suppress(TimeoutError):
            self._client.wait_for_workers(1, timeout=PATIENCE_S)
        try:
            found = self._client.run(_version)
        except Exception as error:  # whatever stops a worker from loading it
            words = " ".join(str(error).split())
            raise NwbridgeError(
                f"a Dask worker of {address} cannot load nwbridge ({words}): install nwbridge {__version__} there"
            ) from error
        if not found:
            raise NwbridgeError(
                f"the Dask scheduler at {address} has no workers: start some with dask worker {address}"
            )
        for worker, version in found.items():
            if version != __version__:
                has = f"nwbridge {version}" if version else "no nwbridge"
                raise NwbridgeError(
                    f"the Dask worker {worker} has {has}; expected {__version__}, as here: install it there"
                )

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def run(self, tasks: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]) -> Iterator[Event]:
        """Yield what happens to each task."""
        words: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._client.subscribe_topic(TOPIC, lambda event: words.put((event[1]["number"], event[1])))
        for number, task in enumerate(tasks):
            yield Event("started", task, {"attempts": 1})
            future = self._client.submit(_work, task, dict(shared), number, __version__, pure=False)
            self._futures.append(future)
            future.add_done_callback(lambda _, number=number: words.put((number, None)))
        left = self._left = set(range(len(tasks)))
        self._tasks, waited = tasks, 0
        while left:
            try:
                number, word = words.get(timeout=1)
            except queue.Empty:
                waited = 0 if self.size else waited + 1
                if waited > PATIENCE_S:
                    raise NwbridgeError(
                        "no Dask worker is left: start some, then give the same command again"
                    ) from None
                continue
            if number not in left:
                continue
            if word is not None:
                yield Event("progress", tasks[number], word)
                continue
            left.discard(number)
            yield Event("done", tasks[number], _answer(self._futures[number]))
        self._client.unsubscribe_topic(TOPIC)
        self._futures.clear()

    def running(self) -> list[Mapping[str, Any]]:
        """Return the tasks of our own cluster, which ends in the midst of them; others finish what they have begun."""
        return [self._tasks[number] for number in sorted(self._left)] if self._cluster is not None else []

    def close(self) -> None:
        """Take back what waits, and leave the cluster; one of our own ends."""
        with suppress(Exception):
            self._client.cancel(self._futures, force=True)
        for what in (self._client, self._cluster):
            if what is not None:
                with suppress(Exception):
                    what.close()


def _local(distributed: Any, workers: int) -> Any:
    """Return a cluster of this machine, as fast as our own processes."""
    import dask

    quick = {
        "distributed.worker.profile.enabled": False,  # it stops every worker a hundred times a second
        # with it every block is memory that the system gives anew, and writing takes a third longer
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    }
    with dask.config.set(quick):
        return distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingDependency("--dask needs Dask: pip install 'nwbridge[dask]'") from error
    return distributed


def _answer(future: Any) -> dict[str, Any]:
    """Return what a task gave, or why it gave nothing."""
    error = future.exception() if future.status == "error" else None
    if error is not None and type(error).__name__ == "KilledWorker":
        message = "every Dask worker that took it died: out of memory? Give the workers more"
        return {"error": "WorkerDied", "message": message, "attempts": 4}
    if error is not None:
        return {"error": type(error).__name__, "message": " ".join(str(error).split()), "attempts": 1}
    if future.cancelled():
        return {
            "error": "WorkerDied",
            "message": "Dask took the task back: was the scheduler restarted?",
            "attempts": 1,
        }
    return {**future.result(), "attempts": 1}


def _version() -> str | None:
    """Say which nwbridge a worker has."""
    return __version__


def _work(task: Mapping[str, Any], shared: Mapping[str, Any], number: int, version: str) -> dict[str, Any]:
    """Do one task on a worker, telling how far it is."""
    import time

    from distributed import get_worker

    from nwbridge.batch.work import perform

    worker: Any = get_worker()
    if version != __version__:
        text = f"the Dask worker {worker.address} has nwbridge {__version__}; expected {version}: install it there"
        return {"error": "NwbridgeError", "message": text}
    last = {"phase": "", "time": 0.0}

    def progress(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if phase != last["phase"] or now - float(str(last["time"])) > 0.5:
            last.update(phase=phase, time=now)
            worker.log_event(TOPIC, {"number": number, "phase": phase, "done": done, "total": total})

    return perform(task, shared, progress)
