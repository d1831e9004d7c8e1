"""What the lab says in vain is refused by nobody, and said."""

import shutil

import pytest

import nwbridge
from nwbridge.batch.run import convert_all
from nwbridge.metadata import check, doubts, for_path, unmentioned

PATTERN = "{subject_id}/{session_id}"


@pytest.fixture
def lab(tmp_path, neurofinder):
    """A folder with recordings at two depths."""
    root = tmp_path / "lab"
    for place in ("m101/day1", "m102/2024-03-01/day2"):
        shutil.copytree(neurofinder, root / place)
    return root


def test_animals_that_no_recording_has_are_said_in_one_line_with_the_nearest():
    content = check({"Subjects": {"M101": {"sex": "F"}, "mouse-7": {}, "m102": {}, "zzz": {}, "yyy": {}}})
    assert doubts(content, ["a", "b"], "/x", ["m101", "m102", "m101"]) == [
        "Subjects of the metadata that no recording has: M101 (did you mean m101?), mouse-7, zzz and 1 more; "
        "what is said of them is in no file"
    ]
    assert doubts(content, ["a"], "/x", ["M101", "mouse-7", "m102", "zzz", "yyy"]) == []
    assert doubts({}, ["a"], "/x", ["m1"]) == []


def test_a_batch_says_which_animals_have_no_recording(lab, tmp_path):
    said = {
        "Subjects": {"M101": {"sex": "F"}, "m102": {}},
        "Sessions": [
            {"path": "m101/**", "Subject": {"subject_id": "m101"}},
            {"path": "m102/**", "Subject": {"subject_id": "m102"}},
        ],
    }
    plan = convert_all(lab, tmp_path / "out", metadata=said, workers=1, dry_run=True)
    assert [line["subject_id"] for line in plan.lines] == ["m101", "m102"]
    (note,) = plan.notes
    assert note.startswith("Subjects of the metadata that no recording has: M101 (did you mean m101?); ")


def test_a_batch_says_that_a_pattern_fits_recordings_at_different_depths(lab, tmp_path):
    plan = convert_all(lab, tmp_path / "out", metadata={"Pattern": PATTERN}, workers=1, dry_run=True)
    assert [line["subject_id"] for line in plan.lines] == ["m101", "2024-03-01"]
    (note,) = plan.notes
    assert "m101/day1: subject_id m101, session_id day1; m102/2024-03-01/day2: subject_id 2024-03-01" in note
    assert note.endswith("begin it with / for the folder that is converted, as in /{subject_id}/{session_id}")


def test_a_pattern_that_begins_with_a_slash_begins_at_the_batch_s_folder(lab, tmp_path):
    patterns = [f"/{PATTERN}", "./{subject_id}/*/{session_id}"]
    plan = convert_all(lab, tmp_path / "out", metadata={"Pattern": patterns}, workers=1, dry_run=True)
    assert [(line["subject_id"], line["session_id"]) for line in plan.lines] == [("m101", "day1"), ("m102", "day2")]
    assert plan.notes == ()
    plan = convert_all(lab, tmp_path / "out", metadata={"Pattern": f"/{PATTERN}"}, workers=1, dry_run=True)
    (line,) = plan.failed
    assert line["message"].startswith("m102/2024-03-01/day2 fits no Pattern (/{subject_id}/{session_id})")


def test_a_pattern_of_a_single_recording_has_no_folder_to_begin_at(lab):
    chosen = for_path(check({"Pattern": f"/{PATTERN}"}), lab / "m101/day1")
    assert chosen == {"Subject": {"subject_id": "m101"}, "NWBFile": {"session_id": "day1"}}


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        (PATTERN, ["m1/a.tif", "m2/b.tif", ("m3.h5", "c")]),
        ("{subject_id}_{session_id}", ["x/m1_a.tif", "m2_b.tif"]),  # it speaks of names alone
        (["{subject_id}/*/{session_id}", PATTERN], ["m1/x/a.tif", "m2/b.tif"]),
    ],
)
def test_a_pattern_that_means_the_same_everywhere_is_no_doubt(pattern, paths):
    assert doubts(check({"Pattern": pattern}), paths, "/root", []) == []


def test_a_recording_that_no_row_fits_is_said(tmp_path, neurofinder):
    (tmp_path / "filled.csv").write_text("path,subject,species\nm1/other.00,m1,Mus musculus\n", "utf-8")
    result = nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=tmp_path / "filled.csv")
    (finding,) = [finding for finding in result.findings if finding.check == "metadata"]
    assert finding.severity == "warning"
    assert finding.message == f"no row of a table and no entry of Sessions in the metadata fits {neurofinder.name}"
    assert finding.advice == f"add one with this path ({neurofinder.name}), or mend the path of one"


def test_the_row_that_is_nearly_meant_is_named(tmp_path):
    content = check({"Sessions": [{"path": "m1/day1.tif"}, {"path": "zzz"}]})
    (finding,) = unmentioned(content, tmp_path / "m1/day_1.tif")
    assert finding.message.endswith("fits day_1.tif; did you mean m1/day1.tif?")


@pytest.mark.parametrize(
    "entries",
    [
        [{"path": "m1/*"}],  # a choice of its own kind
        [{"path": "**", "Subject": {"sex": "F"}}],
        [{"path": "other.tif"}, {"path": "day1.tif"}],
        [{"path": "other.tif"}, {"path": "m*/*"}],
        [],
    ],
)
def test_a_recording_that_is_meant_or_that_nobody_lists_is_not_doubted(entries, tmp_path):
    assert unmentioned(check({"Sessions": entries}), tmp_path / "m7/day1.tif") == []


def test_a_value_of_the_command_line_is_no_row(tmp_path):
    content = check({"Sessions": [{"path": "other.tif"}, {"path": "**", "Subject": {"sex": "F"}}]})
    assert len(unmentioned(content, tmp_path / "day1.tif")) == 1
