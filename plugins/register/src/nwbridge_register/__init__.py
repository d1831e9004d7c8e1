"""Processor: rigid motion correction by phase correlation."""

import nwbridge
from nwbridge_register.registering import RegisterOptions, run


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "rigid motion correction by phase correlation"
    return [nwbridge.Processor("register", title, (nwbridge.Movie,), run, RegisterOptions)]


__all__ = ["RegisterOptions", "register_processors", "run"]
