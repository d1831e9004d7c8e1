"""Rendering meets the contract of processors."""

from typing import ClassVar

from nwbridge.testing import ProcessorContract


class TestRender(ProcessorContract):
    processor = "render-smlm"
    options: ClassVar = {"magnification": 4}
    needs = ("numba",)
