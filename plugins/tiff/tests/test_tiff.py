"""The TIFF source meets the contract, and takes apart what tifffile, as an independent writer and reader, wrote."""

import itertools
import re
import zipfile
from typing import ClassVar

import numpy as np
import pytest
import tifffile

from nwbridge import BadSource, Images, Movie
from nwbridge.testing import SourceContract
from nwbridge_tiff import TiffOptions, describe, detect

ROWS, COLUMNS = 12, 20
SHAPES = {"T": 6, "Z": 3, "C": 2}


class TestTiff(SourceContract):
    source = "tiff"
    options: ClassVar = {"kind": "two-photon"}

    def read(self, path):
        with tifffile.TiffFile(path) as tif:
            assert tif.series[0].axes == "TCYX"
            movie = tif.series[0].asarray()
        return {"TwoPhotonSeriesGCaMP6f": movie[:, 0], "TwoPhotonSeriestdTomato": movie[:, 1]}

    def declared_frames(self, path):
        with tifffile.TiffFile(path) as tif:
            return tif.imagej_metadata["frames"]


def values(*shape, dtype=np.uint16):
    numbers = np.random.default_rng(11)
    if np.dtype(dtype).kind == "f":
        return numbers.normal(0, 1e3, shape).astype(dtype)
    return numbers.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def write(path, data, **options):
    tifffile.imwrite(path, data, **{"photometric": "minisblack", **options})
    return path


def read(element):
    with element.data.open() as reader:
        return np.array(reader[0 : element.data.shape[0]])


def movies(path, **options):
    session = describe(path, TiffOptions(**options))
    return {movie.name: read(movie) for movie in session.of(Movie)}


def messages(path, **options):
    return [finding.message for finding in describe(path, TiffOptions(**options)).findings]


def as_described(data, axes):
    """The channels of an array with any axes as (time, row, column[, plane])."""
    missing = [axis for axis in "TZC" if axis not in axes]
    data = data.reshape(*(1 for _ in missing), *data.shape)
    axes = "".join(missing) + axes
    data = data.transpose([axes.index(axis) for axis in "CTYXZ"])
    return [channel[..., 0] if channel.shape[-1] == 1 else channel for channel in data]


def assert_taken_apart(path, axes, **options):
    """Compare with what tifffile reads, the number of its axes too."""
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == axes
        data = tif.series[0].asarray()
    found, expected = list(movies(path, **options).values()), as_described(data, axes)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# ImageJ, OME and tifffile's own


