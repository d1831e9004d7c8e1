"""ScanImage's headers, folders of frames, options, single images, damage and real samples."""

import itertools
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import BadOption, BadSource, Images, Movie, NwbridgeError, Parameters
from nwbridge_tiff import TiffOptions, describe, detect

ROWS, COLUMNS = 12, 20


def values(*shape, dtype=np.uint16):
    return np.random.default_rng(11).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def read(element):
    with element.data.open() as reader:
        return np.array(reader[0 : element.data.shape[0]])


def movies(path, **options):
    return [read(movie) for movie in describe(path, TiffOptions(**options)).of(Movie)]


def messages(path, **options):
    return " | ".join(finding.message for finding in describe(path, TiffOptions(**options)).findings)


# ScanImage

SI = {
    "VERSION_MAJOR": "'2018b'",
    "VERSION_MINOR": "'1'",
    "hChannels.channelSave": "[1;3]",
    "hChannels.channelName": "{'green' 'red' 'far red' 'Channel 4'}",
    "hRoiManager.scanFrameRate": "30.5",
    "hRoiManager.scanVolumeRate": "7.625",
    "hRoiManager.imagingFovUm": "[-100 -60;100 -60;100 60;-100 60]",
    "hScan2D.logAverageFactor": "1",
    "hStackManager.numSlices": "1",
    "hStackManager.framesPerSlice": "6",
}
VOLUMES = {
    "hFastZ.enable": "true",
    "hStackManager.numSlices": "3",
    "hStackManager.framesPerSlice": "1",
    "hStackManager.stackZStepSize": "15",
    "hStackManager.numFramesPerVolume": "3",
}
FLYBACK = VOLUMES | {"hStackManager.numFramesPerVolumeWithFlyback": "4"}


def scanimage(path, pages, times=None, bigtiff=True, **keys):
    """Write pages as ScanImage 2018 does: its header as Software, a text a page."""
    header = "\n".join(f"SI.{key} = {value}" for key, value in (SI | keys).items())
    times = np.repeat(np.arange(len(pages)) // 2 / 30.5, 1) if times is None else times
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tif:
        for number, page in enumerate(pages):
            text = (
                f"frameNumbers = {number // 2 + 1}\nacquisitionNumbers = 1\nframeTimestamps_sec = {times[number]:.9f}\n"
                "epoch = [2018  3 14 15  9 26.535]\n"
            )
            tif.write(page, description=text, software=header, metadata=None, contiguous=False)
    return path


def test_takes_channels_of_scanimage_apart(tmp_path):
    data = values(6, 2, ROWS, COLUMNS).astype(np.int16)
    path = scanimage(tmp_path / "a.tif", data.reshape(-1, ROWS, COLUMNS))
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].software.startswith("SI.VERSION_MAJOR")
    session = describe(path, TiffOptions())
    np.testing.assert_array_equal(movies(path), data.swapaxes(0, 1))
    movie = session.of(Movie)[1]
    assert (movie.name, movie.kind, movie.rate_hz) == ("TwoPhotonSeriesFarRed", "two-photon", 30.5)
    assert movie.timestamps is None
    assert movie.plane.pixel_um == (120 / ROWS, 200 / COLUMNS)
    assert [channel.name for channel in movie.plane.channels] == ["green", "far red"]
    assert "began at 2018-03-14T15:09:26, without a time zone" in messages(path)
    assert session.start_time is None
    (header,) = session.of(Parameters)
    assert header.values["SI.hRoiManager.scanFrameRate"] == "30.5"


def test_takes_volumes_of_scanimage_apart(tmp_path):
    data = values(4, 3, 2, ROWS, COLUMNS)
    times = np.repeat(np.arange(12) / 22.875, 2)
    path = scanimage(tmp_path / "a.tif", data.reshape(-1, ROWS, COLUMNS), times, **VOLUMES)
    session = describe(path, TiffOptions())
    np.testing.assert_array_equal(movies(path), data.transpose(2, 0, 3, 4, 1))
    assert {movie.rate_hz for movie in session.of(Movie)} == {7.625}
    assert session.of(Movie)[0].plane.pixel_um == (10.0, 10.0, 15.0)


