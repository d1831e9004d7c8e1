"""The contract of processors."""

from typing import ClassVar

from nwbridge.testing import ProcessorContract


class TestDff(ProcessorContract):
    processor = "dff"
    options: ClassVar = {"window": 2.0, "smoothing": 0.1}
    needs = ("numba",)
