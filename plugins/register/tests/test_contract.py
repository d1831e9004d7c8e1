"""Registration meets the contract of processors."""

from nwbridge.testing import ProcessorContract


class TestRegister(ProcessorContract):
    processor = "register"
