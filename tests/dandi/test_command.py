"""`nwbridge dandi` and `--for dandi`, as typed."""

import json
import subprocess
import sys

import h5py
import pytest

from nwbridge.cli.main import main
from nwbridge.plugins import installed

GIVEN = ["--set", "Subject.species=Mus musculus", "--set", "Subject.subject_id=m_7"]
PLACE = "sub-m-7/sub-m-7_ses-neurofinder-99-00_ophys.nwb"


@pytest.fixture
def recording(tmp_path):
    pytest.importorskip("dandi", reason="dandi is not installed: pip install 'nwbridge[dandi]'")
    (tmp_path / "in").mkdir()
    return str(installed().source("neurofinder")[0].example(tmp_path / "in"))


@pytest.fixture
def folder(recording, tmp_path, capsys):
    """A folder with one converted recording."""
    assert main(["convert", recording, str(tmp_path / "out"), "--for", "dandi", *GIVEN]) == 0
    capsys.readouterr()
    return tmp_path / "out"


def test_a_recording_is_named_as_dandi_wants_and_passes(folder, capsys):
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.nwb")] == [PLACE]
    assert main(["dandi", "check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "1 file: 0 errors" in out
    assert f"next: nwbridge dandi upload {folder} --dandiset ID" in out


def test_the_findings_of_the_gate_are_in_the_result(recording, tmp_path, capsys):
    out = tmp_path / "mine.nwb"
    assert main(["convert", recording, str(out), "--for", "dandi", "--json", *GIVEN]) == 1
    result = json.loads(capsys.readouterr().out)
    (wrong,) = [finding for finding in result["findings"] if finding["severity"] == "error"]
    assert wrong["message"] == f"DANDI wants it at {PLACE}"
    assert "gate" in result["seconds"]
    assert h5py.is_hdf5(out)


@pytest.mark.parametrize("out", ["out", "out.nwb"])
def test_without_a_species_nothing_is_written(recording, tmp_path, capsys, out):
    (tmp_path / "bare").mkdir()
    path = installed().source("deepcad")[0].example(tmp_path / "bare")
    assert main(["convert", str(path), str(tmp_path / out), "--for", "dandi"]) == 2
    error = capsys.readouterr().err
    assert "is stated nowhere and DANDI requires it" in error
    assert "--set 'Subject.species=Mus musculus'" in error
    assert not list(tmp_path.rglob("*.nwb"))


def test_a_failure_leaves_no_empty_folder(recording, tmp_path, folder, capsys):
    assert main(["convert", recording, str(folder), "--for", "dandi", *GIVEN]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["convert", recording, str(folder), "--for", "dandi", *GIVEN, "--overwrite"]) == 0
    assert [path.name for path in folder.iterdir()] == ["sub-m-7"]


def test_an_archive_that_is_not_known_is_refused(recording, tmp_path, capsys):
    assert main(["convert", recording, str(tmp_path / "out"), "--for", "figshare"]) == 2
    assert capsys.readouterr().err == "nwbridge: error: --for figshare: expected dandi\n"


def test_without_the_client_the_command_to_install_it_is_said(recording, tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name == "dandi" or name.startswith("dandi.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dandi", None)
    for words in (["convert", recording, str(tmp_path / "o"), "--for", "dandi"], ["dandi", "check", str(tmp_path)]):
        assert main(words) == 2
        assert "pip install 'nwbridge[dandi]'" in capsys.readouterr().err


def test_findings_are_printed_for_each_file_and_as_json(folder, capsys):
    moved = (folder / PLACE).rename(folder / "x.nwb")
    assert main(["dandi", "check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("x.nwb\n  error: DANDI wants it at ")
    assert f"mv x.nwb {PLACE}" in out
    for path, key in ((folder, "x.nwb"), (moved, "x.nwb")):
        assert main(["dandi", "check", str(path), "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["ok"], said["findings"][key][0]["check"]) == (False, "dandi place")
    assert main(["dandi", "check", str(folder / "gone")]) == 2


def test_what_mends_the_folder_of_a_batch_is_a_batch(folder, capsys):
    (folder / PLACE).rename(folder / "x.nwb")
    for words in ("convert RECORDING FOLDER --for dandi --set …", f"batch RECORDINGS {folder} --for dandi --overwrite"):
        assert main(["dandi", "check", str(folder)]) == 1
        assert f"--set means: nwbridge {words}" in capsys.readouterr().out
        (folder / "results.jsonl").touch()


def test_init_writes_dandiset_yaml_once(folder, capsys):
    assert main(["dandi", "init", str(folder), "--dandiset", "000123"]) == 0
    assert capsys.readouterr().out == f"wrote {folder / 'dandiset.yaml'}\n"
    assert main(["dandi", "init", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dandiset"] == "000123"
    (folder / "dandiset.yaml").unlink()
    assert main(["dandi", "init", str(folder)]) == 2
    assert "--dandiset is missing" in capsys.readouterr().err
    assert main(["dandi", "init", str(folder / "gone"), "--dandiset", "000123"]) == 2


def test_upload_says_what_it_did_and_where_it_is(folder, capsys, archive):
    words = ["dandi", "upload", str(folder), "--dandiset", "000123", "--instance", archive.url]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1] == "https://archive.example/dandiset/000123/draft"
    assert said.err == ""
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == [PLACE]
    assert archive.paths() == {PLACE: (folder / PLACE).read_bytes()}


def test_upload_refuses_a_folder_that_does_not_pass_and_says_why(folder, capsys, archive):
    (folder / PLACE).rename(folder / "x.nwb")
    words = ["dandi", "upload", str(folder), "--dandiset", "000123", "--instance", archive.url]
    assert main(words) == 2
    said = capsys.readouterr()
    assert "DANDI wants it at" in said.out
    assert said.err.startswith("nwbridge: error: nothing was uploaded")
    assert main([*words, "--json"]) == 2
    assert "x.nwb" in json.loads(capsys.readouterr().out)["findings"]
    assert archive.asked == []


def test_an_upload_without_terminal_never_asks(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "nwbridge", "dandi", "upload", str(folder), "--dandiset", "000123"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "", "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nwbridge: error: there is no key to dandi")
    assert done.stderr.count("\n") == 1
