import json

import pytest

from nwbridge import BadOption, BadSource
from nwbridge.report.entries import entries


def lines(folder, *found):
    folder.mkdir(exist_ok=True)
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found), "utf-8")


def test_finds_the_finished_files_of_a_folder_in_order(tmp_path):
    for name in ("b/two.nwb", "a.nwb", "b/one.nwb", ".hidden.nwb", "x.host-1-ab.part.nwb", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "store.nwb.zarr").mkdir()
    (tmp_path / "store.nwb.zarr" / "inner.nwb").touch()
    assert [entry.name for entry in entries([tmp_path], None, None)] == [
        "a.nwb",
        "b/one.nwb",
        "b/two.nwb",
        "store.nwb.zarr",
    ]


def test_the_last_line_of_a_job_tells_how_it_ended(tmp_path):
    lines(
        tmp_path,
        {"job": "a", "status": "started"},
        {"job": "b", "status": "failed", "message": "no"},
        {"job": "a", "status": "written", "out": "a.nwb"},
        {"job": "b", "status": "started"},
        {"job": "c", "status": "skipped", "out": "c.nwb"},
        {"job": "a", "status": "skipped", "out": "a.nwb"},
    )
    (tmp_path / "a.nwb").touch()
    (tmp_path / "extra.nwb").touch()
    found = entries([tmp_path], None, None)
    assert [(e.name, e.line and e.line["status"], e.path and e.path.name) for e in found] == [
        ("a", "written", "a.nwb"), ("b", "started", None), ("c", "skipped", None), ("extra.nwb", None, "extra.nwb"),
    ]  # fmt: skip


def test_a_job_is_one_entry_with_the_file_that_is_there(tmp_path):
    for name in ("a.nwb", "old.nwb", "new.nwb", "shared.nwb"):
        (tmp_path / name).touch()
    lines(
        tmp_path,
        {"job": "a", "status": "written", "out": "a.nwb", "verified": True},
        {"job": "a", "status": "failed", "out": "a.nwb"},
        {"job": "a", "status": "skipped", "out": "a.nwb"},
        {"job": "b", "status": "written", "out": "old.nwb"},
        {"job": "b", "status": "written", "out": "new.nwb"},
        {"job": "b", "status": "failed", "out": "other.nwb"},
        {"job": "c", "status": "written", "out": "shared.nwb"},
        {"job": "c", "status": "failed"},
        {"job": "d", "status": "written", "out": "shared.nwb"},
        {"job": "e", "status": "written", "out": "gone.nwb"},
    )
    found = entries([tmp_path], None, None)
    told = [(e.name, e.line["status"], e.path and e.path.name, [p.name for p in e.earlier]) for e in found]
    assert told == [
        ("a", "written", "a.nwb", []),
        ("b", "failed", "new.nwb", ["old.nwb"]),
        ("c", "failed", None, []),
        ("d", "written", "shared.nwb", []),
        ("e", "written", None, []),
    ]


def test_passes_over_lines_that_a_killed_run_left_half_written(tmp_path):
    lines(tmp_path, {"job": "a", "status": "failed"})
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(b'[1]\n\xff{"job": "b", "sta')
    assert [entry.name for entry in entries([tmp_path], None, None)] == ["a"]


def test_takes_every_file_once(tmp_path):
    (tmp_path / "a.nwb").touch()
    (tmp_path / "b.nwb").symlink_to(tmp_path / "a.nwb")
    assert len(entries([tmp_path, tmp_path / "a.nwb"], None, None)) == 1


def test_says_what_is_missing(tmp_path):
    with pytest.raises(BadOption, match=r"absent\.nwb does not exist"):
        entries([tmp_path / "absent.nwb"], None, None)
    with pytest.raises(BadSource, match=r"holds no NWB file and no results\.jsonl"):
        entries([tmp_path], None, None)
