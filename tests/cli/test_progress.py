"""What a terminal shows of progress: one bar for each phase, its counts, and what changes beside it."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs the terminals that POSIX has")


def shown(told, **environment):
    """Everything that a terminal is sent by a process that tells this."""
    import pty
    import termios

    code = (
        "from nwbridge.cli.progress import bar\n"
        f"with bar(shown=True) as tell:\n    for doing, done, total in {told!r}:\n        tell(doing, done, total)\n"
        "        import time; time.sleep(0.25)\n"  # bars are drawn five times a second
    )
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=os.environ | environment) as process:
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 4096):
                pieces.append(piece)
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    return [line.strip() for line in re.split(r"[\r\n]", b"".join(pieces).decode()) if line.strip()]


def test_a_phase_has_one_bar_whatever_is_said_beside_it():
    lines = shown([("training, loss 0.9, 8 s left", 1, 60), ("training, loss 0.5, 4 s left", 30, 60)])
    assert lines[0].startswith("training:   0%|")
    assert sum(line.startswith("training:   0%|") for line in lines) == 1  # a new bar starts there
    assert re.fullmatch(r"training:  50%\|.*\| 30/60 \[.*, loss 0.5, 4 s left\]", lines[-1])


def test_the_time_that_is_left_is_told_once_as_the_step_tells_it():
    lines = shown([("training, loss 0.9, 24 s left", 134, 200), ("training, loss 0.5, 20 s left", 150, 200)])
    assert re.fullmatch(r"training:  75%\|.*\| 150/200 \[\d+:\d+, loss 0.5, 20 s left\]", lines[-1])


def test_who_has_switched_bars_off_sees_none():
    told = [("copying", 0, 1), ("copying, second", 1, 1), ("training, 4 s left", 30, 60), ("writing", 1, 8)]
    assert shown(told, TQDM_DISABLE="1") == []


def test_only_what_the_host_writes_and_reads_back_is_told_in_bytes():
    lines = shown(
        [("finding shifts", 0, 2000), ("finding shifts", 1500, 2000), ("writing", 0, 8000), ("writing", 2000, 8000)]
    )
    shifts = [line for line in lines if line.startswith("finding shifts")]
    assert "1500/2000" in shifts[-1]
    assert not any("B/s" in line or "it/s" in line for line in shifts)
    assert re.search(r"2\.00k/8\.00k .*B/s", lines[-1])


def test_a_total_that_is_an_estimate_may_change():
    assert "| 20/80 [" in shown([("training", 10, 100), ("training", 20, 80)])[-1]


def test_what_counts_nothing_is_words_only():
    assert shown([("running denoise", 0, 1), ("copying, first", 0, 1), ("copying, second", 1, 1)]) == [
        "running denoise",
        "copying, first",
        "copying, second",
    ]


def test_words_that_come_to_count_get_a_bar():
    lines = shown([("making", 0, 1), ("making", 1, 4), ("making", 3, 4)])
    assert lines[0] == "making"
    assert "75%" in lines[-1]


def test_where_nobody_looks_nothing_is_shown():
    code = "from nwbridge.cli.progress import bar\nwith bar(shown=True) as tell:\n    tell('writing', 1, 2)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
