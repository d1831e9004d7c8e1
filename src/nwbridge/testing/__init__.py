"""What a plugin's own tests need: the contract that every source has to meet, and a fixture for real samples."""

from nwbridge.testing.contract import SourceContract

__all__ = ["SourceContract"]
