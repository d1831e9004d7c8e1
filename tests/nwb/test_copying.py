"""A copy has everything of the file that was read, chunk by chunk as it was stored, under new object ids."""

import h5py
import numpy as np
import pynwb
import pytest
from foreign import found_in, movie, object_ids, odd, plain, rich, save, sha256, with_regions

import nwbridge
from nwbridge.nwb.copying import acquired_movies, copy, names_in, renew

RAW = "/acquisition/TwoPhotonSeries"
STILL = "/processing/ophys/MotionCorrection/Still"


@pytest.mark.parametrize("make", [plain, with_regions, rich, odd])
def test_everything_is_copied_as_it_is_stored(tmp_path, make):
    path = make(tmp_path / "in.nwb")
    before = sha256(path)
    assert copy(path, tmp_path / "out.nwb") == ()
    assert sha256(path) == before
    found, copied = found_in(path), found_in(tmp_path / "out.nwb")
    assert {place for place in found if found[place] != copied.get(place)} == set()
    assert copied.keys() == found.keys()


@pytest.mark.parametrize("make", [rich, odd])
def test_every_object_gets_an_id_of_its_own(tmp_path, make):
    path = make(tmp_path / "in.nwb")
    copy(path, tmp_path / "out.nwb")
    old, new = object_ids(path), object_ids(tmp_path / "out.nwb")
    assert old.keys() == new.keys()
    assert len(set(new.values())) == len(new)
    assert set(old.values()).isdisjoint(new.values())


def test_references_lead_into_the_copy_and_not_back(tmp_path):
    path = odd(tmp_path / "in.nwb")
    copy(path, tmp_path / "out.nwb")
    path.unlink()
    with h5py.File(tmp_path / "out.nwb") as file:
        group = file["general/odd"]
        assert file[group["one_reference"][()]] == file["acquisition/TwoPhotonSeries"]
        assert file[group["pairs"][1]["at"]] == group["lzf"]
        assert not group["references"][1]
        part = group["parts"][0]
        np.testing.assert_array_equal(file[part][part], group["lzf"][2:4, 1:3, ::2])
        assert group["contiguous"].dims[0][0][()][3] == 3.0
        assert file[group.attrs["its_several"][1]].name == "/general/devices/Scope"
        assert group["same"] == group["lzf"]


def test_pynwb_follows_references_and_links_of_the_copy(tmp_path):
    path = rich(tmp_path / "in.nwb")
    copy(path, tmp_path / "out.nwb")
    path.unlink()
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        raw = file.acquisition["TwoPhotonSeries"]
        stack = file.processing["ophys"]["MotionCorrection"]["Still"]
        assert stack.original is raw
        assert stack.xy_translation.timestamps[4] == file.acquisition["Irregular"].timestamps[4]
        assert file.trials["timeseries"][1][0].timeseries is raw
        assert [image.name for image in file.acquisition["Pictures"].order_of_images] == ["b", "a"]
        assert file.processing["ophys"]["Fluorescence"]["RoiResponseSeries"].rois.table.name == "PlaneSegmentation"
        assert list(file.units["waveform_mean"][1]) == [1.0, 2.0, 4.0]


def test_what_is_left_out_is_gone(tmp_path):
    path = with_regions(tmp_path / "in.nwb")
    assert copy(path, tmp_path / "out.nwb", {RAW, "/analysis/absent"}) == ()
    found, copied = found_in(path), found_in(tmp_path / "out.nwb")
    gone = {place for place in found if place == RAW or place.startswith(f"{RAW}/")}
    assert len(gone) > 3
    assert copied == {place: what for place, what in found.items() if place not in gone}


def test_what_is_left_out_but_referred_to_stays_without_its_values(tmp_path):
    path = rich(tmp_path / "in.nwb")
    assert copy(path, tmp_path / "out.nwb", {RAW, "/acquisition/Irregular"}) == ("TwoPhotonSeries",)
    with h5py.File(tmp_path / "out.nwb") as file:
        assert "Irregular" not in file["acquisition"]
        emptied = file[RAW]["data"]
        assert (emptied.shape, emptied.dtype) == ((0, 0, 0), np.uint16)
        assert emptied.attrs["unit"] == "counts"
        assert file[RAW]["starting_time"].attrs["rate"] == 15.0
        assert file[RAW]["imaging_plane/location"][()] == b"VISp"
        assert file[f"{STILL}/original"] == file[RAW]
        assert file[file["intervals/trials/timeseries"][0]["timeseries"]] == file[RAW]
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        assert io.read().processing["ophys"]["MotionCorrection"]["Still"].original.data.shape == (0, 0, 0)


