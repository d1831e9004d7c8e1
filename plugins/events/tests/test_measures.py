"""Agreement of an estimate with recorded spikes, against its definition written out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from nwbridge_events.derivative import rectified_derivative, smoothed
from nwbridge_events.measures import correlations, detected, events_in, noise_level


def test_smoothing_is_a_gaussian_that_keeps_constants_and_gaps():
    trace = np.random.default_rng(0).normal(size=400)
    np.testing.assert_allclose(smoothed(trace, 3.0)[20:-20], gaussian_filter1d(trace, 3.0, truncate=4.0)[20:-20])
    flat = np.full(50, 2.0)
    flat[[0, 20, 21, 22]] = np.nan
    np.testing.assert_array_equal(np.isnan(smoothed(flat, 2.5)), np.isnan(flat))
    np.testing.assert_allclose(smoothed(flat, 2.5)[np.isfinite(flat)], 2.0)


def test_the_derivative_is_rectified_and_begins_anew_after_a_gap():
    trace = np.array([1.0, 3.0, 2.0, np.nan, 9.0, 10.5])
    np.testing.assert_array_equal(rectified_derivative(trace), [0, 2, 0, np.nan, 0, 1.5])


def test_noise_level_is_that_of_white_noise():
    dff = np.random.default_rng(0).normal(0, 0.1, 100_000)
    assert noise_level(dff, 30.0) == pytest.approx(100 * 0.1 * np.sqrt(2) * 0.67449 / np.sqrt(30), rel=0.02)
    assert np.isnan(noise_level(np.full(10, np.nan), 30.0))


def test_correlation_is_pearsons_of_both_smoothed():
    rng = np.random.default_rng(1)
    spikes = rng.poisson(0.05, 2000).astype(float)
    estimate = np.roll(spikes, 3) + rng.normal(0, 0.2, 2000)
    now, best, lag = correlations(spikes, estimate, 2.0, 8)
    one, other = (smoothed(values, 2.0) for values in (spikes, estimate))
    assert now == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert lag == 3
    assert best == pytest.approx(np.corrcoef(one[:-3], other[3:])[0, 1])
    assert best > now
    assert correlations(spikes, np.roll(spikes, -2), 2.0, 8)[2] == -2
    assert correlations(spikes, estimate, 2.0, 0)[1:] == (now, 0)


def test_correlation_leaves_gaps_out_and_is_not_defined_for_a_constant():
    rng = np.random.default_rng(1)
    spikes = rng.poisson(0.05, 800).astype(float)
    estimate = spikes.copy()
    estimate[300:500] = np.nan
    assert correlations(spikes, estimate, 1.0, 3)[0] == pytest.approx(1.0)
    assert np.isnan(correlations(spikes, np.zeros(800), 1.0, 3)[0])


def test_isolated_events_are_bursts_with_silence_around():
    times = np.array([5.0, 9.0, 9.05, 9.5, 20.0, 20.04, 20.09, 30.0])
    assert events_in(times, 0.1, 1.0) == [(5.0, 1), (20.0, 3), (30.0, 1)]
    assert events_in(times, 0.1, 0.3) == [(5.0, 1), (9.0, 2), (9.5, 1), (20.0, 3), (30.0, 1)]
    assert events_in(np.array([]), 0.1, 1.0) == []


def test_detection_has_one_false_positive_in_a_hundred():
    rng = np.random.default_rng(0)
    clock = np.arange(60_000) / 30
    times = np.arange(10, 1990, 5.0)
    estimate = rng.exponential(1.0, clock.size)
    at = np.searchsorted(clock, times)
    estimate[at[::2]] += 100.0  # every second one is plain to see
    found, windows = detected(times, clock, estimate, 0.2, 0.1, 1.0, (1, 2))
    assert windows > 4000
    assert found[1].events == len(times)
    assert found[1].share == pytest.approx(0.5, abs=0.02)
    assert found[2].events == 0
    assert np.isnan(found[2].share)


def test_noise_alone_is_detected_once_in_a_hundred():
    rng = np.random.default_rng(3)
    clock = np.arange(90_000) / 30
    times = np.arange(10, 2990, 4.0)
    found, _ = detected(times, clock, rng.normal(0, 1, clock.size), 0.2, 0.1, 1.0, (1,))
    assert found[1].share == pytest.approx(0.01, abs=0.01)


def test_too_little_silence_gives_no_threshold():
    clock = np.arange(300) / 30
    found, windows = detected(np.array([2.0, 7.0]), clock, np.ones(300), 0.2, 0.1, 1.0, (1,))
    assert 0 < windows < 100
    assert found[1].events == 2
    assert np.isnan(found[1].share)


def perfect(rate, seconds, seed=0):
    """A clock, isolated spikes anywhere between its frames, and an estimate that counts them by the nearest frame."""
    rng = np.random.default_rng(seed)
    clock = np.arange(round(seconds * rate)) / rate
    times = np.arange(5, seconds - 5, 5.0) + rng.uniform(0, 1, len(np.arange(5, seconds - 5, 5.0)))
    nearest = np.abs(times[:, None] - clock).argmin(axis=1)
    return clock, times, np.bincount(nearest, minlength=len(clock)) + 0.01 * rng.random(len(clock))


@pytest.mark.parametrize(("rate", "window"), [(10.0, 0.2), (3.0, 0.2), (30.0, 0.05)])
def test_a_perfect_estimate_is_detected_wherever_in_its_frame_the_spike_is(rate, window):
    clock, times, estimate = perfect(rate, 1000)
    found, _ = detected(times, clock, estimate, window, 0.1, 1.0, (1,))
    assert (found[1].events, found[1].share) == (len(times), 1.0)


def test_events_that_were_not_observed_do_not_count_as_missed():
    clock, times, estimate = perfect(10.0, 2000)
    estimate[9000:9400] = np.nan
    estimate[12_000:] = np.nan
    inside = np.array([np.isfinite(estimate[(clock > t - 0.05) & (clock < t + 0.15)]).all() for t in times])
    found, windows = detected(times, clock, estimate, 0.2, 0.1, 1.0, (1,))
    assert (found[1].events, found[1].share) == (inside.sum(), 1.0)
    assert 150 < inside.sum() < len(times) - 100
    assert windows < detected(times, clock, np.nan_to_num(estimate), 0.2, 0.1, 1.0, (1,))[1]


def test_windows_that_are_partly_nan_give_no_threshold():
    """Sums of fewer frames would lower it."""
    clock = np.arange(40_000) / 10
    estimate = np.ones(len(clock))
    estimate[2::3] = np.nan  # of three frames in a row one is always NaN
    found, windows = detected(np.array([900.0]), clock, estimate, 0.3, 0.1, 1.0, (1,))
    assert (found[1].events, windows) == (0, 0)


def test_no_window_reaches_across_a_gap_of_the_clock():
    clock, times, estimate = perfect(10.0, 1000)
    keep = (clock < 400) | (clock >= 600.04)
    at = np.flatnonzero(keep)
    into = np.array([399.94, 500.0, 600.0])  # whose windows end in the gap, lie in it, begin after it
    estimate[[3999, 6001]] = 0.0
    both = np.sort(np.concatenate((times[np.abs(times - 500) > 105], into)))
    found, _ = detected(both, clock[at], estimate[at], 0.2, 0.1, 1.0, (1,))
    assert (found[1].events, found[1].share) == (len(both) - 3, 1.0)
