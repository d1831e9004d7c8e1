"""Steps of processing on every NWB file below a folder: the way that conversions go, with names, lines and resuming."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from recordings import registry_of

import nwbridge
from nwbridge.arrays import from_numpy

TESTS = Path(__file__).parents[1]
HOOK = '''

def counts(elements, options):
    """The movie as it is, and how many threads may be used."""
    movie = elements[0]
    same = replace(movie, name="Same", made_from=movie.name)
    return [same, Parameters("Told", {"threads": nwbridge.threads()})]


@nwbridge.hookimpl
def register_processors():
    return [ADD, FIND, DOUBLE, Processor("counts", "counts threads", (Movie,), counts)]
'''
DESC = "sub-{0}/sub-{0}_ses-memory_desc-{1}_ophys.nwb"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with a plugin of steps, as an installer leaves it."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "nwbt_steps.py").write_text((TESTS / "steps.py").read_text("utf-8") + HOOK, "utf-8")
    info = folder / "nwbridge_steps-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nwbridge-steps\nVersion: 1.5\n", "utf-8")
    (info / "entry_points.txt").write_text("[nwbridge]\nsteps = nwbt_steps\n", "utf-8")
    return folder


def frames(seed):
    return np.random.default_rng(seed).integers(0, 1000, (6, 11, 7)).astype(np.uint16)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the movies of two animals as NWB files, at several depths."""
    folder = tmp_path_factory.mktemp("files")
    for seed, place in enumerate(("a.nwb", "deep/er/b.nwb")):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        source = tmp_path_factory.mktemp("source") / "source.bin"
        source.write_bytes(b"x")
        subject = {"subject_id": path.stem, "species": "Mus musculus", "sex": "F", "age": "P60D"}
        registry = registry_of(from_numpy(frames(seed)))
        nwbridge.convert(source, path, metadata={"Subject": subject}, registry=registry, verify=False)
    return folder


@pytest.fixture
def root(files, tmp_path):
    """A copy of that folder."""
    return Path(shutil.copytree(files, tmp_path / "in"))


def told(out):
    """The last word on each job."""
    found = [json.loads(text) for text in (out / "results.jsonl").read_text("utf-8").splitlines()]
    return {line["job"]: line for line in found if line["status"] != "started"}


def stored(path, name):
    """(time, row, column)."""
    with h5py.File(path) as file:
        return file[name][:].transpose(0, 2, 1)


