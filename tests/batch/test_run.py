"""A batch is isolated, told and resumed: whatever ends it, the same command ends in the same files."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
OWN = ("identifier", "file_create_date")  # of each file its own


def lines(out):
    """The last word on each recording."""
    found = {}
    for text in (out / "results.jsonl").read_text("utf-8").splitlines(keepends=True):
        line = json.loads(text) if text.endswith("\n") else {"status": "started"}
        if line["status"] != "started":
            found[line["job"]] = line
    return found


def written(out):
    """The recordings that are finished."""
    return lines(out) if (out / "results.jsonl").exists() else {}


def files(out):
    """Every file but the results, with its content: data sets and attributes that are not its own."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name != "results.jsonl":
            found[path.relative_to(out).as_posix()] = content(path) if path.suffix == ".nwb" else None
    return found


def content(path):
    """Return type, shape and bytes of everything in an HDF5 file."""
    found = {}

    def note(name, item):
        if not isinstance(item, h5py.Dataset) or name.split("/")[-1] in OWN:
            found[name] = type(item).__name__
        elif h5py.check_string_dtype(item.dtype):
            found[name] = np.asarray(item.asstr()[()]).tolist()
        else:
            values = item[()]
            for field in item.dtype.names or [...]:
                one = values[field]
                plain = item.dtype[field] if item.dtype.names else item.dtype
                found[name, str(field)] = one.shape if plain.hasobject else (plain.str, one.shape, one.tobytes())

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_each_recording_becomes_a_file_of_a_dandiset(put, batch, tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    put("allen", root / "a" / "100001.h5")
    put("ideas", root / "b" / "run1")
    code, said, _ = batch(root, out)
    assert code == 0, said
    assert list(files(out)) == [
        "sub-100001/sub-100001_ses-100001_icephys+ophys.nwb",
        "sub-example-mouse/sub-example-mouse_ses-run1_ophys.nwb",
    ]
    with h5py.File(root / "a" / "100001.h5") as source, h5py.File(out / next(iter(files(out)))) as file:
        series = file["acquisition"]
        stored = [series[name]["data"][()] for name in series if "data" in series[name]]
        assert any(np.array_equal(values, source["ephys_raw"][()].ravel()) for values in stored)
    assert "2 recordings: 2 written, 0 failed" in said


def refused_by_dandi(folder, tmp_path):
    """Return what `dandi validate` finds wrong with the NWB files of a folder."""
    told = tmp_path / "told.jsonl"
    words = ("validate", "--min-severity", "ERROR", "-f", "json_lines", "-o", str(told), str(folder))
    environment = os.environ | {"DANDI_NO_ET": "1", "DANDI_CACHE": "ignore", "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", "from dandi.cli.command import main; main()", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert told.exists(), done.stderr
    lines = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    return [line for line in lines if str(line["path"]).endswith(".nwb")]


def test_a_mixed_folder_passes_the_gate_of_dandi_and_ends_with_a_report(put, batch, tmp_path):
    pytest.importorskip("dandi", reason="DANDI's client is not installed: pip install 'nwbridge[dandi]'")
    root, out = tmp_path / "in", tmp_path / "out"
    put("allen", root / "100001.h5")
    put("caiman", root / "a" / "results.hdf5")
    put("ideas", root / "a" / "run1")
    put("dl-smlm", root / "b" / "CCPs" / "cell1")
    put("neurofinder", root / "b" / "c" / "neurofinder.00.00")
    put("deepcad", root / "1_80umdepth.zip")
    lab = tmp_path / "lab.yaml"
    lab.write_text("Subject:\n  species: Mus musculus\n  sex: U\n  age: P90D\n")
    code, said, _ = batch(root, out, "--metadata", lab, "--for", "dandi", "--workers", "2", report=True)
    assert code == 0, said
    assert "6 recordings: 6 written, 0 failed" in said
    assert (out / "report.html").stat().st_size > 10_000
    assert len(list(files(out))) == 7
    assert refused_by_dandi(out, tmp_path) == []


def test_what_dandi_would_refuse_is_not_written(batch, put, tmp_path):
    pytest.importorskip("dandi", reason="DANDI's client is not installed: pip install 'nwbridge[dandi]'")
    put("caiman", tmp_path / "in" / "results.hdf5")
    code, said, _ = batch(tmp_path / "in", tmp_path / "out", "--for", "dandi")
    assert code == 1
    assert "species" in said
    assert list(files(tmp_path / "out")) == []


def test_every_line_fits_its_schema(put, batch, trouble, tmp_path):
    import jsonschema

    root, out = tmp_path / "in", tmp_path / "out"
    put("allen", root / "100001.h5")
    trouble(root / "norate.trbl", rate=None)
    (root / "cut.h5").write_bytes((root / "100001.h5").read_bytes()[:3000])
    assert batch(root, out)[0] == 1
    (root / "cut.h5").unlink()
    assert batch(root, out)[0] == 1
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "json" / "results.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = [json.loads(text) for text in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert {line["status"] for line in found} == {"started", "written", "failed", "gone"}
    for line in found:
        jsonschema.validate(line, schema)


@pytest.fixture
def bad(put, trouble, tmp_path):
    """A folder with one recording of every kind of trouble, and two good ones."""
    root = tmp_path / "in"
    put("allen", root / "good" / "100001.h5")
    put("ideas", root / "good" / "run1")
    (root / "cut.h5").write_bytes((root / "good" / "100001.h5").read_bytes()[:3000])
    trouble(root / "both.trbl", 1, both=True)
    trouble(root / "norate.trbl", 2, rate=None)
    trouble(root / "exists.trbl", 3)
    trouble(root / "killed.trbl", 4, deaths=1, marker=str(tmp_path / "died"))
    trouble(root / "deadly.trbl", 5, deaths=2, marker=str(tmp_path / "dead"))
    there = tmp_path / "out" / "sub-exists" / "sub-exists_ses-exists_ophys.nwb"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"of somebody")
    return root, tmp_path / "out", there


@posix
def test_every_kind_of_trouble_is_told_and_harms_no_other(bad, batch, trouble):
    root, out, there = bad
    code, said, _ = batch(root, out, "--workers", "2")
    assert code == 1
    told = lines(out)
    assert {job: line["status"] for job, line in told.items()} == {
        "good/100001.h5": "written",
        "good/run1": "written",
        "killed.trbl": "written",
        "both.trbl": "failed",
        "cut.h5": "failed",
        "deadly.trbl": "failed",
        "exists.trbl": "failed",
        "norate.trbl": "failed",
    }
    errors = {job: (line["error"], line["message"]) for job, line in told.items() if line["status"] == "failed"}
    for job, (error, words) in {
        "both.trbl": ("Ambiguous", r"could be several kinds .*trouble: .*trouble-also: "),
        "cut.h5": ("BadSource", "cannot be recognized: .*cut off"),
        "deadly.trbl": ("WorkerDied", "its process died twice"),
        "exists.trbl": ("CannotWrite", "exists already .*--overwrite"),
        "norate.trbl": ("MissingMetadata", "rate"),
    }.items():
        assert errors[job][0] == error
        assert re.search(words, errors[job][1]), errors[job]
        assert errors[job][1] in said
    assert told["killed.trbl"]["attempts"] == 2
    assert there.read_bytes() == b"of somebody"
    assert not list(out.rglob("*.part.nwb"))
    # mended, the second run does the rest and nothing else
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")}
    (root / "cut.h5").unlink()
    (root / "both.trbl").unlink()
    there.unlink()
    trouble(root / "norate.trbl", 2)
    code, said, _ = batch(root, out)
    assert code == 0, said
    assert "6 recordings: 3 written, 3 finished before, 0 failed" in said
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")}
    assert {path: time for path, time in after.items() if path in before and path != there} == {
        path: time for path, time in before.items() if path != there
    }


def test_two_recordings_of_one_name_refuse_the_batch_before_anything_is_written(batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "a.trbl", session="s", subject="m")
    trouble(tmp_path / "in" / "b.trbl", session="S", subject="M")
    code, _, errors = batch(tmp_path / "in", tmp_path / "out")
    assert code == 2
    assert "a.trbl and b.trbl would both become sub-M/sub-M_ses-S_ophys.nwb" in errors
    assert not (tmp_path / "out").exists()
    table = tmp_path / "sessions.csv"
    table.write_text("path,subject_id,session_id\na.trbl,m,1\nb.trbl,m,2\n")
    assert batch(tmp_path / "in", tmp_path / "out", "--metadata", table)[0] == 0
    assert list(files(tmp_path / "out")) == ["sub-m/sub-m_ses-1_ophys.nwb", "sub-m/sub-m_ses-2_ophys.nwb"]


def test_a_row_that_fits_no_recording_refuses_the_batch(batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "mouse1.trbl")
    table = tmp_path / "sessions.csv"
    table.write_text("path,subject_id\nmouse2.trbl,m\n")
    code, _, errors = batch(tmp_path / "in", tmp_path / "out", "--metadata", table)
    assert code == 2
    assert "mouse2.trbl" in errors
    assert "did you mean mouse1" in errors
    assert not (tmp_path / "out").exists()


def test_a_pattern_reads_animal_and_session_from_the_path(batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "mouse7" / "day2.trbl")
    assert batch(tmp_path / "in", tmp_path / "out", "--pattern", "{subject_id}/{session_id}")[0] == 0
    assert list(files(tmp_path / "out")) == ["sub-mouse7/sub-mouse7_ses-day2_ophys.nwb"]


def test_a_recording_that_gets_another_name_is_there_once_also_with_overwrite(batch, trouble, tmp_path):
    trouble(tmp_path / "in/a.trbl", 1)
    trouble(tmp_path / "in/b.trbl", 2)
    batch(tmp_path / "in", tmp_path / "out", "--set", "Subject.subject_id=m1")
    old = {path.name for path in (tmp_path / "out/sub-m1").iterdir()}
    assert len(old) == 2
    code, out, _ = batch(tmp_path / "in", tmp_path / "out", "--set", "Subject.subject_id=m2")
    assert code == 1
    assert "say --overwrite to replace that file" in out
    assert {path.name for path in (tmp_path / "out/sub-m1").iterdir()} == old
    code, out, _ = batch(tmp_path / "in", tmp_path / "out", "--set", "Subject.subject_id=m2", "--overwrite")
    assert code == 0, out
    assert len(list((tmp_path / "out/sub-m2").iterdir())) == 2
    assert not (tmp_path / "out/sub-m1").exists()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "a.trbl")
    trouble(tmp_path / "in" / "b.trbl", rate=None)
    code, said, _ = batch(tmp_path / "in", tmp_path / "out", "--dry-run")
    assert code == 1
    assert "a.trbl → sub-a/sub-a_ses-a_ophys.nwb (trouble" in said
    assert re.search(r"\nrefused: b\.trbl: the rate of TwoPhotonSeries", said)
    assert "1 of 2 recordings can be converted; nothing was written" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{in}", "{in}"], "is the folder of the recordings"),
        (["{in}/nothing", "{out}"], "does not exist"),
        (["{in}/empty", "{out}"], "empty is empty: give the folder that holds the recordings"),
        (["{in}", "{out}", "--for", "foo", "--dry-run"], "--for foo: expected dandi"),
        (["{in}", "{in}/a.trbl"], "is a file"),
        (["{in}", "{out}", "--workers", "0"], "--workers 0: expected at least 1"),
        (["{in}", "{out}", "--compression", "zip"], "expected one of"),
        (["{in}", "{out}", "--source", "none"], "there is no source none"),
        (["{in}", "{out}", "--dask", "tcp://127.0.0.1:9"], "there is no Dask scheduler"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(words, said, batch, trouble, tmp_path):
    trouble(tmp_path / "in" / "a.trbl")
    (tmp_path / "in" / "empty").mkdir()
    places = {"in": tmp_path / "in", "out": tmp_path / "out"}
    code, _, errors = batch(*(word.format(**places) for word in words))
    assert code == 2
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by the superuser of Linux only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_fails_what_does_not_fit_and_a_larger_one_finishes_it(small_disk, batch, trouble, tmp_path):
    for number in range(12):
        trouble(tmp_path / "in" / f"r{number:02}.trbl", number, frames=6000)
    flags = ("--compression", "none", "--workers", "2")
    code, said, _ = batch(tmp_path / "in", small_disk, *flags)
    assert code == 1
    told = lines(small_disk)
    assert len(told) == 12
    full = [line for line in told.values() if line["status"] == "failed"]
    assert 0 < len(full) < 12
    assert all("there is not enough space" in line["message"] for line in full), full
    assert not list(small_disk.rglob("*.part.nwb"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    code, said, _ = batch(tmp_path / "in", small_disk, *flags)
    assert code == 0, said
    assert f"12 recordings: {len(full)} written, {12 - len(full)} finished before, 0 failed" in said


def _children(process):
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_at_once_leaves_nothing_half_and_the_same_command_goes_on(number, start, batch, trouble, tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    trouble(root / "long.trbl", 1, wait=0.3, frames=3000, begun=str(tmp_path / "begun"))
    trouble(root / "short.trbl", 2)
    process = start(root, out, "--no-report", "--workers", "2", start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and not ((tmp_path / "begun").exists() and "short.trbl" in written(out)):
        time.sleep(0.05)
    workers = _children(process)
    os.killpg(process.pid, number)  # as a terminal does
    begin = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begin < 20
    assert process.returncode == 130
    assert "the same command goes on from here" in errors
    assert len(workers) == 2
    assert not [worker for worker in workers if worker.is_running()]
    assert not list(out.rglob("*.part.nwb"))
    trouble(root / "long.trbl", 1, frames=30)
    code, said, _ = batch(root, out)
    assert code == 0, said
    assert "1 finished before" in said


@posix
def test_killed_at_any_moment_and_started_again_it_ends_in_the_same_files(start, batch, put, trouble, tmp_path):
    root = tmp_path / "in"
    put("allen", root / "100001.h5")
    put("neurofinder", root / "sets" / "neurofinder.00.00")
    for number in range(6):
        trouble(root / f"r{number}.trbl", number, wait=0.1, frames=200)
    flags = ("--no-report", "--workers", "2")
    assert batch(root, tmp_path / "straight", *flags)[0] == 0
    out = tmp_path / "out"
    chance = random.Random(20261121)
    for _ in range(4):
        process = start(root, out, *flags)
        time.sleep(chance.uniform(1.0, 3.5))
        process.kill()
        process.communicate()
    code, said, _ = batch(root, out, *flags)
    assert code == 0, said
    assert files(out) == files(tmp_path / "straight")
    assert len(files(out)) == 8
