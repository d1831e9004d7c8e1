"""An NWB file that is being read, and the one function that turns what it holds into elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from hdmf.container import AbstractContainer
from pynwb import NWBFile, TimeSeries

from nwbridge.arrays.movies import hdf5_view
from nwbridge.model import LazyArray
from nwbridge.nwb.facts import stated

LAZY = 8 << 20  # bytes of a column; what is larger is not read into memory


@dataclass
class Stored:
    """An open file, and what of it has become elements: the one record that grows while a file is read."""

    path: Path
    file: NWBFile
    carried: list[AbstractContainer] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)  # object id -> why it is not carried

    def carry(self, *containers: AbstractContainer) -> None:
        """Note that containers, with all that they hold, have become part of an element."""
        self.carried += containers

    def leave(self, container: AbstractContainer, why: str) -> None:
        """Note why a container cannot become an element."""
        self.troubles[container.object_id] = why

    def array(self, data: Any, axes: Sequence[int] | None = None) -> LazyArray:
        """Return stored values with axis i of the array being axis ``axes[i]`` of the data set."""
        dataset = dataset_of(data)
        order = tuple(axes) if axes is not None else tuple(range(dataset.ndim))
        return hdf5_view(self.path, dataset.name, tuple(dataset.shape[axis] for axis in order), dataset.dtype, order)

    def clock(self, series: TimeSeries) -> dict[str, Any]:
        """Return rate and start, or timestamps, of a series in the words of the model."""
        if series.timestamps is not None:
            times = series.timestamps
            return {"timestamps": self.array(times)}
        return {"rate_hz": number(series.rate), "start_s": float(series.starting_time or 0.0)}


def dataset_of(data: Any) -> h5py.Dataset:
    """Return the HDF5 data set behind what pynwb gives."""
    return h5py.Dataset((data if isinstance(data, h5py.Dataset) else data.dataset).id)  # hdmf has texts decoded already


def values_of(data: Any) -> npt.NDArray[Any]:
    """Return stored values; text as text."""
    if isinstance(data, h5py.Dataset):
        data = dataset_of(data)
        return np.asarray(data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()])
    return np.asarray(data[:])


def number(value: Any) -> float | None:
    """Return a known number; NaN says that nobody knows it."""
    return None if value is None or np.isnan(value) else float(value)


def text(value: Any) -> str | None:
    """Return known words."""
    return None if value in (None, "", "unknown", "not described by the source") else stated(str(value))[0]


@singledispatch
def elements(container: Any, stored: Stored) -> Iterator[Any]:
    """Yield the elements that a container holds; register a function for each type."""
    yield from ()
