"""Lazy arrays over many TIFFs and raw frames, in folders and zips, against what was written."""

import gc
import random
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import tifffile

from nwbridge import BadSource
from nwbridge.arrays import files_in, from_binary, from_tiff, tiff_pages

METHODS = [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
OPTIONS = {"photometric": "minisblack", "metadata": None}


def movie(frames=11, rows=20, columns=36, dtype="u2"):
    bits = np.random.default_rng(8).integers(0, 1 << 14, (frames, rows, columns), dtype="u2")
    return bits.view(dtype) if np.dtype(dtype).kind == "f" else bits.astype(dtype) - np.dtype(dtype).type(5)


def packed(folder, method):
    """The folder itself, or a zip of it."""
    if method is None:
        return folder
    archive = folder.with_suffix(f".{method}.zip")
    with zipfile.ZipFile(archive, "w", method) as out:
        for path in sorted(folder.iterdir()):
            out.write(path, f"{folder.name}/{path.name}")
    return archive


def frames_in(folder, data, **options):
    """One TIFF a frame."""
    folder.mkdir()
    for number, frame in enumerate(data):
        tifffile.imwrite(folder / f"image{number:05}.tif", frame, **{**OPTIONS, **options})
    return folder


def tiffs(path):
    return from_tiff(files_in(path).matching("*.tif"))


def read(array, step=4):
    with array.open() as reader:
        return np.concatenate([reader[start : start + step] for start in range(0, array.shape[0], step)])


def assert_holds(array, expected):
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert np.array_equal(read(array), expected)
    with array.open() as reader:
        for start in (7, 0, 3, 9):
            assert np.array_equal(reader[start : start + 3], expected[start : start + 3])
        assert len(reader[3:3]) == 0


def threads_agree(array, expected):
    starts = random.Random(1).choices(range(len(expected)), k=80)
    with array.open() as reader, ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda start: reader[start : start + 3].copy(), starts))
    return all(np.array_equal(block, expected[s : s + 3]) for s, block in zip(starts, blocks, strict=True))


def open_below(folder):
    gc.collect()
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]


# TIFF in many files


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"compression": "lzw"}, {"rowsperstrip": 3}])
def test_reads_a_folder_of_single_frames(tmp_path, method, options):
    data = movie()
    source = packed(frames_in(tmp_path / "images", data, **options), method)
    expected = np.stack([tifffile.imread(path) for path in sorted((tmp_path / "images").iterdir())])
    assert np.array_equal(expected, data)
    array = tiffs(source)
    assert_holds(array, expected)
    assert array.parallel
    assert threads_agree(array, expected)


@pytest.mark.parametrize("method", METHODS)
def test_reads_several_files_of_several_frames(tmp_path, method):
    data = movie()
    (tmp_path / "parts").mkdir()
    for name, part in (("a", data[:4]), ("b", data[4:5]), ("c", data[5:])):
        tifffile.imwrite(tmp_path / "parts" / f"{name}.tif", part, photometric="minisblack")
    array = tiffs(packed(tmp_path / "parts", method))
    assert_holds(array, data)
    assert array.parallel == (method != zipfile.ZIP_DEFLATED)
    if array.parallel:
        assert threads_agree(array, data)


@pytest.mark.parametrize("method", METHODS)
def test_reads_files_of_both_byte_orders(tmp_path, method):
    data = movie()
    folder = frames_in(tmp_path / "images", data)
    tifffile.imwrite(folder / "image00003.tif", data[3], byteorder=">", **OPTIONS)
    assert_holds(tiffs(packed(folder, method)), data)


@pytest.mark.parametrize("method", METHODS)
def test_a_file_of_equal_size_with_another_description_reads_the_same(tmp_path, method):
    data = movie()
    folder = frames_in(tmp_path / "images", data, description="first")
    tifffile.imwrite(folder / "image00003.tif", data[3], **OPTIONS, description="other")
    sizes = {path.stat().st_size for path in folder.iterdir()}
    assert len(sizes) == 1
    assert_holds(tiffs(packed(folder, method)), data)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("odd", [movie(1, 36, 20, "i2")[0], movie(1, 20, 36, "f2")[0]])
def test_a_file_of_equal_size_and_another_shape_or_type_is_refused(tmp_path, method, odd):
    folder = frames_in(tmp_path / "images", movie(dtype="i2"))
    tifffile.imwrite(folder / "image00003.tif", odd, **OPTIONS)
    assert len({path.stat().st_size for path in folder.iterdir()}) == 1
    array = tiffs(packed(folder, method))
    with pytest.raises(BadSource, match=r"image00003.*image00000"):
        read(array)


def test_a_file_of_equal_size_that_is_no_tiff_is_refused(tmp_path):
    folder = frames_in(tmp_path / "images", movie())
    path = folder / "image00003.tif"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(BadSource, match=r"image00003\.tif is not a TIFF"):
        read(tiffs(folder))


@pytest.mark.parametrize("method", METHODS)
def test_a_shorter_file_among_many_is_refused(tmp_path, method):
    folder = frames_in(tmp_path / "images", movie())
    path = folder / "image00003.tif"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadSource, match=r"image00003\.tif.*cut off"):
        tiffs(packed(folder, method))


@pytest.mark.parametrize("frames", [1, 11])
@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}, {"rowsperstrip": 3}])
def test_a_deflated_member_that_misses_its_checksum_is_refused(tmp_path, frames, options):
    (tmp_path / "one").mkdir()
    tifffile.imwrite(tmp_path / "one" / "a.tif", movie(frames), **OPTIONS, **options)
    archive = packed(tmp_path / "one", zipfile.ZIP_DEFLATED)
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 16] ^= 1  # the checksum in the zip's list: the values can still be read
    archive.write_bytes(data)
    array = tiffs(archive)
    with pytest.raises(BadSource, match=r"a\.tif does not match its checksum"):
        read(array)


