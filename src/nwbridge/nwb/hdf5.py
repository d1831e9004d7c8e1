"""The backend HDF5: what is done with h5py and pynwb's own I/O."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
from hdmf.backends.hdf5.h5_utils import H5DataIO
from pynwb import NWBHDF5IO

from nwbridge.errors import CannotWrite
from nwbridge.nwb import namespaces, schema
from nwbridge.nwb.chunks import Compression
from nwbridge.safety import check_hdf5
from nwbridge.whole import take_name


def _filters(compression: Compression) -> dict[str, Any]:
    """Return HDF5's names of what is done to every chunk."""
    return {} if compression == "none" else {"compression": "gzip", "compression_opts": 4, "shuffle": True}


class Hdf5:
    """One file; chunks are filled with `fill.fill`."""

    name = "HDF5"
    suffix = ".nwb"
    form: Literal["file", "folder"] = "file"
    row_references = True
    unchecked: frozenset[str] = frozenset()

    def place(self, shape: tuple[int, ...], dtype: np.dtype[Any], chunks: Any, compression: Compression) -> H5DataIO:
        return H5DataIO(shape=shape, dtype=dtype, chunks=chunks, **_filters(compression))

    def bare(self, values: npt.NDArray[Any]) -> H5DataIO:
        return H5DataIO(data=values)

    def writer(self, part: Path) -> Any:
        return NWBHDF5IO(str(part), "w-", manager=namespaces.manager())

    def lay_out(self, io: Any, file: Any) -> None:
        io.write(file)

    def names(self, io: Any, file: Any, places: Sequence[Any]) -> list[str]:
        return [str(place.dataset.name) for place in places]

    @contextmanager
    def filling(self, part: Path) -> Iterator[h5py.File]:
        handle = h5py.File(part, "r+")
        try:
            yield handle
        except BaseException:
            with suppress(OSError, RuntimeError):  # after a full disk HDF5 cannot even close
                handle.close()
            raise
        handle.close()

    def open(self, path: Path, mode: str = "r") -> Any:
        return h5py.File(path, mode)

    def recreate(self, file: h5py.File, name: str, slot: Any, compression: Compression) -> None:
        """Put a data set of the right type and size in the place of its stand-in, with all that refers to it."""
        attributes = dict(file[name].attrs)
        del file[name]
        array = slot.array
        made = file.create_dataset(
            name, shape=array.shape, dtype=array.dtype, chunks=slot.chunks, **_filters(compression)
        )
        for key, value in attributes.items():
            made.attrs[key] = value
        file[f"{name}_index"].attrs["target"] = made.ref

    def order_columns(self, table: h5py.Group, names: Sequence[str]) -> None:
        table.attrs.create("colnames", list(names), dtype=h5py.string_dtype())

    def values(self, dataset: h5py.Dataset) -> npt.NDArray[Any]:
        texts = h5py.check_string_dtype(dataset.dtype) is not None
        return np.asarray(dataset.asstr()[()] if texts else dataset[()])

    def is_dataset(self, found: object) -> bool:
        return isinstance(found, h5py.Dataset)

    def refuse(self, out: Path) -> None:
        if os.path.isdir(out):  # noqa: PTH112  those of Path raise for names that are too long
            raise CannotWrite(f"{out} is a folder; give the name of a file")

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync(self, path: Path) -> None:
        with path.open("rb+") as file:
            os.fsync(file.fileno())

    def publish(self, part: Path, out: Path, *, overwrite: bool) -> bool:
        return take_name(part, out, overwrite=overwrite)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def check_safe(self, path: Path) -> None:
        check_hdf5(path)

    def reader(self, path: Path, **arguments: Any) -> Any:
        return NWBHDF5IO(str(path), "r", **arguments)

    def schema_errors(self, path: Path, *, own: bool) -> Iterable[Any]:
        return schema.errors_by_own(path) if own else schema.errors_by_installed(path)

    def counts(self, error: Any) -> bool:
        return True
