"""The ring model beside ridge regression written out, and blocks of pixels beside loops."""

import numpy as np
import pytest
from scipy import sparse

from nwbridge_extract_cnmf.grounds import RingGround
from nwbridge_extract_cnmf.ring import SPREAD, Ring, block_means, joined, shorter, spread
from nwbridge_extract_cnmf.signals import noise_of

MOVIE = np.random.default_rng(0).normal(10, 2, (7 * 11, 30)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 40])
def test_blocks_are_means_of_the_pixels_there_are(block):
    picture = MOVIE.reshape(7, 11, 30)
    expected = np.array(
        [
            picture[y : y + block, x : x + block].mean(axis=(0, 1))
            for y in range(0, 7, block)
            for x in range(0, 11, block)
        ]
    )
    found, grid = block_means(MOVIE, (7, 11), block)
    assert grid == (-(-7 // block), -(-11 // block))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    back = spread(found, grid, block, (7, 11)).reshape(7, 11, 30)
    for y in range(7):
        for x in range(11):
            np.testing.assert_array_equal(back[y, x], found[(y // block) * grid[1] + x // block])


def test_longer_movies_are_averaged_down():
    assert shorter(MOVIE, 30) is MOVIE
    np.testing.assert_allclose(shorter(MOVIE, 8), MOVIE[:, :28].reshape(77, 7, 4).mean(axis=2), rtol=1e-6)


def test_weights_are_a_ridge_regression_towards_the_mean_of_the_ring():
    movie, grid = MOVIE - MOVIE.mean(axis=1, keepdims=True), (7, 11)
    ring = Ring.of_radius(2.5, 1)
    weights = ring.fit(movie, grid).toarray()
    power = float(np.median(noise_of(movie) ** 2))
    for block in (0, 38, 76):
        row, col = divmod(block, 11)
        inside = np.array([y * 11 + x for y in range(7) for x in range(11) if 2.5 <= np.hypot(y - row, x - col) < 3.5])
        rows, count = movie[inside].astype(float), len(inside)
        gram = rows @ rows.T
        ridge = power * (count / SPREAD) ** 2 + 1e-6 * np.trace(gram) / count
        wanted = rows @ movie[block] + ridge / count
        np.testing.assert_allclose(
            weights[block, inside], np.linalg.solve(gram + ridge * np.eye(count), wanted), rtol=2e-3, atol=1e-5
        )
        assert np.count_nonzero(weights[block]) == count


def test_the_background_of_a_movie_without_cells_is_recovered():
    rng = np.random.default_rng(1)
    y, x = np.indices((40, 52))
    courses = np.cumsum(rng.normal(size=(3, 400)), axis=1)
    images = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 600) for a, b in ((5, 9), (30, 20), (20, 50))]
    truth = 500 + np.tensordot(np.reshape(images, (3, -1)).T, courses, 1)
    movie = (truth + rng.normal(0, 3, truth.shape)).astype(np.float32)
    nothing = sparse.csc_matrix((movie.shape[0], 0), dtype=np.float32), np.zeros((0, 400), np.float32)
    ground = RingGround.of(movie, (40, 52), *nothing, Ring.of_radius(8, 2), 2)
    found = ground.movie()
    assert (
        np.corrcoef((found - ground.constant[:, None]).ravel(), (truth - truth.mean(axis=1)[:, None]).ravel())[0, 1]
        > 0.99
    )
    np.testing.assert_allclose(ground.times(courses.astype(np.float32)), found @ courses.T, rtol=1e-3, atol=5)
    footprint = sparse.csc_matrix(rng.random((2080, 2)).astype(np.float32))
    np.testing.assert_allclose(ground.under(footprint), footprint.T @ found, rtol=1e-3)


@pytest.mark.parametrize(("radius", "block"), [(0.3, 1), (2, 40), (900, 1)])
def test_a_ring_smaller_than_a_block_or_larger_than_the_field_still_gives_weights(radius, block):
    weights = Ring.of_radius(radius, block).fit(MOVIE, (7, 11))
    assert weights.shape == (77, 77)
    assert np.isfinite(weights.data).all()
    assert (weights.nnz > 0) == (radius < 900)


def test_weights_of_rectangles_are_joined_on_the_blocks_of_the_field():
    left = sparse.csr_matrix(([1.0], ([0], [1])), (4, 4))
    right = sparse.csr_matrix(([2.0], ([1], [0])), (4, 4))
    total, grid = joined([(slice(0, 4), slice(0, 4), left), (slice(0, 4), slice(4, 7), right)], (4, 7), 2)
    assert grid == (2, 4)
    expected = np.zeros((8, 8))
    expected[0, 1], expected[3, 2] = 1, 2
    np.testing.assert_array_equal(total.toarray(), expected)