def test_asks_whether_flyback_frames_were_saved(tmp_path):
    data = values(3, 4, 2, ROWS, COLUMNS)
    times = np.repeat(np.arange(12) / 30.5, 2)
    path = scanimage(tmp_path / "a.tif", data.reshape(-1, ROWS, COLUMNS), times, **FLYBACK)
    with pytest.raises(BadSource, match=r"1 flyback frames after each volume of 3 planes.*--flyback 1 .*--flyback 0"):
        describe(path, TiffOptions())
    np.testing.assert_array_equal(movies(path, flyback=1), data[:, :3].transpose(2, 0, 3, 4, 1))
    assert "1 flyback frames after each volume were left out" in messages(path, flyback=1)
    np.testing.assert_array_equal(
        movies(path, flyback=0), data.reshape(4, 3, 2, ROWS, COLUMNS).transpose(2, 0, 3, 4, 1)
    )


def test_asks_about_slices_taken_one_after_the_other(tmp_path):
    keys = {"hStackManager.numSlices": "3", "hStackManager.framesPerSlice": "2"}
    path = scanimage(tmp_path / "a.tif", values(12, ROWS, COLUMNS), **keys)
    with pytest.raises(BadSource, match="3 slices of 2 frames, one slice after the other; say it: --planes"):
        describe(path, TiffOptions())
    assert [movie.shape for movie in movies(path, planes=1)] == [(6, ROWS, COLUMNS)] * 2


def test_refuses_a_volume_of_scanimage_that_is_cut_off(tmp_path):
    path = scanimage(tmp_path / "a.tif", values(22, ROWS, COLUMNS), **VOLUMES)
    with pytest.raises(
        BadSource, match=r"a\.tif holds 22 pages; expected a multiple of 6 \(2 channels × 3 planes\): 4 are"
    ):
        describe(path, TiffOptions())


def test_knows_no_rate_of_averaged_frames_but_by_their_times(tmp_path):
    pages = values(12, ROWS, COLUMNS)
    times = np.repeat(np.arange(6) * 4 / 30.5, 2)
    path = scanimage(tmp_path / "a.tif", pages, times, **{"hScan2D.logAverageFactor": "4"})
    movie = describe(path, TiffOptions()).of(Movie)[0]
    assert movie.rate_hz is None
    with movie.timestamps.open() as reader:
        np.testing.assert_allclose(reader[0:6], times[::2], atol=1e-9)
    assert "averaged 4 frames" in messages(path)


def test_writes_true_times_where_scanimage_dropped_frames(tmp_path):
    times = np.repeat(np.array([0, 1, 2, 5, 6, 7]) / 30.5, 2)
    path = scanimage(tmp_path / "a.tif", values(12, ROWS, COLUMNS), times)
    with describe(path, TiffOptions()).of(Movie)[1].timestamps.open() as reader:
        np.testing.assert_allclose(reader[0:6], times[1::2], atol=1e-9)
    assert "frames' own times are not those of 30.5 Hz" in messages(path)


def test_refuses_two_acquisitions_as_one_recording(tmp_path):
    for number in (1, 2):
        scanimage(tmp_path / f"a_0000{number}.tif", values(12, ROWS, COLUMNS))
    with pytest.raises(BadSource, match=r"frame 6 \(0 s\) was not taken after frame 5 .*; expected one recording"):
        describe(tmp_path, TiffOptions())


def test_reads_one_acquisition_of_scanimage_in_several_files(tmp_path):
    data, times = values(16, ROWS, COLUMNS), np.repeat(np.arange(8) / 30.5, 2)
    for number, part in enumerate((slice(0, 10), slice(10, 16)), 1):
        scanimage(tmp_path / f"a_00001_0000{number}.tif", data[part], times[part])
    np.testing.assert_array_equal(movies(tmp_path), data.reshape(8, 2, ROWS, COLUMNS).swapaxes(0, 1))


