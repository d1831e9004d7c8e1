"""On a terminal a batch shows a bar for all and a line for each that is worked on; elsewhere a line as each ends."""

import os
import re
import subprocess
import sys

import pytest

from nwbridge.cli.lanes import lanes, sentence
from nwbridge.plugins import installed
from nwbridge.processes.pool import Event

WRITTEN = {"job": "a.h5", "status": "written", "out": "sub-a/a.nwb", "findings": [], "seconds": {"total": 1.25}}
FAILED = {"job": "b.h5", "status": "failed", "message": "b.h5 is cut off"}


def test_a_sentence_says_what_became_of_a_recording():
    assert sentence(WRITTEN) == "a.h5: sub-a/a.nwb, 1.2 s"
    assert sentence(FAILED) == "b.h5: failed: b.h5 is cut off"
    found = [{"severity": "error"}, {"severity": "warning"}]
    assert sentence(WRITTEN | {"findings": found}) == "a.h5: sub-a/a.nwb, 1 error in it, 1.2 s"


def test_where_nobody_looks_each_recording_gets_a_line(capsys):
    with lanes(shown=True) as tell:
        tell(Event("planned", {}, {"jobs": 2, "finished": 1}))
        tell(Event("started", {"job": "a.h5"}, {}))
        tell(Event("progress", {"job": "a.h5"}, {"phase": "writing", "done": 1, "total": 2}))
        tell(Event("line", {"job": "a.h5"}, WRITTEN))
        tell(Event("line", {"job": "b.h5"}, FAILED))
    assert capsys.readouterr().err == "[1/2] a.h5: sub-a/a.nwb, 1.2 s\n[2/2] b.h5: failed: b.h5 is cut off\n"


def test_a_cluster_may_start_thousands_of_recordings_at_once(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with lanes(shown=True) as tell:
        tell(Event("planned", {}, {"jobs": 1500, "finished": 0}))
        for number in range(1500):
            tell(Event("started", {"job": f"r{number}"}, {}))
        tell(Event("progress", {"job": "r7"}, {"phase": "writing", "done": 1, "total": 2}))
        tell(Event("done", {"job": "r7"}, {}))
        tell(Event("line", {"job": "r7"}, WRITTEN))
    shown = capsys.readouterr().err
    assert "r7: writing 50 %" in shown
    assert "r8" not in shown


def test_shows_nothing_where_that_is_asked_for(capsys):
    with lanes(shown=False) as tell:
        tell(Event("line", {"job": "a.h5"}, WRITTEN))
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made as POSIX does")
def test_a_terminal_shows_all_and_each_that_is_worked_on(tmp_path):
    import pty
    import termios

    (tmp_path / "in").mkdir()
    installed().source("allen")[0].example(tmp_path / "in")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 120))
    command = [sys.executable, "-m", "nwbridge", "batch", tmp_path / "in", tmp_path / "out", "--no-report"]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the terminal ends with its last process
            pass
        said = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0, shown
    assert re.search(rb"all: +0%.* 0/1 ", shown)
    assert re.search(rb"  100001\.h5: (writing|verifying|validating) \d+ %", shown)
    assert "1 recording: 1 written, 0 failed" in said
