"""Frames in another order: channels and planes taken apart, against numpy."""

import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from nwbridge import BadSource
from nwbridge.arrays import files_in, from_numpy, from_tiff, rearranged

PAGES = np.random.default_rng(3).integers(0, 1 << 16, (24, 5, 8), dtype=np.uint16)
ORDERS = {
    "one channel of two": np.arange(24).reshape(12, 2)[:, 1],
    "volumes": np.arange(24).reshape(8, 3),
    "volumes of one channel of two": np.arange(24).reshape(4, 3, 2)[:, :, 1],
    "planes one after the other": np.arange(24).reshape(3, 8).T,
    "backwards": np.arange(24)[::-1],
    "any": np.random.default_rng(4).permutation(24).reshape(6, 4),
    "one page again and again": np.array([7, 7, 7]),
}


def expected(places):
    return PAGES[places] if places.ndim == 1 else np.moveaxis(PAGES[places], 1, -1)


def on_disk(folder, method):
    """The pages as a TIFF, or a zip of it."""
    path = folder / "pages.tif"
    tifffile.imwrite(path, PAGES, photometric="minisblack", compression="zlib")
    if method is not None:
        with zipfile.ZipFile(folder / "pages.zip", "w", method) as archive:
            archive.write(path, path.name)
        path = folder / "pages.zip"
    return from_tiff(files_in(path)["pages.tif"])


@pytest.mark.parametrize("method", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_puts_pages_where_they_belong(tmp_path, name, method, step):
    places = ORDERS[name]
    array = rearranged(on_disk(tmp_path, method), places)
    assert (array.shape, array.dtype) == (expected(places).shape, PAGES.dtype)
    with array.open() as reader:
        blocks = [reader[start : start + step] for start in range(0, len(places), step)]
        assert len(reader[1:1]) == 0
    assert np.array_equal(np.concatenate(blocks), expected(places))


def test_serves_threads_where_the_pages_do(tmp_path):
    places = ORDERS["any"]
    array = rearranged(on_disk(tmp_path, None), places)
    assert array.parallel
    with array.open() as reader, ThreadPoolExecutor(6) as pool:
        blocks = list(pool.map(lambda start: reader[start : start + 1].copy(), range(6)))
    assert np.array_equal(np.concatenate(blocks), expected(places))


def test_compares_a_checksum_though_the_last_page_is_left_out(tmp_path):
    on_disk(tmp_path, zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "pages.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    (tmp_path / "pages.zip").write_bytes(data)
    array = rearranged(from_tiff(files_in(tmp_path / "pages.zip")["pages.tif"]), np.arange(5))
    with array.open() as reader, pytest.raises(BadSource, match="does not match its checksum"):
        reader[0:5]


@pytest.mark.parametrize(
    ("places", "match"),
    [
        ([24], "frames 24 to 24 were asked for; expected 0 to 23"),
        ([-1, 2], "-1 to 2"),
        ([], "expected one or two axes"),
    ],
    ids=str,
)
def test_refuses_pages_that_are_not_there(places, match):
    with pytest.raises(BadSource, match=match):
        rearranged(from_numpy(PAGES), np.array(places, dtype=int))


def test_refuses_what_is_no_frames():
    with pytest.raises(BadSource, match="expected one or two axes"):
        rearranged(from_numpy(PAGES[0]), np.arange(2))
