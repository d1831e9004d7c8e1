"""Source: DeepCAD two-photon recordings, a low-SNR and a high-SNR movie of the same tissue."""

import nwbridge
from nwbridge_deepcad.example import example
from nwbridge_deepcad.recording import DeepcadOptions, describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    title = "DeepCAD two-photon recordings (zip, folder or TIFF)"
    return [nwbridge.Source("deepcad", title, detect, describe, example, DeepcadOptions)]


__all__ = ["describe", "detect", "example", "register_sources"]