def test_gives_no_pixel_size_of_several_regions(tmp_path):
    path = scanimage(tmp_path / "a.tif", values(12, ROWS, COLUMNS), **{"hRoiManager.mroiEnable": "true"})
    assert describe(path, TiffOptions()).of(Movie)[0].plane.pixel_um is None
    assert "several regions (mROI)" in messages(path)


@pytest.mark.parametrize(
    ("text", "channels", "rate"),
    [
        (
            "scanimage.SI4.channelsSave = [1;2]\nscanimage.SI4.scanFrameRate = 3.5\nscanimage.SI4.stackNumSlices = 1",
            2,
            3.5,
        ),
        (
            "Frame Number = 1\nscanimage.SI.hChannels.channelSave = 1\nscanimage.SI.hRoiManager.scanFrameRate = 3.5",
            1,
            3.5,
        ),
        (
            "state.acq.frameRate=3.5\rstate.acq.savingChannel1=1\rstate.acq.savingChannel2=1\rstate.acq.averaging=0\r",
            2,
            3.5,
        ),
        ("state.acq.frameRate=3.5\rstate.acq.savingChannel2=1\rstate.acq.averaging=1\r", 1, None),
    ],
    ids=["4", "5", "3.8", "3.8 averaged"],
)
def test_reads_older_headers_of_scanimage(tmp_path, text, channels, rate):
    data = values(12, ROWS, COLUMNS)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for page in data:
            tif.write(page, description=text, metadata=None, contiguous=False)
    np.testing.assert_array_equal(movies(tmp_path / "a.tif"), data.reshape(-1, channels, ROWS, COLUMNS).swapaxes(0, 1))
    assert {movie.rate_hz for movie in describe(tmp_path / "a.tif", TiffOptions()).of(Movie)} == {rate}


def test_asks_about_slices_of_older_scanimage(tmp_path):
    text = "state.acq.frameRate=3.5\rstate.acq.savingChannel1=1\rstate.acq.numberOfZSlices=4\r"
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), description=text, metadata=None)
    with pytest.raises(BadSource, match="4 slices, one after the other"):
        describe(tmp_path / "a.tif", TiffOptions())


# folders


def frames(folder, data, name="image{:05d}.tif", start=0, **options):
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(data, start):
        tifffile.imwrite(
            folder / name.format(number), frame, **{"metadata": None, "photometric": "minisblack", **options}
        )
    return folder


@pytest.mark.parametrize("name", ["image{:05d}.tif", "{}.TIFF", "mouse 3 run2 t{} c1.tif"])
@pytest.mark.parametrize("start", [0, 1])
def test_reads_frames_in_the_order_of_their_numbers(tmp_path, name, start):
    data = values(13, ROWS, COLUMNS)
    folder = frames(tmp_path / "images", data, name, start)
    np.testing.assert_array_equal(movies(folder), [data])
    assert detect(folder) == "a folder of 13 TIFFs of equal shape"
    assert describe(folder, TiffOptions()).id == "images"


def test_says_that_numbers_begin_late_and_refuses_gaps(tmp_path):
    folder = frames(tmp_path / "images", values(6, ROWS, COLUMNS), start=7)
    assert "the TIFFs begin with number 7; expected 0 or 1" in messages(folder)
    (folder / "image00009.tif").unlink()
    (folder / "image00010.tif").unlink()
    with pytest.raises(BadSource, match="the TIFF with number 9 is missing, and 1 more"):
        describe(folder, TiffOptions())


def test_refuses_a_single_missing_number(tmp_path):
    folder = frames(tmp_path / "images", values(4, ROWS, COLUMNS))
    (folder / "image00002.tif").unlink()
    with pytest.raises(BadSource, match="the TIFF with number 2 is missing; expected all"):
        describe(folder, TiffOptions())


