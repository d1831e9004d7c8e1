"""Extraction meets the contract of processors."""

from typing import ClassVar

from nwbridge.testing import ProcessorContract


class TestExtractCnmf(ProcessorContract):
    processor = "extract-cnmf"
    options: ClassVar = {"K": "6", "tsub": 1, "rf": "12", "stride": 8}
    needs = ("scipy",)
