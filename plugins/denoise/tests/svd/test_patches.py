"""Patches cover a field of view, whatever its size, and their weights blend without an edge."""

import numpy as np
import pytest

from nwbridge_denoise.svd.patches import grid

SIZES = [((30, 47), 8), ((8, 9), 8), ((5, 40), 16), ((1, 3), 8), ((33, 17), 16)]


@pytest.mark.parametrize(("shape", "patch"), SIZES)
def test_every_pixel_is_in_a_patch_and_no_patch_leaves_the_field(shape, patch):
    covered = np.zeros(shape, int)
    laid = grid(shape, patch)
    for row in laid.rows:
        for column in laid.columns:
            assert 0 <= row <= shape[0] - laid.size[0]
            assert 0 <= column <= shape[1] - laid.size[1]
            covered[row : row + laid.size[0], column : column + laid.size[1]] += 1
    assert covered.min() >= 1
    assert laid.size == (min(patch, shape[0]), min(patch, shape[1]))
    assert laid.weight().min() > 0


def test_patches_overlap_by_half_inside():
    laid = grid((40, 24), 8)
    assert laid.rows == (0, 4, 8, 12, 16, 20, 24, 28, 32)
    assert laid.columns == (0, 4, 8, 12, 16)


def test_weight_is_the_sum_of_the_windows():
    laid = grid((19, 26), 8)
    expected = np.zeros((19, 26))
    bell = np.sin(np.pi * np.arange(1, 9) / 9) ** 2
    for row in laid.rows:
        for column in laid.columns:
            expected[row : row + 8, column : column + 8] += np.outer(bell, bell)
    np.testing.assert_allclose(laid.weight(), expected, rtol=1e-5)


@pytest.mark.parametrize("most", [1, 8, 13, 20, 999])
def test_bands_hold_each_row_of_patches_once(most):
    laid = grid((37, 12), 8)
    bands = list(laid.bands(most))
    assert [row for rows, _ in bands for row in rows] == list(laid.rows)
    for rows, span in bands:
        assert span == slice(rows[0], rows[-1] + 8)
        assert span.stop - span.start <= max(most, 8)
