"""Chunks serve frames and traces, and their bytes are those of HDF5's own filters."""

import math
import zlib

import h5py
import numpy as np
import pytest

from nwbridge.nwb.chunks import (
    CACHE,
    COMPRESSIONS,
    chunk_shape,
    compressor,
    inflate,
    row_chunks,
    shuffle,
    transpose,
    unshuffle,
)

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4", "f8"]


@pytest.mark.parametrize("shape", [(4000, 512, 512), (10, 37, 53), (6000, 490, 490), (3, 2048, 2048), (100000, 64, 48)])
@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
def test_all_tiles_of_a_frame_fit_the_default_cache_of_hdf5(shape, itemsize):
    chunk = chunk_shape(shape, itemsize)
    tiles = math.prod(math.ceil(size / tile) for size, tile in zip(shape[1:], chunk[1:], strict=True))
    assert chunk[0] == 1 or tiles * math.prod(chunk) * itemsize <= CACHE
    assert all(1 <= c <= size for c, size in zip(chunk, shape, strict=True))


def test_a_large_field_of_view_is_cut_into_sixteen_tiles():
    assert chunk_shape((4000, 512, 512), 2) == (15, 128, 128)


def test_long_one_dimensional_arrays_are_cut_along_time():
    (length,) = chunk_shape((8_000_000,), 8)
    assert length * 8 == 1 << 20


def test_empty_arrays_have_a_chunk_that_hdf5_accepts():
    assert chunk_shape((0, 5), 8) == (1, 5)


@pytest.mark.parametrize("dtype", TYPES)
def test_shuffled_bytes_are_hdf5_s_own(tmp_path, dtype):
    values = np.random.default_rng(1).integers(0, 100, (7, 5, 3)).astype(dtype)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        stored = file.create_dataset("x", data=values, chunks=values.shape, shuffle=True, compression="gzip")
        theirs = zlib.decompress(stored.id.read_direct_chunk((0, 0, 0))[1])
    ours = shuffle(values, np.empty((values.itemsize, values.size), np.uint8))
    assert ours.tobytes() == theirs


@pytest.mark.parametrize("dtype", TYPES)
def test_unshuffling_gives_the_values_back(dtype):
    values = np.random.default_rng(2).integers(-128 if dtype[0] != "u" else 0, 127, 1000).astype(dtype)
    planes = shuffle(values, np.empty((values.itemsize, values.size), np.uint8))
    np.testing.assert_array_equal(unshuffle(planes.tobytes(), np.empty_like(values)), values)


def test_the_extremes_of_every_sixteen_bit_type_survive():
    for dtype in ("u2", "i2"):
        info = np.iinfo(dtype)
        values = np.array([info.min, info.max, 0, 1, 255, 256], dtype)
        planes = shuffle(values, np.empty((2, values.size), np.uint8))
        np.testing.assert_array_equal(unshuffle(planes.tobytes(), np.empty_like(values)), values)


@pytest.mark.parametrize("compression", [c for c in COMPRESSIONS if c != "none"])
def test_compressed_bytes_are_ordinary_zlib_streams(compression):
    data = np.random.default_rng(3).integers(0, 9, (2, 50_000)).astype(np.uint8)
    packed = compressor(compression)(data)
    assert zlib.decompress(packed) == data.tobytes() == inflate(packed, data.nbytes)


@pytest.mark.parametrize("shape", [(3, 37, 70), (1, 64, 32), (2, 5, 1), (4, 1, 33)])
def test_axes_change_places_without_losing_a_value(shape):
    values = np.random.default_rng(5).integers(0, 60_000, shape).astype(np.uint16)
    out = np.zeros((shape[0], shape[2], shape[1]), np.uint16)
    transpose(values.transpose(0, 2, 1), out)
    np.testing.assert_array_equal(out, np.swapaxes(values, 1, 2))


def test_a_row_of_noise_and_a_row_of_zeros_do_not_share_a_huffman_code():
    noise = np.random.default_rng(6).poisson(100, 40_000).astype(np.uint8)
    planes = np.stack([noise, np.zeros_like(noise)])
    apart = sum(len(compressor("fast")(row[np.newaxis])) for row in planes)
    assert len(compressor("fast")(planes)) <= apart + 16  # bytes that end a block


@pytest.mark.parametrize("length", [8_000, 8_192, 65_535, 65_536, 200_000])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 1, 1)])
def test_rows_of_pure_noise_are_stored_between_rows_that_are_deflated(length, order):
    rng = np.random.default_rng(7)
    kinds = np.stack([rng.integers(0, 4, length), rng.integers(0, 256, length), np.zeros(length)]).astype(np.uint8)
    planes = np.ascontiguousarray(kinds[list(order)])
    packed = compressor("fast")(planes)
    assert zlib.decompress(packed) == planes.tobytes() == inflate(packed, planes.nbytes)
    assert len(packed) < sum(length if kind == 1 else length * 0.4 for kind in order) * 1.01 + 200


def test_a_row_that_saves_five_percent_is_deflated():
    row = np.random.default_rng(8).integers(0, 180, (1, 100_000)).astype(np.uint8)  # 7.5 bits a byte
    packed = compressor("fast")(row)
    assert zlib.decompress(packed) == row.tobytes()
    assert len(packed) < 0.96 * row.size


def test_what_is_read_row_after_row_is_bounded_across_and_in_all():
    assert row_chunks((4, 1 << 20), 8) == (2, 1 << 14)  # a slab of two rows has 16 MiB
    assert row_chunks((500, 1000), 4) == (500, 1000)
    assert row_chunks((1 << 20,), 8) == (1 << 17,)
