"""Processor: ΔF/F of every region, with a running baseline."""

from importlib import import_module
from typing import Any

import nwbridge
from nwbridge_dff.options import DffOptions

__all__ = ["DffOptions", "register_processors"]


def _run(elements: tuple[Any, ...], options: DffOptions) -> Any:
    try:
        processing = import_module("nwbridge_dff.processing")  # brings the compiler, when it is needed
    except ModuleNotFoundError as error:
        raise nwbridge.MissingDependency(
            f"dff needs {error.name}, which is not installed: pip install nwbridge-dff brings it"
        ) from error
    return processing.run(elements, options)


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "ΔF/F of every region: a running percentile, a running median or one percentile as the baseline"
    return [nwbridge.Processor("dff", title, (nwbridge.Segmentation,), _run, DffOptions)]
