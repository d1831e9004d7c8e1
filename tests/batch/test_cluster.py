"""The same jobs on a Dask cluster of real processes: a scheduler, and workers of which one is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'nwbridge[dask]'")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")


@pytest.fixture
def dask(site, tmp_path):
    """A function that starts a part of a cluster, and returns its process and what it says."""
    begun = []

    def begin(*words: str, python_path: Path | None = None) -> tuple[subprocess.Popen, Path]:
        log = tmp_path / f"dask-{len(begun)}.log"
        path = os.pathsep.join(map(str, filter(None, [python_path, site, os.environ.get("PYTHONPATH")])))
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:], "--no-dashboard"]
        with log.open("wb") as file:
            environment = os.environ | {"PYTHONPATH": path}
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path)
        begun.append(process)
        return process, log

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def said(log: Path, pattern: str) -> str:
    """Wait until a log says something."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text("utf-8", "replace")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8", "replace"))


@pytest.fixture
def scheduler(dask):
    """The address of a scheduler without workers."""
    _, log = dask("scheduler", "--host", "127.0.0.1", "--port", "0")
    return said(log, r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)")


def worker(dask, address, **more):
    """Start a worker without a nanny: nobody starts it again."""
    process, log = dask("worker", address, "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", **more)
    said(log, r"(Registered to)")
    return process


def test_converts_on_a_cluster_and_a_killed_worker_costs_only_a_retry(scheduler, dask, start, trouble, tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    for number in range(6):
        trouble(root / f"r{number}.trbl", number)
    trouble(root / "long.trbl", 9, wait=1.0, frames=200, begun=str(tmp_path / "begun"))
    workers = {process.pid: process for process in (worker(dask, scheduler), worker(dask, scheduler))}
    process = start(root, out, "--no-report", "--dask", scheduler)
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    killed = workers[int((tmp_path / "begun").read_text())]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    words, errors = process.communicate(timeout=120)
    assert process.returncode == 0, words + errors
    assert "7 recordings: 7 written, 0 failed" in words
    assert not list(out.rglob("*.part.nwb"))
    for number in range(6):
        values = np.random.default_rng(number).integers(0, 1000, (40, 11, 7)).astype("u2")
        with h5py.File(out / f"sub-r{number}" / f"sub-r{number}_ses-r{number}_ophys.nwb") as file:
            stored = file["acquisition/TwoPhotonSeries/data"][()]
        assert np.array_equal(stored.transpose(0, 2, 1), values)


def test_a_recording_that_kills_every_worker_fails_alone(dask, batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "good.trbl", 1)
    trouble(tmp_path / "in" / "deadly.trbl", 2, deaths=99, marker=str(tmp_path / "died"))
    code, words, errors = batch(tmp_path / "in", tmp_path / "out", "--dask", "--workers", "2")
    assert code == 1, words + errors
    assert "failed: deadly.trbl: every Dask worker that took it died" in words
    assert "2 recordings: 1 written, 1 failed" in words


def test_a_worker_without_nwbridge_is_refused(scheduler, dask, batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "a.trbl")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "sitecustomize.py").write_text("import sys\nsys.modules['nwbridge'] = None\n")
    worker(dask, scheduler, python_path=tmp_path / "none")
    code, _, errors = batch(tmp_path / "in", tmp_path / "out", "--dask", scheduler)
    assert code == 2
    assert re.search(r"a Dask worker of tcp://.* cannot load nwbridge \(.*\): install nwbridge [\d.]+ there", errors)
    assert "a fault of nwbridge" not in errors


def test_a_worker_with_another_nwbridge_is_refused(scheduler, dask, batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "a.trbl")
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import nwbridge.version\nnwbridge.version.__version__ = '0.0.1'\n")
    worker(dask, scheduler, python_path=other)
    code, _, errors = batch(tmp_path / "in", tmp_path / "out", "--dask", scheduler)
    assert code == 2
    assert re.search(r"the Dask worker tcp://127\.0\.0\.1:\d+ has nwbridge 0\.0\.1; expected", errors)
    assert not (tmp_path / "out").exists()