def test_times_that_others_share_stay_with_them(tmp_path):
    path = rich(tmp_path / "in.nwb")
    with h5py.File(path, "r+") as file:
        assert isinstance(file[STILL].get("xy_translation/timestamps", getlink=True), h5py.SoftLink)
        file["processing/ophys/second"] = h5py.SoftLink("/acquisition/Irregular/timestamps")
        times = file["acquisition/Irregular/timestamps"][()]
    copy(path, tmp_path / "out.nwb", {"/acquisition/Irregular"})
    with h5py.File(tmp_path / "out.nwb") as file:
        np.testing.assert_array_equal(file[f"{STILL}/xy_translation/timestamps"][()], times)
        assert file["processing/ophys/second"] == file[f"{STILL}/xy_translation/timestamps"]


def test_the_name_of_everything_is_taken(tmp_path):
    path = odd(tmp_path / "in.nwb")
    names = names_in(path)
    assert {"TwoPhotonSeries", "Plane", "general", "lzf", "same", "soft", "dangling", "data"} <= names


def test_only_acquired_movies_with_values_can_be_left_out(tmp_path):
    path = rich(tmp_path / "in.nwb")
    assert acquired_movies(path) == {"TwoPhotonSeries": RAW, "Irregular": "/acquisition/Irregular"}
    copy(path, tmp_path / "out.nwb", {RAW})
    assert acquired_movies(tmp_path / "out.nwb") == {"Irregular": "/acquisition/Irregular"}


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    path = plain(tmp_path / "in.nwb")
    content = bytearray(path.read_bytes())
    place = content.find(b"TREE", len(content) // 4)
    content[place : place + 4] = b"EERT"
    path.write_bytes(content)
    with pytest.raises(nwbridge.BadSource, match=r"in\.nwb cannot be copied \(.*damaged$"):
        copy(path, tmp_path / "out.nwb")


def test_a_copy_is_renewed(tmp_path):
    path = rich(tmp_path / "in.nwb")
    copy(path, tmp_path / "out.nwb")
    renew(tmp_path / "out.nwb", [("nwbridge", "0"), ("nwbridge", "0"), ("plugin", "2")], "nwbridge process x")
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        assert file.identifier != "its-identifier"
        assert len(file.file_create_date) == 2
        assert [list(pair) for pair in file.was_generated_by] == [["nwbridge", "0"], ["plugin", "2"]]
        assert file.source_script == "make.py && nwbridge process x"
        assert file.source_script_file_name == "m"
    with h5py.File(path) as old, h5py.File(tmp_path / "out.nwb") as new:
        kept = old["file_create_date"]
        assert new["file_create_date"][0] == kept[0]
        assert new["file_create_date"].maxshape == (None,)  # as the schema wants it
        assert dict(new["file_create_date"].attrs) == dict(kept.attrs)


def test_a_movie_of_an_extension_is_left_where_it_is(tmp_path):
    """Of types that only an extension knows nothing is left out: nobody knows what its values are."""
    path = plain(tmp_path / "in.nwb")
    with h5py.File(path, "r+") as file:
        file[RAW].attrs["neurodata_type"] = "ThreePhotonSeries"
    assert acquired_movies(path) == {}


def test_a_second_name_of_what_is_left_out_keeps_it(tmp_path):
    path = save(*_with_two(tmp_path))
    with h5py.File(path, "r+") as file:
        file["general/kept"] = file[RAW]
    copy(path, tmp_path / "out.nwb", {RAW})
    with h5py.File(path) as old, h5py.File(tmp_path / "out.nwb") as new:
        np.testing.assert_array_equal(new["general/kept/data"][()], old[f"{RAW}/data"][()])
        assert list(new["acquisition"]) == ["Other"]


def _with_two(folder):
    from foreign import begun, frames

    file, plane = begun()
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    file.add_acquisition(movie("Other", plane, frames(1)))
    return file, folder / "in.nwb"
