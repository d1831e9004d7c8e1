"""Held-out frames: which they are, and the error written out with NumPy."""

import numpy as np
import pytest

from nwbridge import arrays
from nwbridge_denoise import heldout
from nwbridge_denoise.frames import Frames

RANDOM = np.random.default_rng(5)


def movie(count, rows=6, columns=9):
    return RANDOM.normal(10, 3, (count, rows, columns)).astype(np.float32)


@pytest.mark.parametrize("count", [8, 41, 100])
def test_odd_frames_are_predicted_from_even_ones_over_the_last_quarter(count):
    values = movie(count)
    held = heldout.split(Frames(arrays.from_numpy(values)))
    even, odd = values[0 : count // 2 * 2 : 2], values[1::2]
    np.testing.assert_array_equal(held.even.read(0, count), even)
    np.testing.assert_array_equal(held.odd.read(0, count), odd)
    compared = count // 2 // 4
    expected = np.mean((odd[-compared:] - even[-compared:]) ** 2, dtype=np.float64)
    assert held.error(held.even.read) == pytest.approx(expected, rel=1e-6)
    assert held.training == 2 * (len(even) - compared)


def test_a_perfect_prediction_leaves_the_noise():
    light = np.tile(movie(1), (400, 1, 1))
    noise = RANDOM.normal(0, 2, light.shape)
    held = heldout.split(Frames(arrays.from_numpy((light + noise).astype(np.float32))))
    assert held.error(lambda start, stop: light[start:stop]) == pytest.approx(4, rel=0.05)


def test_of_a_long_and_wide_movie_the_end_and_the_middle_are_compared(monkeypatch):
    monkeypatch.setattr(heldout, "PAIRS", 16)
    monkeypatch.setattr(heldout, "WINDOW", 4)
    values = movie(101)
    held = heldout.split(Frames(arrays.from_numpy(values)))
    np.testing.assert_array_equal(held.even.read(0, 99), values[68:100:2, 1:5, 2:6])
    np.testing.assert_array_equal(held.odd.read(0, 99), values[69:100:2, 1:5, 2:6])
    assert held.first == 12
    assert held.training == 92
    expected = np.mean((values[93:100:2, 1:5, 2:6] - values[92:100:2, 1:5, 2:6]) ** 2, dtype=np.float64)
    assert held.error(held.even.read) == pytest.approx(expected, rel=1e-6)


def test_what_is_compared_is_never_learnt_from():
    for count in range(8, 60):
        held = heldout.split(Frames(arrays.from_numpy(movie(count))))
        first = count // 2 * 2 - 2 * (len(held.odd) - held.first)
        assert held.training <= first
        assert held.first < len(held.odd)
