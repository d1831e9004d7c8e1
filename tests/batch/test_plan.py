"""Two recordings never get one name, and a file that is there is replaced only where it is ours."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import h5py
import pytest

import nwbridge
from nwbridge.batch.journal import Journal
from nwbridge.batch.plan import begun, decide, jobs
from nwbridge.plugins import installed

SHARED = {"first": None, "chunks": None, "compression": "fast", "archive": None, "steps": []}


def recording(path, out="sub-a/sub-a.nwb", **more):
    return {
        "path": path,
        "name": None,
        "source": "allen",
        "options": {},
        "metadata": {},
        "said": {},
        "out": out,
        "made_by": [["nwbridge", "1"]],
        "files": [[f"/data/{path}", 10, 20]],
    } | more


def test_a_job_is_named_by_its_path_and_the_recordings_name():
    found = jobs([recording("b.zip", "b.nwb", name="two"), recording("a.h5", "a.nwb")], SHARED)
    assert [job.id for job in found] == ["a.h5", "b.zip::two"]


@pytest.mark.parametrize("other", ["sub-a/sub-a.nwb", "sub-A/sub-A.nwb", "sub-á/sub-á.nwb"])
def test_two_recordings_of_one_name_are_refused(other):
    first = "sub-a\u0301/sub-a\u0301.nwb" if "á" in other else "sub-a/sub-a.nwb"
    with pytest.raises(nwbridge.BadOption, match=r"^x\.h5 and y\.h5 would both become .*--pattern"):
        jobs([recording("x.h5", first), recording("y.h5", other)], SHARED)


def test_two_sources_recordings_in_one_folder_are_told_apart_by_their_sources():
    found = jobs([recording("day1", "a.nwb"), recording("day1", "b.nwb", source="ideas")], SHARED)
    assert [(job.id, job.out) for job in found] == [("day1 (allen)", "a.nwb"), ("day1 (ideas)", "b.nwb")]


def test_two_recordings_that_would_be_called_alike_in_the_results_are_refused():
    with pytest.raises(nwbridge.BadOption, match=r"both be called s\.zip::a \(allen\) in the results: rename one"):
        jobs([recording("s.zip::a", "a.nwb"), recording("s.zip", "b.nwb", name="a")], SHARED)


@pytest.mark.parametrize(
    ("paths", "advice"),
    [
        (("m/a.h5", "m/b.h5"), "or from their paths (--pattern '{session_id}')"),
        (("m/d1/x.h5", "m/d2/x.h5"), "or from their paths (--pattern '{session_id}/*')"),
        (("d1/m/x.h5", "d2/m/x.isxd"), "or from their paths (--pattern '{session_id}/*/*')"),
        (("x.h5", "m/x.h5"), "(--metadata sessions.csv)"),
    ],
)
def test_the_advice_on_one_name_for_two_is_a_pattern_that_tells_them_apart(paths, advice):
    with pytest.raises(nwbridge.BadOption) as caught:
        jobs([recording(path) for path in paths], SHARED)
    assert str(caught.value).endswith(advice)


def test_every_name_that_is_given_twice_is_counted():
    several = [recording(f"{number}.h5", f"{number // 3}.nwb") for number in range(7)]
    said = r"^0\.h5 and 1\.h5 \(and 1 more\) would both become 0\.nwb: .*; 1 more names are given twice$"
    with pytest.raises(nwbridge.BadOption, match=said):
        jobs(several, SHARED)


@pytest.mark.parametrize(
    "change",
    [
        {"said": {"Subject": {"sex": "F"}}},
        {"options": {"rate": 3.0}},
        {"files": [["/data/x.h5", 11, 20]]},
        {"files": [["/data/x.h5", 10, 21]]},
        {"made_by": [["nwbridge", "2"]]},
    ],
)
def test_a_request_changes_with_everything_that_a_file_depends_on(change):
    (before,), (after,) = jobs([recording("x.h5")], SHARED), jobs([recording("x.h5", **change)], SHARED)
    assert sum(before.request[key] != after.request[key] for key in before.request) == 1


def test_a_request_does_not_change_with_the_place_of_the_folder():
    moved = recording("x.h5", files=[["/other/x.h5", 10, 20]])
    assert jobs([recording("x.h5")], SHARED)[0].request == jobs([moved], SHARED)[0].request


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """An NWB file that nwbridge has just written."""
    folder = tmp_path_factory.mktemp("sample")
    source = installed().source("allen")[0].example(folder)
    nwbridge.convert(source, folder / "sample.nwb")
    return folder / "sample.nwb"


@pytest.fixture
def there(sample, tmp_path):
    """A job whose file is there, and its journal."""
    (job,) = jobs([recording("x.h5", "x.nwb")], SHARED)
    shutil.copy(sample, tmp_path / "x.nwb")
    journal = Journal(tmp_path)
    yield job, journal
    journal.close()


def written(job, out, **more):
    with h5py.File(out) as file:
        identifier = file["identifier"].asstr()[()]
    stat = out.stat()
    return {
        "job": job.id,
        "status": "written",
        "out": job.out,
        "file_bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "identifier": identifier,
        "verified": True,
        "request": dict(job.request),
    } | more


def what(job, journal, **more):
    return decide(job, journal, journal.path.parent, **{"verify": True, "overwrite": False} | more)


def test_a_file_that_is_not_there_is_written(there):
    job, journal = there
    (journal.path.parent / "x.nwb").unlink()
    assert what(job, journal) == "write"


def test_a_file_that_was_written_so_is_finished_also_where_it_was_copied(there):
    job, journal = there
    out = journal.path.parent / "x.nwb"
    journal.append(written(job, out))
    assert what(job, journal) == "finished"
    os.utime(out, (1, 1))
    assert what(job, journal) == "finished"
    assert what(job, journal, overwrite=True) == "finished"


def test_a_file_that_was_not_verified_is_written_again_where_that_is_wanted(there):
    job, journal = there
    journal.append(written(job, journal.path.parent / "x.nwb", verified=False))
    assert what(job, journal, verify=False) == "finished"
    assert what(job, journal) == "replace"


def test_a_file_from_another_request_is_in_the_way_and_what_changed_is_said(there):
    job, journal = there
    journal.append(
        written(job, journal.path.parent / "x.nwb", request={**job.request, "metadata": "0", "versions": "nwbridge 0"})
    )
    said = "its file was written from other metadata and other versions (nwbridge 0): say --overwrite to write it again"
    assert what(job, journal) == said
    assert what(job, journal, overwrite=True) == "replace"


def test_a_file_that_somebody_changed_is_in_the_way(there):
    job, journal = there
    out = journal.path.parent / "x.nwb"
    journal.append(written(job, out))
    with h5py.File(out, "a") as file:
        file.create_dataset("scratch_of_somebody", data=[1.0] * 1000)
    assert what(job, journal).startswith("its file was changed after it was written (x.nwb): move it away")
    assert what(job, journal, overwrite=True) == "replace"


def test_a_file_that_somebody_changed_after_a_whole_run_is_not_taken_for_one_that_was_left(there):
    job, journal = there
    out = journal.path.parent / "x.nwb"
    journal.append({"job": job.id, "out": job.out, "status": "started", "since": "2020-01-01T00:00:00+00:00"})
    journal.append(written(job, out))
    with h5py.File(out, "a") as file:
        file.create_dataset("scratch_of_somebody", data=[1.0] * 1000)
    assert what(job, journal).startswith("its file was changed after it was written")


def test_a_recording_that_is_there_under_another_name_is_not_written_twice(there, tmp_path):
    job, journal = there
    journal.append(written(job, tmp_path / "x.nwb"))
    (other,) = jobs([recording("x.h5", "y.nwb", said={"Subject": {"subject_id": "y"}})], SHARED)
    said = "it was written as x.nwb, when the metadata named it so: say --overwrite to replace that file"
    assert what(other, journal) == said
    assert what(other, journal, overwrite=True) == "write"
    (tmp_path / "x.nwb").rename(tmp_path / "away.nwb")
    assert what(other, journal) == "write"


def test_recordings_of_two_folders_may_have_one_path_and_both_are_finished(there, tmp_path):
    job, journal = there
    journal.append(written(job, tmp_path / "x.nwb"))
    (other,) = jobs([recording("x.h5", "y.nwb", files=[["/other/x.h5", 11, 21]])], SHARED)
    assert what(other, journal) == "write"
    shutil.copy(tmp_path / "x.nwb", tmp_path / "y.nwb")
    journal.append(written(other, tmp_path / "y.nwb"))
    assert what(job, journal) == what(other, journal) == "finished"


def test_a_file_that_somebody_made_after_the_job_failed_is_in_the_way(there):
    job, journal = there
    journal.append({"job": job.id, "out": job.out, "status": "started", "since": "2020-01-01T00:00:00+00:00"})
    told = journal.append({"job": job.id, "out": job.out, "status": "failed"})
    assert what(job, journal) == "replace"  # made before: by a process that died without a word
    journal.failed[job.id, job.out] = told | {"time": "2020-01-01T00:00:00.001+00:00"}
    journal.started[job.id, job.out]["time"] = "2020-01-01T00:00:00.000+00:00"
    assert what(job, journal).startswith("its file exists already and is not of this batch")


@pytest.mark.parametrize("since", [None, "yesterday", 3, "2020-01-01T00:00:00"])
def test_a_line_that_somebody_edited_makes_no_file_ours(since, there):
    job, journal = there
    journal.append({"job": job.id, "out": job.out, "status": "started", "since": since})
    assert what(job, journal).startswith("its file exists already and is not of this batch")


def test_a_file_that_nobody_tells_of_is_in_the_way(there):
    job, journal = there
    assert what(job, journal).startswith("its file exists already and is not of this batch (x.nwb)")


def test_a_file_that_was_begun_by_us_is_replaced_and_an_older_one_is_not(there):
    job, journal = there
    now = datetime.now(UTC)
    journal.append(
        {"job": job.id, "out": job.out, "status": "started", "since": (now + timedelta(hours=1)).isoformat()}
    )
    assert what(job, journal).startswith("its file exists already")
    journal.append(
        {"job": job.id, "out": job.out, "status": "started", "since": (now - timedelta(hours=1)).isoformat()}
    )
    assert what(job, journal) == "replace"


def test_a_file_that_was_left_without_a_word_stays_ours_until_it_is_written(there):
    job, journal = there
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    journal.append({"job": job.id, "out": job.out, "status": "started", "since": before})
    since = begun(job, journal, journal.path.parent, "replace")
    assert since == before
    journal.append(
        {"job": job.id, "out": job.out, "status": "started", "since": since}
    )  # killed again before it was replaced
    assert what(job, journal) == "replace"
    (journal.path.parent / "x.nwb").unlink()
    assert begun(job, journal, journal.path.parent, "write") > before


def test_a_file_of_another_program_is_never_taken_for_one_that_we_began(there):
    job, journal = there
    with h5py.File(journal.path.parent / "x.nwb", "a") as file:
        file["general/was_generated_by"][0] = ["somebody", "1"]
        file["general/was_generated_by"][1:] = "other"
    journal.append({"job": job.id, "out": job.out, "status": "started", "since": "2020-01-01T00:00:00+00:00"})
    assert what(job, journal).startswith("its file exists already")


def test_a_request_is_plain_text(there):
    job, _ = there
    assert json.loads(json.dumps(job.request)) == job.request
