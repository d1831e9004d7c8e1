"""Source: DL-SMLM, paired widefield and single-molecule localization microscopy of cultured cells."""

import nwbridge
from nwbridge_dl_smlm.example import example
from nwbridge_dl_smlm.recording import SmlmOptions, describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    title = "DL-SMLM widefield and localization microscopy (cell or structure, folder or zip)"
    return [nwbridge.Source("dl-smlm", title, detect, describe, example, SmlmOptions)]


__all__ = ["describe", "detect", "example", "register_sources"]
