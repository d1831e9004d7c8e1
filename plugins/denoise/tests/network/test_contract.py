"""The network meets the contract of processors; how well it denoises is no matter here."""

from typing import ClassVar

import pytest

from nwbridge.testing import ProcessorContract

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


class TestDeepcad(ProcessorContract):
    processor = "denoise"
    options: ClassVar = {
        "method": "deepcad",
        "steps": 6,
        "patch": 16,
        "features": 2,
        "levels": 2,
        "device": "cpu",
        "precision": "float32",
    }
    needs = ("torch",)
    varies = ("seconds_done",)