@pytest.mark.parametrize("axes", ["TYX", "TCYX", "TZYX", "TZCYX"])
@pytest.mark.parametrize("options", [{}, {"truncate": True}, {"byteorder": ">"}], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_takes_hyperstacks_of_imagej_apart(tmp_path, axes, options, dtype):
    data = values(*(SHAPES[axis] for axis in axes[:-2]), ROWS, COLUMNS, dtype=dtype)
    path = write(tmp_path / "a.tif", data, imagej=True, metadata={"axes": axes}, **options)
    assert_taken_apart(path, axes)


ORDERS = ["".join(order) for order in itertools.permutations("TZC")]
PACKINGS = {
    "plain": {},
    "bigtiff": {"bigtiff": True},
    "deflate": {"compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 16)},
    "lzw strips big-endian": {"compression": "lzw", "rowsperstrip": 5, "byteorder": ">"},
}


@pytest.mark.parametrize("order", [*ORDERS, "TZ", "ZT", "TC", "CT", "T"])
@pytest.mark.parametrize("packing", PACKINGS)
def test_takes_ome_apart_in_every_order_of_dimensions(tmp_path, order, packing):
    data = values(*(SHAPES[axis] for axis in order), ROWS, COLUMNS)
    axes = order + "YX"
    path = write(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": axes}, **PACKINGS[packing])
    with tifffile.TiffFile(path) as tif:
        written = re.search(r'DimensionOrder="XY(\w+)"', tif.ome_metadata).group(1)
    assert [axis for axis in written if axis in order] == list(order[::-1])  # fastest first
    assert_taken_apart(path, axes)


@pytest.mark.parametrize("order", [*ORDERS, "TZ", "ZT", "TC", "CT", "T"])
def test_takes_stacks_of_tifffile_with_named_axes_apart(tmp_path, order):
    data = values(*(SHAPES[axis] for axis in order), ROWS, COLUMNS)
    path = write(tmp_path / "a.tif", data, metadata={"axes": order + "YX"})
    found = list(movies(path).values())
    for one, other in zip(found, as_described(data, order + "YX"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("axes", ["TZCYX", "CTYX"])
def test_takes_the_tiff_in_a_zip_apart(tmp_path, method, axes):
    data = values(*(SHAPES[axis] for axis in axes[:-2]), ROWS, COLUMNS)
    path = write(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": axes})
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.write(path, "outer/a.ome.tif")
    assert detect(tmp_path / "a.zip") == "a zip of one TIFF"
    for one, other in zip(movies(tmp_path / "a.zip").values(), as_described(data, axes), strict=True):
        np.testing.assert_array_equal(one, other)


def test_takes_one_axis_alone_as_time_whatever_it_is_called(tmp_path):
    data = values(9, ROWS, COLUMNS)
    path = write(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZYX"})
    assert "calls the 9 pages planes; one axis alone is taken as time" in " ".join(messages(path))
    np.testing.assert_array_equal(movies(path)["TwoPhotonSeries"], data)
    np.testing.assert_array_equal(
        movies(path, planes=3)["TwoPhotonSeries"], data.reshape(3, 3, 12, 20).transpose(0, 2, 3, 1)
    )


def test_asks_whether_channels_of_planes_are_volumes_or_time(tmp_path):
    data = values(8, 2, ROWS, COLUMNS)
    path = write(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(BadSource, match=r"2 channels, 8 planes, 1 time points.*--planes 1 or --planes 8"):
        describe(path, TiffOptions())
    found = movies(path, planes=1)
    np.testing.assert_array_equal(list(found.values()), data.swapaxes(0, 1))
    (images,) = describe(path, TiffOptions(planes=8)).of(Images)
    assert len(images.images) == 16


def test_time_lies_where_the_planes_lie_that_are_time(tmp_path):
    data = values(2, 8, ROWS, COLUMNS)  # channels slowest
    path = write(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": "CZYX"})
    np.testing.assert_array_equal(list(movies(path, planes=1).values()), data)


# what tags say


def test_reads_what_imagej_says(tmp_path):
    metadata = {"axes": "TZCYX", "unit": "micron", "spacing": 5.0, "finterval": 250.0, "tunit": "ms", "fps": 7.0}
    path = write(
        tmp_path / "a.tif", values(6, 3, 2, ROWS, COLUMNS), imagej=True, resolution=(2.0, 4.0), metadata=metadata
    )
    movie = describe(path, TiffOptions()).elements[0]
    assert movie.plane.pixel_um == (0.25, 0.5, 5.0)
    assert movie.rate_hz == movie.plane.rate_hz == 4.0


@pytest.mark.parametrize(("unit", "pixel"), [("\\u00B5m", 0.5), ("um", 0.5), ("nm", 0.0005), ("mm", 500.0)])
def test_knows_the_units_of_imagej(tmp_path, unit, pixel):
    path = write(tmp_path / "a.tif", values(6, ROWS, COLUMNS), imagej=True, resolution=(2, 2), metadata={"unit": unit})
    assert describe(path, TiffOptions()).elements[0].plane.pixel_um == pytest.approx((pixel, pixel))


@pytest.mark.parametrize("unit", ["inch", "cm", "pixel", ""])
def test_dots_an_inch_are_no_pixel_size(tmp_path, unit):
    path = write(
        tmp_path / "a.tif", values(6, ROWS, COLUMNS), imagej=True, resolution=(72, 72), metadata={"unit": unit}
    )
    assert describe(path, TiffOptions()).elements[0].plane.pixel_um is None
    path = write(tmp_path / "b.tif", values(6, ROWS, COLUMNS), resolution=(72, 72), resolutionunit=2)
    assert describe(path, TiffOptions()).elements[0].plane.pixel_um is None


def test_a_speed_of_playing_is_no_frame_rate(tmp_path):
    path = write(tmp_path / "a.tif", values(6, ROWS, COLUMNS), imagej=True, metadata={"axes": "TYX", "fps": 7.0})
    assert describe(path, TiffOptions()).elements[0].rate_hz is None
    assert "ImageJ plays the movie with fps=7.0; that is no frame rate" in messages(path)


def test_keeps_the_meaning_of_signed_values_of_imagej(tmp_path):
    text = "ImageJ=1.53\nimages=4\nframes=4\ncf=0\nc0=-32768\nc1=1\nvunit=Gray Value\n"
    path = write(tmp_path / "a.tif", values(4, ROWS, COLUMNS), description=text, metadata=None)
    movie = describe(path, TiffOptions()).elements[0]
    assert (movie.offset, movie.conversion, movie.unit, movie.data.dtype) == (-32768.0, 1.0, None, np.uint16)


def test_names_channels_after_labels_that_all_pages_of_each_share(tmp_path):
    labels = ["green", "red"] * 6
    path = write(
        tmp_path / "a.tif", values(6, 2, ROWS, COLUMNS), imagej=True, metadata={"axes": "TCYX", "Labels": labels}
    )
    session = describe(path, TiffOptions())
    assert [movie.name for movie in session.elements] == ["TwoPhotonSeriesGreen", "TwoPhotonSeriesRed"]
    assert [channel.name for channel in session.elements[0].plane.channels] == ["green", "red"]
    assert session.elements[0].plane == session.elements[1].plane
    labels[5] = "c:1/2 t:3/6"
    path = write(
        tmp_path / "b.tif", values(6, 2, ROWS, COLUMNS), imagej=True, metadata={"axes": "TCYX", "Labels": labels}
    )
    assert [movie.name for movie in describe(path, TiffOptions()).elements] == [
        "TwoPhotonSeriesChannel1",
        "TwoPhotonSeriesChannel2",
    ]


OME = {
    "axes": "TZCYX",
    "PhysicalSizeX": 0.5,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 250.0,
    "PhysicalSizeYUnit": "nm",
    "PhysicalSizeZ": 3.0,
    "PhysicalSizeZUnit": "µm",
    "TimeIncrement": 200.0,
    "TimeIncrementUnit": "ms",
    "Name": "fish 7",
    "Channel": {
        "Name": ["GCaMP", "RFP / ref"],
        "Fluor": ["GCaMP6f", "mCherry"],
        "EmissionWavelength": [510.0, 610.0],
        "ExcitationWavelength": [920.0, 920.0],
        "AcquisitionMode": ["MultiPhotonMicroscopy"] * 2,
    },
}


def ome(path, shape=(6, 3, 2), change=lambda xml: xml, **metadata):
    """Write an OME-TIFF, with its XML changed."""
    data = values(*shape, ROWS, COLUMNS)
    write(path, data, ome=True, metadata={**OME, **metadata})
    with tifffile.TiffFile(path) as tif:
        xml = change(tif.ome_metadata)
    tifffile.tiffcomment(path, xml.encode())
    return path


def test_reads_what_ome_says(tmp_path):
    session = describe(ome(tmp_path / "a.ome.tif"), TiffOptions())
    assert [movie.name for movie in session.elements] == ["TwoPhotonSeriesGCaMP", "TwoPhotonSeriesRFPref"]
    assert session.findings == ()
    plane = session.elements[0].plane
    assert [(c.name, c.description, c.emission_nm) for c in plane.channels] == [
        ("GCaMP", "GCaMP6f", 510.0),
        ("RFP ref", "mCherry", 610.0),
    ]
    assert (plane.pixel_um, plane.rate_hz, plane.excitation_nm) == ((0.25, 0.5, 3.0), 5.0, 920.0)
    assert plane.indicator == "GCaMP6f, mCherry"
    assert session.id == "a"
    assert "fish 7." in session.description
    assert session.start_time is None


@pytest.mark.parametrize(
    ("text", "start", "said"),
    [
        ("2021-03-04T05:06:07+02:00", "2021-03-04T05:06:07+02:00", 0),
        ("2021-03-04T05:06:07", None, 1),
        ("yesterday", None, 0),
    ],
)
def test_takes_the_start_only_with_a_time_zone(tmp_path, text, start, said):
    date = f"<AcquisitionDate>{text}</AcquisitionDate><Pixels "
    path = ome(
        tmp_path / "a.ome.tif",
        change=lambda xml: re.sub("<AcquisitionDate>.*?</AcquisitionDate>", "", xml).replace("<Pixels ", date),
    )
    session = describe(path, TiffOptions())
    assert (session.start_time and session.start_time.isoformat()) == start
    assert sum("began at 2021-03-04T05:06:07, without a time zone" in f.message for f in session.findings) == said


def planes(times, shape=(6, 3, 2)):
    """OME's Plane elements with the time of each time point, planes 10 ms and channels 1 ms apart."""
    return "".join(
        f'<Plane TheT="{t}" TheZ="{z}" TheC="{c}" DeltaT="{times[t] * 1000 + 10 * z + c}" DeltaTUnit="ms"/>'
        for t, z, c in itertools.product(*map(range, shape))
    )


def test_writes_the_true_times_where_frames_are_missing(tmp_path):
    times = [0.5, 0.7, 0.9, 1.5, 1.7, 1.9]
    path = ome(tmp_path / "a.ome.tif", change=lambda xml: xml.replace("</Pixels>", planes(times) + "</Pixels>"))
    session = describe(path, TiffOptions())
    for channel, movie in enumerate(session.elements):
        with movie.timestamps.open() as reader:
            np.testing.assert_allclose(reader[0:6], np.array(times) + channel / 1000)
    assert any("frames' own times are not those of 5 Hz" in f.message for f in session.findings)
    assert describe(path, TiffOptions(rate=9.0)).elements[0].rate_hz == 9.0


def test_starts_each_channel_when_it_was_taken(tmp_path):
    times = [0.5 + 0.2 * n for n in range(6)]
    path = ome(tmp_path / "a.ome.tif", change=lambda xml: xml.replace("</Pixels>", planes(times) + "</Pixels>"))
    session = describe(path, TiffOptions())
    assert [movie.start_s for movie in session.elements] == pytest.approx([0.5, 0.501])
    assert [movie.rate_hz for movie in session.elements] == [5.0, 5.0]
    assert session.findings == ()


def test_writes_the_times_where_no_rate_is_stated(tmp_path):
    times = [0, 0.21, 0.39, 0.6, 0.8, 1.0]
    change = lambda xml: xml.replace("</Pixels>", planes(times) + "</Pixels>").replace('TimeIncrement="200.0"', "")  # noqa: E731
    movie = describe(ome(tmp_path / "a.ome.tif", change=change), TiffOptions()).elements[0]
    assert movie.rate_hz is None
    with movie.timestamps.open() as reader:
        np.testing.assert_allclose(reader[0:6], times)


def test_finds_pages_where_ome_says_they_are(tmp_path):
    numbers = np.random.default_rng(2).permutation(36)
    blocks = "".join(
        f'<TiffData IFD="{numbers[n]}" FirstT="{t}" FirstZ="{z}" FirstC="{c}" PlaneCount="1"/>'
        for n, (t, z, c) in enumerate(itertools.product(range(6), range(3), range(2)))
    )
    path = ome(tmp_path / "a.ome.tif", change=lambda xml: re.sub("<TiffData.*?/>", blocks, xml))
    with tifffile.TiffFile(path) as tif:
        pages = np.stack([page.asarray() for page in tif.pages])
    expected = as_described(pages[numbers].reshape(6, 3, 2, ROWS, COLUMNS), "TZCYX")
    np.testing.assert_array_equal(list(movies(path).values()), expected)


def test_reads_ome_whose_names_have_a_prefix(tmp_path):
    def prefixed(xml):
        return re.sub(r"<(/?)(?=[A-Z])", r"<\1ome:", xml).replace("xmlns=", "xmlns:ome=")

    path = ome(tmp_path / "a.ome.tif", change=prefixed)
    found = movies(path)
    expected = as_described(values(6, 3, 2, ROWS, COLUMNS), "TZCYX")
    assert list(found) == ["TwoPhotonSeriesGCaMP", "TwoPhotonSeriesRFPref"]
    np.testing.assert_array_equal(list(found.values()), expected)


def test_refuses_one_page_for_two_planes_of_ome(tmp_path):
    blocks = "".join(f'<TiffData IFD="{max(n, 1)}" FirstT="{n}" PlaneCount="1"/>' for n in range(6))
    path = ome(tmp_path / "a.ome.tif", (6, 1, 1), lambda xml: re.sub("<TiffData.*?/>", blocks, xml), Channel={})
    with pytest.raises(BadSource, match="names one page for several of its 6 planes"):
        describe(path, TiffOptions())


def test_refuses_an_axis_that_ome_hides_in_another(tmp_path):
    path = write(tmp_path / "a.ome.tif", values(5, 2, ROWS, COLUMNS), ome=True, metadata={"axes": "TQYX"})
    with pytest.raises(BadSource, match=r"OME's ModuloAlongT puts an axis .* say it: --planes"):
        describe(path, TiffOptions())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["GFP", "GFP"], ["GFP 1", "GFP 2"]),
        (["—", "…"], ["Channel 1", "Channel 2"]),
        (["A 2", "A!2"], ["A 2 1", "A!2 2"]),
        (["w/x:y", " "], ["w x y", "Channel 2"]),
    ],
)
def test_gives_each_channel_a_name_of_its_own(tmp_path, names, expected):
    path = ome(tmp_path / "a.ome.tif", Channel={"Name": names})
    movies = describe(path, TiffOptions()).elements
    assert [channel.name for channel in movies[0].plane.channels] == expected
    assert len({movie.name for movie in movies}) == 2


def test_leaves_out_times_that_are_all_one(tmp_path):
    path = ome(tmp_path / "a.ome.tif", change=lambda xml: xml.replace("</Pixels>", planes([0] * 6) + "</Pixels>"))
    movie = describe(path, TiffOptions()).elements[0]
    assert (movie.rate_hz, movie.timestamps) == (5.0, None)
    assert "gives all frames one time, 0 s" in " ".join(messages(path))


def several_files(folder):
    """An OME data set of two files, time points 0 to 3 and 4 to 5, each with the whole XML."""
    folder.mkdir()
    data = values(6, 3, 2, ROWS, COLUMNS)
    blocks = "".join(
        f'<TiffData IFD="0" FirstT="{t}" PlaneCount="{n}"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
        for name, t, n in (("part_1.ome.tif", 0, 24), ("part_2.ome.tif", 4, 12))
    )
    with tifffile.TiffFile(ome(folder.parent / "whole.tif")) as tif:
        xml = re.sub("<TiffData.*?/>", blocks, tif.ome_metadata)
    for number, part in enumerate((data[:4], data[4:]), 1):
        path = write(
            folder / f"part_{number}.ome.tif", part.reshape(-1, ROWS, COLUMNS), description=b"x", metadata=None
        )
        tifffile.tiffcomment(path, xml.encode())
    return data


def test_reads_an_ome_data_set_of_several_files(tmp_path):
    data = several_files(tmp_path / "set")
    np.testing.assert_array_equal(list(movies(tmp_path / "set").values()), as_described(data, "TZCYX"))


def test_never_reads_a_file_that_ome_names_elsewhere(tmp_path):
    several_files(tmp_path / "set")
    with pytest.raises(BadSource, match=r"part_1\.ome\.tif is one file of an OME data set that also names part_2"):
        describe(tmp_path / "set" / "part_1.ome.tif", TiffOptions())
    for name in ("../part_2.ome.tif", "/etc/passwd", "part_2.ome.tif"):
        for path in (tmp_path / "set").iterdir():
            with tifffile.TiffFile(path) as tif:
                xml = tif.pages[0].tags[270].value
            tifffile.tiffcomment(
                path, re.sub(r'FileName="[^"]*2\.ome\.tif"|FileName="/etc/passwd"', f'FileName="{name}"', xml).encode()
            )
        if name != "part_2.ome.tif":
            with pytest.raises(BadSource, match=f"also names {re.escape(name)}, which is not beside it"):
                describe(tmp_path / "set", TiffOptions())
    assert len(movies(tmp_path / "set")) == 2


def test_reads_an_ome_file_by_another_name(tmp_path):
    block = '<TiffData IFD="0" PlaneCount="36"><UUID FileName="before.ome.tif">urn:uuid:1</UUID></TiffData>'
    path = ome(tmp_path / "after.ome.tif", change=lambda xml: re.sub("<TiffData.*?/>", block, xml))
    assert_taken_apart(ome(tmp_path / "b.ome.tif"), "TZCYX")
    assert len(movies(path)) == 2


def swap(old, new):
    def change(xml):
        assert re.search(old, xml)
        return re.sub(old, new, xml, count=1)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (swap('SizeT="6"', 'SizeT="7"'), "declares 42 frames and holds 36|42 planes"),
        (swap('SizeT="6"', 'SizeT="999999999999"'), "declares|SizeT=999,999,999,999"),
        (swap('SizeT="6"', 'SizeT="0"'), "declares 0 frames|SizeT=0"),
        (swap('SizeT="6"', 'SizeT="six"'), "SizeT='six'; expected a whole number"),
        (swap('SizeX="20"', 'SizeX="12"'), r"12 rows × 12 columns, its first page has \(12, 20\)"),
        (swap('DimensionOrder="XY', 'DimensionOrder="ZZ'), "DimensionOrder='ZZ...'; expected XY"),
        (swap('PlaneCount="36"', 'PlaneCount="35"'), "36 planes, and names pages for 35"),
        (swap('PlaneCount="36"', 'PlaneCount="37"'), "puts 37 planes from page 0 of 36"),
        (swap('IFD="0"', 'IFD="3"'), "puts 36 planes from page 3 of 36"),
        (swap('IFD="0"', 'IFD="0" FirstT="6"'), "outside the"),
        (swap("</Pixels>", ""), "not valid XML"),
        (swap("<OME", '<!DOCTYPE x [<!ENTITY y "z">]><OME'), "document type or entities; refused"),
        (
            lambda xml: swap("</OME>", re.search("<Image.*</Image>", xml, re.DOTALL).group() + "</OME>")(xml),
            "holds 2 OME images",
        ),
        (
            lambda xml: '<OME><BinaryOnly MetadataFile="all.companion.ome" UUID="urn:uuid:1"/></OME>',
            "lies in all.companion",
        ),
    ],
)
def test_refuses_ome_that_cannot_be_true(tmp_path, change, match):
    path = ome(tmp_path / "a.ome.tif", change=change)
    with pytest.raises(BadSource, match=match):
        describe(path, TiffOptions())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap('PhysicalSizeX="0.5"', 'PhysicalSizeX="0"'), "PhysicalSizeX=0; expected more than 0"),
        (swap('TimeIncrement="200.0"', 'TimeIncrement="-1"'), "TimeIncrement=-1; expected more than 0"),
        (swap('Type="uint16"', 'Type="int16"'), "the values are int16, the pages hold uint16"),
    ],
)
def test_says_what_in_ome_is_left_out(tmp_path, change, said):
    assert said in " ".join(messages(ome(tmp_path / "a.ome.tif", change=change)))


@pytest.mark.parametrize(("mode", "kind"), [("WideField", "one-photon"), ("MultiPhotonMicroscopy", "two-photon")])
def test_names_the_series_after_the_kind_of_microscope(tmp_path, mode, kind):
    change = lambda xml: xml.replace("MultiPhotonMicroscopy", mode)  # noqa: E731
    session = describe(ome(tmp_path / "a.ome.tif", change=change), TiffOptions())
    assert {movie.kind for movie in session.elements} == {kind}
    assert not session.findings