def written(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nwb"))


def test_every_nwb_file_is_processed_and_what_is_none_is_named(batch, put, root, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    out = tmp_path / "out"
    put("allen", root / "deep" / "100001.h5")
    (root / "notes.txt").write_text("of the day")
    before = {path: path.read_bytes() for path in root.rglob("*.nwb")}
    code, said, _ = batch(root, out, "--process", "add", "--amount", "3", report=True)
    assert code == 0, said
    assert "2 NWB files: 2 written, 0 failed" in said
    assert "deep/100001.h5 (allen) is no NWB, and left out: convert with nwbridge batch ROOT NWB, then process" in said
    assert "in no recording: notes.txt" in said
    assert written(out) == [DESC.format("a", "add"), DESC.format("b", "add")]
    for seed, name in enumerate("ab"):
        path = out / DESC.format(name, "add")
        assert np.array_equal(stored(path, "acquisition/TwoPhotonSeries/data"), frames(seed))
        assert np.array_equal(stored(path, "processing/ophys/Brighter/data"), frames(seed).astype(np.float32) + 3)
    assert {path: path.read_bytes() for path in root.rglob("*.nwb")} == before
    schema = json.loads((TESTS.parent / "schemas" / "json" / "results.json").read_text("utf-8"))
    lines = told(out)
    assert set(lines) == {"a.nwb (add)", "deep/er/b.nwb (add)"}
    for text in (out / "results.jsonl").read_text("utf-8").splitlines():
        jsonschema.validate(json.loads(text), schema)
    (step,) = lines["a.nwb (add)"]["steps"]
    assert (step["name"], step["plugin"], step["parameters"]["amount"]) == ("add", "nwbridge-steps", 3.0)
    assert "History: 1 step of processing" in (out / "report.html").read_text("utf-8")


def test_what_a_step_cannot_take_is_said_in_a_line_and_the_rest_goes_on(batch, put, root, tmp_path):
    out = tmp_path / "out"
    allen = put("allen", tmp_path / "100001.h5")
    nwbridge.convert(allen, root / "voltage.nwb")
    (root / "cut.nwb").write_bytes((root / "a.nwb").read_bytes()[:3000])
    (root / "a.nwb").unlink()
    code, said, _ = batch(root, out, "--process", "add", "--dry-run")
    assert (code, out.exists()) == (1, False)
    assert "1 of 2 NWB files can be processed; nothing was written" in said
    assert f"deep/er/b.nwb (add) → {DESC.format('b', 'add')} (nwb, " in said
    code, said, _ = batch(root, out, "--process", "add")
    assert code == 1
    assert "voltage.nwb has no Movie, and is left out" in said
    assert "failed: cut.nwb (add): it is no NWB file in HDF5, or a damaged one" in said
    assert "2 NWB files: 1 written, 1 failed" in said
    assert sorted(path.name for path in out.iterdir()) == ["results.jsonl", "sub-b"]


def test_what_is_finished_is_not_done_again_and_other_options_are_said(batch, root, tmp_path):
    out = tmp_path / "out"
    assert batch(root, out, "--process", "add", "--amount", "3")[0] == 0
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")}
    again = batch(root, out, "--process", "add", "--amount=3")[1]
    assert "2 NWB files: 0 written, 2 finished before, 0 failed" in again
    for words in (["--amount", "4"], ["--amount", "3", "--light"]):
        code, said, _ = batch(root, out, "--process", "add", *words)
        assert code == 1
        assert "its file was written from other options: say --overwrite to write it again" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.nwb")} == times
    code, said, _ = batch(root, out, "--process", "add", "--amount", "4", "--overwrite")
    assert (code, "2 NWB files: 2 written" in said) == (0, True)
    found = stored(out / DESC.format("b", "add"), "processing/ophys/Brighter/data")
    assert np.array_equal(found, frames(1).astype(np.float32) + 4)


def test_results_of_several_steps_lie_beside_each_other(batch, root, tmp_path):
    out = tmp_path / "out"
    assert batch(root, out, "--process", "add")[0] == 0
    words = ("--add.amount", "5", "--find.amount", "1", "--mode", "twice")
    code, said, _ = batch(root, out, "--process", "add,find", *words)
    assert (code, "2 NWB files: 2 written, 0 failed" in said) == (0, True), said
    assert written(out) == sorted(DESC.format(name, steps) for name in "ab" for steps in ("add", "add+find"))
    path = out / DESC.format("a", "add+find")
    assert np.array_equal(stored(path, "processing/ophys/Brighter/data"), frames(0).astype(np.float32) + 10)
    with h5py.File(path) as file:
        assert len(file["processing/ophys/ImageSegmentation/Cells/id"]) == 1
    assert set(told(out)) == {
        f"{name} ({steps})" for name in ("a.nwb", "deep/er/b.nwb") for steps in ("add", "add+find")
    }


def test_steps_may_use_the_threads_that_were_shared_out(batch, root, tmp_path):
    batch(root, tmp_path / "out", "--process", "counts", "--threads", "3", "--workers", "2")
    for name in "ab":
        session = nwbridge.describe(tmp_path / "out" / DESC.format(name, "counts"))
        assert session.of(nwbridge.Parameters)[0].values["threads"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--process", "ad"], "there is no step ad; did you mean add?"),
        (["--process", ""], "expected names such as"),
        (["--process", "add", "--amont", "3"], "there is no --amont (did you mean --amount?)"),
        (["--process", "add", "--amount", "much"], "amount"),
        (["--process", "add,find", "--amount", "3"], "say --add.amount or --find.amount"),
        (["--process", "add", "--first", "3"], "--first: goes with conversion"),
        (["--process", "add", "--source", "allen"], "--source: goes with conversion"),
        (["--process", "add", "--set", "Subject.sex=F"], "metadata or --set: goes with conversion"),
        (["--light"], "--light: goes with --process STEP only"),
        (["--rows-first", "--series", "x"], "--series and --rows-first: goes with --process STEP only"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(batch, root, tmp_path, words, said):
    code, _, errors = batch(root, tmp_path / "out", *words)
    assert code == 2
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_nwb_is_refused_with_what_to_do(batch, put, tmp_path):
    put("allen", tmp_path / "in" / "100001.h5")
    code, _, errors = batch(tmp_path / "in", tmp_path / "out", "--process", "add")
    assert code == 2
    assert "100001.h5 (allen) is no NWB, and left out: convert with nwbridge batch" in errors
    (tmp_path / "empty").mkdir()
    code, _, errors = batch(tmp_path / "empty", tmp_path / "out", "--process", "add")
    assert (code, "empty holds no NWB file: convert its recordings first" in errors) == (2, True)


def test_light_files_pass_the_gate_of_dandi(batch, root, tmp_path):
    pytest.importorskip("dandi", reason="DANDI's client is not installed: pip install 'nwbridge[dandi]'")
    out = tmp_path / "out"
    code, said, _ = batch(root, out, "--process", "add", "--light", "--for", "dandi")
    assert code == 0, said
    for name in "ab":
        with h5py.File(out / DESC.format(name, "add")) as file:
            assert "TwoPhotonSeries" not in file["acquisition"]
            assert file["analysis/processing_steps/left_out"].asstr()[0] == '["TwoPhotonSeries"]'
    assert {line["archive"] for line in told(out).values()} == {"dandi"}


def test_a_cluster_does_the_same(batch, root, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'nwbridge[dask]'")
    code, said, _ = batch(root, tmp_path / "out", "--process", "add", "--dask")
    assert (code, "2 NWB files: 2 written, 0 failed" in said) == (0, True), said


def test_python_does_the_same(site, root, tmp_path):
    script = (
        "import sys, nwbridge\n"
        "made = nwbridge.convert_all(sys.argv[1], sys.argv[2], process='add', options={'amount': 7}, workers=1)\n"
        "print(made.ok, made.processed, len(made.lines))\n"
    )
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", script, str(root), str(tmp_path / "out")]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True ('add',) 2"
    found = stored(tmp_path / "out" / DESC.format("a", "add"), "processing/ophys/Brighter/data")
    assert np.array_equal(found, frames(0).astype(np.float32) + 7)
