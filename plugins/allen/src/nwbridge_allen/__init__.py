"""Source: fluorescence and cell-attached recordings of one neuron each, the Allen Institute's Dataset II."""

import nwbridge
from nwbridge_allen.example import example
from nwbridge_allen.layout import describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    title = "Allen Institute Dataset II, fluorescence and spikes of one neuron (HDF5 file, or a folder of them)"
    return [nwbridge.Source("allen", title, detect, describe, example)]


__all__ = ["describe", "detect", "example", "register_sources"]
