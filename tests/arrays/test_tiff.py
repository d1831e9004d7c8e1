"""Every kind of TIFF against tifffile, whole and damaged, as a file and inside zips."""

import contextlib
import json
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import tifffile

from nwbridge import BadSource, NwbridgeError
from nwbridge.arrays import files_in, from_tiff

SHAPE = (7, 20, 36)
STACK = {
    "contiguous": {},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "bigtiff big-endian": {"bigtiff": True, "byteorder": ">"},
    "without description": {"metadata": None},
    "lzw": {"compression": "lzw"},
    "lzw big-endian horizontal": {"compression": "lzw", "predictor": True, "byteorder": ">"},
    "deflate": {"compression": "zlib"},
    "adobe deflate": {"compression": "adobe_deflate"},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd"},
    "deflate horizontal": {"compression": "zlib", "predictor": True},
    "zstd horizontal": {"compression": "zstd", "predictor": True},
    "strips": {"rowsperstrip": 3},
    "strips lzw": {"rowsperstrip": 3, "compression": "lzw"},
    "strips deflate horizontal": {"rowsperstrip": 3, "compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 16)},
    "tiles deflate horizontal": {"tile": (16, 16), "compression": "zlib", "predictor": True},
    "tiles packbits": {"tile": (16, 32), "compression": "packbits"},
    "tiles larger than the image": {"tile": (64, 64), "compression": "zstd"},
    "single directory": {"truncate": True},
    "single directory bigtiff": {"truncate": True, "bigtiff": True},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "imagej single directory": {"imagej": True, "truncate": True, "metadata": {"axes": "TYX"}},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    "ome deflate": {"ome": True, "compression": "zlib", "metadata": {"axes": "TYX"}},
}
FLOATS = {
    "float predictor": {"compression": "zlib", "predictor": 3},
    "float predictor big-endian": {"compression": "lzw", "predictor": 3, "byteorder": ">"},
    "float predictor tiles": {"compression": "zstd", "predictor": 3, "tile": (16, 16)},
    "float predictor strips": {"compression": "zlib", "predictor": 3, "rowsperstrip": 3},
}


def movie(dtype="u2", shape=SHAPE, seed=1):
    numbers = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return numbers.normal(0, 1e3, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return numbers.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def write(path, data, options):
    tifffile.imwrite(path, data, **{"photometric": "minisblack", **options})
    return path


def truth(path):
    """What tifffile reads, frame by frame where it holds several series."""
    with tifffile.TiffFile(path) as tif:
        return np.concatenate([series.asarray().reshape(-1, *series.shape[-2:]) for series in tif.series])


def blob_of(path):
    (blob,) = files_in(path).blobs.values()
    return blob


def read(array, step=3):
    with array.open() as reader:
        return np.concatenate([reader[start : start + step] for start in range(0, array.shape[0], step)])


def zipped(path, method):
    archive = path.with_suffix(f".{method}.zip")
    with zipfile.ZipFile(archive, "w", method) as out:
        out.write(path, path.name)
    return archive


def assert_reads(path, expected):
    """Compare the file, and its stored and deflated members, front to back and out of order."""
    assert np.array_equal(truth(path), expected)
    for source in (path, zipped(path, zipfile.ZIP_STORED), zipped(path, zipfile.ZIP_DEFLATED)):
        array = from_tiff(blob_of(source))
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
        assert np.array_equal(read(array), expected)
        with array.open() as reader:
            for start in (5, 0, 3, 6, 1):
                assert np.array_equal(reader[start : start + 2], expected[start : start + 2])


@pytest.mark.parametrize("variant", STACK)
def test_reads_what_tifffile_reads(tmp_path, variant):
    data = movie("u1" if "imagej" in variant else "u2")
    assert_reads(write(tmp_path / "movie.tif", data, STACK[variant]), data)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("variant", FLOATS)
def test_undoes_the_float_predictor(tmp_path, variant, dtype):
    data = movie(dtype)
    assert_reads(write(tmp_path / "movie.tif", data, FLOATS[variant]), data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
def test_keeps_every_number_type_as_it_is(tmp_path, dtype, order):
    data = movie(dtype)
    assert_reads(write(tmp_path / "movie.tif", data, {"byteorder": order}), data)


def test_reads_an_appended_file_with_a_description_on_every_page(tmp_path):
    data = movie()
    for frame in data:
        tifffile.imwrite(tmp_path / "movie.tif", frame, append=True, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "movie.tif") as tif:
        assert all('"shape"' in page.description for page in tif.pages)
    assert_reads(tmp_path / "movie.tif", data)


def test_reads_appended_stacks(tmp_path):
    data = movie()
    for part in (data[:3], data[3:]):
        tifffile.imwrite(tmp_path / "movie.tif", part, append=True, photometric="minisblack")
    array = from_tiff(blob_of(tmp_path / "movie.tif"))
    assert np.array_equal(read(array), truth(tmp_path / "movie.tif"))
    assert np.array_equal(read(array), data)


def test_never_shortens_appended_stacks_inside_a_deflated_zip(tmp_path):
    for part in (movie()[:3], movie()[3:]):
        tifffile.imwrite(tmp_path / "movie.tif", part, append=True, photometric="minisblack")
    with pytest.raises(BadSource, match=r"movie\.tif.*unzipped"):
        read(from_tiff(blob_of(zipped(tmp_path / "movie.tif", zipfile.ZIP_DEFLATED))))


def test_one_directory_of_imagej_holds_as_many_frames_as_it_declares(tmp_path):
    data = movie("u2", (50, 6, 9))
    path = write(tmp_path / "movie.tif", data, {"imagej": True, "truncate": True, "metadata": {"axes": "TYX"}})
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    assert np.array_equal(read(from_tiff(blob_of(path))), data)


def test_reads_directories_written_after_each_frame(tmp_path):
    data = movie()
    with tifffile.TiffWriter(tmp_path / "movie.tif") as out:
        for frame in data:
            out.write(frame, contiguous=False, metadata=None, photometric="minisblack")
    assert_reads(tmp_path / "movie.tif", data)


def test_accepts_a_last_strip_padded_to_full_height(tmp_path):
    frame = movie()[0]
    padded = np.concatenate([frame, np.zeros((4, 36), "u2")])
    path = write(tmp_path / "movie.tif", padded, {"compression": "zlib", "rowsperstrip": 8, "metadata": None})
    patch(path, 257, 20)
    assert np.array_equal(read(from_tiff(blob_of(path)))[0], frame)


# damage


def tag_entries(data):
    """Where the entry of each tag of the first directory of a little-endian classic TIFF lies."""
    (offset,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    return {struct.unpack_from("<H", data, at)[0]: at for at in range(offset + 2, offset + 2 + 12 * count, 12)}


def patch(path, tag, value=None, *, kind=None, count=None):
    data = bytearray(path.read_bytes())
    at = tag_entries(data)[tag]
    if kind is not None:
        struct.pack_into("<H", data, at + 2, kind)
    if count is not None:
        struct.pack_into("<L", data, at + 4, count)
    if value is not None:
        code = "<H" if struct.unpack_from("<H", data, at + 2) == (3,) else "<L"
        struct.pack_into(code, data, at + 8, value)
    path.write_bytes(data)


def refuse(path, match, *, name="movie.tif"):
    with pytest.raises(NwbridgeError, match=match) as refused:
        read(from_tiff(blob_of(path)))
    message = str(refused.value)
    assert name in message
    assert "\n" not in message
    return message


CUT = [
    "contiguous",
    "bigtiff big-endian",
    "without description",
    "lzw",
    "deflate horizontal",
    "strips",
    "tiles packbits",
    "single directory",
    "imagej single directory",
    "ome",
]


@pytest.mark.parametrize("method", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("variant", CUT)
def test_refuses_a_file_cut_anywhere(tmp_path, variant, method):
    path = write(tmp_path / "movie.tif", movie(), STACK[variant])
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        refuse(path if method is None else zipped(path, method), "cut off|not a TIFF|ends|empty|past")


def test_says_how_many_frames_a_cut_file_holds(tmp_path):
    path = write(tmp_path / "movie.tif", movie("u2", (10, 20, 36)), {"truncate": True})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert "5 of 10 frames" in refuse(path, "cut off")


@pytest.mark.parametrize("variant", ["contiguous", "deflate", "strips"])
def test_a_cut_inside_an_appended_file_is_refused(tmp_path, variant):
    path = tmp_path / "movie.tif"
    for frame in movie():
        tifffile.imwrite(path, frame, append=True, photometric="minisblack", **STACK[variant])
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        refuse(path, "cut off|not a TIFF|ends")


@pytest.mark.parametrize(
    ("options", "old", "new"),
    [
        ({"imagej": True, "metadata": {"axes": "TYX"}}, b"images=7", b"images=8"),
        ({"imagej": True, "metadata": {"axes": "TYX"}}, b"images=7", b"images=6"),
        ({}, b'"shape": [7,', b'"shape": [9,'),
        ({"ome": True, "metadata": {"axes": "TYX"}}, b'SizeT="7"', b'SizeT="9"'),
        ({"imagej": True, "truncate": True, "metadata": {"axes": "TYX"}}, b"images=7", b"images=9"),
    ],
)
@pytest.mark.parametrize("method", [None, zipfile.ZIP_DEFLATED])
def test_refuses_another_number_of_frames_than_declared(tmp_path, options, old, new, method):
    path = write(tmp_path / "movie.tif", movie(), options)
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    refuse(path if method is None else zipped(path, method), "declares|cut off: 7 of 9 frames|unzipped")


def test_refuses_directories_in_a_circle(tmp_path):
    path = write(tmp_path / "movie.tif", movie(), {"metadata": None})
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<L", data, first + 2 + 12 * count)
    (entries,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<L", data, second + 2 + 12 * entries, first)
    path.write_bytes(data)
    refuse(path, "points back")


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        (np.zeros((20, 36, 3), "u1"), {"photometric": "rgb"}, "colour"),
        (np.zeros((20, 36), "u1"), {"photometric": "palette", "colormap": np.zeros((3, 256), "u2")}, "palette"),
        (np.zeros((20, 36), "c8"), {}, "64-bit values of format 6"),
        (np.zeros((20, 36), bool), {}, "1-bit values"),
    ],
)
def test_refuses_what_is_no_plain_number_a_pixel(tmp_path, data, options, match):
    refuse(write(tmp_path / "movie.tif", data, options), match)


@pytest.mark.parametrize(
    ("tag", "change", "match"),
    [
        (258, {"value": 12}, "12-bit"),
        (259, {"value": 7}, "method 7"),
        (259, {"kind": 2}, "type 2"),
        (259, {"count": 0}, "0 values"),
        (256, {"kind": 11}, "type 11"),
        (256, {"kind": 4, "value": 2**31}, "claims"),
        (257, {"value": 21}, "claims|cut off|points"),
        (257, {"value": 0}, "claims"),
        (277, {"value": 3}, "colour"),
        (273, {"count": 2**32 - 1}, "points to"),
        (273, {"value": 2**32 - 1}, "cut off"),
        (262, {"value": 3}, "palette"),
        (339, {"value": 5}, "format 5"),
    ],
)
def test_refuses_a_tag_that_cannot_be(tmp_path, tag, change, match):
    # signed, as tifffile leaves tag 339 out for unsigned integers
    path = write(tmp_path / "movie.tif", movie("i2")[0], {"metadata": None})
    patch(path, tag, **change)
    refuse(path, match)


@pytest.mark.parametrize("predictor", [2, 3, 9])
def test_refuses_a_predictor_that_does_not_fit_the_type(tmp_path, predictor):
    path = write(tmp_path / "movie.tif", movie("f4" if predictor == 2 else "u2")[0], {"compression": "zlib"})
    data = path.read_bytes()
    at = tag_entries(data)[305]  # the software's name gives its place to the predictor
    patched = data[:at] + struct.pack("<HHLL", 317, 3, 1, predictor) + data[at + 12 :]
    path.write_bytes(patched)
    refuse(path, f"predictor {predictor}")


def test_refuses_frames_of_several_shapes_and_types(tmp_path):
    for second in (movie()[0, :-1], movie("i2")[0]):
        path = tmp_path / "movie.tif"
        with tifffile.TiffWriter(path) as out:
            for frame in (movie()[0], second):
                out.write(frame, metadata=None, photometric="minisblack")
        refuse(path, "frame 1 is .* frame 0 is 20 × 36 uint16")


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II*\0", b"not a TIFF at all", b"\x89HDF\r\n\x1a\n", b"MM\0+\0\x08\0\0\0"]
)
def test_refuses_what_is_no_tiff(tmp_path, content):
    path = tmp_path / "movie.tif"
    path.write_bytes(content)
    refuse(path, "not a TIFF|cut off")


def test_refuses_a_file_without_a_frame(tmp_path):
    path = tmp_path / "movie.tif"
    path.write_bytes(struct.pack("<2sHL", b"II", 42, 0) + bytes(8))
    refuse(path, "no frame")


@pytest.mark.parametrize(
    "text",
    [
        "ImageJ=1.11a\nimages=" + "9" * 5000,
        '{"shape": ' + "[" * 100_000,
        '{"shape": [1e999, 4, 5]}',
        '{"shape": "none"}',
        "<OME><Pixels " * 20_000,
        '<OME><Pixels SizeT="' + "9" * 5000 + '" SizeC="1" SizeZ="1">',
    ],
)
def test_a_description_without_sense_declares_nothing(tmp_path, text):
    path = write(tmp_path / "movie.tif", movie()[0], {"metadata": None, "description": text})
    assert np.array_equal(read(from_tiff(blob_of(path)))[0], movie()[0])


@pytest.mark.parametrize("count", [10**9, 10**17])
@pytest.mark.parametrize("method", [None, zipfile.ZIP_DEFLATED])
def test_a_huge_number_of_frames_is_only_a_claim(tmp_path, count, method):
    description = json.dumps({"shape": [count, 20, 36]})
    options = {"metadata": None, "description": description, "bigtiff": True}
    path = write(tmp_path / "movie.tif", movie(), options)
    refuse(path if method is None else zipped(path, method), "declares|cut off")


# hostile


def peak_of(path):
    tracemalloc.start()
    with contextlib.suppress(NwbridgeError):
        read(from_tiff(blob_of(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("tag", [256, 258, 259, 270, 273, 278, 279])
@pytest.mark.parametrize("count", [2**16, 2**31, 2**32 - 1])
def test_a_claimed_number_of_values_costs_no_memory(tmp_path, tag, count):
    path = write(tmp_path / "movie.tif", movie()[0], {"metadata": None, "description": "x" * 9})
    patch(path, tag, count=count)
    assert peak_of(path) < 20 << 20


def by_hand(path, count, shape, frames, extra=(), tail=b""):
    """Write `count` directories of u1 frames, the frame of each at `frames(number)` behind the directories."""
    size, at, data = 2 + 12 * (6 + len(extra)) + 4, 8, struct.pack("<2sHL", b"II", 42, 8)
    behind = 8 + count * size
    for number in range(count):
        tags = [(256, 4, 1, shape[1]), (257, 4, 1, shape[0]), (258, 3, 1, 8)]
        tags += [(code, kind, length, behind + place) for code, kind, length, place in extra]
        tags += [(273, 4, 1, behind + frames(number)), (277, 3, 1, 1), (279, 4, 1, shape[0] * shape[1])]
        at += size
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags)
        data += struct.pack("<L", at if number + 1 < count else 0)
    path.write_bytes(data + tail)
    return path


def test_reads_directories_written_before_all_frames(tmp_path):
    data = movie("u1", (9, 4, 6))
    path = by_hand(tmp_path / "movie.tif", 9, (4, 6), lambda number: 24 * number, tail=data.tobytes())
    assert np.array_equal(truth(path).reshape(data.shape), data)
    assert np.array_equal(read(from_tiff(blob_of(path))), data)


def test_directories_that_share_one_frame_are_refused(tmp_path):
    path = by_hand(tmp_path / "movie.tif", 50, (100, 200), lambda number: 0, tail=bytes(20_000))
    refuse(path, "claims 1,000,000 of frames")


def test_directories_that_share_one_long_text_are_refused(tmp_path):
    text = b"x" * (1 << 20)
    path = by_hand(tmp_path / "movie.tif", 400, (2, 3), lambda n: 6 * n, [(270, 2, len(text), 0)], text)
    refuse(path, "more values than the file has bytes")
    assert peak_of(path) < 100 << 20


FUZZED = ["contiguous", "bigtiff", "deflate horizontal", "tiles packbits", "strips", "imagej single directory", "zstd"]


@pytest.mark.parametrize("variant", FUZZED)
@pytest.mark.parametrize("deflated", [False, True])
def test_flipped_bytes_are_read_or_refused(tmp_path, variant, deflated):
    path = write(tmp_path / "movie.tif", movie("u1", (4, 20, 36)), STACK[variant])
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        parts = [range(page.offset, page.offset + 250) for page in tif.pages]
    places = [place for part in [range(400), *parts] for place in part if place < len(whole)]
    numbers = random.Random(variant)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(whole)
        for place in numbers.sample(places, numbers.choice([1, 1, 2, 4])):
            data[place] = numbers.choice([0, 1, 0x7F, 0xFF, data[place] ^ 1 << numbers.randrange(8)])
        path.write_bytes(data)
        try:
            array = from_tiff(blob_of(zipped(path, zipfile.ZIP_DEFLATED) if deflated else path))
            assert array.nbytes < 1 << 24
            outcomes["read"] += np.array_equal(read(array).shape, array.shape)
        except NwbridgeError:
            outcomes["refused"] += 1
    assert sum(outcomes.values()) == 150
    assert min(outcomes.values()) > 5


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"imagej": True, "metadata": {"axes": "TCYX"}}, "channels=2, frames=5"),
        ({"imagej": True, "metadata": {"axes": "TZYX"}}, "slices=2, frames=5"),
        ({"ome": True, "metadata": {"axes": "TCYX"}}, "SizeC=2"),
        ({}, r"shape \[5, 2, 20, 36\]"),
    ],
    ids=["ImageJ channels", "ImageJ slices", "OME channels", "tifffile"],
)
def test_refuses_channels_and_planes_between_the_frames(tmp_path, written, said):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 2, 20, 36), np.uint16), **written)
    with pytest.raises(BadSource, match=f"a.tif holds .*{said}.*: channels or planes lie between the frames"):
        from_tiff(files_in(tmp_path / "a.tif")["a.tif"])


