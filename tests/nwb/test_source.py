"""The built-in source keeps the contract that every source has to meet."""

import h5py
import pytest

from nwbridge.nwb.source import detect
from nwbridge.testing import SourceContract


class TestNwb(SourceContract):
    source = "nwb"

    def read(self, path):
        with h5py.File(path) as file:
            return {"TwoPhotonSeries": file["acquisition/TwoPhotonSeries/data"][()].transpose(0, 2, 1)}


def test_hdf5_that_states_no_nwb_version_is_left_to_others(tmp_path):
    with h5py.File(tmp_path / "x.nwb", "w") as file:
        file["nwb"] = 1
    assert detect(tmp_path / "x.nwb") is None


@pytest.mark.parametrize("name", ["x.nwb", "x.h5"])
def test_nwb_files_are_known_by_what_they_state_not_by_their_name(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
    assert detect(tmp_path / name) == "HDF5 that states NWB version 2.7.0"
