"""Sparse matrices as CaImAn stores them: by columns, checked before use."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource
from nwbridge_caiman.results import Results


@dataclass(frozen=True)
class Columns:
    """A sparse matrix by columns: column k has ``data[ends[k]:ends[k + 1]]`` in the rows ``indices[…]``."""

    data: npt.NDArray[Any]
    indices: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    shape: tuple[int, int]

    def column_of_entries(self) -> npt.NDArray[np.int64]:
        """Return the column of every entry."""
        return np.repeat(np.arange(self.shape[1]), np.diff(self.ends))

    def norms(self) -> npt.NDArray[np.float64]:
        """Return the root of the sum of squares of every column."""
        squares = np.square(self.data, dtype=np.float64)
        return np.sqrt(np.bincount(self.column_of_entries(), squares, self.shape[1]))


def columns(results: Results, name: str) -> Columns | None:
    """Return a sparse matrix, None where CaImAn had none; BadSource where its parts do not fit each other."""
    if results.group(name) is None:
        if results.dataset(name) is not None:
            raise results.bad(name, "is a dense array; expected a group with data, indices, indptr and shape")
        return None
    data, indices, ends, shape = (_part(results, name, part) for part in ("data", "indices", "indptr", "shape"))
    if len(shape) != 2 or min(shape) < 0:
        raise results.bad(f"{name}/shape", f"is {shape.tolist()}; expected (rows, columns)")
    rows, count = (int(size) for size in shape)
    if len(ends) != count + 1:
        raise results.bad(f"{name}/indptr", f"has {len(ends)} entries; expected {count + 1} for {count} columns")
    if len(data) != len(indices) or ends[0] != 0 or ends[-1] != len(data):
        raise results.bad(
            name,
            f"has {len(data)} data and {len(indices)} indices, and indptr goes from {ends[0]} to {ends[-1]}; "
            "expected as many, and indptr from 0 to that number",
        )
    if (np.diff(ends) < 0).any():
        place = int(np.argmax(np.diff(ends) < 0))
        raise results.bad(f"{name}/indptr", f"falls from {ends[place]} to {ends[place + 1]}; expected that it grows")
    matrix = Columns(data, indices, ends, (rows, count))
    _check_indices(results, name, matrix)
    return matrix


def _check_indices(results: Results, name: str, matrix: Columns) -> None:
    rows = matrix.shape[0]
    outside = (matrix.indices < 0) | (matrix.indices >= rows)
    if outside.any():
        value = matrix.indices[outside][0]
        raise results.bad(f"{name}/indices", f"holds {value}; expected 0 to {rows - 1}, as it has {rows} rows")
    places = matrix.column_of_entries() * rows + matrix.indices
    if (np.diff(places) <= 0).any():  # not in order, which is allowed, or not once
        places = np.sort(places)
        twice = np.diff(places) == 0
        if twice.any():
            column, row = divmod(int(places[:-1][twice][0]), rows)
            raise results.bad(name, f"holds row {row} of column {column} twice; expected once")


def _part(results: Results, name: str, part: str) -> npt.NDArray[Any]:
    item = results.dataset(f"{name}/{part}")
    if item is None:
        have = ", ".join(sorted(results.file[name])) or "nothing"
        raise BadSource(f"{results.path.name}: {name} has no {part}; it has {have}")
    if item.ndim != 1 or item.dtype.kind not in ("uif" if part == "data" else "iu"):
        kind = "numbers" if part == "data" else "whole numbers"
        raise results.bad(f"{name}/{part}", f"is {item.dtype} of shape {item.shape}; expected a row of {kind}")
    values: npt.NDArray[Any] = item[()]
    return values if part == "data" else values.astype(np.int64)  # int32 on Windows, and for few entries
