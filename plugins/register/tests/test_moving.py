"""Moved frames hold what SciPy would compute inside, and the nearest pixel where nothing is known."""

import numpy as np
import pytest
from scipy import ndimage

from nwbridge import LazyArray
from nwbridge.arrays import from_function, from_numpy
from nwbridge_register.moving import inside, moved, moving

RNG = np.random.default_rng(2)
FRAME = ndimage.gaussian_filter(RNG.random((31, 44)), 1) * 900


@pytest.mark.parametrize("how", ["linear", "cubic"])
@pytest.mark.parametrize("shift", [(1.3, -2.2), (-0.25, 0.75), (0.0, 3.5), (2.0, -0.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_interior_is_that_of_scipy_s_shift(how, shift, dtype):
    frame = FRAME.astype(dtype)
    expected = ndimage.shift(frame.astype(np.float64), shift, order={"linear": 1, "cubic": 3}[how], mode="mirror")
    found = moved(frame, np.array(shift), how)
    assert found.dtype == dtype
    rows, columns = (slice(*inside(by, by, size)) for by, size in zip(shift, frame.shape, strict=True))
    tolerance = 1e-9 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(found[rows, columns], expected[rows, columns], rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_whole_pixels_keep_every_value(dtype):
    frame = RNG.integers(0, 255, (9, 13)).astype(dtype) - (np.int16(300) if dtype == np.int16 else dtype(0))
    found = moved(frame, np.array([2.0, -3.0]), "cubic")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[2:, :-3], np.roll(frame, (2, -3), (0, 1))[2:, :-3])
    np.testing.assert_array_equal(found[:2], found[2:3].repeat(2, axis=0))  # what came from outside
    np.testing.assert_array_equal(found[:, -3:], found[:, -4:-3].repeat(3, axis=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.uint32, np.int64, np.uint64])
def test_integers_are_rounded_and_stay_in_their_range(dtype):
    bounds = np.iinfo(dtype)
    frame = np.where(np.median(FRAME) < FRAME, bounds.max, bounds.min).astype(dtype)  # overshoots at every edge
    found = moved(frame, np.array([0.5, 0.25]), "cubic")
    assert found.dtype == dtype
    assert found.max() > bounds.max * 0.99
    assert found.min() == bounds.min
    gentle = (FRAME / 8).astype(dtype)
    exact = moved(gentle.astype(np.float64), np.array([0.5, 0.25]), "cubic")
    assert np.abs(moved(gentle, np.array([0.5, 0.25]), "cubic") - exact).max() <= 0.5001


@pytest.mark.parametrize("how", ["linear", "cubic"])
def test_what_comes_from_outside_is_the_nearest_pixel(how):
    found = moved(FRAME, np.array([3.4, -2.6]), how)
    np.testing.assert_array_equal(found[:4], found[4:5].repeat(4, axis=0))
    np.testing.assert_array_equal(found[:, -3:], found[:, -4:-3].repeat(3, axis=1))


def test_there_and_back_is_nearly_the_same():
    shift = np.array([0.4, -0.7])
    back = moved(moved(FRAME, shift, "cubic"), -shift, "cubic")
    assert np.abs(back - FRAME)[3:-3, 3:-3].max() < 0.02 * np.ptp(FRAME)


def test_each_plane_of_a_volume_is_moved_alike():
    volume = RNG.random((9, 13, 3)).astype(np.float32)
    found = moved(volume, np.array([1.25, -0.5]), "linear")
    for plane in range(3):
        np.testing.assert_array_equal(found[..., plane], moved(volume[..., plane], np.array([1.25, -0.5]), "linear"))


def test_nan_stays_where_it_is_seen_and_spoils_no_other_pixel():
    frame = FRAME.copy()
    frame[7, 9] = np.nan
    found = moved(frame, np.array([1.3, -2.2]), "cubic")
    assert [tuple(at) for at in np.argwhere(np.isnan(found))] == [(8, 7)]
    np.testing.assert_array_equal(found[1:, :-2], np.roll(frame, (1, -2), (0, 1))[1:, :-2])


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_blocks_of_any_size_hold_the_same(parallel, size):
    movie = RNG.random((20, 9, 13)).astype(np.float32)
    shifts = RNG.normal(0, 1, (20, 2)).round(1)
    frames = from_function(movie.shape, movie.dtype, lambda start, stop: movie[start:stop], parallel=parallel)
    lazy = moving(frames, shifts, "cubic", 3)
    assert isinstance(lazy, LazyArray)
    assert lazy.parallel is parallel
    starts = range(0, 20, size) if not parallel else list(range(0, 20, size))[::-1]
    with lazy.open() as reader:
        blocks = {start: reader[start : start + size] for start in starts}
    found = np.concatenate([blocks[start] for start in sorted(blocks)])
    np.testing.assert_array_equal(found, [moved(*one, "cubic") for one in zip(movie, shifts, strict=True)])


def test_the_first_frames_of_it_are_those():
    movie = RNG.random((6, 9, 13))
    lazy = moving(from_numpy(movie), np.full((6, 2), 0.5), "linear", 1).first(4)
    with lazy.open() as reader:
        assert reader[0:4].shape == (4, 9, 13)


@pytest.mark.parametrize(
    ("least", "most", "expected"), [(0.0, 0.0, (0, 9)), (-1.2, 2.0, (2, 7)), (0.5, 0.5, (1, 9)), (-3.0, -1.0, (0, 6))]
)
def test_true_pixels_are_those_that_no_shift_took_from_outside(least, most, expected):
    assert inside(least, most, 9) == expected
