"""Movies and images: every frame as it is, against numpy, tifffile and the vendor's library."""

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import BadSource, Images, Movie, Series
from nwbridge_ideas import Options, describe

MOUSE = {"Subject": {"species": "Mus musculus"}}


@pytest.mark.parametrize("kind", ["uint16", "float32", "uint8"])
@pytest.mark.parametrize("size", [1, 3, 11])
def test_reads_frames_of_every_type_in_blocks(tmp_path, isxd, values, kind, size):
    frames = np.random.default_rng(3).integers(0, 250, (11, 5, 8)).astype(kind)
    (movie,) = describe(isxd.movie(tmp_path / "m.isxd", frames), Options()).of(Movie)
    assert (movie.data.dtype, movie.data.parallel) == (np.dtype(kind), True)
    np.testing.assert_array_equal(values(movie.data, size), frames)


def with_margins(isxd, path, version=None, count=6):
    """Write a movie whose frames have headers and footers, as nVista 3 does."""
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 4096, (count, 4, 7)).astype("<u2")
    around = rng.integers(0, 4096, (count, 2, 2560)).astype("<u2")
    counters = 215_738_669_569 + 50_000 * np.arange(count, dtype=np.uint64)
    for part in range(4):  # 16 bits of the counter in two values of 12 bits
        bits = (counters >> np.uint64(16 * part)) & np.uint64(0xFFFF)
        around[:, 0, 1272 + 2 * part] = (bits & np.uint64(0xF)) << np.uint64(4)
        around[:, 0, 1273 + 2 * part] = bits >> np.uint64(4)
    rows = [b"".join([around[n, 0].tobytes(), frames[n].tobytes(), around[n, 1].tobytes()]) for n in range(count)]
    footer = isxd.footer(4, 7, count, type=0, dataType=0, hasFrameHeaderFooter=True)
    footer["extraProperties"] = {"producer": {"version": version}} if version else None
    isxd.write(path, b"".join(rows), footer)
    return frames, around, counters


def test_skips_headers_and_footers_of_frames_and_carries_them_beside(tmp_path, isxd, values):
    frames, around, _ = with_margins(isxd, tmp_path / "m.isxd")
    session = describe(tmp_path / "m.isxd", Options())
    np.testing.assert_array_equal(values(session.of(Movie)[0].data, 4), frames)
    (series,) = session.of(Series)
    assert (series.name, series.data.shape, series.data.dtype) == ("frame_headers_and_footers", (6, 10240), np.uint8)
    np.testing.assert_array_equal(values(series.data, 4), around.reshape(6, -1).view(np.uint8))


def test_reads_the_counter_of_frames_as_the_vendor_does(tmp_path, isxd, isx, values):
    _, _, counters = with_margins(isxd, tmp_path / "m.isxd", version="1.3.0")
    theirs = isx.Movie.read(str(tmp_path / "m.isxd"))
    series = {s.name: s for s in describe(tmp_path / "m.isxd", Options()).of(Series)}
    np.testing.assert_array_equal(values(series["frame_counter"].data, 4), counters)
    assert [theirs.get_frame_timestamp(n) for n in range(6)] == counters.tolist()


@pytest.mark.parametrize("version", [None, "1.1.0", "unknown"])
def test_reads_no_counter_that_older_software_did_not_write(tmp_path, isxd, version):
    with_margins(isxd, tmp_path / "m.isxd", version=version)
    assert [s.name for s in describe(tmp_path / "m.isxd", Options()).of(Series)] == ["frame_headers_and_footers"]


def test_refuses_frames_whose_headers_are_missing(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((5, 4, 6), np.uint16))
    isxd.change(path, "hasFrameHeaderFooter", value=True)
    with pytest.raises(BadSource, match=r"holds 0 frames and 240 bytes of 10,288 bytes each, the footer declares 5"):
        describe(path, Options())


def test_refuses_a_movie_in_colour(tmp_path, isxd):
    footer = isxd.footer(4, 6, 2, type=0, dataType=3)
    with pytest.raises(BadSource, match=r"m\.isxd is an RGB888 movie"):
        describe(isxd.write(tmp_path / "m.isxd", bytes(2 * 4 * 6 * 3), footer), Options())


@pytest.mark.parametrize(("kind", "shape"), [(0, (5, 9)), (1, (5, 9)), (2, (5, 9)), (3, (5, 9, 3))])
def test_reads_images_of_every_type(tmp_path, isxd, values, kind, shape):
    dtype = {0: "<u2", 1: "<f4", 2: "u1", 3: "u1"}[kind]
    image = np.random.default_rng(1).integers(0, 255, shape).astype(dtype)
    path = isxd.write(tmp_path / "i.isxd", image, isxd.footer(5, 9, 1, type=4, dataType=kind))
    (images,) = describe(path, Options()).of(Images)
    np.testing.assert_array_equal(values(images.images[0].data, 2), image)
    assert images.images[0].pixel_um is None  # the footer's is the sensor's


def test_refuses_an_image_file_of_several_frames(tmp_path, isxd):
    path = isxd.write(tmp_path / "i.isxd", bytes(90), isxd.footer(5, 9, 2, type=4, dataType=2))
    with pytest.raises(BadSource, match=r"footer's timingInfo/numTimes is 2; expected 1 in an image"):
        describe(path, Options())


def test_takes_the_kind_of_movie_from_the_user(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((5, 4, 6), np.uint16))
    (movie,) = describe(path, Options(kind="two-photon")).of(Movie)
    assert (movie.name, movie.kind) == ("TwoPhotonSeries", "two-photon")


