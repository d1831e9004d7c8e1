"""A file has its name only when it is whole, and takes nobody else's."""

import pytest

from nwbridge import CannotWrite
from nwbridge.whole import check_place, publish


def test_writes_every_byte_and_leaves_nothing_else(tmp_path):
    publish(b"all of it\0", tmp_path / "a.json", overwrite=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.json", b"all of it\0")]


@pytest.mark.parametrize(
    "call", [lambda out: check_place(out, overwrite=False), lambda out: publish(b"", out, overwrite=False)]
)
def test_an_existing_file_is_replaced_only_when_asked(tmp_path, call):
    out = tmp_path / "a.json"
    out.write_text("mine")
    with pytest.raises(CannotWrite, match=r"a\.json exists already: choose another name or say --overwrite"):
        call(out)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    check_place(out, overwrite=True)
    publish(b"yours", out, overwrite=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["yours"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a folder; give the name of a file"),
        ("no/a.json", "no does not exist: create it first"),
        ("a\0b", "is no name of a file"),
        ("x" * 5000, "too long"),
    ],
)
def test_says_why_nothing_can_be_written_there(tmp_path, name, message):
    with pytest.raises(CannotWrite, match=message):
        check_place(tmp_path / name, overwrite=False)


def test_a_disk_that_refuses_leaves_nothing(tmp_path):
    with pytest.raises(CannotWrite, match="cannot be written: No such file or directory"):
        publish(b"x", tmp_path / "no" / "a.json", overwrite=False)
    assert list(tmp_path.iterdir()) == []
