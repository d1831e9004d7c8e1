"""The results file outlives kills, torn lines and a full disk, and has one writer at a time."""

import json
import os
import subprocess
import sys

import pytest

from nwbridge import CannotWrite
from nwbridge.batch.journal import BALLAST_BYTES, Journal, read


def lines(folder):
    return [json.loads(text) for text in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def test_each_line_is_there_as_soon_as_it_is_written(tmp_path):
    journal = Journal(tmp_path / "new" / "out")
    journal.append({"job": "a", "status": "started"})
    (line,) = lines(tmp_path / "new" / "out")
    assert (line["job"], line["status"]) == ("a", "started")
    assert line["time"].endswith("+00:00")
    journal.close()


def test_knows_what_earlier_runs_wrote(tmp_path):
    journal = Journal(tmp_path)
    journal.append({"job": "a", "status": "started", "n": 1})
    journal.append({"job": "a", "status": "written", "n": 2})
    journal.append({"job": "a", "status": "failed", "n": 3})
    journal.close()
    again = Journal(tmp_path)
    assert (again.started["a", None]["n"], again.written["a", None]["n"]) == (1, 2)
    again.close()


@pytest.mark.parametrize("torn", [b'{"job": "b", "sta', b"\xff\xfe", b'{"job": "b", "status": "written"}'])
def test_a_last_line_that_was_never_finished_is_cut_off(torn, tmp_path):
    journal = Journal(tmp_path)
    journal.append({"job": "a", "status": "written"})
    journal.close()
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(torn)
    again = Journal(tmp_path)
    assert list(again.written) == [("a", None)]
    again.append({"job": "c", "status": "written"})
    again.close()
    assert [line["job"] for line in lines(tmp_path)] == ["a", "c"]


def test_a_long_torn_line_is_cut_off_to_the_last_whole_one(tmp_path):
    (tmp_path / "results.jsonl").write_bytes(b'{"job": "a"}\n' + b"x" * 200_000)
    Journal(tmp_path).close()
    assert (tmp_path / "results.jsonl").read_bytes() == b'{"job": "a"}\n'


def test_lines_that_are_no_json_are_passed_over(tmp_path):
    (tmp_path / "results.jsonl").write_bytes(b'{"job": "a"}\nnonsense\n[1]\n' + b"[" * 100_000 + b'\n{"job": "b"}\n')
    assert [line["job"] for line in read(tmp_path / "results.jsonl")] == ["a", "b"]


def test_nothing_but_the_results_stays_when_it_is_closed(tmp_path):
    journal = Journal(tmp_path)
    assert max(file.stat().st_size for file in tmp_path.iterdir()) == BALLAST_BYTES
    journal.close()
    assert [file.name for file in tmp_path.iterdir()] == ["results.jsonl"]


def test_a_second_batch_is_refused_until_the_first_ends(tmp_path):
    code = (
        "import sys, pathlib; from nwbridge.batch.journal import Journal\n"
        f"journal = Journal(pathlib.Path({str(tmp_path)!r})); print('locked', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(CannotWrite, match="another batch is writing to"):
            Journal(tmp_path)
        other.kill()
    Journal(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"file.* cannot be written: "):
        Journal(tmp_path / "file" / "out")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by the superuser of Linux only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def until_it_fails(function):
    for _ in range(100_000):
        function()


def test_a_full_disk_stops_no_story(small_disk):
    journal = Journal(small_disk)
    with (small_disk / "fill").open("wb") as file, pytest.raises(OSError, match="space"):
        until_it_fails(lambda: os.write(file.fileno(), b"x" * 4096))
    for number in range(50):
        journal.append({"job": str(number), "status": "failed", "message": "y" * 2000})
    assert [line["job"] for line in lines(small_disk)] == [str(number) for number in range(50)]
    with pytest.raises(CannotWrite, match="there is no space left for"):
        until_it_fails(lambda: journal.append({"job": "more", "status": "failed", "message": "y" * 20_000}))
    assert all(line["status"] == "failed" for line in lines(small_disk))
    journal.close()