def test_a_movie_that_tifffile_calls_channels_is_a_movie(tmp_path):
    movie = np.arange(9 * 20 * 36, dtype=np.uint16).reshape(9, 20, 36)
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True)
    with from_tiff(files_in(tmp_path / "a.tif")["a.tif"]).open() as reader:
        np.testing.assert_array_equal(reader[0:9], movie)


def test_refuses_frames_that_nothing_describes(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((11, 20, 36), np.uint16), truncate=True, metadata=None)
    with pytest.raises(BadSource, match="describes one frame and holds 11: nothing says what the others are"):
        from_tiff(files_in(tmp_path / "a.tif")["a.tif"])


def test_refuses_a_volume_in_one_page(tmp_path):
    volume = np.zeros((16, 32, 48), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", volume, volumetric=True, tile=(16, 32, 48), metadata=None)
    with pytest.raises(BadSource, match="is a volume of 16 planes"):
        from_tiff(files_in(tmp_path / "a.tif")["a.tif"])


def test_refuses_stacks_of_several_forms_in_one_file(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((6, 12, 20), np.uint16), photometric="minisblack")
    tifffile.imwrite(path, np.zeros((4, 2, 12, 20), np.uint16), photometric="minisblack", append=True)
    refuse(path, r"holds stacks of several forms, one of shape \[4, 2, 12, 20\]")


def test_refuses_a_stack_of_metamorph_that_one_directory_describes(tmp_path):
    path = tmp_path / "movie.tif"
    planes = (33629, "2I", 6, (1, 1) * 6, True)  # UIC2: two ratios for each plane
    tifffile.imwrite(path, np.zeros((12, 20), np.uint16), metadata=None, extratags=[planes])
    refuse(path, r"MetaMorph stack \(STK\) of \d+ planes")


def test_refuses_frames_that_lie_at_one_place(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.arange(720, dtype=np.uint16).reshape(3, 12, 20), metadata=None, photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        places = [page.tags["StripOffsets"].valueoffset for page in tif.pages]
    data = bytearray(path.read_bytes())
    data[places[1] : places[1] + 4] = data[places[0] : places[0] + 4]
    path.write_bytes(data)
    refuse(path, "several of its 3 frames lie at one place")


def test_refuses_channels_between_frames_in_ome_whose_names_have_a_prefix(tmp_path):
    path = tmp_path / "movie.tif"
    text = '<o:OME xmlns:o="x"><o:Image><o:Pixels SizeT="3" SizeC="2" SizeZ="1"/></o:Image></o:OME>'
    tifffile.imwrite(path, np.zeros((6, 12, 20), np.uint16), description=text, metadata=None, photometric="minisblack")
    refuse(path, "holds SizeT=3, SizeC=2: channels or planes lie between the frames")
