"""An NWB file that is being read, and the one function that turns what it holds into elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import singledispatch
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from hdmf.container import AbstractContainer
from pynwb import NWBFile, TimeSeries

from nwbridge.arrays.movies import hdf5_view
from nwbridge.errors import BadSource
from nwbridge.model import LazyArray, Reader
from nwbridge.nwb.facts import UNDESCRIBED

LAZY = 8 << 20  # bytes of a column; what is larger is not read into memory


@dataclass
class Stored:
    """An open file, and what of it has become elements: the one record that grows while a file is read."""

    path: Path
    file: NWBFile
    rows_first: bool = False  # movies are stored (time, row, column), against the standard
    carried: list[AbstractContainer] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)  # object id -> why it is not carried
    said: list[str] = field(default_factory=list)  # what parts of elements are not carried, or named in another way
    names: dict[str, int] = field(default_factory=dict)  # of elements -> identity of the container

    def carry(self, *containers: AbstractContainer) -> None:
        """Note that containers, with all that they hold, have become part of an element."""
        self.carried += containers

    def leave(self, container: AbstractContainer, why: Exception | str) -> None:
        """Note why a container cannot become an element."""
        self.troubles[container.object_id] = why if isinstance(why, str) else reason(why)

    def say(self, message: str) -> None:
        """Note what part of an element is not carried, or not as it was."""
        if message not in self.said:
            self.said.append(message)

    def name(self, container: AbstractContainer) -> str:
        """Return a name that no other element has: NWB wants names to be unique in a group only."""
        plain = str(container.name).replace("/", "_").replace(":", "_")
        longer = plain if container.parent is None else f"{container.parent.name}_{plain}".replace("/", "_")
        numbered = (f"{longer}_{number}" for number in itertools.count(2))
        for name in itertools.chain((plain, longer), numbered):
            if self.names.setdefault(name, id(container)) == id(container):
                break
        if name != container.name:
            self.say(f"{container.name} of {getattr(container.parent, 'name', 'the file')} is carried over as {name}")
        return name

    def array(self, data: Any, axes: Sequence[int] | None = None) -> LazyArray:
        """Return stored values with axis i of the array being axis ``axes[i]`` of the data set."""
        dataset = dataset_of(data)
        order = tuple(axes) if axes is not None else tuple(range(dataset.ndim))
        return hdf5_view(self.path, dataset.name, tuple(dataset.shape[axis] for axis in order), dataset.dtype, order)

    def clock(self, series: TimeSeries) -> dict[str, Any]:
        """Return rate and start, or timestamps, of a series in the words of the model."""
        if series.timestamps is not None:
            return {"timestamps": self.array(series.timestamps)}
        return {"rate_hz": number(series.rate), "start_s": float(series.starting_time or 0.0)}


def dataset_of(data: Any) -> h5py.Dataset:
    """Return the HDF5 data set behind what pynwb gives."""
    found = data if isinstance(data, h5py.Dataset) else getattr(data, "dataset", None)  # hdmf has texts decoded already
    if not isinstance(found, h5py.Dataset):
        raise BadSource("a data set is missing")
    return h5py.Dataset(found.id)


def values_of(data: Any) -> npt.NDArray[Any]:
    """Return stored values; text as text."""
    if isinstance(data, h5py.Dataset):
        data = dataset_of(data)
        return np.asarray(data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()])
    return np.asarray(data[:])


def number(value: Any) -> float | None:
    """Return a known number; NaN says that nobody knows it."""
    return None if value is None or np.isnan(value) else float(value)


def positive(value: Any) -> float | None:
    """Return a known number of what cannot be 0, as other programs write where they do not know it."""
    known = number(value)
    return known if known is not None and 0 < known < math.inf else None


def micrometres(metres: float) -> float:
    """Return the shortest number of micrometres that is stored as so many metres."""
    for digits in range(1, 18):
        um = f"{metres * 1e6:.{digits}g}"
        if float(um) * 1e-6 == metres or (digits < 12 and float(Decimal(um).scaleb(-6)) == metres):
            return float(um)
    return float(metres) * 1e6


def text(value: Any) -> str | None:
    """Return known words."""
    return None if value in (None, "", "unknown", "not described by the source", UNDESCRIBED) else str(value)


def reason(error: Exception) -> str:
    """Return in one line what a library says; hdmf quotes errors in errors, and the innermost one says it."""
    _, nested, words = " ".join(str(error).split()).rpartition(" due to: ")
    end = words.rstrip(")")
    if nested and end and end[-1] in "\"'" and end.count(end[-1]) % 2:
        words = end[:-1]
    return words[-200:] or type(error).__name__


def as_row(values: LazyArray) -> LazyArray:
    """Return (1, n) of (n,)."""

    class Row:
        def __init__(self, reader: Reader) -> None:
            self.reader = reader

        def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
            return np.asarray(self.reader[0 : values.shape[0]])[np.newaxis][key]

    @contextmanager
    def opened() -> Iterator[Reader]:
        with values.open() as reader:
            yield Row(reader)

    return LazyArray((1, *values.shape), values.dtype, opened)


@singledispatch
def elements(container: Any, stored: Stored) -> Iterator[Any]:
    """Yield the elements that a container holds; register a function for each type."""
    yield from ()
