"""Spikes of one trace, against generic solvers and the conditions that an optimum has to meet."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular, toeplitz
from scipy.optimize import nnls
from scipy.signal import lfilter

from nwbridge_events import deconvolve, deconvolve_each, noise

MODELS = {"AR(1)": (0.94,), "AR(1), fast": (0.7,), "AR(2)": (1.7, -0.712), "AR(2), smooth": (1.88, -0.8835)}
models = pytest.mark.parametrize("g", MODELS.values(), ids=MODELS)


def simulated(g, count, seed=0, rate=0.03, noise=0.3, baseline=0.5):
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(rate, count).astype(float)
    calcium = lfilter([1], [1, *(-np.array(g))], spikes)
    return baseline + calcium + noise * calcium.std() * rng.standard_normal(count), spikes


def kernel(g, count):
    """The matrix that makes calcium of spikes."""
    impulse = np.zeros(count)
    impulse[0] = 1
    response = lfilter([1], [1, *(-np.array(g))], impulse)
    return toeplitz(response, np.zeros(count))


def spikes_in(c, g):
    """All that calcium jumps by, also at the first sample."""
    return lfilter([1, *(-np.array(g))], [1], c)


def cost(trace, s, matrix, lam):
    return 0.5 * np.sum((trace - matrix @ s) ** 2) + lam * np.sum(s)


def check_optimum(trace, found, g, seen=None):
    """Assert the Karush-Kuhn-Tucker conditions; spikes may be at the samples that are seen."""
    seen = np.isfinite(trace) if seen is None else seen
    matrix = kernel(g, len(trace))
    calcium = np.where(seen, found.c, 0)
    s = np.zeros(len(trace))
    s[seen] = solve_triangular(matrix[np.ix_(seen, seen)], calcium[seen], lower=True)
    rest = np.where(seen, np.nan_to_num(trace) - found.baseline - calcium, 0.0)
    slope = found.lam - matrix.T @ rest
    scale = np.abs(rest).max() * np.abs(matrix).sum(axis=0).max()
    assert s.min() > -1e-7 * np.abs(s).max()
    assert slope[seen].min() > -1e-7 * scale
    assert np.abs(slope * s)[seen].max() < 1e-7 * scale * np.abs(s).max()
    return s


@models
@pytest.mark.parametrize("lam", [0.0, 0.2, 1.5])
def test_finds_the_optimum_that_non_negative_least_squares_finds(g, lam):
    trace, _ = simulated(g, 120)
    matrix = kernel(g, 120)
    found = deconvolve(trace, g, lam=lam, baseline=0.4, noise=1.0)
    target = trace - 0.4 - lam * np.linalg.solve(matrix.T, np.ones(120))
    best, _ = nnls(matrix, target, maxiter=20_000)
    mine = spikes_in(found.c, g)
    assert cost(trace - 0.4, mine, matrix, lam) == pytest.approx(cost(trace - 0.4, best, matrix, lam), rel=1e-9)
    np.testing.assert_allclose(mine, best, atol=1e-6 * best.max())
    np.testing.assert_allclose(found.s[1:], np.maximum(mine[1:], 0), atol=1e-9 * best.max())


@models
@pytest.mark.parametrize("count", [400, 1500])
def test_leaves_a_residual_of_the_noise_at_the_smallest_sum_of_spikes(g, count):
    trace, _ = simulated(g, count, seed=count, noise=0.4)
    sigma = 0.4 * lfilter([1], [1, *(-np.array(g))], simulated(g, count, seed=count)[1]).std()
    found = deconvolve(trace, g, noise=sigma)
    check_optimum(trace, found, g)
    rest = trace - found.baseline - found.c
    assert found.lam > 0
    assert np.sum(rest**2) == pytest.approx(sigma**2 * count, rel=1e-6)
    assert np.sum(rest) == pytest.approx(0, abs=1e-6 * np.abs(rest).sum())  # no other baseline leaves less


def test_no_spikes_with_a_smaller_sum_leave_as_little():
    """A generic solver of the constrained problem does not do better."""
    from scipy.optimize import minimize

    g, sigma = (0.9,), 0.35
    trace, _ = simulated(g, 40, seed=5, noise=0.5)
    matrix = kernel(g, 40)
    found = deconvolve(trace, g, noise=sigma, baseline=0.5)
    mine = spikes_in(found.c, g)
    limit = sigma**2 * 40
    constraint = {
        "type": "ineq",
        "fun": lambda s: limit - np.sum((trace - 0.5 - matrix @ s) ** 2),
        "jac": lambda s: 2 * matrix.T @ (trace - 0.5 - matrix @ s),
    }
    other = minimize(
        np.sum,
        np.maximum(mine, 0) + 0.05,
        jac=lambda s: np.ones(40),
        bounds=[(0, None)] * 40,
        constraints=[constraint],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-10},
    )
    assert np.sum((trace - 0.5 - found.c) ** 2) == pytest.approx(limit, rel=1e-6)
    assert np.sum(mine) <= other.fun * (1 + 1e-5)


@models
def test_gaps_are_not_fitted_and_calcium_decays_in_them(g):
    trace, _ = simulated(g, 600, seed=3)
    trace[[0, 1, 200, 201, 202, 350, *range(420, 460), 599]] = np.nan
    found = deconvolve(trace, g, lam=0.3, baseline=0.5)
    assert (np.isnan(found.c) == np.isnan(trace)).all()
    assert (np.isnan(found.s) == np.isnan(trace)).all()
    inside = slice(2, 599)
    part = trace[inside]
    cut = type(found)(found.c[inside], found.s[inside], found.baseline, found.g, found.lam, found.noise)
    check_optimum(part, cut, g)


def test_what_is_outside_of_the_trace_changes_nothing():
    trace, _ = simulated((0.9,), 300)
    padded = np.concatenate(([np.nan] * 7, trace, [np.nan] * 4))
    one, other = deconvolve(trace, (0.9,), noise=0.2), deconvolve(padded, (0.9,), noise=0.2)
    np.testing.assert_array_equal(one.s, other.s[7:-4])


@models
def test_scale_and_offset_of_the_trace_carry_over(g):
    trace, _ = simulated(g, 800)
    plain, other = deconvolve(trace, order=len(g)), deconvolve(250 * trace + 9000, order=len(g))
    np.testing.assert_allclose(other.s, 250 * plain.s, atol=250 * 1e-5 * plain.s.max())
    assert other.baseline == pytest.approx(250 * plain.baseline + 9000, rel=1e-6)
    assert (other.noise, other.lam) == pytest.approx((250 * plain.noise, 250 * plain.lam), rel=1e-4)


@models
@pytest.mark.parametrize("s_min", [0.4, 0.7])
def test_no_spike_is_smaller_than_the_smallest(g, s_min):
    trace, _ = simulated(g, 700, noise=0.1)
    free = deconvolve(trace, g, lam=0.0, baseline=0.5)
    found = deconvolve(trace, g, s_min=s_min, baseline=0.5)
    assert 0 < free.s[free.s > 0].min() < s_min
    assert found.s[found.s > 0].min() >= s_min - 1e-9
    assert found.lam == 0
    np.testing.assert_allclose(spikes_in(found.c, g)[1:], found.s[1:], atol=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_no_spike_is_smaller_than_the_smallest_whatever_the_trace(order):
    """Also where the first sample, which is no spike, is smaller still."""
    rng = np.random.default_rng(0)
    for seed in range(100):
        g = float(rng.choice([0.8, 0.9, 0.97]))
        trace, _ = simulated((g,), int(rng.integers(100, 900)), seed, 0.02, float(rng.choice([0.1, 0.4])))
        s_min = float(rng.choice([2, 3, 5])) * noise(trace)
        found = deconvolve(trace, order=order, s_min=s_min)
        calcium = np.concatenate((np.zeros(2), found.c))
        g1, g2 = (*found.g, 0.0)[:2]
        jumps = (calcium[2:] - g1 * calcium[1:-1] - g2 * calcium[:-2])[1:]
        assert jumps[jumps > 1e-9].min(initial=np.inf) >= s_min * (1 - 1e-9)


@pytest.mark.parametrize(
    ("g", "count", "seed", "rate", "s_min"),
    [((0.7,), 267, 3, 0.3, 1.0), ((0.9,), 219, 1257, 0.02, 0.3), ((1.2, -0.35), 234, 2022, 0.1, 0.6)],
)
def test_no_spike_is_smaller_than_the_smallest_where_the_baseline_does_not_settle(g, count, seed, rate, s_min):
    """In these traces each baseline has other spikes, which ask for another baseline."""
    trace, _ = simulated(g, count, seed, rate, noise=1.0)
    found = deconvolve(trace, g, s_min=s_min, noise=0.1)
    jumps = spikes_in(found.c, g)[1:]
    assert jumps[jumps > 1e-9].min() >= s_min - 1e-9


@models
def test_finds_the_spikes_that_were_simulated(g):
    trace, spikes = simulated(g, 3000, rate=0.01, noise=0.05)
    found = deconvolve(trace, order=len(g), s_min=0.5)
    near = np.convolve(found.s, np.ones(5), "same")
    assert (near[spikes > 0] > 0.5).mean() > 0.95
    assert (np.convolve(spikes, np.ones(5), "same")[found.s > 0] > 0).mean() > 0.9
    assert np.corrcoef(np.convolve(spikes, np.ones(3)), np.convolve(found.s, np.ones(3)))[0, 1] > 0.9


def test_a_trace_that_is_noise_has_no_spikes():
    trace = np.random.default_rng(0).normal(3, 0.2, 2000)
    found = deconvolve(trace, 0.9, noise=0.25)
    assert found.problem is None
    assert found.s.max() == 0
    assert found.baseline == pytest.approx(trace.mean())
    again = deconvolve(trace, 0.9, lam=found.lam, baseline=found.baseline)
    assert again.s.max() == 0


def test_a_given_baseline_and_a_given_noise_are_kept():
    trace, _ = simulated((0.9,), 400)
    found = deconvolve(trace, 0.9, baseline=0.3, noise=0.25)
    assert (found.baseline, found.noise, found.g) == (0.3, 0.25, (0.9,))
    assert np.sum((trace - 0.3 - found.c) ** 2) == pytest.approx(0.25**2 * 400, rel=1e-6)


def test_calcium_from_before_the_recording_is_no_spike():
    trace = 1 + 4 * 0.95 ** np.arange(300) + np.random.default_rng(1).normal(0, 0.02, 300)
    found = deconvolve(trace, 0.95, baseline=1.0)
    assert found.s[0] == 0
    assert found.s.max() < 0.2
    assert found.c[0] > 3.5


@pytest.mark.parametrize(
    ("trace", "problem"),
    [
        (np.full(100, np.nan), "all NaN"),
        (np.full(100, 3.0), "constant"),
        (np.arange(10.0), "fewer than 32 samples"),
        (np.where(np.arange(100) == 4, np.inf, np.arange(100.0)), "infinite values"),
        (np.where(np.arange(400) % 8, np.nan, np.arange(400.0)), "too few samples in a row for its noise"),
        (np.tile([1.0, -1.0], 200), "no decay in its autocovariance"),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_says_why_nothing_can_be_said(trace, problem, order):
    found = deconvolve(trace, order=order)
    assert found.problem == problem
    assert np.isnan(found.c).all()
    assert np.isnan(found.s).all()
    assert np.isnan([found.baseline, found.lam, *found.g]).all()


@pytest.mark.parametrize("g", [1.0, -0.5, (1.9, -0.8), (1.5, 0.1), (2.1, -1.1), (0.1, 0.2, 0.3)])
def test_refuses_a_model_that_does_not_decay_or_rings(g):
    with pytest.raises(ValueError, match="expected"):
        deconvolve(np.arange(100.0), g)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lam": 1.0, "s_min": 1.0}, "at most one"),
        ({"lam": -0.1}, "lam = -0.1; expected 0 or more"),
        ({"noise": -1.0}, "noise = -1.0"),
        ({"s_min": -1.0}, "s_min = -1.0"),
        ({"order": 3}, "order 3; expected 1 or 2"),
    ],
)
def test_refuses_arguments_that_cannot_be(given, words):
    with pytest.raises(ValueError, match=words):
        deconvolve(np.arange(100.0), **given)


def test_refuses_what_is_no_trace():
    with pytest.raises(ValueError, match="shape"):
        deconvolve(np.zeros((3, 100)))


@pytest.mark.parametrize("g", [(0.995,), (1.495, -0.4975)])
def test_the_baseline_is_not_looked_for_below_the_first_percentile(g):
    """A slow model would fit drift from far below."""
    time = np.arange(1500)
    trace = 3 + np.sin(time / 60) + np.random.default_rng(0).normal(0, 0.05, 1500)
    found = deconvolve(trace, g, noise=0.02)
    assert found.baseline == pytest.approx(np.percentile(trace, 1))
    assert np.sum(trace - found.baseline - found.c) < 0  # a lower one would fit better
    check_optimum(trace, found, g)


def test_many_traces_in_threads_are_as_one_by_one():
    traces = np.stack([simulated((1.7, -0.712), 500, seed)[0] for seed in range(6)])
    traces[2] = np.nan
    alone, together = deconvolve_each(traces, order=2), deconvolve_each(traces, 3, order=2)
    for one, other, trace in zip(alone, together, traces, strict=True):
        np.testing.assert_array_equal(one.s, other.s)
        np.testing.assert_array_equal(one.s, deconvolve(trace, order=2).s)
    assert together[2].problem == "all NaN"


@pytest.mark.parametrize("seed", range(8))
def test_the_exchange_of_spikes_comes_to_an_end_on_any_trace(seed):
    """Traces that no AR(2) process made: drifts, steps, sines; slow models of them."""
    rng = np.random.default_rng(seed)
    time = np.arange(2500)
    trace = [np.cumsum(rng.normal(size=2500)), 3 * np.sin(time / 40), np.sign(np.sin(time / 90)), time % 300 / 50][
        seed % 4
    ]
    trace = trace + rng.normal(0, 0.3, 2500)
    decay, rise = rng.uniform(0.9, 0.999), rng.uniform(0.1, 0.9)
    found = deconvolve(trace, (decay + rise * decay, -decay * decay * rise), lam=rng.uniform(0, 2), baseline=0.0)
    check_optimum(trace, found, found.g)
