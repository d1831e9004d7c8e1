"""nwbridge turns what microscopes and analysis programs write into NWB files that archives accept.

The public names. They are loaded when first used, so that ``nwbridge --help`` answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nwbridge.version import __version__

if TYPE_CHECKING:
    from nwbridge import arrays as arrays
    from nwbridge.batch.run import convert_all as convert_all
    from nwbridge.batch.told import BatchResult as BatchResult
    from nwbridge.conversion import convert as convert
    from nwbridge.conversion import convert_each as convert_each
    from nwbridge.description import describe as describe
    from nwbridge.description import recordings as recordings
    from nwbridge.errors import Ambiguous as Ambiguous
    from nwbridge.errors import BadMetadata as BadMetadata
    from nwbridge.errors import BadOption as BadOption
    from nwbridge.errors import BadSource as BadSource
    from nwbridge.errors import CannotWrite as CannotWrite
    from nwbridge.errors import InvalidOutput as InvalidOutput
    from nwbridge.errors import MissingDependency as MissingDependency
    from nwbridge.errors import MissingMetadata as MissingMetadata
    from nwbridge.errors import NotRecognized as NotRecognized
    from nwbridge.errors import NwbridgeError as NwbridgeError
    from nwbridge.errors import PluginFault as PluginFault
    from nwbridge.exports import export as export
    from nwbridge.hookspecs import Check as Check
    from nwbridge.hookspecs import Export as Export
    from nwbridge.hookspecs import Processor as Processor
    from nwbridge.hookspecs import Score as Score
    from nwbridge.hookspecs import Scores as Scores
    from nwbridge.hookspecs import Source as Source
    from nwbridge.hookspecs import hookimpl as hookimpl
    from nwbridge.inspection import inspect as inspect
    from nwbridge.model import Channel as Channel
    from nwbridge.model import Column as Column
    from nwbridge.model import Device as Device
    from nwbridge.model import Electrode as Electrode
    from nwbridge.model import Events as Events
    from nwbridge.model import Finding as Finding
    from nwbridge.model import Image as Image
    from nwbridge.model import Images as Images
    from nwbridge.model import Intervals as Intervals
    from nwbridge.model import LazyArray as LazyArray
    from nwbridge.model import Localizations as Localizations
    from nwbridge.model import Movie as Movie
    from nwbridge.model import Parameters as Parameters
    from nwbridge.model import Plane as Plane
    from nwbridge.model import Reader as Reader
    from nwbridge.model import Region as Region
    from nwbridge.model import Segmentation as Segmentation
    from nwbridge.model import Series as Series
    from nwbridge.model import Session as Session
    from nwbridge.model import Step as Step
    from nwbridge.model import Subject as Subject
    from nwbridge.model import Table as Table
    from nwbridge.model import Traces as Traces
    from nwbridge.model import Units as Units
    from nwbridge.options import NoOptions as NoOptions
    from nwbridge.options import option as option
    from nwbridge.processing import process as process
    from nwbridge.processing import process_series as process_series
    from nwbridge.results import Inspection as Inspection
    from nwbridge.results import Result as Result
    from nwbridge.running import progress as progress
    from nwbridge.running import threads as threads
    from nwbridge.scoring import score as score
    from nwbridge.validation import validate as validate

_ROOMS = {
    "nwbridge.batch.run": ("convert_all",),
    "nwbridge.batch.told": ("BatchResult",),
    "nwbridge.conversion": ("convert", "convert_each"),
    "nwbridge.description": ("describe", "recordings"),
    "nwbridge.errors": (
        "Ambiguous",
        "BadMetadata",
        "BadOption",
        "BadSource",
        "CannotWrite",
        "InvalidOutput",
        "MissingDependency",
        "MissingMetadata",
        "NotRecognized",
        "NwbridgeError",
        "PluginFault",
    ),
    "nwbridge.exports": ("export",),
    "nwbridge.hookspecs": ("Check", "Export", "Processor", "Score", "Scores", "Source", "hookimpl"),
    "nwbridge.inspection": ("inspect",),
    "nwbridge.model": (
        "Channel",
        "Column",
        "Device",
        "Electrode",
        "Events",
        "Finding",
        "Image",
        "Images",
        "Intervals",
        "LazyArray",
        "Localizations",
        "Movie",
        "Parameters",
        "Plane",
        "Reader",
        "Region",
        "Segmentation",
        "Series",
        "Session",
        "Step",
        "Subject",
        "Table",
        "Traces",
        "Units",
    ),
    "nwbridge.options": ("NoOptions", "option"),
    "nwbridge.results": ("Inspection", "Result"),
    "nwbridge.processing": ("process", "process_series"),
    "nwbridge.running": ("progress", "threads"),
    "nwbridge.scoring": ("score",),
    "nwbridge.validation": ("validate",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", "arrays", *sorted(_ROOM_OF)]


def __getattr__(name: str) -> Any:
    if name == "arrays":
        return import_module("nwbridge.arrays")
    if name in _ROOM_OF:
        return getattr(import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'nwbridge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
