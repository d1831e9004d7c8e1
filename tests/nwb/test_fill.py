"""Filled data sets hold exactly the source's values, whatever their shape; a changed value is found."""

import threading
import tracemalloc

import h5py
import numpy as np
import pytest
from recordings import lazy

from nwbridge import BadSource, InvalidOutput, LazyArray, PluginFault
from nwbridge.nwb.chunks import COMPRESSIONS
from nwbridge.nwb.fill import Part, fill, verify


def quiet(count):
    """Take progress and show none."""


def stored(path, array, axes, chunks, *, compression="fast", threads=3):
    """Fill one data set the way the writer does; return its hashes."""
    shape = tuple(array.shape[axis] for axis in axes)
    filters = {} if compression == "none" else {"compression": "gzip", "shuffle": True}
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape, array.dtype, chunks=chunks, **filters)
        return fill(file, [Part("/x", array, axes)], threads, compression, quiet)[0]


SHAPES = [
    ((23, 37, 53), (0, 2, 1), (5, 16, 9)),
    ((23, 37, 53), (0, 2, 1), (23, 53, 37)),
    ((1, 3, 2), (0, 2, 1), (1, 2, 3)),
    ((40, 11, 6, 5), (0, 2, 1, 3), (7, 4, 4, 5)),
    ((9, 1000), (1, 0), (64, 4)),
    ((1000,), (0,), (77,)),
]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize(("shape", "axes", "chunks"), SHAPES)
def test_what_h5py_reads_is_what_the_source_held(tmp_path, shape, axes, chunks, dtype, compression):
    values = np.random.default_rng(4).integers(0, 120, shape).astype(dtype)
    stored(tmp_path / "x.h5", lazy(values), axes, chunks, compression=compression)
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["x"][()], values.transpose(axes))


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_hashes_do_not_depend_on_threads(tmp_path, values, parallel, threads):
    expected = stored(tmp_path / "a.h5", lazy(values), (0, 2, 1), (4, 20, 20), threads=2)
    array = lazy(values, parallel=parallel)
    assert stored(tmp_path / "b.h5", array, (0, 2, 1), (4, 20, 20), threads=threads) == expected


def test_a_reader_that_is_not_parallel_is_asked_in_one_thread_front_to_back(tmp_path, values):
    asked, threads = [], set()

    class Reader:
        def __getitem__(self, key):
            asked.append(key.start)
            threads.add(threading.get_ident())
            return values[key]

    from contextlib import nullcontext

    array = LazyArray(values.shape, values.dtype, lambda: nullcontext(Reader()))
    stored(tmp_path / "x.h5", array, (0, 2, 1), (2, 53, 37), threads=4)
    assert asked == sorted(asked)
    assert len(threads) == 1


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_verification_passes_on_what_was_filled(tmp_path, values, compression):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (5, 16, 9), compression=compression)
    seen = []
    with h5py.File(tmp_path / "x.h5") as file:
        verify(file, Part("/x", lazy(values), (0, 2, 1)), digests, 2, seen.append)
    assert sum(seen) == values.nbytes


@pytest.mark.parametrize("place", [(0, 0, 0), (11, 30, 20), (22, 52, 36)])
def test_verification_finds_a_single_changed_value(tmp_path, values, place):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (5, 16, 9))
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["x"][place] ^= 1
    with h5py.File(tmp_path / "x.h5") as file, pytest.raises(InvalidOutput, match=r"/x: entries \d+ to \d+ .* differ"):
        verify(file, Part("/x", lazy(values), (0, 2, 1)), digests, 2, quiet)


def test_verification_finds_a_chunk_that_hdf5_would_not_inflate(tmp_path, values):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (5, 53, 37))
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        right = file["x"]
        wrong = file.create_dataset(
            "y", right.shape, right.dtype, chunks=right.chunks, compression="gzip", shuffle=True
        )
        for start in range(0, len(values), 5):
            _, data = right.id.read_direct_chunk((start, 0, 0))
            wrong.id.write_direct_chunk((start, 0, 0), data, filter_mask=int(start == 10))
    with h5py.File(tmp_path / "x.h5") as file, pytest.raises(InvalidOutput, match="differ from the source"):
        verify(file, Part("/y", lazy(values), (0, 2, 1)), digests, 2, quiet)


@pytest.mark.parametrize("place", [2, 40, -1])
def test_verification_finds_a_flipped_byte_of_a_compressed_chunk(tmp_path, values, place):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (5, 53, 37))
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        _, data = file["x"].id.read_direct_chunk((10, 0, 0))
        changed = bytearray(data)
        changed[place] ^= 0x55
        file["x"].id.write_direct_chunk((10, 0, 0), bytes(changed))
    with h5py.File(tmp_path / "x.h5") as file, pytest.raises(InvalidOutput):
        verify(file, Part("/x", lazy(values), (0, 2, 1)), digests, 2, quiet)


