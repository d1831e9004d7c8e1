"""The places of a file's large arrays, which are filled after pynwb has laid the file out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt
from hdmf.common import DynamicTable, VectorData
from pynwb import NWBFile

from nwbridge.errors import BadOption, PluginFault
from nwbridge.model import Finding, LazyArray
from nwbridge.nwb.backend import Backend
from nwbridge.nwb.chunks import Compression, chunk_shape, row_chunks
from nwbridge.nwb.hdf5 import Hdf5

MAX_CHUNK = 256 << 20  # bytes: whoever reads one value has to inflate all of them


@dataclass(frozen=True)
class Slot:
    """A data set still to be filled: where it will be, and the values that belong there."""

    target: Any  # what the backend made; or a VectorData, for which pynwb writes a stand-in, which is replaced
    array: LazyArray
    axes: tuple[int, ...]  # stored axis i is axis axes[i] of the array
    chunks: tuple[int, ...]  # as stored


@dataclass(frozen=True)
class Exact:
    """Values that pynwb wrote itself, to be compared in the file."""

    container: Any
    values: npt.NDArray[Any]


@dataclass
class Layout:
    """What a build collects for the steps after it: the one record that grows, since every element adds to it."""

    compression: Compression = "fast"
    chunks: tuple[int, ...] | None = None  # of movies, in the array's axis order
    slots: list[Slot] = field(default_factory=list)
    exact: list[Exact] = field(default_factory=list)
    tables: list[DynamicTable] = field(default_factory=list)  # hdmf forgets the order of columns that are all empty
    backend: Backend = field(default_factory=Hdf5)
    findings: list[Finding] = field(default_factory=list)  # what the backend cannot hold

    def empty(self, array: LazyArray, axes: Sequence[int] | None = None, *, movie: bool = False) -> Any:
        """Return the place for an array, stored with its axes in the order `axes`; it is filled later."""
        order = tuple(axes) if axes is not None else tuple(range(len(array.shape)))
        shape = tuple(array.shape[axis] for axis in order)
        if 0 in shape:
            return np.empty(shape, array.dtype)  # there is nothing to fill
        chunks = self._chunks(array, order, movie=movie)
        target = self.backend.place(shape, array.dtype, chunks, self.compression)
        self.slots.append(Slot(target, array, order, chunks))
        return target

    def replace(self, stand_in: VectorData, array: LazyArray) -> None:
        """Fill the place of a column that pynwb cannot be given lazily, or not in this type."""
        self.slots.append(Slot(stand_in, array, (0,), row_chunks(array.shape, array.dtype.itemsize)))

    def _chunks(self, array: LazyArray, order: tuple[int, ...], *, movie: bool) -> tuple[int, ...]:
        if movie and self.chunks is not None:
            wanted = (*self.chunks, *array.shape[len(self.chunks) :])
            chunks = tuple(min(wanted[axis], array.shape[axis]) for axis in order)
        elif order[0] == 0:
            chunks = chunk_shape(tuple(array.shape[axis] for axis in order), array.dtype.itemsize)
        else:
            rows = row_chunks(array.shape, array.dtype.itemsize)
            chunks = tuple(rows[axis] for axis in order)
        if (size := math.prod(chunks) * array.dtype.itemsize) > MAX_CHUNK:
            raise BadOption(f"--chunks: one chunk would have {size:,} bytes; expected at most {MAX_CHUNK:,}")
        return chunks


@singledispatch
def add(element: Any, file: NWBFile, layout: Layout) -> None:
    """Add one element to the file; register a function for each type."""
    raise PluginFault(
        f"there is no place in NWB for a {type(element).__name__}: register one with nwbridge.nwb.build.add"
    )
