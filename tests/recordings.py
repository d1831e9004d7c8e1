"""Recordings in memory, and a registry that reads them."""

from contextlib import contextmanager

import numpy as np

from nwbridge import (
    BadSource,
    Channel,
    Device,
    Electrode,
    LazyArray,
    Movie,
    NoOptions,
    Plane,
    Series,
    Session,
    Source,
)
from nwbridge.arrays import from_numpy
from nwbridge.plugins import Plugin, Registry


def lazy(array: np.ndarray, *, parallel: bool = True, fail_at: int | None = None, error: type[Exception] = OSError):
    """A lazy array over one in memory that can be made to fail when entry `fail_at` is read."""

    class Reader:
        def __getitem__(self, key):
            if fail_at is not None and key.start <= fail_at < key.stop:
                raise error("made to fail")
            return array[key]

    @contextmanager
    def open_array():
        yield Reader()

    return LazyArray(array.shape, array.dtype, open_array, parallel)


def registry_of(data: LazyArray, **movie) -> Registry:
    """A registry with one source, `memory`, that describes any path as a movie of `data`."""

    def describe(path, options):
        plane = Plane(rate_hz=30.0)
        element = Movie("TwoPhotonSeries", data, plane, **({"rate_hz": 30.0} | movie))
        return Session("memory", "A movie in memory.", (element,), files=(path,))

    source = Source("memory", "movies in memory", lambda path: "always", describe, lambda folder: folder, NoOptions)
    return Registry((Plugin("memory", "nwbridge-memory", "1", sources=(source,)),))


def several(describers):
    """A registry whose one source finds several recordings in every path."""
    source = Source(
        "many", "several", lambda path: "there are several", lambda path, options: describers, lambda folder: folder
    )
    return Registry((Plugin("many", "nwbridge-many", "1", sources=(source,)),))


def broken():
    """Describes a recording that is damaged."""
    raise BadSource("b.h5 is cut off")


def silent(**changes):
    """A session with a two-photon and a one-photon movie in planes of their own, that states nothing."""

    def movie(name, kind):
        data = from_numpy(np.zeros((5, 30, 50), np.uint16))
        device = Device(f"{name}Microscope")
        return Movie(name, data, Plane(f"{name}Plane", device=device, channels=(Channel(f"{name}Channel"),)), kind=kind)

    voltage = from_numpy(np.zeros(40))
    clamp = Series("Voltage", voltage, "volts", "current clamp", rate_hz=100.0, electrode=Electrode("pipette"))
    return Session("a", "A session.", (movie("Two", "two-photon"), movie("One", "one-photon"), clamp), **changes)
