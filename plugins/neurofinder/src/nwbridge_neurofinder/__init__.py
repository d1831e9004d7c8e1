"""Source: data sets of the neurofinder challenge, in the current and in the older binary layout."""

import nwbridge
from nwbridge_neurofinder.example import example
from nwbridge_neurofinder.layout import describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    return [nwbridge.Source("neurofinder", "neurofinder data sets (folder or zip)", detect, describe, example)]


__all__ = ["describe", "detect", "example", "register_sources"]
