"""The contract of processors, on a file that pynwb wrote."""

from typing import ClassVar

import pytest

from nwbridge.testing import ProcessorContract


class _Events(ProcessorContract):
    processor = "events"
    needs = ("numba",)

    @pytest.fixture(autouse=True)
    def _with(self, lab):
        type(self).lab = lab

    def example(self, folder):
        return self.lab.write(folder / "example.nwb", self.lab.traces_of(self.lab.spikes_of()), self.lab.spikes_of())


class TestAr2(_Events):
    options: ClassVar = {"method": "oasis-ar2"}


class TestAr1(_Events):
    options: ClassVar = {"method": "oasis-ar1", "s_min": 2.0}


class TestDerivative(_Events):
    options: ClassVar = {"method": "derivative"}
    needs = ()
