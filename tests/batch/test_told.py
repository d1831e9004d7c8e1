"""What a batch prints: each thing once, with the recordings that it is said of."""

import json

import pytest


def test_a_dry_run_refuses_what_dandi_would_each_kind_in_a_line(batch, put, tmp_path):
    pytest.importorskip("dandi", reason="DANDI's client is not installed: pip install 'nwbridge[dandi]'")
    for name in ("a", "b"):
        put("caiman", tmp_path / "in" / f"{name}.hdf5")
    code, said, _ = batch(tmp_path / "in", tmp_path / "out", "--for", "dandi", "--dry-run")
    assert code == 1
    (line,) = [line for line in said.splitlines() if line.startswith("refused: ")]
    assert line.startswith(
        "refused: a.hdf5, b.hdf5: the species is stated nowhere and DANDI requires it: give the Latin"
    )
    assert "0 of 2 recordings can be converted; nothing was written" in said
    given = ("--set", "Subject.species=Mus musculus")
    assert batch(tmp_path / "in", tmp_path / "out", "--for", "dandi", "--dry-run", *given)[0] == 0


def test_warnings_are_counted_by_kind_what_sources_say_first(batch, put, tmp_path):
    for name in ("a", "b"):
        folder = put("neurofinder", tmp_path / "in" / name / "neurofinder.00.00")
        max(folder.glob("images/*")).unlink()
        info = json.loads((folder / "info.json").read_text("utf-8"))
        told = len(list(folder.glob("images/*")))
        (folder / "info.json").write_text(json.dumps(info | {"dimensions": [*info["dimensions"][:2], 3024]}), "utf-8")
    table = tmp_path / "sessions.csv"
    table.write_text("path,subject_id\na/neurofinder.00.00,a\nb/neurofinder.00.00,b\n")
    code, said, _ = batch(tmp_path / "in", tmp_path / "out", "--metadata", table)
    assert code == 0, said
    warned = [line for line in said.splitlines() if line.startswith("warning: ")]
    names = "(a/neurofinder.00.00, b/neurofinder.00.00)"
    assert warned[0] == f"warning: info.json declares 3024 frames, images/ holds {told} {names}"
    assert [line for line in warned if line.startswith("warning: NWB inspector: ")] == warned[1:]