@pytest.mark.parametrize("count", [1, 3])
def test_a_raw_deflated_member_that_misses_its_checksum_is_refused(tmp_path, count):
    archive = packed_raw(tmp_path / "raw", movie(count), zipfile.ZIP_DEFLATED, count)
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    archive.write_bytes(data)
    array = from_binary(list(files_in(archive).blobs.values()), 20, 36, "u2")
    with pytest.raises(BadSource, match=r"000\.bin does not match its checksum"):
        read(array)


def test_no_files_at_all_are_refused():
    with pytest.raises(BadSource, match="no TIFF"):
        from_tiff([])


@pytest.mark.parametrize("method", METHODS)
def test_one_file_serves_threads_unless_it_is_a_stream(tmp_path, method):
    data = movie(40)
    (tmp_path / "one").mkdir()
    tifffile.imwrite(tmp_path / "one" / "movie.tif", data, **OPTIONS)
    array = tiffs(packed(tmp_path / "one", method))
    assert array.parallel == (method != zipfile.ZIP_DEFLATED)
    if array.parallel:
        assert threads_agree(array, data)
    else:
        assert np.array_equal(read(array), data)


@pytest.mark.parametrize("method", METHODS)
def test_leaves_no_file_open(tmp_path, method):
    data = movie()
    source = packed(frames_in(tmp_path / "images", data), method)
    raw = list(files_in(packed_raw(tmp_path / "raw", data, method)).blobs.values())
    arrays = [tiffs(source), from_binary(raw, 20, 36, "u2")]
    assert open_below(tmp_path) == []
    for array in arrays:
        assert np.array_equal(read(array), data)
        assert open_below(tmp_path) == []


# raw binary


def packed_raw(folder, data, method, a_file=1):
    """Frames in column-major order, `a_file` of them in each file."""
    folder.mkdir()
    for number, start in enumerate(range(0, len(data), a_file)):
        frames = data[start : start + a_file]
        (folder / f"{number:03}.bin").write_bytes(b"".join(frame.tobytes(order="F") for frame in frames))
    return packed(folder, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["<i2", "<u2", ">u2"])
@pytest.mark.parametrize("a_file", [1, 4, 11])
def test_reads_raw_frames_in_column_major_order(tmp_path, method, dtype, a_file):
    data = movie(dtype=dtype[1:]).astype(dtype)
    source = packed_raw(tmp_path / "raw", data, method, a_file)
    array = from_binary(list(files_in(source).blobs.values()), 20, 36, dtype)
    assert_holds(array, data.astype(dtype[1:]))
    if array.parallel:
        assert threads_agree(array, data)


@pytest.mark.parametrize("size", [0, 1439, 1441, 100])
def test_refuses_raw_files_of_odd_size(tmp_path, size):
    (tmp_path / "a.bin").write_bytes(bytes(1440))
    (tmp_path / "b.bin").write_bytes(bytes(size))
    with pytest.raises(BadSource, match=rf"b\.bin holds {size:,} bytes.*1,440 \(20 × 36 uint16\)"):
        from_binary(list(files_in(tmp_path).blobs.values()), 20, 36, "u2")


@pytest.mark.parametrize(("rows", "columns"), [(0, 36), (-20, -36)])
def test_refuses_frames_without_pixels(tmp_path, rows, columns):
    (tmp_path / "a.bin").write_bytes(bytes(1440))
    with pytest.raises(BadSource, match="expected at least one"):
        from_binary(list(files_in(tmp_path).blobs.values()), rows, columns, "u2")


# every page


@pytest.mark.parametrize("method", METHODS)
def test_gives_every_page_and_how_many_each_file_has(tmp_path, method):
    data = movie(7)
    (tmp_path / "parts").mkdir()
    tifffile.imwrite(tmp_path / "parts" / "a.tif", data[:6].reshape(3, 2, 20, 36), imagej=True)
    tifffile.imwrite(tmp_path / "parts" / "b.tif", data[6], **OPTIONS)
    blobs = files_in(packed(tmp_path / "parts", method)).matching("*.tif")
    pages = tiff_pages(blobs)
    assert pages.counts == (6, 1)
    assert_holds(pages.array, data)
    with pytest.raises(BadSource, match="channels or planes lie between the frames"):
        from_tiff(blobs)


@pytest.mark.parametrize("truncate", [False, True])
def test_gives_the_description_of_each_page(tmp_path, truncate):
    if truncate:  # one directory for five pages
        tifffile.imwrite(tmp_path / "a.tif", movie(5), imagej=True, truncate=True, metadata={"axes": "TYX"})
    else:
        for number, frame in enumerate(movie(5)):
            tifffile.imwrite(tmp_path / "a.tif", frame, append=True, description=f"frame {number}", metadata=None)
    found = list(tiff_pages(files_in(tmp_path)["a.tif"]).descriptions())
    if truncate:
        assert found[0].startswith("ImageJ=")
        assert found[1:] == [""] * 4
    else:
        assert found == [f"frame {number}" for number in range(5)]


def test_gives_the_description_of_each_file_of_a_folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number, frame in enumerate(movie(5)):
        path = tmp_path / "images" / f"{number}.tif"
        tifffile.imwrite(path, frame, description=f"frame {number}", metadata=None)
    assert list(tiff_pages(files_in(tmp_path / "images").matching("*.tif")).descriptions()) == [
        f"frame {number}" for number in range(5)
    ]