def test_refuses_two_files_of_one_number(tmp_path):
    folder = frames(tmp_path / "images", values(3, ROWS, COLUMNS), "a{}.tif")
    shutil.copy(folder / "a1.tif", folder / "a01.tif")
    with pytest.raises(BadSource, match="two TIFFs have the number 1"):
        describe(folder, TiffOptions())


def test_asks_which_files_where_names_are_of_several_kinds(tmp_path):
    green, red = values(2, 4, ROWS, COLUMNS)
    frames(tmp_path / "images", green, "green_{}.tif")
    folder = frames(tmp_path / "images", red, "red_{}.tif")
    with pytest.raises(BadSource, match=r"2 kinds of name, green_0\.tif, red_0\.tif; choose with --files"):
        describe(folder, TiffOptions())
    np.testing.assert_array_equal(movies(folder, files="RED_*"), [red])
    with pytest.raises(BadOption, match="has no TIFF that fits --files blue"):
        describe(folder, TiffOptions(files="blue*"))


def test_refuses_names_in_which_two_numbers_vary(tmp_path):
    for t, z in itertools.product(range(3), range(2)):
        frames(tmp_path / "images", values(1, ROWS, COLUMNS), f"t{t}_z{z}_{{}}.tif")
    with pytest.raises(BadSource, match="2 numbers vary in the names of its 6 TIFFs"):
        describe(tmp_path / "images", TiffOptions())


def test_refuses_tiffs_in_several_folders(tmp_path):
    for name in "ab":
        (tmp_path / "all").mkdir(exist_ok=True)
        frames(tmp_path / "all" / name, values(2, ROWS, COLUMNS))
    with pytest.raises(BadSource, match="TIFFs lie in 2 folders, a, b"):
        describe(tmp_path / "all", TiffOptions())
    assert detect(tmp_path / "all") is None


@pytest.mark.parametrize("odd", [(COLUMNS, ROWS), (ROWS, COLUMNS + 1)])
def test_refuses_frames_of_several_shapes(tmp_path, odd):
    folder = frames(tmp_path / "images", values(4, ROWS, COLUMNS))
    tifffile.imwrite(folder / "image00001.tif", values(*odd), metadata=None)
    assert detect(folder) is None
    with pytest.raises(BadSource, match=r"image00001\.tif has frames of"):
        movies(folder)


def test_asks_whether_the_pages_of_files_are_planes_or_time(tmp_path):
    data = values(5, 2, ROWS, COLUMNS)
    folder = frames(tmp_path / "stacks", data, "time{}.tif")
    with pytest.raises(
        BadSource, match="5 files of 2 pages, and nothing says what the pages of one are; say it: --planes N"
    ):
        describe(folder, TiffOptions())
    np.testing.assert_array_equal(movies(folder, planes=2), [data.transpose(0, 2, 3, 1)])
    np.testing.assert_array_equal(movies(folder, planes=1), [data.reshape(-1, ROWS, COLUMNS)])
    np.testing.assert_array_equal(movies(folder, channels=2), data.swapaxes(0, 1))


def test_refuses_a_file_with_half_a_volume(tmp_path):
    folder = frames(tmp_path / "stacks", values(4, 2, ROWS, COLUMNS), "time{}.tif")
    for number in (1, 3):
        tifffile.imwrite(folder / f"time{number}.tif", values(ROWS, COLUMNS), metadata=None)
    with pytest.raises(
        BadSource, match=r"a file of 1 pages; expected a multiple of 2 \(1 channel × 2 planes\) in each"
    ):
        describe(folder, TiffOptions(planes=2))


