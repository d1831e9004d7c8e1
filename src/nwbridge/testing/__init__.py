"""What a plugin's own tests need: the contracts that sources and processors have to meet, and real samples."""

from nwbridge.testing.contract import SourceContract
from nwbridge.testing.processing import ProcessorContract

__all__ = ["ProcessorContract", "SourceContract"]