def test_what_lies_past_the_edge_of_a_chunk_is_zero_and_no_stale_memory(tmp_path, values):
    stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (5, 30, 20), compression="none", threads=1)
    with h5py.File(tmp_path / "x.h5") as file:
        for corner in ((20, 0, 0), (0, 30, 20)):
            chunk = np.frombuffer(file["x"].id.read_direct_chunk(corner)[1], np.uint16).reshape(5, 30, 20)
            inside = tuple(slice(0, size - low) for size, low in zip((23, 53, 37), corner, strict=True))
            expected = np.zeros_like(chunk)
            part = values.transpose(0, 2, 1)[corner[0] :, corner[1] :, corner[2] :][:5, :30, :20]
            expected[inside][: part.shape[0], : part.shape[1], : part.shape[2]] = part
            np.testing.assert_array_equal(chunk, expected)


def test_no_more_is_read_ahead_than_may_be_in_flight(tmp_path, monkeypatch):
    from contextlib import nullcontext

    from nwbridge.nwb import fill as room

    frames, blocks = 400, []

    class Reader:
        def __getitem__(self, key):
            blocks.append(key.start)
            return np.full((key.stop - key.start, 64, 64), 7, np.uint16)

    array = LazyArray((frames, 64, 64), np.dtype("u2"), lambda: nullcontext(Reader()), parallel=True)
    monkeypatch.setattr(room, "IN_FLIGHT", 3 * 10 * 64 * 64 * 2)  # three slabs of ten frames
    ahead = []

    def advance(count):
        ahead.append(len(blocks) - len(ahead) - 1)

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", array.shape, "u2", chunks=(10, 64, 64), compression="gzip", shuffle=True)
        fill(file, [Part("/x", array, (0, 2, 1))], 8, "fast", advance)
    assert len(ahead) == 40
    assert max(ahead) <= 3


def test_verification_finds_frames_that_changed_places(tmp_path, values):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 2, 1), (1, 53, 37))
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["x"][3:5] = file["x"][3:5][::-1]
    with h5py.File(tmp_path / "x.h5") as file, pytest.raises(InvalidOutput):
        verify(file, Part("/x", lazy(values), (0, 2, 1)), digests, 2, quiet)


def test_verification_finds_another_shape(tmp_path, values):
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 1, 2), (5, 16, 9))
    with h5py.File(tmp_path / "x.h5") as file, pytest.raises(InvalidOutput, match="was stored as"):
        verify(file, Part("/x", lazy(values), (0, 2, 1)), digests, 2, quiet)


def test_nan_and_infinity_and_negative_zero_are_kept_to_the_bit(tmp_path):
    values = np.array([[np.nan, np.inf], [-np.inf, -0.0], [5e-324, 1.7e308]])
    digests = stored(tmp_path / "x.h5", lazy(values), (0, 1), (2, 2))
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["x"][()].tobytes() == values.tobytes()
        verify(file, Part("/x", lazy(values), (0, 1)), digests, 1, quiet)


def test_a_source_that_cannot_be_read_is_a_bad_source(tmp_path, values):
    with pytest.raises(BadSource, match="entries 10 to 15 of the source failed"):
        stored(tmp_path / "x.h5", lazy(values, fail_at=12), (0, 2, 1), (5, 53, 37))


def test_a_reader_that_fails_in_another_way_is_a_plugin_fault(tmp_path, values):
    with pytest.raises(PluginFault, match="KeyError"):
        stored(tmp_path / "x.h5", lazy(values, fail_at=12, error=KeyError), (0, 2, 1), (5, 53, 37))


def test_a_reader_that_gives_another_shape_than_described_is_a_plugin_fault(tmp_path, values):
    from contextlib import nullcontext

    array = LazyArray((30, 37, 53), values.dtype, lambda: nullcontext(values))
    with pytest.raises(PluginFault, match="was described"):
        stored(tmp_path / "x.h5", array, (0, 2, 1), (5, 53, 37))


def test_memory_does_not_grow_with_the_array(tmp_path):
    def peak(frames):
        from contextlib import nullcontext

        class Reader:
            def __getitem__(self, key):
                return np.full((key.stop - key.start, 256, 256), 7, np.uint16)

        array = LazyArray((frames, 256, 256), np.dtype("u2"), lambda: nullcontext(Reader()), parallel=True)
        tracemalloc.start()
        stored(tmp_path / f"{frames}.h5", array, (0, 2, 1), (16, 128, 128), threads=2)
        bytes_ = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_

    assert peak(1600) < 1.3 * peak(400)
