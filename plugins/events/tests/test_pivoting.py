"""The two ways to the active set of an AR(2) trace lead to one."""

import numpy as np
import pytest
from scipy.signal import lfilter

from nwbridge_events.pivoting import descended, pivoted
from nwbridge_events.pools import Trace, calcium, response, spike_weights


def made(seed, count=700):
    rng = np.random.default_rng(seed)
    g1, g2 = [(1.7, -0.712), (1.88, -0.8835), (1.2, -0.3), (1.95, -0.9506)][seed % 4]
    y = lfilter([1], [1, -g1, -g2], rng.poisson(0.04, count).astype(float))
    y = y + rng.normal(0, 0.5 * y.std(), count)
    seen = rng.random(count) > 0.05
    seen[[0, -1]] = True
    y[~seen] = 0
    return Trace(y, seen, g1, g2, response(g1, g2, count), spike_weights(g1, g2, count))


@pytest.mark.parametrize("begin", ["none", "all", "any"])
@pytest.mark.parametrize("seed", range(8))
def test_small_steps_and_exchanges_of_everything_end_at_the_same_spikes(seed, begin):
    trace = made(seed)
    first = {"none": np.zeros(700, bool), "all": trace.seen.copy(), "any": np.random.default_rng(9).random(700) > 0.5}
    one, other = first[begin] & trace.seen, np.zeros(700, bool)
    c, d = np.empty(700), np.empty(700)
    descended(trace, 0.1, 0.4, one, c, np.empty(700))
    pivoted(trace, 0.1, 0.4, other, d)
    np.testing.assert_array_equal(np.flatnonzero(one), np.flatnonzero(other))
    np.testing.assert_allclose(c, d, atol=1e-9 * d.max())
    assert other.any()


@pytest.mark.parametrize("seed", range(4))
def test_calcium_between_given_spikes_is_that_of_least_squares(seed):
    trace = made(seed, 200)
    starts = np.array([3, 4, 30, 90, 91, 92, 150])
    columns = np.zeros((200, len(starts)))
    for number, start in enumerate(starts):
        columns[start:, number] = lfilter([1], [1, -trace.g1, -trace.g2], np.eye(1, 200 - start)[0])
    seen = trace.seen
    best = np.linalg.lstsq(columns[seen], (trace.y - 0.2)[seen], rcond=None)[0]
    c = np.empty(200)
    found = calcium(trace, starts, 0.2, 0.0, c)
    np.testing.assert_allclose(found, best, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(c, columns @ best, atol=1e-8)


def test_the_penalty_is_the_sum_of_spikes():
    trace = made(0, 300)
    s = np.random.default_rng(0).poisson(0.1, 300).astype(float)
    c = lfilter([1], [1, -trace.g1, -trace.g2], s)
    assert np.sum(trace.q * c) == pytest.approx(s.sum())
