"""What several tests start from: recordings of the installed sources, and small movies."""

from pathlib import Path

import numpy as np
import pytest

from nwbridge.plugins import installed

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
