"""Fixtures that pytest offers wherever nwbridge is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real recordings, named by the variable NWBRIDGE_SAMPLES; skips where it is not set."""
    folder = os.environ.get("NWBRIDGE_SAMPLES")
    if not folder:
        pytest.skip("NWBRIDGE_SAMPLES does not name a folder of real recordings")
    return Path(folder)
