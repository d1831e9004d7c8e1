"""Where a finished file goes: its folder, what it must not replace, and how long things took."""

import pytest

from nwbridge import CannotWrite
from nwbridge.landing import Clock, folder_for, same_file, silent


def test_without_an_archive_no_folder_is_made(tmp_path):
    with folder_for(tmp_path / "absent" / "x.nwb", None, overwrite=False):
        assert list(tmp_path.iterdir()) == []


def test_the_folder_that_an_archive_names_is_made(tmp_path):
    out = tmp_path / "set" / "sub-a" / "x.nwb"
    with folder_for(out, tmp_path / "set", overwrite=False):
        out.write_text("done", "utf-8")
    assert out.read_text("utf-8") == "done"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_folder_goes_where_nothing_came_of_the_file(tmp_path, error):
    out = tmp_path / "sub-a" / "x.nwb"
    with pytest.raises(error), folder_for(out, tmp_path, overwrite=False):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_only_folders_that_were_made_go(tmp_path):
    (tmp_path / "there").mkdir()
    for out in ("there/x.nwb", "there/a/b/x.nwb"):
        with pytest.raises(KeyError), folder_for(tmp_path / out, tmp_path, overwrite=False):
            raise KeyError
    assert [place.name for place in tmp_path.rglob("*")] == ["there"]


def test_a_folder_with_other_files_stays(tmp_path):
    out = tmp_path / "sub-a" / "x.nwb"
    out.parent.mkdir()
    (out.parent / "other.nwb").write_text("precious", "utf-8")

    with pytest.raises(KeyError), folder_for(out, tmp_path, overwrite=False):
        raise KeyError
    assert [file.name for file in out.parent.iterdir()] == ["other.nwb"]


def test_an_existing_file_of_the_name_is_refused_and_kept(tmp_path):
    out = tmp_path / "sub-a" / "x.nwb"
    out.parent.mkdir()
    out.write_text("precious", "utf-8")
    with pytest.raises(CannotWrite, match="exists already"), folder_for(out, tmp_path, overwrite=False):
        pass
    with folder_for(out, tmp_path, overwrite=True):
        assert out.read_text("utf-8") == "precious"


def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way", "utf-8")
    out = tmp_path / "file" / "sub-a" / "x.nwb"
    with (
        pytest.raises(CannotWrite, match=r"the folder .* cannot be made: Not a directory"),
        folder_for(out, tmp_path / "file", overwrite=False),
    ):
        pass


def test_one_file_has_many_paths(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1", "utf-8")
    other.write_text("1", "utf-8")
    (tmp_path / "soft").symlink_to(one)
    (tmp_path / "hard").hardlink_to(one)
    assert same_file(one, tmp_path / "soft")
    assert same_file(tmp_path / "hard", one)
    assert same_file(tmp_path, one)  # a folder that it lies in
    assert not same_file(one, other)
    assert not same_file(tmp_path / "absent", one)


def test_seconds_of_phases_with_one_name_add_up():
    clock = Clock()
    for phase in ("write", "verify", "write"):
        clock.lap(phase)
    clock.total()
    assert list(clock.laps) == ["write", "verify", "total"]
    assert all(seconds >= 0 for seconds in clock.laps.values())


def test_silence_shows_nothing(capsys):
    silent("writing", 1, 2)
    assert capsys.readouterr() == ("", "")
