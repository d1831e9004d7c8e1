"""Running percentiles, against numpy window by window."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d, percentile_filter

from nwbridge_dff.baselines import running_percentile, smoothed


def by_hand(trace, half, percent):
    with np.errstate(all="ignore"):
        windows = [trace[max(0, t - half) : t + half + 1] for t in range(len(trace))]
        return np.array([np.nanpercentile(w, percent) if np.isfinite(w).any() else np.nan for w in windows])


@pytest.mark.parametrize("half", [1, 7, 60, 500])
@pytest.mark.parametrize("percent", [0.0, 8.0, 50.0, 97.3, 100.0])
def test_is_the_percentile_of_every_window(half, percent):
    trace = np.random.default_rng(half).gamma(2.0, size=300)
    np.testing.assert_allclose(running_percentile(trace, half, percent), by_hand(trace, half, percent), rtol=1e-12)


def test_takes_equal_values_one_by_one():
    trace = np.random.default_rng(0).integers(0, 4, 400).astype(float)
    np.testing.assert_array_equal(running_percentile(trace, 9, 50.0), by_hand(trace, 9, 50.0))


def test_passes_over_nan():
    trace = np.random.default_rng(1).normal(size=250)
    trace[[0, 3, 4, 5, 249]] = np.nan
    trace[100:160] = np.nan
    found = running_percentile(trace, 12, 20.0)
    np.testing.assert_allclose(found, by_hand(trace, 12, 20.0))
    assert np.isnan(found[120:140]).all()
    assert np.isnan(running_percentile(np.full(20, np.nan), 3, 50.0)).all()


def test_agrees_with_scipys_filter_inside():
    trace = np.random.default_rng(2).normal(size=2000)
    wanted = percentile_filter(trace, 50, size=2 * 40 + 1)
    np.testing.assert_array_equal(running_percentile(trace, 40, 50.0)[40:-40], wanted[40:-40])


def test_smoothing_is_a_gaussian_that_keeps_constants_and_gaps():
    trace = np.random.default_rng(0).normal(size=400)
    np.testing.assert_allclose(smoothed(trace, 3.0)[20:-20], gaussian_filter1d(trace, 3.0, truncate=4.0)[20:-20])
    flat = np.full(50, 2.0)
    flat[[0, 20, 21, 22]] = np.nan
    np.testing.assert_array_equal(np.isnan(smoothed(flat, 2.5)), np.isnan(flat))
    np.testing.assert_allclose(smoothed(flat, 2.5)[np.isfinite(flat)], 2.0)
    assert smoothed(trace, 0.0) is trace
