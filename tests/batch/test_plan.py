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

SHARED = {"first": None, "chunks": None, "compression": "fast", "archive": None}


def recording(path, out="sub-a/sub-a.nwb", **more):
    return {
        "path": path,
        "name": None,
        "source": "allen",
        "options": {},
        "metadata": {},
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


def test_every_name_that_is_given_twice_is_counted():
    several = [recording(f"{number}.h5", f"{number // 3}.nwb") for number in range(7)]
    said = r"^0\.h5 and 1\.h5 \(and 1 more\) would both become 0\.nwb: .*; 1 more names are given twice$"
    with pytest.raises(nwbridge.BadOption, match=said):
        jobs(several, SHARED)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"Subject": {"sex": "F"}}},
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


def test_a_file_that_nobody_tells_of_is_in_the_way(there):
    job, journal = there
    assert what(job, journal).startswith("its file exists already and is not of this batch (x.nwb)")


def test_a_file_that_was_begun_by_us_is_replaced_and_an_older_one_is_not(there):
    job, journal = there
    now = datetime.now(UTC)
    journal.append({"job": job.id, "status": "started", "since": (now + timedelta(hours=1)).isoformat()})
    assert what(job, journal).startswith("its file exists already")
    journal.append({"job": job.id, "status": "started", "since": (now - timedelta(hours=1)).isoformat()})
    assert what(job, journal) == "replace"


def test_a_file_that_was_left_without_a_word_stays_ours_until_it_is_written(there):
    job, journal = there
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    journal.append({"job": job.id, "status": "started", "since": before})
    since = begun(job, journal, journal.path.parent, "replace")
    assert since == before
    journal.append({"job": job.id, "status": "started", "since": since})  # killed again before it was replaced
    assert what(job, journal) == "replace"
    (journal.path.parent / "x.nwb").unlink()
    assert begun(job, journal, journal.path.parent, "write") > before


def test_a_file_of_another_program_is_never_taken_for_one_that_we_began(there):
    job, journal = there
    with h5py.File(journal.path.parent / "x.nwb", "a") as file:
        file["general/was_generated_by"][0] = ["somebody", "1"]
        file["general/was_generated_by"][1:] = "other"
    journal.append({"job": job.id, "status": "started", "since": "2020-01-01T00:00:00+00:00"})
    assert what(job, journal).startswith("its file exists already")


def test_a_request_is_plain_text(there):
    job, _ = there
    assert json.loads(json.dumps(job.request)) == job.request
