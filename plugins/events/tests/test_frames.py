"""Which frame a time falls into, and where frames are missing."""

import numpy as np
import pytest

from nwbridge_events.frames import frames_of, gaps, places, spread


def nearest(times, clock, reach):
    """The definition written out: the frame at the least distance, of those that are near enough."""
    apart = np.abs(times[:, None] - clock)
    return np.where(apart.min(axis=1) < reach, apart.argmin(axis=1), -1)


def test_a_time_falls_into_the_nearest_frame_and_into_none_in_a_gap():
    rng = np.random.default_rng(0)
    clock = 3 + np.arange(300) / 10
    clock[120:] += 7.33
    clock[200:] += 0.09
    times = rng.uniform(0, 42, 4000)
    np.testing.assert_array_equal(frames_of(times, clock), nearest(times, clock, 0.05))
    assert (frames_of(times, clock) < 0).sum() > 500


def test_frames_of_a_jittered_clock_leave_no_time_out():
    rng = np.random.default_rng(1)
    clock = np.arange(500) / 10 + rng.uniform(-0.015, 0.015, 500)
    times = rng.uniform(clock[0], clock[-1], 3000)
    assert not gaps(clock).any()
    np.testing.assert_array_equal(frames_of(times, clock), nearest(times, clock, np.inf))


@pytest.mark.parametrize("clock", [np.array([4.0]), np.array([4.0, 4.5])])
def test_clocks_of_few_frames_are_clocks_too(clock):
    wanted = [-1, -1] if len(clock) == 1 else [0, -1]
    np.testing.assert_array_equal(frames_of(np.array([4.1, 9.0]), clock), wanted)
    np.testing.assert_array_equal(places(clock, 5), np.arange(len(clock)))


def test_a_gap_takes_the_place_of_as_many_frames_as_fit_up_to_a_bound():
    clock = np.array([0.0, 0.1, 0.2, 0.5, 0.6, 60.0, 60.1])
    np.testing.assert_array_equal(gaps(clock), [0, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(places(clock, 20), [0, 1, 2, 5, 6, 27, 28])
    filled = spread(np.arange(7.0), places(clock, 3))
    np.testing.assert_array_equal(filled, [0, 1, 2, *[np.nan] * 2, 3, 4, *[np.nan] * 3, 5, 6])