def test_puts_stacks_of_several_files_one_after_the_other(tmp_path):
    data = values(6, 2, ROWS, COLUMNS)
    (tmp_path / "parts").mkdir()
    for number, part in enumerate((data[:4], data[4:])):
        tifffile.imwrite(tmp_path / "parts" / f"p{number}.tif", part, imagej=True, metadata={"axes": "TCYX"})
    np.testing.assert_array_equal(movies(tmp_path / "parts"), data.swapaxes(0, 1))


def test_refuses_files_whose_pages_follow_each_other_in_several_ways(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    tifffile.imwrite(folder / "p1.tif", values(4, 2, ROWS, COLUMNS), imagej=True, metadata={"axes": "TCYX"})
    tifffile.imwrite(folder / "p2.tif", values(8, ROWS, COLUMNS), imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(BadSource, match=r"p2\.tif says .* frames in time, p1\.tif 2 channels × 1 planes, CT the fast"):
        describe(folder, TiffOptions())
    assert len(movies(folder, channels=2)) == 2
    (folder / "p1.tif").rename(folder / "p3.tif")
    with pytest.raises(BadSource, match=r"p3\.tif says of its pages 2 channels"):
        describe(folder, TiffOptions())


@pytest.mark.parametrize(
    ("order", "match"), [("CTYX", r"p2\.ome\.tif says .* TC .*p1\.ome\.tif .* CT "), ("TCYX", None)]
)
def test_reads_several_files_that_each_describe_themselves(tmp_path, order, match):
    folder, data = tmp_path / "parts", values(4, 2, ROWS, COLUMNS)
    folder.mkdir()
    for number, axes in enumerate(("TCYX", order), 1):
        part = data if axes == "TCYX" else data.swapaxes(0, 1)
        tifffile.imwrite(folder / f"p{number}.ome.tif", part, photometric="minisblack", metadata={"axes": axes})
    if match is None:
        np.testing.assert_array_equal(movies(folder), [np.concatenate([data[:, c]] * 2) for c in (0, 1)])
    else:
        with pytest.raises(BadSource, match=match):
            describe(folder, TiffOptions())


def test_leaves_what_is_beside_other_files_to_others(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values(6, ROWS, COLUMNS), metadata=None)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "a.tif")
        archive.writestr("traces.csv", "1,2")
    assert detect(tmp_path / "a.zip") is None
    photos = frames(tmp_path / "photos", values(3, ROWS, COLUMNS, 3, dtype=np.uint8), photometric="rgb")
    assert detect(photos) is None


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a TIFF: it has 0 bytes"),
        (b"\x89PNG\r\n\x1a\n....", "begins with b'.x89PNG'"),
        (b"II*\0\x08\0\0\0", "cut off"),
    ],
)
def test_says_of_any_tiff_why_it_cannot_be_read(tmp_path, content, match):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(BadSource, match=match):
        nwbridge.describe(tmp_path / "a.tif")


# options


@pytest.mark.parametrize("order", ["".join(order) for order in itertools.permutations("CZT")])
def test_takes_pages_apart_as_the_user_says(tmp_path, order):
    sizes = {"C": 2, "Z": 3, "T": 4}
    data = values(*(sizes[axis] for axis in order[::-1]), ROWS, COLUMNS)
    tifffile.imwrite(tmp_path / "a.tif", data.reshape(-1, ROWS, COLUMNS), metadata=None, photometric="minisblack")
    axes = order[::-1] + "YX"
    np.testing.assert_array_equal(
        movies(tmp_path / "a.tif", channels=2, planes=3, order=order),
        data.transpose([axes.index(axis) for axis in "CTYXZ"]),
    )


def test_asks_for_the_order_of_channels_and_planes(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), metadata=None)
    with pytest.raises(BadOption, match=r"--channels 2 --planes 3: say how pages follow: --order CZT"):
        describe(tmp_path / "a.tif", TiffOptions(channels=2, planes=3))


