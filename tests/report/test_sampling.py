import itertools

import h5py
import numpy as np
import pytest
from recordings import lazy

from nwbridge import Movie, Plane, arrays
from nwbridge.report.sampling import envelope, extremes, middles, project, runs

FRAMES = np.random.default_rng(2).integers(0, 2**16, (60, 11, 17)).astype(np.uint16)
EACH = 11 * 17 * 2


def movie(values):
    return Movie("m", lazy(values), Plane(), rate_hz=5.0)


def test_all_frames_of_a_short_movie_count():
    found = project(movie(FRAMES), 1 << 20)
    assert np.allclose(found.mean, FRAMES.mean(axis=0))
    assert (found.highest == FRAMES.max(axis=0)).all()
    assert np.allclose(found.brightness, FRAMES.mean(axis=(1, 2)))
    assert found.frames.tolist() == list(range(60))
    assert found.words == "all 60 frames"


def test_frames_of_a_long_movie_are_evenly_spread_and_said():
    found = project(movie(FRAMES), 20 * EACH)
    assert found.frames.tolist() == np.linspace(0, 59, 20).round().astype(int).tolist()
    assert np.allclose(found.mean, FRAMES[found.frames].mean(axis=0))
    assert (found.highest == FRAMES[found.frames].max(axis=0)).all()
    assert found.words == "20 of 60 frames (evenly spread)"


def test_frames_that_are_stored_together_are_read_together(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("frames", data=FRAMES.repeat(10, axis=0), chunks=(8, 11, 17))
    array = arrays.from_hdf5(tmp_path / "m.h5", "frames")
    found = project(Movie("m", array, Plane(), rate_hz=5.0), 0)
    assert (np.diff(found.frames.reshape(-1, 8), axis=1) == 1).all()
    assert (found.frames[::8] % 8 == 0).all()
    assert found.frames[0] == 0
    assert found.frames[-1] == 599
    assert found.words == "96 of 600 frames (12 runs of 8, evenly spread)"
    assert np.allclose(found.mean, FRAMES.repeat(10, axis=0)[found.frames].mean(axis=0))


@pytest.mark.parametrize(("frames", "together", "budget"), [(1000, 1, 1), (1000, 64, 1), (7, 64, 1), (5000, 30, 10**6)])
def test_what_is_read_of_a_movie_is_bounded(frames, together, budget):
    found = runs(frames, together, 1000, budget)
    assert all(0 <= start < stop <= frames for start, stop in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    assert sum(stop - start for start, stop in found) <= max(budget // 1000, 12 * together)


def test_values_that_are_no_numbers_count_for_nothing():
    values = FRAMES.astype(np.float32)
    values[3, 2, 1] = np.nan
    values[:, 5, 6] = np.nan
    values[7, 1, 1] = np.inf
    found = project(movie(values), 1 << 20)
    values[7, 1, 1] = np.nan
    with np.errstate(all="ignore"):
        known = np.isfinite(values)
        expected = np.where(known, values, 0).sum(axis=0, dtype=float) / known.sum(axis=0)
    assert np.allclose(found.mean, expected, equal_nan=True)
    assert np.isnan(found.mean[5, 6])
    assert np.isnan(found.highest[5, 6])
    assert found.highest[2, 1] == np.nanmax(values[:, 2, 1])


def test_a_volume_shows_the_brightest_plane():
    values = np.random.default_rng(9).random((6, 5, 7, 3))
    mean, highest = project(movie(values), 1 << 20).flat()
    assert np.allclose(mean, values.mean(axis=0).max(axis=2))
    assert np.allclose(highest, values.max(axis=(0, 3)))


@pytest.mark.parametrize("samples", [1, 9, 1000, 100_003])
@pytest.mark.parametrize("points", [10, 700])
def test_an_envelope_holds_the_extremes_of_every_piece(samples, points, monkeypatch):
    monkeypatch.setattr("nwbridge.report.sampling.BLOCK", 8 * 1000)  # many blocks
    values = np.random.default_rng(samples).normal(size=samples)
    found = envelope(lazy(values), points)
    assert len(found.low) <= points
    pieces = [values[start : start + found.each] for start in range(0, samples, found.each)]
    assert found.low.tolist() == [piece.min() for piece in pieces]
    assert found.high.tolist() == [piece.max() for piece in pieces]


def test_an_envelope_has_gaps_where_nothing_is_known():
    low, high = extremes(np.array([1.0, np.nan, np.nan, np.nan, np.inf, 3.0, 5.0]), 2)
    assert np.array_equal(low, [1, np.nan, 3, 5], equal_nan=True)
    assert np.array_equal(high, [1, np.nan, 3, 5], equal_nan=True)


def test_an_envelope_of_one_channel_is_that_channel_s():
    values = np.random.default_rng(8).normal(size=(500, 3))
    found = envelope(lazy(values), 50, channel=2)
    assert np.array_equal(found.high, values[:, 2].reshape(50, 10).max(axis=1))


def test_a_piece_lies_in_the_middle_of_its_times():
    times = np.cumsum(np.random.default_rng(5).random(11))
    assert np.allclose(
        middles(lazy(times), 4), [(times[0] + times[3]) / 2, (times[4] + times[7]) / 2, (times[8] + times[10]) / 2]
    )
