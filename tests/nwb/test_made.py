"""A file says itself who made it and when; what is no NWB file says nothing."""

from datetime import UTC, datetime, timedelta

import h5py
import pytest

import nwbridge
from nwbridge.nwb.made import made, made_since


@pytest.fixture
def written(deepcad, tmp_path):
    """A file that nwbridge has just written, and the moment before."""
    before = datetime.now(UTC)
    nwbridge.convert(deepcad, tmp_path / "out.nwb")
    return tmp_path / "out.nwb", before


def test_a_file_names_itself_its_software_and_its_time(written):
    path, before = written
    found = made(path)
    with h5py.File(path) as file:
        assert found.identifier == file["identifier"].asstr()[()]
    assert found.software == ("nwbridge", "nwbridge-deepcad")
    assert before <= found.time <= datetime.now(UTC)


def test_a_file_is_ours_from_the_moment_on_that_it_was_begun(written):
    path, before = written
    assert made_since(path, before)
    assert not made_since(path, datetime.now(UTC) + timedelta(seconds=1))


def test_a_file_that_names_no_software_is_not_ours(written):
    path, before = written
    with h5py.File(path, "r+") as file:
        del file["general/was_generated_by"]
    assert made(path).software == ()
    assert not made_since(path, before)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_nwb_file_says_nothing(content, tmp_path):
    (tmp_path / "x.nwb").write_bytes(content)
    assert made(tmp_path / "x.nwb") is None
    assert made(tmp_path / "absent.nwb") is None
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["identifier"] = 3
    assert made(tmp_path / "other.h5") is None