def test_asks_what_axes_without_a_name_are(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values(4, 3, ROWS, COLUMNS), photometric="minisblack")
    with pytest.raises(BadSource, match=r"the shape \[4, 3, 12, 20\] without the names T, Z and C.*--planes"):
        describe(tmp_path / "a.tif", TiffOptions())
    assert movies(tmp_path / "a.tif", planes=3)[0].shape == (4, ROWS, COLUMNS, 3)


def test_takes_rate_pixel_and_kind_from_options(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values(12, ROWS, COLUMNS), metadata=None)
    session = describe(path, TiffOptions(rate=12.5, pixel_um="1.5,2", kind="one-photon"))
    (movie,) = session.elements
    assert (movie.name, movie.rate_hz, movie.plane.pixel_um) == ("OnePhotonSeries", 12.5, (1.5, 2.0))
    assert session.findings == ()
    assert session.origins["Ophys.OnePhotonSeries.rate"] == "option --rate"
    assert describe(path, TiffOptions(pixel_um="1.5")).elements[0].plane.pixel_um == (1.5, 1.5)
    assert describe(path, TiffOptions(pixel_um="1,2,3")).elements[0].plane.pixel_um == (1.0, 2.0)
    volume = describe(path, TiffOptions(pixel_um="1,2,3", planes=3)).elements[0]
    assert volume.plane.pixel_um == (1.0, 2.0, 3.0)


def test_says_that_the_kind_was_assumed_and_invents_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), metadata=None)
    session = describe(tmp_path / "a.tif", TiffOptions())
    assert [(f.severity, f.message) for f in session.findings] == [
        ("warning", "nothing says how it was imaged; two-photon was assumed")
    ]
    plane = session.elements[0].plane
    assert (plane.pixel_um, plane.rate_hz, plane.indicator, plane.excitation_nm) == (None,) * 4
    assert (session.start_time, session.subject, session.elements[0].rate_hz) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rate": 0.0}, "--rate 0"),
        ({"rate": float("nan")}, "--rate nan"),
        ({"pixel_um": "1,2,3,4"}, "--pixel-um 1,2,3,4: expected SIZE"),
        ({"pixel_um": "wide"}, "--pixel-um wide"),
        ({"pixel_um": "1,-2"}, "--pixel-um 1,-2"),
        ({"channels": 0}, "--channels 0: expected at least 1"),
        ({"planes": -1}, "--planes -1: expected at least 1"),
        ({"flyback": -1}, "--flyback -1: expected at least 0"),
    ],
    ids=str,
)
def test_refuses_options_that_cannot_be(tmp_path, options, match):
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), metadata=None)
    with pytest.raises(BadOption, match=match):
        describe(tmp_path / "a.tif", TiffOptions(**options))


@pytest.mark.parametrize(("channels", "planes"), [(5, None), (None, 7), (10**9, None)])
def test_refuses_numbers_that_do_not_divide_the_pages(tmp_path, channels, planes):
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), metadata=None)
    with pytest.raises(BadSource, match=f"holds 12 pages; expected a multiple of {channels or planes} "):
        describe(tmp_path / "a.tif", TiffOptions(channels=channels, planes=planes))


def test_refuses_colour(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values(6, ROWS, COLUMNS, 3, dtype=np.uint8), photometric="rgb")
    with pytest.raises(BadSource, match=r"3 samples a pixel \(colour\); expected one number a pixel"):
        describe(tmp_path / "a.tif", TiffOptions())


# one moment


def test_a_single_image_is_no_movie(tmp_path):
    data = values(ROWS, COLUMNS)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=(2, 4), metadata={"unit": "um"})
    session = describe(tmp_path / "a.tif", TiffOptions())
    (images,) = session.elements
    assert isinstance(images, Images)
    assert images.images[0].pixel_um == (0.25, 0.5)
    np.testing.assert_array_equal(read(images.images[0]), data)
    assert session.findings == ()


