"""Segments and chunks: the same values whatever is asked for, with any number of threads, bands and pieces of time."""

import itertools

import numpy as np
import pytest

from nwbridge import arrays
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.svd import segments as module
from nwbridge_denoise.svd.patches import grid
from nwbridge_denoise.svd.segments import OVERLAP, SEGMENT, Choice, Denoised, segments

CHOICE = Choice(8, 0.7)


def scene(count=300, rows=20, columns=27, seed=6):
    """Spots whose light decays after random flashes; truth and photon counts."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    truth = np.full((count, rows, columns), 2.0)
    for _ in range(9):
        row, column = random.uniform(0, rows), random.uniform(0, columns)
        spot = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 10)
        flashes = np.convolve(random.random(count) < 0.02, np.exp(-np.arange(60) / 15))[:count]
        truth += 6 * spot * (0.2 + flashes)[:, None, None]
    return truth, random.poisson(truth).astype(np.uint16)


def denoised(movie, threads=1):
    return Denoised(Frames(arrays.from_numpy(movie)), grid(movie.shape[1:], 8), CHOICE, threads)


def whole(movie, **more):
    return denoised(movie, **more).read(0, len(movie))


@pytest.mark.parametrize("count", [8, 1000, 1024, 1400, 1600, 5000, 20000, 20001])
def test_segments_cover_the_movie_and_their_shares_add_up(count):
    spans = segments(count)
    assert spans[0][0] == 0
    assert spans[-1][1] == count
    assert all(stop - start <= 1.5 * SEGMENT for start, stop in spans)
    assert all(before[1] - after[0] == OVERLAP for before, after in itertools.pairwise(spans))
    holder = Denoised.__new__(Denoised)
    holder.segments = spans
    total = np.zeros(count)
    for number, (start, stop) in enumerate(spans):
        share = holder._share(number, np.arange(count))
        assert not share[:start].any()
        assert not share[stop:].any()
        total += share
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_the_result_is_the_same_in_whatever_blocks_and_order():
    _, movie = scene()
    expected = whole(movie)
    assert expected.dtype == np.float32
    for size in (1, 50, 129):
        again = denoised(movie)
        starts = range(0, 300, size)
        blocks = {start: again.read(start, min(start + size, 300)) for start in reversed(starts)}
        np.testing.assert_array_equal(np.concatenate([blocks[start] for start in starts]), expected)


def test_the_result_is_the_same_with_any_number_of_threads():
    _, movie = scene()
    np.testing.assert_array_equal(whole(movie, threads=3), whole(movie))


def test_bands_of_rows_change_nothing(monkeypatch):
    _, movie = scene()
    expected = whole(movie)
    monkeypatch.setattr(module, "BAND", 1)
    np.testing.assert_allclose(whole(movie), expected, atol=1e-3)


def test_pieces_of_time_leave_no_seam(monkeypatch):
    truth, movie = scene(600)
    one = whole(movie)
    monkeypatch.setattr(module, "SEGMENT", 256)
    pieces = denoised(movie)
    assert len(pieces.segments) == 4
    several = pieces.read(0, 600)
    errors = [((result - truth) ** 2).mean() for result in (one, several)]
    assert errors[1] < 1.6 * errors[0]
    change = np.abs(np.diff(several.mean(axis=(1, 2))))
    borders = [start for start, _ in pieces.segments[1:]]
    assert change[np.array(borders) - 1].max() <= change.max()
    assert change.max() < 2 * np.abs(np.diff(one.mean(axis=(1, 2)))).max()


def test_is_much_nearer_to_the_truth_and_as_bright():
    truth, movie = scene()
    result = whole(movie)
    assert ((result - truth) ** 2).mean() < ((movie - truth) ** 2).mean() / 20
    assert result.mean() == pytest.approx(movie.mean(), rel=1e-3)


@pytest.mark.parametrize("shape", [(8, 3, 3), (9, 1, 40), (33, 64, 1), (129, 9, 13), (200, 10, 12)])
def test_every_pixel_keeps_its_mean(shape):
    random = np.random.default_rng(2)
    signal = 10 + 8 * np.sin(np.arange(shape[0]) / 7)[:, None, None] * (random.random((1, *shape[1:])) > 0.7)
    movie = random.poisson(signal).astype(np.int16)
    np.testing.assert_allclose(whole(movie).mean(axis=0, dtype=float), movie.mean(axis=0), rtol=1e-5)


def test_beyond_its_ends_a_movie_is_mirrored():
    for count, start, stop in ((200, 0, 100), (200, 128, 200), (300, 128, 256), (20, 0, 20), (130, 128, 130)):
        movie = np.random.default_rng(1).poisson(9, (count, 2, 3)).astype(np.float32)
        halo = 64
        padded = np.pad(movie, ((halo, halo), (0, 0), (0, 0)), mode="symmetric")
        found = module._with_halo(Frames(arrays.from_numpy(movie)), start, stop)
        np.testing.assert_array_equal(found, padded[start : stop + 2 * halo])


def test_pixels_that_never_change_stay_what_they_are():
    _, movie = scene()
    movie[:, :3] = 0
    movie[:, :, -2:] = 77
    result = whole(movie)
    assert np.abs(result[:, :3, :-2]).max() < 0.05
    assert np.abs(result[:, :, -2:] - 77).max() < 0.05


def test_a_constant_movie_stays_constant():
    movie = np.full((40, 9, 13), 5, np.uint8)
    np.testing.assert_array_equal(whole(movie), movie)


@pytest.mark.parametrize("shape", [(8, 9, 13), (9, 1, 5), (30, 3, 40)])
def test_short_and_narrow_movies_are_denoised_too(shape):
    movie = np.random.default_rng(2).poisson(9, shape).astype(np.int16)
    result = whole(movie)
    assert result.shape == shape
    assert np.isfinite(result).all()
    assert result.var() < movie.var()


def test_statistics_are_mean_and_noise():
    _, movie = scene()
    mean, deviation = module.statistics(Frames(arrays.from_numpy(movie)), 20, 290)
    np.testing.assert_allclose(mean, movie[20:290].mean(axis=0), rtol=1e-5)
    assert np.median(deviation**2 / movie[20:290].mean(axis=0)) == pytest.approx(1, rel=0.15)  # of photons
