"""Frames and their guides, against SciPy on the whole movie."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nwbridge import arrays

pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.network.guides import Guided


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(2).poisson(7, (230, 9, 14)).astype(np.uint16)


def guided(movie, per_pair=2, guides=((1.5, 1.0), (20.0, 0.5))):
    return Guided(Frames(arrays.from_numpy(movie)), guides, (5.0, 2.0), per_pair)


@pytest.mark.parametrize("per_pair", [1, 2])
def test_a_narrow_guide_is_a_gaussian_over_the_whole_movie(movie, per_pair):
    found = guided(movie, per_pair).read(0, 230)
    normalised = (movie.astype(np.float32) - 5) / 2
    np.testing.assert_array_equal(found[0], normalised)
    expected = gaussian_filter(normalised, (1.5 * per_pair, 1, 1), mode="reflect", truncate=3)
    np.testing.assert_allclose(found[1], expected, atol=1e-5)


def test_a_wide_guide_is_nearly_one():
    time = np.arange(400)[:, None, None]
    movie = (100 + 50 * np.sin(time / 60) + np.zeros((1, 4, 5))).astype(np.float32)
    found = guided(movie).read(0, 400)[2]
    expected = gaussian_filter((movie - 5) / 2, (40, 0.5, 0.5), mode="reflect", truncate=3)
    np.testing.assert_allclose(found, expected, atol=0.1)  # of an amplitude of 25
    assert np.ptp(expected) > 20


def test_values_do_not_depend_on_what_is_asked_for(movie):
    whole = guided(movie).read(0, 230)
    reader = guided(movie)
    for start, stop in ((200, 230), (0, 1), (3, 90), (91, 92), (64, 128), (229, 230)):
        np.testing.assert_array_equal(reader.read(start, stop), whole[:, start:stop])


def test_what_is_kept_does_not_grow_with_the_movie():
    held = []
    for count in (1500, 6000):
        reader = guided(np.zeros((count, 3, 2), np.uint8))
        for start in range(0, count, 100):
            reader.read(start, start + 100)
            held.append((count, len(reader._means)))
    most = {count: max(number for of, number in held if of == count) for count in (1500, 6000)}
    assert most[6000] == most[1500] < 60
