"""Source and export: results of CaImAn (CNMF, CNMF-E, OnACID) as its HDF5 files hold them."""

import nwbridge
from nwbridge_caiman.choosing import ExportOptions
from nwbridge_caiman.example import example
from nwbridge_caiman.export import TITLE, make
from nwbridge_caiman.layout import Options, describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    return [nwbridge.Source("caiman", "CaImAn results (HDF5)", detect, describe, example, Options)]


@nwbridge.hookimpl
def register_exports() -> list[nwbridge.Export]:
    """Offer the one export."""
    return [nwbridge.Export("caiman", TITLE, make, ExportOptions)]


__all__ = ["Options", "describe", "detect", "example", "register_exports", "register_sources"]