def test_says_where_a_footer_mentions_two_photons(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((5, 4, 6), np.uint16))
    isxd.change(path, "extraProperties", value={"microscope": {"type": "mini2P"}})
    (finding,) = describe(path, Options()).findings
    assert finding.severity == "warning"
    assert "mentions a two-photon microscope (mini2p), and the movie is written as one-photon" in finding.message


@pytest.mark.parametrize("kind", ["one-photon", "two-photon", None])
def test_says_what_a_movie_is_taken_for_unless_the_user_did(tmp_path, isxd, kind):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((5, 4, 6), np.uint16))
    session = describe(path, Options(kind=kind))
    assert session.of(Movie)[0].kind == (kind or "one-photon")
    assert [f.message for f in session.findings] == [
        "the footer does not say how the movie was taken: it is written as one-photon"
    ] * (kind is None)


def test_takes_the_sensor_s_scale_for_no_scale_in_tissue(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((5, 4, 6), np.uint16))
    isxd.change(path, "spacingInfo", "pixelSize", "y", "num", value=7)
    session = describe(path, Options())
    plane = session.of(Movie)[0].plane
    assert plane.pixel_um is None
    assert "Ophys.ImagingPlane.grid_spacing" not in session.origins
    assert "pixel size, 7 µm (row) and 3 µm (column), is the sensor's" in plane.description
    assert "corner lies at row 3 µm, column 3 µm" in plane.description
    isxd.change(path, "spacingInfo", "pixelSize", value=None)
    isxd.change(path, "spacingInfo", "topLeft", drop=True)
    assert describe(path, Options()).of(Movie)[0].plane.description is None


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_reads_what_the_vendor_writes(tmp_path, isx, values, kind):
    path = tmp_path / "m.isxd"
    gaps = {"dropped": [2], "cropped": [(4, 6), (9, 9)], "blank": [8]}
    timing = isx.Timing(num_samples=12, period=isx.Duration.from_usecs(49962), **gaps)
    theirs = isx.Movie.write(str(path), timing, isx.Spacing(num_pixels=(5, 8)), np.dtype(kind).type)
    valid = timing.get_valid_samples()
    frames = np.random.default_rng(2).integers(0, 4000, (len(valid), 5, 8)).astype(kind)
    for n, frame in zip(valid, frames, strict=True):
        theirs.set_frame_data(int(n), frame)
    theirs.flush()
    del theirs
    (movie,) = describe(path, Options()).of(Movie)
    np.testing.assert_array_equal(values(movie.data, 3), frames)
    offsets = timing.get_offsets_since_start()
    np.testing.assert_allclose(values(movie.timestamps), [offsets[n].secs_float for n in valid], rtol=1e-15)
    again = isx.Movie.read(str(path))
    for n, frame in zip(valid, values(movie.data), strict=True):
        np.testing.assert_array_equal(again.get_frame_data(int(n)), frame)


def test_reads_an_image_that_the_vendor_writes(tmp_path, isx, values):
    path, image = tmp_path / "i.isxd", np.random.default_rng(4).random((5, 8)).astype(np.float32)
    isx.Image.write(str(path), isx.Spacing(num_pixels=(5, 8)), np.float32, image)
    (images,) = describe(path, Options()).of(Images)
    np.testing.assert_array_equal(values(images.images[0].data), image)


def test_writes_timestamps_and_missing_frames_into_the_file(tmp_path, isxd):
    frames = np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6)
    path = isxd.movie(tmp_path / "m.isxd", frames)
    isxd.change(path, "timingInfo", "numTimes", value=7)
    isxd.change(path, "timingInfo", "dropped", value=[1, 2])
    nwbridge.convert(path, tmp_path / "o.nwb", source="ideas", metadata=MOUSE)
    with h5py.File(tmp_path / "o.nwb") as file:
        series = file["acquisition/OnePhotonSeries"]
        np.testing.assert_array_equal(series["data"][()].transpose(0, 2, 1), frames)
        np.testing.assert_array_equal(series["timestamps"][()], [0, 0.3, 0.4, 0.5, 0.6])
        assert "starting_time" not in series
        assert file["intervals/missing_frames/reason"].asstr()[()].tolist() == ["dropped"]


# real movies


def test_reads_a_real_movie_as_its_tiff_and_the_vendor_do(real, isx, values):
    path = real / "movie_part2_108x123x63.isxd"
    (movie,) = describe(path, Options()).of(Movie)
    np.testing.assert_array_equal(values(movie.data, 10), tifffile.imread(path.with_suffix(".tiff")))
    theirs = isx.Movie.read(str(path))
    np.testing.assert_array_equal(values(movie.data)[62], theirs.get_frame_data(62))
    assert movie.rate_hz == 1 / theirs.timing.period.secs_float
    assert movie.binning == 1


def test_reads_a_real_movie_with_dropped_and_cropped_frames(real, isx, values):
    path = real / "edge" / "movie_f32_dropped_cropped.isxd"
    (movie,) = describe(path, Options()).of(Movie)
    theirs = isx.Movie.read(str(path))
    valid = theirs.timing.get_valid_samples()
    for n, frame in zip(valid, values(movie.data), strict=True):
        np.testing.assert_array_equal(theirs.get_frame_data(int(n)), frame)
    np.testing.assert_array_equal(values(movie.timestamps), valid * 100 / 1000)
