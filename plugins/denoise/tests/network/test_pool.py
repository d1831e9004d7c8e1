"""Patches: what is given and what is to be predicted are neighbours in time."""

import numpy as np
import pytest

from nwbridge import BadSource, arrays

pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.network import pool
from nwbridge_denoise.network.unet import Architecture

PLAIN = Architecture(8, 3)


def filled(movie, architecture=PLAIN, patch=16):
    return pool.fill(Frames(arrays.from_numpy(movie)), architecture, patch, (0.0, 1.0), np.random.default_rng(0))


def test_what_is_predicted_are_the_frames_next_to_those_given():
    movie = np.arange(80, dtype=np.float32)[:, None, None] + np.zeros((1, 24, 20), np.float32)
    given, wanted = filled(movie).draw(np.random.default_rng(1), 50)
    assert given.shape == wanted.shape == (50, 1, 16, 16, 16)
    assert set(np.unique(wanted - given)) == {-1, 1}  # both halves are predicted
    assert set(np.unique(np.diff(given, axis=2))) == {-2, 2}  # forwards and backwards
    assert given.min() < 4
    assert given.max() > 75


def test_patches_are_turned_and_mirrored_together():
    movie = np.zeros((64, 16, 16), np.float32) + np.arange(256, dtype=np.float32).reshape(16, 16)
    given, wanted = filled(movie).draw(np.random.default_rng(1), 60)
    np.testing.assert_array_equal(given, wanted)
    assert len(np.unique(given[:, 0, 0, 0, 0])) == 4  # each corner came to be first
    assert len({patch[0, 0].tobytes() for patch in given}) == 8


def test_guides_hold_nothing_of_the_frames_to_be_predicted():
    movie = np.zeros((80, 20, 24), np.float32)
    movie[1::2] = 1000
    given, wanted = filled(movie, Architecture(8, 3, ((4.0, 1.0), (32.0, 0.5)))).draw(np.random.default_rng(3), 30)
    assert given.shape[1] == 3
    np.testing.assert_allclose(given, np.broadcast_to(1000 - wanted, given.shape), atol=0.5)


def test_a_field_of_view_smaller_than_a_patch_is_reflected():
    movie = np.random.default_rng(0).normal(size=(64, 3, 40)).astype(np.float32)
    made = filled(movie)
    assert made.patch == (16, 4, 16)
    given, _ = made.draw(np.random.default_rng(0), 3)
    assert given.shape == (3, 1, 16, 4, 16)
    assert np.isin(given, movie.astype(np.float16)).all()


def test_a_long_movie_is_learnt_from_in_stretches_that_fit_into_memory(monkeypatch):
    monkeypatch.setattr(pool, "MEMORY", 2**20)
    movie = np.arange(9000, dtype=np.float32)[:, None, None] / 10 + np.zeros((1, 16, 18), np.float32)
    made = filled(movie)
    assert 2**19 < sum(stretch.nbytes for stretch in made.stretches) <= 2**20
    firsts = [float(stretch[0, 0, 0, 0, 0]) for stretch in made.stretches]
    lasts = [float(stretch[1, 0, -1, 0, 0]) for stretch in made.stretches]
    assert (firsts[0], lasts[-1]) == (0, pytest.approx(899.9, abs=0.5))
    assert max(np.diff(firsts)) < 120


def test_a_large_field_of_view_is_learnt_from_in_windows(monkeypatch):
    monkeypatch.setattr(pool, "MEMORY", 2**20)
    monkeypatch.setattr(pool, "WINDOW", 16)
    movie = np.arange(600, dtype=np.float32)[:, None, None] * 2048 + np.arange(2000, dtype=np.float32).reshape(40, 50)
    made = pool.fill(Frames(arrays.from_numpy(movie)), PLAIN, 16, (0.0, 1024.0), np.random.default_rng(0))
    assert {stretch.shape[3:] for stretch in made.stretches} == {(16, 16)}
    assert 2**19 < sum(stretch.nbytes for stretch in made.stretches) <= 2**20
    flat = np.stack([stretch[0, 0, 0].astype(np.float64) for stretch in made.stretches])
    first, row, column = flat[:, 0, 0], flat[:, 1, 0] - flat[:, 0, 0], flat[:, 0, 1] - flat[:, 0, 0]
    np.testing.assert_allclose(row[first < 100], 50 / 1024, atol=0.07)  # half precision holds 3 digits
    np.testing.assert_allclose(column[first < 100], 1 / 1024, atol=0.07)
    assert len(np.unique(first)) > 0.5 * len(first)  # other places, other times
    assert (first.min() < 20, first.max() > 1000) == (True, True)


def test_the_same_seed_draws_the_same_patches():
    made = filled(np.random.default_rng(0).normal(size=(64, 20, 24)).astype(np.float32))
    one, same, other = (made.draw(np.random.default_rng(seed), 4)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_too_few_frames_are_refused_in_a_line():
    with pytest.raises(BadSource, match="31 frames to learn from; the network needs 32"):
        filled(np.zeros((31, 20, 24), np.float32))


def test_values_that_half_precision_does_not_hold_stay_finite():
    movie = np.random.default_rng(0).normal(size=(64, 20, 24)).astype(np.float32)
    movie[5, 5, 5] = 1e9
    assert all(np.isfinite(stretch).all() for stretch in filled(movie).stretches)


@pytest.mark.parametrize("at_once", [2**26, 5000])
def test_normalisation_is_the_mean_and_deviation_of_all_frames(monkeypatch, at_once):
    monkeypatch.setattr(pool, "AT_ONCE", at_once)
    movie = np.random.default_rng(5).poisson(3, (53, 10, 12)).astype(np.int16) + 20000
    mean, scale = pool.normalisation(Frames(arrays.from_numpy(movie)))
    assert mean == pytest.approx(movie.mean(), rel=1e-7)
    assert scale == pytest.approx(movie.std(), rel=1e-4)


@pytest.mark.parametrize(
    ("value", "says"), [(7.0, "every value of the movie is 7"), (np.nan, "not numbers"), (np.inf, "not numbers")]
)
def test_a_movie_of_one_value_or_without_numbers_is_refused(value, says):
    movie = np.full((40, 6, 8), 7.0, np.float32)
    movie[3:] = value
    with pytest.raises(BadSource, match=says):
        pool.normalisation(Frames(arrays.from_numpy(movie)))
