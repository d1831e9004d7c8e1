"""Noise, decay and baselines of traces whose truth is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from nwbridge_extract_cnmf import signals


def calcium(g, count, seed=0, often=0.05):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(count) < often) * rng.uniform(0.5, 1.5, count)
    return lfilter([1.0], [1.0, *(-one for one in g)], spikes)


def test_noise_is_that_which_was_added_whatever_the_calcium():
    noise = np.random.default_rng(1).normal(0, [[0.2], [0.7]], (2, 3000))
    traces = 0.3 * calcium((0.95,), 3000) + noise
    np.testing.assert_allclose(signals.noise_of(traces.astype(np.float32)), [0.2, 0.7], rtol=0.15)


def test_the_noise_of_a_constant_and_of_one_frame_is_none():
    assert not signals.noise_of(np.full((2, 50), 7.0)).any()
    assert not signals.noise_of(np.ones((2, 1))).any()


def test_the_decay_of_calcium_is_found_under_noise():
    noise = np.random.default_rng(2).normal(0, 0.1, 20000)
    (g,) = signals.decay_of(calcium((0.9,), 20000) + noise, 1, 0.1)
    assert g == pytest.approx(0.9, abs=0.02)
    g1, g2 = signals.decay_of(calcium((1.4, -0.45), 20000) + noise, 2, 0.1)
    assert (g1, g2) == pytest.approx((1.4, -0.45), abs=0.05)


@pytest.mark.parametrize("order", [1, 2])
def test_what_does_not_decay_as_calcium_has_no_coefficients(order):
    assert signals.decay_of(np.zeros(100), order, 0.0) is None
    assert signals.decay_of(np.tile([1.0, -1.0], 50), order, 0.0) is None


@pytest.mark.parametrize("order", [1, 2])
def test_coefficients_of_a_time_constant_give_it_back(order):
    assert signals.seconds_of(signals.decay_from(0.7, 20.0, order), 20.0) == pytest.approx(0.7)


def test_a_running_percentile_follows_a_slow_drift_and_not_transients():
    drift = np.linspace(10, 20, 600)
    traces = np.stack([drift, drift + 5 * calcium((0.8,), 600, often=0.01)])
    slow = signals.running_percentile(traces, 60, 8.0)
    assert np.abs(slow - drift).max() < 1.0
    assert slow.shape == traces.shape
