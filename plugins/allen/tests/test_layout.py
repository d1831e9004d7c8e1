"""Which files are recordings of Dataset II, alone and in folders."""

import shutil

import h5py
import numpy as np
import pytest

from nwbridge import BadSource
from nwbridge_allen import describe, detect, example


def hdf5(path, *keys):
    with h5py.File(path, "w") as file:
        for key in keys:
            file[key] = np.zeros(3)
    return path


def test_names_the_keys_that_speak_for_a_recording(tmp_path):
    assert detect(example(tmp_path)) == "100001.h5 has dff, sptimes, ephys_raw"


@pytest.mark.parametrize("ending", [".hdf5", ".H5", ".dat", ""])
def test_looks_into_a_file_of_any_name(recording, ending):
    assert detect(recording(name=f"100001{ending}")) is not None


def test_finds_a_recording_behind_a_header_as_matlab_writes_it(tmp_path):
    path = tmp_path / "headed.h5"
    with h5py.File(path, "w", userblock_size=512) as file, h5py.File(example(tmp_path)) as plain:
        for key in plain:
            plain.copy(key, file)
    assert detect(path) is not None
    assert describe(path, None).id == "headed"


@pytest.mark.parametrize(
    "keys", [(), ("dff",), ("dff", "dto"), ("dte", "dto"), ("dims", "estimates"), ("spk", "x"), ("Voltage",)], ids=str
)
def test_leaves_other_hdf5_files_to_others(tmp_path, keys):
    assert detect(hdf5(tmp_path / "100001.h5", *keys)) is None


def test_reads_no_value_to_detect(tmp_path):
    path = tmp_path / "100001.h5"
    with h5py.File(path, "w") as file:
        for key in ("dff", "dte", "dto", "ephys_raw", "ephys_baseline_subtracted", "sptimes"):
            file[key] = h5py.ExternalLink("absent.h5", key)
    assert detect(path) == "100001.h5 has dff, sptimes, ephys_raw"


def test_takes_the_session_s_name_from_the_file(recording):
    session = describe(recording(name="103991_cell 2.h5"), None)
    assert (session.id, session.subject.subject_id) == ("103991_cell 2", "103991_cell 2")
    assert session.elements[1].electrode.cell_id == "103991_cell 2"


# folders


@pytest.fixture
def folder(tmp_path):
    """Two recordings among other files."""
    folder = tmp_path / "oephys"
    folder.mkdir()
    shutil.copy(example(folder), folder / "103991.h5")
    (folder / "readme.txt").write_text("50 recordings")
    hdf5(folder / "others.h5", "x")
    (folder / "._103991.h5").write_bytes(b"left by a file manager")
    (folder / "more").mkdir()
    example(folder / "more")
    return folder


def test_offers_the_recordings_of_a_folder_by_name(folder):
    assert detect(folder) == "100001.h5 has dff, sptimes, ephys_raw"
    found = describe(folder, None)
    assert list(found) == ["100001", "103991"]
    for name, described in found.items():
        session = described()
        assert session.id == name
        assert session.files == (folder / f"{name}.h5",)


def test_leaves_a_folder_without_recordings_to_others(tmp_path):
    hdf5(tmp_path / "others.h5", "x")
    (tmp_path / "103991.h5").write_bytes(b"no HDF5")
    assert detect(tmp_path) is None


def test_lets_one_damaged_recording_speak_for_itself_only(folder):
    cut = folder / "103991.h5"
    whole = cut.stat().st_size
    cut.write_bytes(cut.read_bytes()[:3000])
    found = describe(folder, None)
    assert found["100001"]().id == "100001"
    with pytest.raises(
        BadSource, match=rf"^103991\.h5 is cut off: it has 3,000 of {whole:,} bytes; copy or download it again$"
    ):
        found["103991"]()


def test_refuses_files_of_dataset_i_among_others_when_they_are_described(folder):
    hdf5(folder / "102932.h5", "Vmfd", "spk", "dte", "dto")
    found = describe(folder, None)
    assert list(found) == ["100001", "102932", "103991"]
    with pytest.raises(BadSource, match=r"102932\.h5 is of Dataset I"):
        found["102932"]()


def test_reads_nothing_of_a_recording_before_it_is_described(folder):
    found = describe(folder, None)
    (folder / "100001.h5").unlink()
    with pytest.raises(BadSource, match=r"100001\.h5 is not a file"):
        found["100001"]()
    assert found["103991"]().id == "103991"


def test_gives_every_recording_a_name_that_a_file_can_have(folder):
    whole = (folder / "103991.h5").read_bytes()
    for name in ("100001.hdf5", "a b.h5", "a b.hdf5", "a_b.h5", "a_b.hdf5", "Köln 1.h5", "µ.h5"):
        (folder / name).write_bytes(whole)
    (folder / "103991.h5").unlink()
    found = describe(folder, None)
    assert list(found) == ["100001", "100001.hdf5", "K_ln_1", "a_b", "a_b.hdf5", "a_b.h5", "a_b_2", "h5"]
    assert [described().files[0].name for described in list(found.values())[3:7]] == [
        "a b.h5",
        "a b.hdf5",
        "a_b.h5",
        "a_b.hdf5",
    ]
