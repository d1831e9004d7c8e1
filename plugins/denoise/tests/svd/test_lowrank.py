"""One patch beside NumPy's SVD, convolution and what is known of noise."""

import numpy as np
import pytest

from nwbridge_denoise.svd import lowrank

FRAMES, ROWS, COLUMNS = 640, 6, 9
PIXELS = ROWS * COLUMNS


def noise(seed=1):
    return np.random.default_rng(seed).normal(size=(FRAMES, PIXELS)).astype(np.float32)


def slow(rank, seed=2):
    """Activity that changes slowly, of `rank` components of equal size that are orthogonal over space."""
    random = np.random.default_rng(seed)
    footprints = np.linalg.qr(random.normal(size=(PIXELS, rank)))[0]
    time = np.arange(FRAMES)[:, None]
    activity = np.sin(2 * np.pi * time / random.uniform(60, 120, rank) + random.uniform(0, 6, rank))
    return (8 * activity @ footprints.T).astype(np.float32)


def snr(truth, estimate):
    return 10 * np.log10((truth**2).sum() / ((truth - estimate) ** 2).sum())


def test_noise_is_measured_whatever_lies_below_it():
    for deviation in (0.5, 3):
        variance = lowrank.noise_variance(slow(3) * 2 + deviation * noise())
        assert variance.mean() == pytest.approx(deviation**2, rel=0.03)


def test_noise_alone_stays_below_the_edge_and_gives_nothing():
    for seed in range(5):
        values, count = lowrank.binned(noise(seed))
        eigenvalues = np.linalg.svd(values, compute_uv=False) ** 2 / len(values)
        assert eigenvalues[0] < 1.15 * lowrank.noise_edge(PIXELS, len(values)) / count
        estimate, rank = lowrank.pilot_patch(noise(seed), (ROWS, COLUMNS), 0.0, None)
        assert rank <= 1
        assert (estimate**2).mean() < 0.02


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_finds_as_many_components_as_there_are(rank):
    assert lowrank.pilot_patch(slow(rank) + noise(), (ROWS, COLUMNS), 0.0, None)[1] == rank


def test_components_are_those_of_numpys_svd():
    values = slow(4) + noise()
    eigenvalues, vectors = lowrank._components(values)
    _, singular, rows = np.linalg.svd(values.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(eigenvalues, singular**2 / FRAMES, rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(vectors[:, :4].T * rows[:4], axis=1)), 1, atol=1e-3)


def test_the_pilot_is_better_than_numpys_truncated_svd():
    truth = slow(3)
    values = truth + noise()
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    truncated = (left[:, :3] * singular[:3]) @ right[:3]
    pilot, _ = lowrank.pilot_patch(values, (ROWS, COLUMNS), 0.0, None)
    assert snr(truth, truncated) > snr(truth, values) + 8
    assert snr(truth, pilot) > snr(truth, truncated) + 3


def test_the_second_filter_is_no_worse_than_the_pilot():
    truth = slow(3)
    values = truth + noise()
    pilot, _ = lowrank.pilot_patch(values, (ROWS, COLUMNS), 0.0, None)
    learnt = lowrank.learn(values, pilot, None)
    padded = np.pad(values, ((lowrank.HALO, lowrank.HALO), (0, 0)), mode="reflect")
    assert snr(truth, learnt.apply(padded)) > snr(truth, pilot) - 0.3
    np.testing.assert_allclose(learnt.components.T @ learnt.components, np.eye(learnt.components.shape[1]), atol=1e-5)


def test_a_filter_is_projection_and_convolution_written_out():
    random = np.random.default_rng(4)
    components = np.linalg.qr(random.normal(size=(PIXELS, 5)))[0].astype(np.float32)
    kernels = random.normal(size=(2 * lowrank.HALO + 1, 5)).astype(np.float32)
    values = random.normal(size=(70 + 2 * lowrank.HALO, PIXELS)).astype(np.float32)
    activity = [np.convolve(values @ components[:, n], kernels[:, n], "valid") for n in range(5)]
    expected = np.array(activity).T @ components.T
    np.testing.assert_allclose(lowrank.Filter(components, kernels).apply(values), expected, atol=2e-4)


def test_kernels_look_as_far_back_as_ahead():
    values = slow(2) + noise()
    kernels = lowrank.learn(values, slow(2), None).kernels
    np.testing.assert_allclose(kernels, kernels[::-1], atol=1e-5)
    assert (kernels.sum(axis=0) < 1.05).all()


@pytest.mark.parametrize("rank", [1, 2, 99])
def test_a_rank_that_is_given_bounds_the_components(rank):
    values = slow(4) + noise()
    pilot, kept = lowrank.pilot_patch(values, (ROWS, COLUMNS), 0.7, rank)
    assert kept == min(rank, PIXELS)
    assert lowrank.learn(values, pilot, rank).components.shape[1] <= rank
