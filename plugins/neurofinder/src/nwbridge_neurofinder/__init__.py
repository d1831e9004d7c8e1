"""Data sets of the neurofinder challenge, in the current and in the older layout; its scores and its submissions."""

import nwbridge
from nwbridge_neurofinder.example import example
from nwbridge_neurofinder.export import ExportOptions, make
from nwbridge_neurofinder.layout import describe, detect
from nwbridge_neurofinder.score import ScoreOptions, score


@nwbridge.hookimpl
def register_sources() -> list[nwbridge.Source]:
    """Offer the one source."""
    return [nwbridge.Source("neurofinder", "neurofinder data sets (folder or zip)", detect, describe, example)]


@nwbridge.hookimpl
def register_scores() -> list[nwbridge.Score]:
    """Offer the challenge's scores."""
    return [
        nwbridge.Score("neurofinder", "regions against true ones, as the challenge scores them", score, ScoreOptions)
    ]


@nwbridge.hookimpl
def register_exports() -> list[nwbridge.Export]:
    """Offer the challenge's submission."""
    return [nwbridge.Export("neurofinder", "the challenge's submission (JSON)", make, ExportOptions)]


__all__ = ["describe", "detect", "example", "register_exports", "register_scores", "register_sources"]
