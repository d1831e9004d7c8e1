"""Source and export: Inscopix .isxd files, and the outputs of the CaImAn tool on the IDEAS platform."""

import nwbridge
from nwbridge_ideas.example import example
from nwbridge_ideas.export import TITLE, ExportOptions, make
from nwbridge_ideas.layout import Options, describe, detect


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    title = "Inscopix .isxd files and CaImAn runs on IDEAS (file or folder)"
    return [nwbridge.Source("ideas", title, detect, describe, example, Options)]


@nwbridge.hookimpl
def register_exports() -> list[nwbridge.Export]:
    """Offer the one export."""
    return [nwbridge.Export("isxd", TITLE, make, ExportOptions)]


__all__ = ["Options", "describe", "detect", "example", "register_exports", "register_sources"]
