"""Percentiles beside those of NumPy."""

import numpy as np
import pytest

from nwbridge_denoise.percentiles import percentiles

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.normal(0, 5, (40, 7, 9)),
        RANDOM.integers(30000, 30060, (40, 7, 9)),
        RANDOM.poisson(0.2, (40, 7, 9)) - 1,
        np.append(RANDOM.normal(1e6, 1, 999), [1e30, -1e30]),
        RANDOM.choice([-0.0, 0.0, 1e-40, -1e-40], 500),
        np.full(12, -7.5),
        np.array([2.5]),
        np.array([-1.0, 4.0]),
    ],
    ids=["normal", "far", "few", "hot", "zeros", "constant", "one", "two"],
)
def test_percentiles_are_those_of_numpy(values):
    values = values.astype(np.float32)
    percents = (0, 3, 50, 97, 100)
    found = percentiles(lambda: np.array_split(values, 3), percents)
    np.testing.assert_allclose(found, np.percentile(values.astype(float), percents), rtol=1e-12, atol=1e-50)
