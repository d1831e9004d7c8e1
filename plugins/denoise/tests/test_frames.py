"""Frames and views of them, beside NumPy's slicing; the source is opened once and closed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from nwbridge import LazyArray, arrays
from nwbridge_denoise.frames import Frames

MOVIE = np.random.default_rng(3).integers(-300, 300, (23, 7, 11)).astype(np.int16)


def counted(parallel):
    """A source that notes how often it was opened and closed, and fails where two threads read it at once."""
    log = []

    class Reader:
        busy = False

        def __getitem__(self, key):
            assert parallel or not self.busy
            self.busy = True
            block = MOVIE[key]
            self.busy = False
            return block

    @contextmanager
    def opened():
        log.append("opened")
        yield Reader()
        log.append("closed")

    return LazyArray(MOVIE.shape, MOVIE.dtype, opened, parallel), log


def test_reads_float32_of_its_own():
    frames = Frames(arrays.from_numpy(MOVIE))
    block = frames.read(4, 9)
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block, MOVIE[4:9])
    block[:] = 0
    np.testing.assert_array_equal(frames.read(4, 9), MOVIE[4:9])


def test_gives_what_there_is_past_the_end_and_nothing_for_nothing():
    frames = Frames(arrays.from_numpy(MOVIE))
    np.testing.assert_array_equal(frames.read(20, 99), MOVIE[20:])
    assert frames.read(5, 5).shape == (0, 7, 11)


@pytest.mark.parametrize(("start", "stop", "step"), [(0, None, 2), (1, None, 2), (5, 20, 3), (22, 23, 2)])
def test_a_view_is_a_slice(start, stop, step):
    view = Frames(arrays.from_numpy(MOVIE)).view(start, stop, step, (slice(2, 6), slice(1, 11)))
    expected = MOVIE[start:stop:step, 2:6, 1:11]
    assert view.shape == expected.shape
    np.testing.assert_array_equal(view.read(0, len(view)), expected)


def test_a_view_of_a_view_counts_from_its_first_frame():
    view = Frames(arrays.from_numpy(MOVIE)).view(1, None, 2).view(2, 9, 3)
    np.testing.assert_array_equal(view.read(0, len(view)), MOVIE[1::2][2:9:3])


def test_the_source_is_open_from_the_first_read_to_the_end():
    data, log = counted(parallel=False)
    with Frames(data) as frames:
        assert log == []
        with frames:
            frames.read(0, 2)
            frames.view(1, None, 2).read(0, 2)
        assert log == ["opened"]
    assert log == ["opened", "closed"]
    with frames:
        frames.read(3, 4)
    assert log == ["opened", "closed"] * 2


@pytest.mark.parametrize("parallel", [True, False])
def test_several_threads_read_the_same(parallel):
    data, log = counted(parallel)
    with Frames(data) as frames, ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(lambda start: frames.read(start, start + 3), range(20)))
    for start, block in enumerate(blocks):
        np.testing.assert_array_equal(block, MOVIE[start : start + 3])
    assert log == ["opened", "closed"]
