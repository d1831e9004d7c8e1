"""What several tests start from: recordings of the installed sources, and small movies."""

from pathlib import Path

import numpy as np
import pytest
from recordings import broken, lazy, several

import nwbridge
from nwbridge.plugins import Registry, installed

FRAMES, ROWS, COLUMNS = 23, 37, 53


@pytest.fixture
def neurofinder(tmp_path: Path) -> Path:
    """The example of the neurofinder source."""
    (tmp_path / "neurofinder").mkdir()
    return installed().source("neurofinder")[0].example(tmp_path / "neurofinder")


@pytest.fixture
def deepcad(tmp_path: Path) -> Path:
    """The example of the deepcad source, a zip."""
    (tmp_path / "deepcad").mkdir()
    return installed().source("deepcad")[0].example(tmp_path / "deepcad")


@pytest.fixture
def values() -> np.ndarray:
    """A movie (time, row, column) whose field of view is not square."""
    return np.random.default_rng(5).integers(0, 2**16, (FRAMES, ROWS, COLUMNS)).astype(np.uint16)


@pytest.fixture
def three(values: np.ndarray, tmp_path: Path) -> Registry:
    """A registry with the recordings a, b (which is damaged) and c."""

    def of(name):
        movie = nwbridge.Movie("TwoPhotonSeries", lazy(values), nwbridge.Plane(), rate_hz=7.0)
        return lambda: nwbridge.Session(name, f"Recording {name}.", (movie,))

    (tmp_path / "in").mkdir()
    return several({"a": of("a"), "b": broken, "c": of("c")})
