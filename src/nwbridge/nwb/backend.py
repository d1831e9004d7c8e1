"""What a file may be stored as, and the one question which it is: HDF5 unless its name says Zarr."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadOption, CannotWrite, MissingDependency
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.endings import ZARR

BackendName = Literal["hdf5", "zarr"]
HINT = "python -m pip install 'nwbridge[zarr]'"


class Backend(Protocol):
    """What HDF5 and Zarr do differently; `open` gives h5py's or zarr's file, which are used alike."""

    name: str  # for people
    suffix: str  # of files
    form: Literal["file", "folder"]
    row_references: bool  # whether a row can hold a reference beside numbers
    unchecked: frozenset[str]  # the inspector's checks that stumble over every such file

    def place(self, shape: tuple[int, ...], dtype: np.dtype[Any], chunks: Any, compression: Compression) -> Any:
        """Return what pynwb is given for an array that is filled later."""

    def bare(self, values: npt.NDArray[Any]) -> Any:
        """Return what pynwb is given for values whose type it must not change."""

    def writer(self, part: Path) -> AbstractContextManager[Any]:
        """Return the I/O object of hdmf that lays out a new file."""

    def lay_out(self, io: Any, file: Any) -> None:
        """Let pynwb write all but the arrays that are filled later."""

    def names(self, io: Any, file: Any, places: Sequence[Any]) -> list[str]:
        """Return where those arrays are in the file."""

    def filling(self, part: Path) -> AbstractContextManager[Any]:
        """Open what was laid out to be completed."""

    def open(self, path: Path, mode: str = "r") -> AbstractContextManager[Any]:
        """Open a file that is whole, or only its values to be completed."""

    def recreate(self, file: Any, name: str, slot: Any, compression: Compression) -> None:
        """Put a data set of the right type and size in the place of its stand-in."""

    def order_columns(self, table: Any, names: Sequence[str]) -> None:
        """Set the order of a table's columns."""

    def values(self, dataset: Any) -> npt.NDArray[Any]:
        """Return all values of a data set; text as text."""

    def is_dataset(self, found: object) -> bool:
        """Whether that is a data set, and no group."""

    def refuse(self, out: Path) -> None:
        """Raise CannotWrite where what is at `out` cannot be replaced by such a file."""

    def remove(self, path: Path) -> None:
        """Remove a file, if there is one."""

    def sync(self, path: Path) -> None:
        """Make a file outlive a power failure."""

    def publish(self, part: Path, out: Path, *, overwrite: bool) -> bool:
        """Give the finished file its name; False where that name is taken."""

    def size(self, path: Path) -> int:
        """Return the bytes of a file."""

    def check_safe(self, path: Path) -> None:
        """Raise BadSource where a file from elsewhere reaches out of itself."""

    def reader(self, path: Path, **arguments: Any) -> AbstractContextManager[Any]:
        """Return the I/O object of hdmf that reads a file."""

    def schema_errors(self, path: Path, *, own: bool) -> Iterable[Any]:
        """Return what pynwb's validator says, by the installed schema or the file's own."""

    def counts(self, error: Any) -> bool:
        """Whether such a file could have avoided what the validator says."""


def of(path: Path) -> Backend:
    """Return the backend that a file is, or will be, stored with; MissingDependency where it is not installed."""
    if not path.name.endswith(ZARR) and not (path.name.endswith(".zarr") and os.path.isdir(path)):  # noqa: PTH112
        from nwbridge.nwb.hdf5 import Hdf5

        return Hdf5()
    try:
        from nwbridge.nwb.zarr import Zarr
    except ImportError as error:
        raise MissingDependency(f"Zarr needs the package hdmf-zarr, which is not installed: {HINT}") from error
    return Zarr()


def check_named(out: Path, backend: str | None) -> None:
    """Raise where the backend that was asked for is not the one that the name of the file says."""
    if backend not in (None, "hdf5", "zarr"):
        raise BadOption(f"--backend {backend}: expected hdf5 or zarr")
    if backend == "zarr" and not out.name.endswith(ZARR):
        raise CannotWrite(f"{out} should end in {ZARR}: that is how Zarr is told from HDF5")
    if backend == "hdf5" and out.name.endswith(ZARR):
        raise CannotWrite(f"{out} should end in .nwb: {ZARR} is for --backend zarr")