def test_planes_of_one_moment_are_images(tmp_path):
    data = values(3, 2, ROWS, COLUMNS)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    (images,) = describe(tmp_path / "a.tif", TiffOptions(planes=3)).elements
    assert [image.name for image in images.images][:4] == [
        f"Channel {c} plane {z}" for c, z in ((1, 1), (1, 2), (1, 3), (2, 1))
    ]
    found = np.array([read(image) for image in images.images]).reshape(2, 3, ROWS, COLUMNS)
    np.testing.assert_array_equal(found, data.swapaxes(0, 1))


# what the file holds


def test_writes_volumes_of_two_channels(tmp_path):
    data = values(7, 3, 2, ROWS, COLUMNS)
    metadata = {"axes": "TZCYX", "finterval": 0.5, "unit": "um", "spacing": 4.0}
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata=metadata, resolution=(2, 4))
    result = nwbridge.convert(tmp_path / "a.tif", tmp_path / "a.nwb", metadata={"Subject": {"species": "Mus musculus"}})
    assert result.verified
    with h5py.File(tmp_path / "a.nwb") as file:
        for channel in (0, 1):
            series = file[f"acquisition/TwoPhotonSeriesChannel{channel + 1}"]
            np.testing.assert_array_equal(series["data"][()], data[:, :, channel].transpose(0, 3, 2, 1))
            assert series["starting_time"].attrs["rate"] == 2.0
        plane = file["general/optophysiology/ImagingPlane"]
        np.testing.assert_allclose(plane["grid_spacing"], [0.5, 0.25, 4.0])
        assert {"Channel 1", "Channel 2"} <= set(plane)


# damage


@pytest.mark.parametrize("kind", ["imagej", "ome", "scanimage", "deflate"])
def test_refuses_a_file_cut_anywhere(tmp_path, kind):
    path, data = tmp_path / "a.tif", values(6, 2, ROWS, COLUMNS)
    if kind == "scanimage":
        scanimage(path, data.reshape(-1, ROWS, COLUMNS))
    else:
        options = {"compression": "zlib", "ome": True} if kind == "deflate" else {kind: True}
        tifffile.imwrite(path, data, metadata={"axes": "TCYX"}, **options)
    whole = path.read_bytes()
    assert len(movies(path)) == 2
    for tenth in range(10):
        path.write_bytes(whole[: max(1, len(whole) * tenth // 10)])
        with pytest.raises(BadSource, match=r"a\.tif") as refusal:
            movies(path)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["imagej", "ome", "scanimage"])
def test_changed_text_is_read_or_refused(tmp_path, kind):
    path, data = tmp_path / "a.tif", values(6, 2, ROWS, COLUMNS)
    if kind == "scanimage":
        scanimage(path, data.reshape(-1, ROWS, COLUMNS))
    else:
        tifffile.imwrite(path, data, metadata={"axes": "TCYX", "finterval": 0.5}, **{kind: True})
    whole, numbers = path.read_bytes(), np.random.default_rng(4)
    begin = whole.index({"imagej": b"ImageJ=", "ome": b"<Image", "scanimage": b"SI."}[kind])
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        changed = bytearray(whole)
        for place in numbers.integers(begin, min(len(whole), begin + (120 if kind == "imagej" else 600)), 2):
            changed[place] = numbers.choice([0, 48, 57, 60, 255])
        path.write_bytes(changed)
        try:
            outcomes["read"] += len(describe(path, TiffOptions()).elements) > 0
        except NwbridgeError as error:
            outcomes["refused"] += "\n" not in str(error)
    assert sum(outcomes.values()) == 150
    assert min(outcomes.values()) > 2


@pytest.mark.parametrize("text", ["channels=3", "slices=999999999999", "frames=0", "channels=-2", "frames=six"])
def test_refuses_sizes_of_imagej_that_cannot_be_true(tmp_path, text):
    description = f"ImageJ=1.53\nimages=12\n{text}\n" + ("frames=3\n" if "frames" not in text else "channels=5\n")
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), description=description, metadata=None)
    with pytest.raises(BadSource, match=r"a\.tif"):
        describe(tmp_path / "a.tif", TiffOptions())


