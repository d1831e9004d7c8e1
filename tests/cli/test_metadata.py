"""`nwbridge metadata` writes a file to fill in, and never over another."""

import json

import pytest

from nwbridge.cli.main import main


@pytest.mark.parametrize(("flag", "name"), [("-o", "lab.yaml"), ("--table", "sessions.csv")])
def test_a_file_that_is_there_is_never_replaced(flag, name, tmp_path, capsys, neurofinder):
    (tmp_path / name).write_text("mine", "utf-8")
    assert main(["metadata", str(neurofinder), flag, str(tmp_path / name)]) == 2
    assert f"{name} exists already: give another name, or move it away" in capsys.readouterr().err
    assert (tmp_path / name).read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "lab.txt"], "lab.txt ends in .txt; expected .yaml or .yml"),
        (["--table", "t.xlsx"], "t.xlsx ends in .xlsx; expected .csv"),
        (["-o", "none/lab.yaml"], "none/lab.yaml cannot be written: No such file or directory"),
        (["--source", "nerofinder"], "nerofinder"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words, said, tmp_path, capsys, monkeypatch, neurofinder):
    monkeypatch.chdir(tmp_path)
    assert main(["metadata", str(neurofinder), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_path_without_recordings_is_said(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["metadata", str(tmp_path / "empty")]) == 2
    assert "empty holds no recording that can be read" in capsys.readouterr().err
    assert main(["metadata", str(tmp_path / "gone")]) == 2
    assert "gone does not exist" in capsys.readouterr().err


def test_the_next_step_is_said(tmp_path, capsys, monkeypatch, neurofinder):
    monkeypatch.chdir(tmp_path)
    assert main(["metadata", str(neurofinder), "-o", "lab.yaml"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "wrote lab.yaml",
        f"next: fill it in, then nwbridge convert {neurofinder} OUT.nwb --metadata lab.yaml",
    ]
    assert main(["metadata", str(neurofinder.parent), "-o", "all.yaml", "--table", "t.csv"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"nwbridge batch {neurofinder.parent} OUT --metadata all.yaml --metadata t.csv")


def test_json_names_files_and_recordings(tmp_path, capsys, neurofinder):
    out = str(tmp_path / "lab.yaml")
    assert main(["metadata", str(neurofinder.parent), "-o", out, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == [out]
    assert [(one["path"], one["source"]) for one in said["recordings"]] == [(neurofinder.name, "neurofinder")]
    assert main(["metadata", str(neurofinder), "--json"]) == 0
    assert "species: Mus musculus" in json.loads(capsys.readouterr().out)["template"]


def test_a_recording_that_cannot_be_read_is_left_out_and_said(tmp_path, capsys, neurofinder):
    broken = neurofinder.parent / "broken.tif"
    broken.write_bytes(b"II*\0\x08\0\0\0" + b"\xff" * 20)
    assert main(["metadata", str(neurofinder.parent), "-o", str(tmp_path / "lab.yaml")]) == 0
    assert "left out broken.tif: " in capsys.readouterr().out
    assert "could not be read, broken.tif, " in (tmp_path / "lab.yaml").read_text("utf-8")


def test_what_lies_beside_a_recording_that_cannot_be_read_is_said_too(tmp_path, capsys, neurofinder):
    folder = neurofinder.parent / "day1"
    folder.mkdir()
    (folder / "movie.isxd").write_bytes(b"x" * 1000)
    (folder / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert main(["metadata", str(neurofinder.parent), "-o", str(tmp_path / "lab.yaml")]) == 0
    assert "left out day1/cut.h5: beside a recording that failed" in capsys.readouterr().out


def test_several_files_and_a_value_of_the_command_line_add_up(tmp_path, capsys, neurofinder):
    (tmp_path / "lab.yaml").write_text("NWBFile: {lab: Doe Lab}\nSubject: {sex: M}\n", "utf-8")
    (tmp_path / "t.csv").write_text(f"path,session,sex\n{neurofinder.name},s1,F\n", "utf-8")
    words = ["--metadata", str(tmp_path / "t.csv"), "--metadata", str(tmp_path / "lab.yaml")]
    assert main(["inspect", str(neurofinder), *words, "--set", "NWBFile.session_id=s2", "--json"]) == 0
    said = {field["key"]: field["value"] for field in json.loads(capsys.readouterr().out)["fields"]}
    assert (said["NWBFile.lab"], said["NWBFile.session_id"], said["Subject.sex"]) == ("Doe Lab", "s2", "F")


@pytest.mark.parametrize("words", [[], ["--table", "-"], ["-o", "-"], ["-o", "lab.yaml", "--table", "-"]])
def test_a_recording_that_cannot_be_read_is_said_beside_what_is_printed(words, tmp_path, capsys, monkeypatch, deepcad):
    monkeypatch.chdir(tmp_path)
    (deepcad.parent / "broken.tif").write_bytes(b"II*\0\x08\0\0\0" + b"\xff" * 20)
    assert main(["metadata", str(deepcad.parent), *words]) == 0
    out, errors = capsys.readouterr()
    assert "left out broken.tif: " in errors
    assert "left out" not in out
    assert out.startswith("path,subject" if "--table" in words else "#  What is known of 1 recording")
    assert all(not line.startswith(("wrote", "next")) for line in out.splitlines())
