"""What earlier runs have finished stays, in the folder and in the results, and what is left is done."""

import json
import os
import re
import subprocess
import sys

import pytest


def lines(out):
    """The last word on each recording."""
    found = [json.loads(text) for text in (out / "results.jsonl").read_text("utf-8").splitlines()]
    return {line["job"]: line for line in found if line["status"] != "started"}


def test_finished_files_are_not_written_again_for_dandi_but_go_through_its_gate(batch, put, tmp_path):
    pytest.importorskip("dandi", reason="DANDI's client is not installed: pip install 'nwbridge[dandi]'")
    root, out = tmp_path / "in", tmp_path / "out"
    put("allen", root / "100001.h5")
    put("caiman", root / "results.hdf5")
    batch(root, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")}
    code, said, _ = batch(root, out, "--for", "dandi")
    assert code == 1
    assert "2 recordings: 0 written, 2 finished before, 0 failed" in said
    assert "written, but with an error: Subject species is missing. (results.hdf5)" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")} == before
    told = lines(out)
    assert {job: (line["archive"], line["ok"]) for job, line in told.items()} == {
        "100001.h5": ("dandi", True),
        "results.hdf5": ("dandi", False),
    }
    size = (out / "results.jsonl").stat().st_size
    assert batch(root, out, "--for", "dandi")[1] == said
    assert (out / "results.jsonl").stat().st_size == size


def test_what_was_finished_failed_and_is_as_before_is_finished_in_the_results_too(batch, put, tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    path = put("allen", root / "day1" / "100001.h5")
    put("allen", root / "day1" / "100002.h5")
    assert batch(root, out)[0] == 0
    whole, stat = path.read_bytes(), path.stat()
    path.write_bytes(whole[:3000])
    assert batch(root, out)[0] == 1
    assert lines(out)["day1/100001.h5"]["status"] == "failed"
    path.write_bytes(whole)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    code, said, _ = batch(root, out)
    assert (code, "2 recordings: 0 written, 2 finished before, 0 failed" in said) == (0, True)
    assert {job: line["status"] for job, line in lines(out).items()} == {
        "day1/100001.h5": "written",
        "day1/100002.h5": "written",
    }


def test_a_file_from_other_metadata_stays_written_and_the_summary_says_what_mends_it(batch, put, tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    put("allen", root / "100001.h5")
    assert batch(root, out)[0] == 0
    code, said, _ = batch(root, out, "--set", "Subject.sex=F")
    assert code == 1
    assert "failed: 100001.h5: its file was written from other metadata: say --overwrite to write it again" in said
    assert "give the same command again" not in said
    assert lines(out)["100001.h5"]["status"] == "written"
    page = tmp_path / "report.html"
    command = [sys.executable, "-m", "nwbridge", "report", str(out), "-o", str(page)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"1 recording\b", shown), shown


def test_a_recording_that_failed_and_was_taken_away_is_gone_from_the_results(batch, put, tmp_path):
    root, other, out = tmp_path / "in", tmp_path / "other", tmp_path / "out"
    path = put("allen", root / "100001.h5")
    (root / "cut.h5").write_bytes(path.read_bytes()[:3000])
    put("caiman", other / "results.hdf5")
    assert batch(root, out)[0] == 1
    said = batch(other, out)[1]  # which says nothing of another folder's recordings
    assert "1 recording: 1 written, 0 failed" in said
    assert lines(out)["cut.h5"]["status"] == "failed"
    (root / "cut.h5").unlink()
    assert batch(root, out)[0] == 0
    assert {job: line["status"] for job, line in lines(out).items()} == {
        "100001.h5": "written",
        "cut.h5": "gone",
        "results.hdf5": "written",
    }
    page = tmp_path / "report.html"
    command = [sys.executable, "-m", "nwbridge", "report", str(out), "-o", str(page)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"2 recordings\b", shown), shown