@pytest.mark.parametrize(
    "text", ["ImageJ=" + "\n " * 100_000, "SI.a = " + " " * 300_000 + "x", "SI.a =" + "\n " * 100_000]
)
def test_reads_descriptions_in_a_time_that_grows_with_their_length(tmp_path, text):
    tifffile.imwrite(tmp_path / "a.tif", values(6, ROWS, COLUMNS), description=text, metadata=None)
    assert movies(tmp_path / "a.tif")[0].shape == (6, ROWS, COLUMNS)


def test_an_empty_setting_of_scanimage_does_not_take_the_next(tmp_path):
    text = "SI.hBeams.powers =\nSI.hChannels.channelSave = [1;2]\n"
    tifffile.imwrite(tmp_path / "a.tif", values(6, ROWS, COLUMNS), description=text, metadata=None)
    (header,) = describe(tmp_path / "a.tif", TiffOptions()).of(Parameters)
    assert header.values == {"SI.hBeams.powers": "", "SI.hChannels.channelSave": "[1;2]"}


def test_reads_sizes_of_imagej_without_the_number_of_images(tmp_path):
    data = values(8, ROWS, COLUMNS)
    text = "ImageJ=1.53\nchannels=2\nframes=4\n"
    tifffile.imwrite(tmp_path / "a.tif", data, description=text, metadata=None)
    np.testing.assert_array_equal(movies(tmp_path / "a.tif"), data.reshape(4, 2, ROWS, COLUMNS).swapaxes(0, 1))


def test_refuses_another_number_of_planes_than_imagej_says(tmp_path):
    description = "ImageJ=1.53\nimages=12\nslices=20\n"
    tifffile.imwrite(tmp_path / "a.tif", values(12, ROWS, COLUMNS), description=description, metadata=None)
    with pytest.raises(BadSource, match="20 planes, 1 time points; 12 pages make 12 time points"):
        describe(tmp_path / "a.tif", TiffOptions())


# real samples


@pytest.mark.parametrize(
    "name",
    [
        "deepcad/sima_example.tif",
        "deepcad/fissa_AVG_A01.tif",
        "caiman_inscopix/movie_part2_108x123x63.tiff",
        "caiman_inscopix/runs/real2p_1000x30x40.tif",
        "caiman_inscopix/derived_2p/neurofinder0000_crop_y192_x192_128.tif",
        "dl_smlm/locan_images.tif",
        "dl_smlm/ds_Artificial.tif",
    ],
)
def test_reads_real_movies_as_tifffile_does(samples, name):
    path = samples / name
    assert detect(path).startswith("a TIFF")
    (found,), expected = movies(path), tifffile.imread(path)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)


def test_knows_the_pixel_of_a_real_imagej_movie_and_none_of_dots_an_inch(samples):
    pixel = {
        name: describe(samples / name, TiffOptions()).elements[0].plane.pixel_um
        for name in ("dl_smlm/ds_Artificial.tif", "dl_smlm/locan_images.tif", "deepcad/sima_example.tif")
    }
    assert list(pixel.values()) == [(0.1, 0.1), None, None]


def test_takes_real_volumes_apart_one_file_a_time_point(samples):
    folder = samples / "deepcad" / "fish_multiplane"
    with pytest.raises(BadSource, match="5 files of 2 pages"):
        describe(folder, TiffOptions())
    expected = np.stack([tifffile.imread(path) for path in sorted(folder.iterdir())])
    np.testing.assert_array_equal(movies(folder, planes=2), [expected.transpose(0, 2, 3, 1)])


def test_reads_a_real_folder_of_frames(samples):
    folder = samples / "neurofinder" / "neurofinder.00.00" / "images"
    expected = np.stack([tifffile.imread(path) for path in sorted(folder.iterdir())])
    np.testing.assert_array_equal(movies(folder), [expected])
