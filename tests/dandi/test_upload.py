"""Uploading to an archive on loopback: what arrives is what lies there, and every failure is one line."""

import os
import shutil

import pytest

from nwbridge import BadOption, BadSource, CannotWrite
from nwbridge.dandi.upload import upload

DANDISET = "000123"
PASSED = {"sub-m/sub-m_ses-1.nwb": [], "sub-m/sub-m_ses-2.nwb": []}  # what the gate says of the two, asked elsewhere


@pytest.fixture
def impatient(monkeypatch):
    """The client tries only once, where it would for a minute."""
    monkeypatch.setattr("dandi.dandiapi.REQUEST_RETRIES", 1)


@pytest.fixture
def small_parts(archive, monkeypatch):
    """Files go up in parts of 16 KiB, on both sides."""
    from dandischema.digests.dandietag import PartGenerator

    archive.part_size = 1 << 14
    for name in ("DEFAULT_PART_SIZE", "MIN_PART_SIZE"):
        monkeypatch.setattr(PartGenerator, name, archive.part_size)


def contents(folder):
    """Every file of a folder, byte for byte, with the time of its last change."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_what_arrives_is_what_lies_there_with_metadata_that_the_archive_can_use(two, archive):
    from dandischema.models import BareAsset

    (two / "notes.txt").write_text("not for DANDI")
    before = contents(two)
    told = []
    done = upload(two, DANDISET, instance=archive.url, progress=lambda *step: told.append(step))
    places = ("sub-m/sub-m_ses-1.nwb", "sub-m/sub-m_ses-2.nwb")
    assert archive.paths() == {place: before[place][0] for place in places}
    assert (done.uploaded, done.skipped) == (places, ())
    assert done.bytes == sum(len(before[place][0]) for place in places)
    assert done.url == "https://archive.example/dandiset/000123/draft"
    for place, said in archive.metadata().items():
        asset = BareAsset(**said | {"schemaKey": "BareAsset"})
        assert (asset.path, asset.contentSize) == (place, len(before[place][0]))
        assert asset.wasAttributedTo[0].identifier == "m"
        assert asset.wasAttributedTo[0].species.name == "Mus musculus - House mouse"
    assert contents(two) == before
    assert told[-1] == ("uploading", done.bytes, done.bytes)


def test_a_second_upload_skips_what_is_there(two, archive):
    upload(two, DANDISET, instance=archive.url, found=PASSED)
    asked = archive.count("POST|PUT")
    done = upload(two, DANDISET, instance=archive.url, found=PASSED)
    assert (len(done.uploaded), len(done.skipped)) == (0, 2)
    assert archive.count("POST|PUT") == asked


def test_a_file_that_changed_replaces_the_one_that_is_there(two, archive, tools):
    upload(two, DANDISET, instance=archive.url, found=PASSED)
    path = tools.write_nwb(two / "sub-m" / "sub-m_ses-1.nwb", keywords=["changed"])
    os.utime(path, (4e9, 4e9))
    assert upload(two, DANDISET, instance=archive.url, existing="skip", found=PASSED).uploaded == ()
    assert upload(two, DANDISET, instance=archive.url, found=PASSED).uploaded == ("sub-m/sub-m_ses-1.nwb",)
    assert archive.paths()["sub-m/sub-m_ses-1.nwb"] == path.read_bytes()
    assert len(archive.assets) == 2


def test_a_blob_that_the_archive_has_is_not_sent_again(two, archive):
    upload(two, DANDISET, instance=archive.url, found=PASSED)
    archive.assets.clear()
    upload(two, DANDISET, instance=archive.url, found=PASSED)
    assert archive.count("PUT /storage") == 2
    assert len(archive.assets) == 2


def test_large_files_go_up_in_parts(two, archive, small_parts):
    upload(two, DANDISET, instance=archive.url, found=PASSED)
    path = two / "sub-m" / "sub-m_ses-1.nwb"
    assert archive.paths()["sub-m/sub-m_ses-1.nwb"] == path.read_bytes()
    assert archive.count("PUT /storage") >= 2 * (path.stat().st_size // archive.part_size) > 4


def test_a_connection_that_drops_once_is_tried_again(two, archive, small_parts):
    archive.faults = [("PUT /storage/.*/2", "drop")]
    assert len(upload(two, DANDISET, instance=archive.url, found=PASSED).uploaded) == 2
    assert archive.paths()["sub-m/sub-m_ses-2.nwb"] == (two / "sub-m" / "sub-m_ses-2.nwb").read_bytes()


@pytest.mark.parametrize("fault", ["drop", 500])
def test_an_upload_that_fails_says_which_file_and_goes_on_from_there(two, archive, impatient, small_parts, fault):
    archive.faults = [("PUT /storage/.*/2", fault)]
    with pytest.raises(
        CannotWrite, match=r"1 of 2 files did not arrive, first sub-m/sub-m_ses-\d\.nwb: .*command again"
    ):
        upload(two, DANDISET, instance=archive.url, jobs=1, found=PASSED)
    assert len(archive.assets) == 1
    done = upload(two, DANDISET, instance=archive.url, found=PASSED)
    assert (len(done.uploaded), len(done.skipped)) == (1, 1)
    assert len(archive.paths()) == 2


def test_nothing_is_uploaded_where_one_file_does_not_pass(two, archive, tools):
    tools.write_nwb(two / "sub-m" / "sub-m_ses-3.nwb", "3", subject={"subject_id": "m"})
    with pytest.raises(BadSource, match=r"1 of .* would be refused by DANDI \(sub-m/sub-m_ses-3\.nwb\): nothing was"):
        upload(two, DANDISET, instance=archive.url)
    assert archive.asked == []


@pytest.mark.parametrize(("status", "words"), [(500, "failed: .*try again later"), ("drop", "the connection failed")])
def test_an_archive_that_fails_is_one_line_without_the_key(two, archive, tools, impatient, status, words):
    archive.faults = [("GET /api/auth", status)]
    with pytest.raises(CannotWrite, match=words) as caught:
        upload(two, DANDISET, instance=archive.url, found=PASSED)
    assert tools.KEY not in str(caught.value)


def test_a_key_that_is_not_accepted_is_told_without_saying_it(two, archive, monkeypatch):
    monkeypatch.setenv("CUSTOM_DANDI_API_KEY", "an-old-key")
    with pytest.raises(BadOption, match="does not accept the key in CUSTOM_DANDI_API_KEY") as caught:
        upload(two, DANDISET, instance=archive.url, found=PASSED)
    assert "an-old-key" not in str(caught.value)
    assert archive.blobs == {}


def test_no_other_archive_gets_to_see_the_key_of_dandi(two, archive, monkeypatch):
    monkeypatch.delenv("CUSTOM_DANDI_API_KEY")
    monkeypatch.setenv("DANDI_API_KEY", "secret")
    with pytest.raises(BadOption, match="say export CUSTOM_DANDI_API_KEY=KEY"):
        upload(two, DANDISET, instance=archive.url)
    assert archive.asked == []


def test_a_missing_key_says_where_to_get_it_and_asks_nothing(two, monkeypatch):
    monkeypatch.delenv("DANDI_API_KEY", raising=False)
    with pytest.raises(BadOption, match=r"no key to dandi: log in on its website.*export DANDI_API_KEY=KEY"):
        upload(two, DANDISET)


def test_a_dandiset_that_is_not_there_is_told(two, archive):
    with pytest.raises(BadOption, match=r"--dandiset 000999: .* has none of that number, or it is not yours"):
        upload(two, "000999", instance=archive.url, found=PASSED)


def test_a_place_where_no_archive_answers_is_told(two, archive, monkeypatch):
    with pytest.raises(CannotWrite, match=r"does not answer as an archive of DANDI.*is the network up"):
        upload(two, DANDISET, instance="http://127.0.0.1:9", found=PASSED)


def test_an_archive_of_another_schema_is_told(two, archive):
    archive.schema_version = "0.1.0"
    with pytest.raises(CannotWrite, match=r"older incompatible schema version 0\.1\.0"):
        upload(two, DANDISET, instance=archive.url, found=PASSED)


def test_the_dandiset_is_that_of_the_folder_unless_it_contradicts(two, archive):
    (two / "dandiset.yaml").write_text("{identifier: 'DANDI:000123', name: x, description: y}", "utf-8")
    archive.gui = None
    assert upload(two, instance=archive.url, found=PASSED).url.endswith("/api/dandisets/000123/versions/draft/")
    with pytest.raises(BadOption, match=r"dandiset\.yaml is of dandiset 000123"):
        upload(two, "000124", instance=archive.url, found=PASSED)
    (two / "dandiset.yaml").unlink()
    with pytest.raises(BadOption, match="--dandiset is missing"):
        upload(two, instance=archive.url, found=PASSED)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"existing": "perhaps"}, "--existing perhaps: expected one of refresh, skip"),
        ({"jobs": 0}, "--jobs 0: expected at least 1"),
        ({"instance": "mars"}, "--instance mars: expected an address or one of dandi, dandi-sandbox"),
    ],
)
def test_options_that_cannot_be_are_refused(two, how, words):
    with pytest.raises(BadOption, match=words):
        upload(two, DANDISET, **how)


REAL = ("NWBRIDGE_DANDI_API", "NWBRIDGE_DANDI_DANDISET", "CUSTOM_DANDI_API_KEY")


@pytest.mark.skipif(not all(os.environ.get(name) for name in REAL), reason=f"{', '.join(REAL)} name no real archive")
def test_a_real_archive_takes_what_passes_the_gate(two):
    instance, number = (os.environ[name] for name in REAL[:2])
    done = upload(two, number, instance=instance)
    assert len(done.uploaded) + len(done.skipped) == 2
    assert len(upload(two, number, instance=instance).skipped) == 2
    shutil.rmtree(two)
