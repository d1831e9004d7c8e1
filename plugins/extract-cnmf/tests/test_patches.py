"""Patches and tiles cover the field once."""

import threading

import numpy as np
import pytest

from nwbridge_extract_cnmf.patches import in_order, overlapping, tiles


def check(patches, shape, block):
    seen = np.zeros(shape, int)
    for patch in patches:
        seen[patch.core_rows, patch.core_cols] += 1
        assert patch.core().sum() == patch.core_shape[0] * patch.core_shape[1] > 0
        inside = np.arange(shape[0] * shape[1]).reshape(shape)[patch.core_rows, patch.core_cols]
        np.testing.assert_array_equal(patch.pixels(shape[1])[patch.core().ravel()], inside.ravel())
        for part in (patch.rows, patch.cols, patch.core_rows, patch.core_cols):
            assert part.start % block == 0
    assert (seen == 1).all()
    assert len({(patch.core_rows.start, patch.core_cols.start) for patch in patches}) == len(patches)


@pytest.mark.parametrize("block", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(1, 43), (31, 1), (9, 37), (64, 50), (101, 8)])
def test_cores_of_patches_cover_the_field_once(shape, block):
    for rf in (None, 4, 7, 12, 60):
        for stride in (0, 1, 5, 7):
            check(overlapping(shape, rf, stride, block), shape, block)


@pytest.mark.parametrize("block", [1, 2, 5])
def test_cores_of_tiles_cover_the_field_once_and_halos_lie_around_them(block):
    for shape in ((1, 43), (31, 17), (64, 50)):
        for side, halo in ((5, 3), (16, 0), (100, 9)):
            found = tiles(shape, side, halo, block)
            check(found, shape, block)
            assert all(tile.rows.start == 0 or tile.core_rows.start - tile.rows.start >= halo for tile in found)


def test_patches_overlap_by_the_stride():
    first, second = overlapping((20, 100), 20, 10)[:2]
    assert first.cols == slice(0, 40)
    assert second.cols == slice(30, 70)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_work_comes_in_order_and_no_more_at_a_time_than_workers(workers):
    running, most, lock = [0], [0], threading.Lock()

    def work(task):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.001)
        with lock:
            running[0] -= 1
        return task * task

    told = []
    assert list(in_order(work, range(9), workers, lambda *both: told.append(both))) == [n * n for n in range(9)]
    assert most[0] <= workers
    assert told == [(n, 9) for n in range(10)]


def test_a_failure_of_work_comes_through():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda n: 1 / n, [1, 0, 1], 2, lambda done, total: None))
