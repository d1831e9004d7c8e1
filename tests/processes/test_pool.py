"""Each process of the pool loses only its own task when it is killed, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nwbridge.processes.pool import Pool

WORK = "nwbridge.batch.work:perform"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")


@pytest.fixture
def plugin(site, monkeypatch):
    """The plugin that makes trouble, for the workers of this process."""
    monkeypatch.syspath_prepend(site)


def shared(root):
    return {"root": str(root), "metadata": {}, "options": {}, "first": None, "plan": False} | {
        "out": str(root / "out"),
        "chunks": None,
        "compression": "none",
        "verify": True,
        "archive": None,
    }


def convert(name):
    return {
        "do": "convert",
        "path": f"{name}.trbl",
        "name": None,
        "source": "trouble",
        "options": {},
        "metadata": {},
        "out": f"{name}.nwb",
        "threads": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "overwrite": False,
    }


def run(pool, tasks, root):
    """Return what became of each task, by its file, and everything that happened."""
    happened = list(pool.run(tasks, shared(root)))
    return {event.task["out"]: event.values for event in happened if event.what == "done"}, happened


@pytest.mark.usefixtures("plugin")
def test_a_killed_process_costs_only_its_task_which_is_tried_once_more(trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1)
    trouble(tmp_path / "b.trbl", 2, deaths=1, marker=str(tmp_path / "b"))
    trouble(tmp_path / "c.trbl", 3, deaths=2, marker=str(tmp_path / "c"))
    trouble(tmp_path / "d.trbl", 4)
    pool = Pool(2, WORK)
    try:
        done, happened = run(pool, [convert(name) for name in "abcd"], tmp_path)
    finally:
        pool.close()
    assert {name: values["attempts"] for name, values in done.items()} == {
        "a.nwb": 1,
        "b.nwb": 2,
        "c.nwb": 2,
        "d.nwb": 1,
    }
    assert [name for name, values in sorted(done.items()) if "error" in values] == ["c.nwb"]
    assert done["c.nwb"]["message"].startswith("its process died twice (signal 9, SIGKILL): out of memory?")
    assert sum(event.what == "started" for event in happened) == 6
    assert {event.values["phase"] for event in happened if event.what == "progress"} >= {"writing", "verifying"}
    assert sorted(file.name for file in (tmp_path / "out").glob("*.nwb") if ".part." not in file.name) == [
        "a.nwb",
        "b.nwb",
        "d.nwb",
    ]


@pytest.mark.usefixtures("plugin")
def test_a_plugins_own_fault_is_a_result(trouble, tmp_path):
    (tmp_path / "a.trbl").write_text("{}")
    pool = Pool(1, WORK)
    try:
        done, _ = run(pool, [convert("a")], tmp_path)
    finally:
        pool.close()
    assert done["a.nwb"]["error"] == "PluginFault"
    assert "nwbridge-trouble 1.0 failed while describing" in done["a.nwb"]["message"]


@pytest.mark.usefixtures("plugin")
def test_what_a_fork_of_a_plugins_says_is_no_answer(trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1, fork="raises")
    trouble(tmp_path / "b.trbl", 2)
    pool = Pool(1, WORK)
    try:
        done, _ = run(pool, [convert("a"), convert("b")], tmp_path)
    finally:
        pool.close()
    assert {name: values["session_id"] for name, values in done.items()} == {"a.nwb": "a", "b.nwb": "b"}


@pytest.mark.usefixtures("plugin")
def test_a_process_that_died_is_noticed_though_a_fork_of_a_plugins_holds_its_pipe(trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1, fork="stays", marker=str(tmp_path / "forked"))
    pool = Pool(1, WORK)
    begin = time.monotonic()
    try:
        done, _ = run(pool, [convert("a")], tmp_path)
    finally:
        pool.close()
    assert (done["a.nwb"]["session_id"], done["a.nwb"]["attempts"]) == ("a", 2)
    assert time.monotonic() - begin < 90


@pytest.mark.usefixtures("plugin")
def test_a_plugin_that_closes_its_standard_input_costs_no_other_recording(trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1, closes=0)
    trouble(tmp_path / "b.trbl", 2)
    pool = Pool(1, WORK)
    try:
        done, _ = run(pool, [convert("a"), convert("b")], tmp_path)
    finally:
        pool.close()
    assert {name: values["session_id"] for name, values in done.items()} == {"a.nwb": "a", "b.nwb": "b"}


@pytest.mark.usefixtures("plugin")
def test_closing_stops_what_runs_and_leaves_no_part_file(trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1, wait=0.2, frames=4000, begun=str(tmp_path / "begun"))
    pool = Pool(1, WORK)
    begin = time.monotonic()
    for event in pool.run([convert("a")], shared(tmp_path)):
        if event.what == "progress" and (tmp_path / "begun").exists():
            break
    assert [task["out"] for task in pool.running()] == ["a.nwb"]
    pool.close()
    assert time.monotonic() - begin < 30
    assert not psutil.pid_exists(int((tmp_path / "begun").read_text()))
    assert list((tmp_path / "out").iterdir()) == []


def test_no_process_outlives_a_killed_parent(site, trouble, tmp_path):
    trouble(tmp_path / "a.trbl", 1, wait=60, begun=str(tmp_path / "begun"))
    code = f"""if True:
        import sys
        sys.path[:0] = [{str(site)!r}]
        from nwbridge.processes.pool import Pool
        list(Pool(1, {WORK!r}).run([{convert("a")!r}], {shared(tmp_path)!r}))
    """
    parent = subprocess.Popen([sys.executable, "-c", code])
    worker = _written(tmp_path / "begun")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 30
    while psutil.pid_exists(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not psutil.pid_exists(worker)


def _written(path: Path) -> int:
    """Wait for a number in a file."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")
