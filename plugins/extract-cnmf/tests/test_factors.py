"""Footprints and traces against solvers that take one pixel at a time."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from nwbridge_extract_cnmf import factors

RNG = np.random.default_rng(0)
TRACES = np.maximum(RNG.normal(0.5, 1, (4, 90)), 0).astype(np.float32)
WEIGHTS = (RNG.random((35, 4)) * (RNG.random((35, 4)) < 0.5)).astype(np.float32)
MOVIE = (WEIGHTS @ TRACES + RNG.normal(0, 0.3, (35, 90))).astype(np.float32)
SUPPORT = RNG.random((35, 4)) < 0.8


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr(factors, "ENOUGH", 1e-7)


def solved(penalty=0.0):
    products, gram = MOVIE @ TRACES.T, TRACES @ TRACES.T
    return factors.footprints(products, gram, np.zeros_like(WEIGHTS), SUPPORT, penalty, sweeps=500)


def test_footprints_are_those_of_nnls_pixel_by_pixel_within_their_support():
    expected = np.zeros(WEIGHTS.shape)
    for pixel, allowed in enumerate(SUPPORT):
        expected[pixel, allowed], _ = nnls(TRACES[allowed].T.astype(float), MOVIE[pixel].astype(float))
    np.testing.assert_allclose(solved(), expected, atol=1e-4)


def test_penalized_footprints_meet_the_conditions_of_the_optimum():
    penalty = factors.penalty(np.full(35, 0.3, np.float32), TRACES @ TRACES.T, 2.0)
    weights = solved(penalty)
    slope = weights @ (TRACES @ TRACES.T) - MOVIE @ TRACES.T + penalty
    assert np.abs(slope[weights > 0]).max() < 1e-3
    assert slope[SUPPORT & (weights == 0)].min() > -1e-3
    assert not weights[~SUPPORT].any()
    assert np.count_nonzero(weights) < np.count_nonzero(solved())


def test_traces_swept_to_the_end_are_those_of_nnls_and_the_first_ones_alone_where_asked():
    weights = np.maximum(WEIGHTS, 0.01)
    gram = factors.gram_of(sparse.csc_matrix(weights))
    some = factors.Traces(weights.T @ MOVIE, gram, np.zeros_like(TRACES))
    some.sweep(500)
    expected = np.stack([nnls(weights.astype(float), frame.astype(float))[0] for frame in MOVIE.T], axis=1)
    np.testing.assert_allclose(some.traces, expected, atol=1e-3)
    some.traces[:] = 1
    some.sweep(1, 2)
    assert (some.traces[2:] == 1).all()
    assert not (some.traces[:2] == 1).all()


@pytest.mark.parametrize("count", [2, 35, 99])
def test_factors_of_a_movie_come_near_to_it_however_many_are_asked_for(count):
    movie = np.maximum(MOVIE, 0)
    weights, courses = factors.factorize(movie, count)
    assert weights.shape[1] == len(courses) == min(count, 35)
    assert min(weights.min(), courses.min()) >= 0
    residual = np.linalg.norm(movie - weights @ courses) / np.linalg.norm(movie)
    assert residual < (0.75 if count == 2 else 0.2)


def test_nothing_has_factors_of_nothing_and_a_seed_gives_the_same_again():
    weights, courses = factors.factorize(np.zeros((5, 9), np.float32), 2)
    assert not weights.any()
    assert not courses.any()
    once, again = factors.factorize(np.maximum(MOVIE, 0), 3, seed=4), factors.factorize(np.maximum(MOVIE, 0), 3, seed=4)
    np.testing.assert_array_equal(once[0], again[0])
