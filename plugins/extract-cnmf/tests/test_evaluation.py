"""Quality of components whose quality is known."""

import numpy as np
import pytest
from scipy import sparse

from nwbridge_extract_cnmf import evaluation
from nwbridge_extract_cnmf.movies import ArrayMovie
from nwbridge_extract_cnmf.parameters import preset
from nwbridge_extract_cnmf.patches import tiles


def test_snr_is_the_largest_transient_over_the_noise():
    traces = np.random.default_rng(0).normal(0, 2, (3, 4000)).astype(np.float32)
    traces[0, 100:104] += 40
    traces[2] = 5
    found = evaluation.snr_of(traces, 4)
    assert found[0] == pytest.approx(20, rel=0.15)
    assert found[1] < 4
    assert found[2] == 0


@pytest.mark.parametrize("side", [5, 100])
def test_a_footprint_that_is_seen_when_it_is_active_is_consistent_and_another_is_not(side):
    rng = np.random.default_rng(1)
    trace = np.zeros((1, 300), np.float32)
    for at in (40, 130, 220):
        trace[0, at : at + 10] = np.exp(-np.arange(10) / 4)
    image = np.zeros((17, 23), np.float32)
    image[5:9, 8:13] = rng.random((4, 5)) + 0.5
    movie = ArrayMovie.of([rng.normal(10, 0.1, (300, 17, 23)) + trace[0][:, None, None] * image])
    elsewhere = np.roll(image, (8, 6), (0, 1))
    footprints = sparse.csc_matrix(np.stack([image.ravel(), elsewhere.ravel(), 0 * image.ravel()], axis=1))
    found = evaluation.consistency(movie, footprints, np.repeat(trace, 3, axis=0), tiles((17, 23), side, 0), 5)
    assert found[0] > 0.95
    assert abs(found[1]) < 0.5
    assert found[2] == 0


def test_largest_transients_come_first_and_apart():
    trace = np.zeros(100, np.float32)
    trace[[20, 22, 60, 90]] = 5, 4, 9, 1
    assert evaluation.peaks_of(trace, 3).tolist() == [60, 20]
    assert not len(evaluation.peaks_of(np.zeros(9, np.float32), 3))


def test_each_threshold_accepts_or_rejects():
    snr, r = np.array([3, 1, 3, 0.1, 1]), np.array([0.5, 0.9, 0.1, 0.9, 0.5])
    assert evaluation.accepted(snr, r, preset("1p")).tolist() == [True, True, False, False, False]
    for other, number in (
        ({"min_SNR": 3.5}, 0),
        ({"rval_thr": 0.95}, 1),
        ({"rval_lowest": 0.05}, 2),
        ({"SNR_lowest": 0.05}, 3),
    ):
        changed = evaluation.accepted(snr, r, preset("1p", **other))
        assert np.flatnonzero(changed != evaluation.accepted(snr, r, preset("1p"))).tolist() == [number]


def test_sizes_are_diameters_in_micrometres():
    y, x = np.indices((41, 41)) - 20
    disc = sparse.csc_matrix((np.hypot(y, x) <= 10).reshape(-1, 1).astype(np.float32))
    assert evaluation.sizes_of(disc, (1.0, 1.0)) == pytest.approx([20], rel=0.05)
    assert evaluation.sizes_of(disc, (2.0, 0.5)) == pytest.approx([20], rel=0.05)
    assert evaluation.sizes_of(disc, (2.0, 2.0)) == pytest.approx([10], rel=0.05)
