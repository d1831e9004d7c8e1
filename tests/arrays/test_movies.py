"""Lazy arrays over HDF5 and numpy, against what was written or an independent reader."""

import contextlib
import gc
import random
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import psutil
import pytest

from nwbridge import BadSource, NwbridgeError
from nwbridge.arrays import from_hdf5, from_npy, from_numpy


def movie(frames=11, rows=20, columns=36, dtype="u2"):
    bits = np.random.default_rng(8).integers(0, 1 << 14, (frames, rows, columns), dtype="u2")
    return bits.view(dtype) if np.dtype(dtype).kind == "f" else bits.astype(dtype) - np.dtype(dtype).type(5)


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


def test_leaves_no_file_open(tmp_path):
    data = movie()
    np.save(tmp_path / "a.npy", data)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = data
    for array in (from_npy(tmp_path / "a.npy"), from_hdf5(tmp_path / "a.h5", "data")):
        assert np.array_equal(read(array), data)
        assert open_below(tmp_path) == []


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 5, 36), "compression": "gzip"}])
def test_reads_a_data_set_of_hdf5(tmp_path, options):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("group/data", data=movie(), **options)
    assert_holds(from_hdf5(tmp_path / "a.h5", "group/data"), movie())


@pytest.mark.parametrize(
    ("name", "match"),
    [("none", "has no data set none; it has group, single"), ("group", "no data set"), ("single", "single value")],
)
def test_names_what_an_hdf5_file_lacks(tmp_path, name, match):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("group")
        file["single"] = 3
    with pytest.raises(BadSource, match=match):
        from_hdf5(tmp_path / "a.h5", name)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is no HDF5 file"), (b"x" * 100, "is no HDF5 file"), (None, r"cannot be read as HDF5 \(")],
)
def test_refuses_what_is_no_hdf5(tmp_path, content, words):
    if content is not None:
        (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(BadSource, match=rf"^a\.h5 {words}"):
        from_hdf5(tmp_path / "a.h5", "data")
    assert open_below(tmp_path) == []


@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_npy(tmp_path, order):
    np.save(tmp_path / "a.npy", np.asarray(movie(), order=order))
    array = from_npy(tmp_path / "a.npy")
    assert_holds(array, movie())
    assert threads_agree(array, movie())


def test_never_unpickles(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, 1], object), allow_pickle=True)
    with pytest.raises(BadSource, match=r"a\.npy cannot be read as a numpy array"):
        from_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("keep", [0, 5, 100, 1000, 15_967])
def test_refuses_npy_that_is_cut_off(tmp_path, keep):
    np.save(tmp_path / "a.npy", movie())
    assert (tmp_path / "a.npy").stat().st_size == 15_968
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:keep])
    with pytest.raises(BadSource, match=r"a\.npy cannot be read"):
        from_npy(tmp_path / "a.npy")


def test_refuses_npz(tmp_path):
    np.savez(tmp_path / "a.npz", movie())
    with pytest.raises(BadSource, match=r"a\.npz cannot be read"):
        from_npy(tmp_path / "a.npz")
    assert open_below(tmp_path) == []


def test_flipped_bytes_of_an_npy_header_are_read_or_refused(tmp_path):
    np.save(tmp_path / "a.npy", movie())
    whole, numbers, refused = (tmp_path / "a.npy").read_bytes(), random.Random(9), 0
    for _ in range(200):
        data = bytearray(whole)
        data[numbers.randrange(128)] = numbers.randrange(256)
        (tmp_path / "a.npy").write_bytes(data)
        array = None
        with contextlib.suppress(NwbridgeError):
            array = from_npy(tmp_path / "a.npy")
        refused += array is None
        assert array is None or array.nbytes <= len(whole)
    assert refused > 50


def test_wraps_an_array_in_memory():
    assert_holds(from_numpy(movie()), movie())
    assert threads_agree(from_numpy(movie()), movie())


def test_refuses_hdf5_that_reads_another_file(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (64,), "u1", external=[(str(tmp_path / "secret"), 0, 64)])
    with pytest.raises(BadSource, match="keeps its values in another file"):
        from_hdf5(tmp_path / "a.h5", "x")
