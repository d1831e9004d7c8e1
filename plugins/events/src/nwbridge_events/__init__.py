"""Processor `events` and score `spikes`: spikes inferred from fluorescence, and compared with recorded ones.

The inference is a library of its own: ``from nwbridge_events import deconvolve``. It is loaded, and compiled, when
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import nwbridge
from nwbridge_events.options import EventsOptions, SpikesOptions

if TYPE_CHECKING:
    from nwbridge_events.deconvolution import Deconvolved as Deconvolved
    from nwbridge_events.deconvolution import deconvolve as deconvolve
    from nwbridge_events.deconvolution import deconvolve_each as deconvolve_each
    from nwbridge_events.derivative import rectified_derivative as rectified_derivative
    from nwbridge_events.estimation import coefficients as coefficients
    from nwbridge_events.estimation import from_times as from_times
    from nwbridge_events.estimation import noise as noise
    from nwbridge_events.estimation import times as times

_ROOMS = {
    "nwbridge_events.deconvolution": ("Deconvolved", "deconvolve", "deconvolve_each"),
    "nwbridge_events.derivative": ("rectified_derivative",),
    "nwbridge_events.estimation": ("coefficients", "from_times", "noise", "times"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [*sorted(_ROOM_OF), "register_processors", "register_scores"]


def __getattr__(name: str) -> Any:
    if name in _ROOM_OF:
        return getattr(import_module(_ROOM_OF[name]), name)
    raise AttributeError(f"module 'nwbridge_events' has no attribute {name!r}")


def _loaded(room: str, what: str) -> Any:
    """Return a module that needs the compiler, which `nwbridge plugins` does not wait for."""
    try:
        return import_module(f"nwbridge_events.{room}")
    except ModuleNotFoundError as error:
        raise nwbridge.MissingDependency(
            f"{what} needs {error.name}, which is not installed: pip install nwbridge-events brings it"
        ) from error


def _run(elements: tuple[Any, ...], options: EventsOptions) -> Any:
    return _loaded("processing", "events").run(elements, options)


def _score(truth: Any, result: Any, options: SpikesOptions) -> Any:
    return _loaded("scoring", "score spikes").score(truth, result, options)


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "spikes from fluorescence: OASIS with an AR(1) or AR(2) model, or the rectified derivative"
    return [nwbridge.Processor("events", title, (nwbridge.Segmentation,), _run, EventsOptions)]


@nwbridge.hookimpl
def register_scores() -> list[nwbridge.Score]:
    """Offer the one score."""
    title = "inferred spikes against recorded ones: correlation, and detection at 1 % false positives"
    return [nwbridge.Score("spikes", title, _score, SpikesOptions)]
