"""Copies of the example with some members changed."""

import h5py
import pytest

from nwbridge_caiman import example
from nwbridge_caiman.example import put


@pytest.fixture
def edited(tmp_path):
    """Write the example, with members replaced by values, or removed (...), and return its path."""

    def edit(changes=None, **more):
        path = example(tmp_path)
        with h5py.File(path, "r+") as file:
            for name, value in ((changes or {}) | more).items():
                group, _, key = name.rpartition("/")
                holder = file.require_group(group) if group else file
                if key in holder:
                    del holder[key]
                holder.attrs.pop(key, None)
                if value is not ...:
                    put(holder, key, value)
        return path

    return edit
