"""Source: any TIFF movie, or folder or zip of frames, that no other source knows."""

import nwbridge
from nwbridge_tiff.example import example
from nwbridge_tiff.recording import TiffOptions, describe
from nwbridge_tiff.selection import detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source, for what no other source recognizes."""
    title = "any TIFF movie, or frames (file, folder or zip)"
    return [nwbridge.Source("tiff", title, detect, describe, example, TiffOptions, fallback=True)]


__all__ = ["TiffOptions", "describe", "detect", "example", "register_sources"]
