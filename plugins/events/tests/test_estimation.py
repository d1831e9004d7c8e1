"""What a trace says of itself, against what it was made of."""

import numpy as np
import pytest
from scipy.signal import lfilter, welch

from nwbridge_events import coefficients, from_times, noise, times
from nwbridge_events.estimation import autocovariance


def calcium(g, count, rate=0.03, seed=0):
    return lfilter([1], [1, *(-np.array(g))], np.random.default_rng(seed).poisson(rate, count).astype(float))


@pytest.mark.parametrize("sigma", [0.05, 0.5, 4.0])
def test_noise_is_that_of_white_noise_whatever_slow_lies_under_it(sigma):
    slow = 20 * np.sin(np.arange(20_000) / 200) + calcium((0.97,), 20_000) * sigma * 0.2
    trace = slow + np.random.default_rng(1).normal(0, sigma, 20_000)
    assert noise(trace) == pytest.approx(sigma, rel=0.03)


def test_noise_is_the_mean_power_above_half_of_nyquist():
    trace = np.random.default_rng(3).normal(0, 1, 5000)
    frequency, power = welch(trace, 1.0, "hann", 256, 128, detrend="constant", scaling="density")
    assert noise(trace) == pytest.approx(np.sqrt(power[(frequency >= 0.25) & (frequency < 0.5)].mean() / 2), rel=0.01)


def test_noise_passes_over_gaps():
    trace = np.random.default_rng(1).normal(0, 0.7, 8000)
    trace[::500] = np.nan
    trace[3000:4500] = np.nan
    assert noise(trace) == pytest.approx(0.7, rel=0.05)


def test_noise_of_few_samples_in_a_row_is_not_known():
    assert np.isnan(noise(np.arange(15.0)))
    assert np.isnan(noise(np.full(100, np.nan)))


def test_autocovariance_is_that_of_all_pairs_and_leaves_out_nan():
    trace = np.array([1.0, 4.0, np.nan, 2.0, 5.0, 3.0])
    mean = 3.0
    one = [(1, 4), (2, 5), (5, 3)]
    assert autocovariance(trace, 1)[1] == pytest.approx(np.mean([(a - mean) * (b - mean) for a, b in one]))
    assert autocovariance(trace, 1)[0] == pytest.approx(2.0)


@pytest.mark.parametrize("g", [(0.95,), (0.8,), (1.6, -0.63), (1.8, -0.806)])
def test_the_model_is_found_in_noise_because_its_variance_is_taken_off(g):
    clean = calcium(g, 200_000)
    sigma = 0.3 * clean.std()
    trace = clean + np.random.default_rng(2).normal(0, sigma, clean.size)
    found = coefficients(trace, len(g), sigma)
    assert found[: len(g)] == pytest.approx(g, abs=0.03)
    assert found[1] == 0 or len(g) == 2
    without = coefficients(trace, len(g), 0.0)
    assert abs(without[0] - g[0]) > abs(found[0] - g[0])


def test_roots_are_real_and_below_one():
    trend = np.arange(5000.0) + np.random.default_rng(0).normal(0, 1, 5000)
    for order in (1, 2):
        g1, g2 = coefficients(trend, order, 1.0)
        assert g1 + g2 < 1
        assert g1 * g1 + 4 * g2 >= 0
    ringing = lfilter([1], [1, -1.2, 0.8], np.random.default_rng(0).normal(0, 1, 20_000))
    g1, g2 = coefficients(ringing, 2, 0.0)
    assert g1 * g1 + 4 * g2 >= 0


@pytest.mark.parametrize(("decay", "rise"), [(0.5, None), (1.2, 0.05), (0.3, 0.2)])
def test_times_and_coefficients_are_two_ways_to_say_one_thing(decay, rise):
    g = from_times(decay, rise, 30.0)
    assert times(g, 30.0) == pytest.approx((decay, rise or 0.0))
    response = lfilter([1], [1, -g[0], -g[1]], np.eye(1, 600)[0])
    after = -1 / np.log(response[500] / response[499]) / 30
    assert after == pytest.approx(decay, rel=0.01)
