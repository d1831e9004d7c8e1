"""Recordings of Dataset II with one thing changed."""

import h5py
import numpy as np
import pytest

from nwbridge_allen import example


@pytest.fixture
def recording(tmp_path):
    """Return a function that writes the example with some keys changed (None: removed)."""

    def write(name="100001.h5", **changes):
        path = example(tmp_path).rename(tmp_path / name)
        with h5py.File(path, "a") as file:
            for key, value in changes.items():
                if key in file:
                    del file[key]
                if value is not None:
                    file[key] = value
        return path

    return write


@pytest.fixture
def values(tmp_path_factory):
    """Return the example's own values by key, read with h5py."""
    with h5py.File(example(tmp_path_factory.mktemp("values"))) as file:
        return {key: np.array(data[()]) for key, data in file.items()}
