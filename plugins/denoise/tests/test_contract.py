"""Each method meets the contract of processors."""

from typing import ClassVar

from nwbridge.testing import ProcessorContract


class TestGaussian(ProcessorContract):
    processor = "denoise"
    options: ClassVar = {"method": "gaussian"}


class TestSvd(ProcessorContract):
    processor = "denoise"
    options: ClassVar = {"method": "svd"}
