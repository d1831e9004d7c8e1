"""Deconvolution against scipy's NNLS and the conditions of its optimum."""

import numpy as np
import pytest
from scipy.optimize import nnls

from nwbridge_extract_cnmf.deconvolution import Dynamics, deconvolve

CASES = [((0.9,), (0,)), ((0.9,), (0, 37, 38, 90)), ((1.5, -0.56), (0,)), ((1.5, -0.56), (0, 37, 38, 90))]
COUNT, SIGMA = 140, 0.2


def matrix(g, starts):
    """G of s = G c, written out sample by sample."""
    made = np.eye(COUNT)
    for first, last in zip(starts, [*starts[1:], COUNT], strict=True):
        for t in range(first, last):
            for lag, weight in enumerate(g, 1):
                if t - lag >= first:
                    made[t, t - lag] = -weight
    return made


def example(g, starts, seed=0):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(COUNT) < 0.07) * rng.uniform(1, 2, COUNT)
    return np.linalg.solve(matrix(g, starts), spikes) + rng.normal(0, SIGMA, COUNT)


@pytest.mark.parametrize(("g", "starts"), CASES)
def test_dynamics_are_the_matrix_that_they_stand_for(g, starts):
    values = np.random.default_rng(3).normal(size=(COUNT, 2))
    dynamics, written = Dynamics(g, COUNT, starts), matrix(g, starts)
    np.testing.assert_allclose(dynamics.spikes(values), written @ values, atol=1e-12)
    np.testing.assert_allclose(dynamics.adjoint(values), written.T @ values, atol=1e-12)
    silent = np.flatnonzero(np.random.default_rng(4).random(COUNT) < 0.8)
    rows = written[silent]
    expected = np.linalg.solve(rows @ rows.T, values[silent])
    np.testing.assert_allclose(dynamics.multipliers(silent, values[silent]), expected, atol=1e-8)


@pytest.mark.parametrize(("g", "starts"), CASES)
def test_spikes_are_those_of_nnls_for_the_same_penalty(g, starts):
    trace = example(g, starts)
    found = deconvolve(trace, g, SIGMA, starts=starts, baseline=0.0)
    assert found.lam > 0
    kernel = np.linalg.inv(matrix(g, starts))
    # ½|y - K s|² + λ Σ s is ½|y' - K s|² for Kᵀ y' = Kᵀ y - λ
    target = trace - found.lam * np.linalg.solve(kernel.T, np.ones(COUNT))
    spikes, _ = nnls(kernel, target)
    np.testing.assert_allclose(found.c, kernel @ spikes, atol=1e-6)
    spikes[list(starts)] = 0
    np.testing.assert_allclose(found.s, spikes, atol=1e-6)


@pytest.mark.parametrize(("g", "starts"), CASES)
def test_the_residual_has_the_power_of_the_noise_and_the_optimum_its_conditions(g, starts):
    trace = example(g, starts) + 3
    found = deconvolve(trace, g, SIGMA, starts=starts)
    residual = trace - found.baseline - found.c
    assert residual @ residual == pytest.approx(SIGMA**2 * COUNT, rel=0.01)
    slope = np.linalg.solve(matrix(g, starts).T, -residual) + found.lam
    assert slope.min() > -1e-5
    assert np.abs(slope[found.s > 1e-6]).max() < 1e-5
    assert residual.mean() == pytest.approx(0, abs=0.01)
    assert found.baseline == pytest.approx(3, abs=0.35)


def test_a_nonnegative_baseline_is_never_below_zero():
    trace = example((0.9,), (0,)) - 1
    assert deconvolve(trace, (0.9,), SIGMA).baseline < -0.5
    assert deconvolve(trace, (0.9,), SIGMA, nonnegative_baseline=True).baseline == 0


def test_noise_alone_has_no_spikes_but_a_known_baseline_far_below_makes_some():
    trace = np.random.default_rng(5).normal(4, 0.1, 200)
    found = deconvolve(trace, (0.9,), 0.2)
    assert not found.s.any()
    assert not found.c.any()
    assert found.baseline == pytest.approx(4, abs=0.05)
    assert deconvolve(trace, (0.9,), 0.2, baseline=0.0).c.max() > 3
