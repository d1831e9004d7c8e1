"""The Gaussian beside scipy.ndimage on the whole movie, and its widths beside an exhaustive search."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nwbridge import BadOption, BadSource, arrays
from nwbridge_denoise import Options, gaussian
from nwbridge_denoise.frames import Frames

RANDOM = np.random.default_rng(8)


def blinking(count=160, rows=18, columns=26):
    """Wide spots that come and go slowly, in Poisson noise."""
    y, t = np.mgrid[:rows, :columns], np.arange(count)
    light = np.full((count, rows, columns), 4.0)
    for _ in range(6):
        row, column = RANDOM.uniform(0, rows), RANDOM.uniform(0, columns)
        spot = np.exp(-((y[0] - row) ** 2 + (y[1] - column) ** 2) / 12)
        light += 6 * spot * (1 + np.sin(t / RANDOM.uniform(4, 9) + RANDOM.uniform(0, 6)))[:, None, None]
    return RANDOM.poisson(light).astype(np.uint16)


@pytest.mark.parametrize("sigma", [(2.5, 0.8, 1.6), (0.0, 1.0, 0.0), (40.0, 0.0, 0.0)])
def test_is_the_filter_of_the_whole_movie_in_whatever_blocks(sigma):
    movie = blinking()
    options = Options(sigma_time=sigma[0], sigma_rows=sigma[1], sigma_columns=sigma[2])
    fitted = gaussian.fit(Frames(arrays.from_numpy(movie)), options)
    expected = gaussian_filter(movie.astype(np.float32), sigma)
    whole = fitted.read(0, 160)
    np.testing.assert_allclose(whole, expected, rtol=1e-5)
    for size in (37, 8, 1):
        starts = range(0, 160, size)
        blocks = {start: fitted.read(start, min(start + size, 160)) for start in reversed(starts)}
        np.testing.assert_array_equal(np.concatenate([blocks[start] for start in starts]), whole)


def test_threads_get_the_same_and_smooth_no_frame_over_space_twice():
    movie, seen = blinking(), []

    class Counted(Frames):
        def read(self, start, stop):
            seen.append(start)
            return super().read(start, stop)

    frames = Counted(arrays.from_numpy(movie))
    read = gaussian.smoothed(frames, (2.0, 0.7, 0.7))
    with ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(lambda start: read(start, start + 10), range(0, 160, 10)))
    np.testing.assert_allclose(
        np.concatenate(blocks), gaussian_filter(movie.astype(np.float32), (2, 0.7, 0.7)), rtol=1e-5
    )
    assert sorted(seen) == list(range(0, 160, gaussian.PIECE))


def test_a_frame_that_cannot_be_read_fails_for_every_thread():
    def broken(start, stop):
        raise BadSource("the disk is gone")

    read = gaussian.smoothed(Frames(arrays.from_function((40, 5, 6), np.uint16, broken)), (2.0, 0.7, 0.7))
    with ThreadPoolExecutor(4) as pool:
        coming = [pool.submit(read, start, start + 10) for start in range(0, 40, 10)]
    assert [str(one.exception()) for one in coming] == ["the disk is gone"] * 4


def test_takes_the_widths_with_the_lowest_heldout_error_of_all():
    movie = blinking()
    fitted = gaussian.fit(Frames(arrays.from_numpy(movie)), Options())
    even, odd = movie[0::2].astype(np.float32), movie[1::2].astype(np.float64)
    errors = {}
    for time, space in itertools.product(gaussian.TIMES, gaussian.SPACES):
        predicted = gaussian_filter(even, (time / 2, space, space))
        errors[time, space] = np.mean((odd - predicted)[-20:] ** 2)
    best = min(errors, key=errors.get)
    assert (fitted.parameters["sigma_time"], fitted.parameters["sigma_rows"]) == best
    assert fitted.parameters["sigma_columns"] == fitted.parameters["sigma_rows"]
    assert fitted.heldout == pytest.approx(errors[best], rel=1e-6)
    assert fitted.heldout < 0.8 * errors[0, 0]


def test_a_width_that_is_given_is_kept_and_the_others_chosen():
    parameters = gaussian.fit(Frames(arrays.from_numpy(blinking())), Options(sigma_rows=0.3)).parameters
    assert parameters["sigma_rows"] == 0.3
    assert parameters["sigma_time"] in gaussian.TIMES
    assert parameters["sigma_columns"] in gaussian.SPACES


@pytest.mark.parametrize("width", [-1.0, float("inf"), float("nan")])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(BadOption, match=r"--sigma-columns .*: expected 0 or more"):
        gaussian.fit(Frames(arrays.from_numpy(blinking(20))), Options(sigma_columns=width))
