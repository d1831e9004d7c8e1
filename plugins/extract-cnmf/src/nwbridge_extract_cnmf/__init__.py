"""Processor `extract-cnmf`: cells found in calcium movies by CNMF (two-photon) and CNMF-E (one-photon).

The extraction is a library of its own, for arrays: ``from nwbridge_extract_cnmf import extract, preset``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import nwbridge
from nwbridge_extract_cnmf.options import ExtractOptions

if TYPE_CHECKING:
    from nwbridge_extract_cnmf.deconvolution import deconvolve as deconvolve
    from nwbridge_extract_cnmf.extraction import Extraction as Extraction
    from nwbridge_extract_cnmf.extraction import extract as extract
    from nwbridge_extract_cnmf.movies import BadMovie as BadMovie
    from nwbridge_extract_cnmf.parameters import BadParameters as BadParameters
    from nwbridge_extract_cnmf.parameters import Parameters as Parameters
    from nwbridge_extract_cnmf.parameters import preset as preset
    from nwbridge_extract_cnmf.simulated import matched as matched
    from nwbridge_extract_cnmf.simulated import simulate as simulate

_ROOMS = {
    "deconvolution": ("deconvolve",),
    "extraction": ("Extraction", "extract"),
    "movies": ("BadMovie",),
    "parameters": ("BadParameters", "Parameters", "preset"),
    "simulated": ("matched", "simulate"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["ExtractOptions", *sorted(_ROOM_OF), "register_processors"]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(f"nwbridge_extract_cnmf.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module 'nwbridge_extract_cnmf' has no attribute {name!r}")


def _step() -> Any:
    """Return the module that needs scipy, which `nwbridge plugins` does not wait for."""
    try:
        return import_module("nwbridge_extract_cnmf.step")
    except ModuleNotFoundError as error:
        raise nwbridge.MissingDependency(
            f"extract-cnmf needs {error.name}, which is not installed: pip install nwbridge-extract-cnmf brings it"
        ) from error


def _run(elements: tuple[Any, ...], options: ExtractOptions) -> Any:
    return _step().run(elements, options)


def _run_together(series: Any, options: ExtractOptions) -> Any:
    return _step().run_together(series, options)


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "cells and their activity: CNMF for two-photon movies, CNMF-E for one-photon ones"
    return [
        nwbridge.Processor("extract-cnmf", title, (nwbridge.Movie,), _run, ExtractOptions, run_together=_run_together)
    ]
