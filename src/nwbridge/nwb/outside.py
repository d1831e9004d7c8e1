"""Masks that reach out of the frames of their imaging plane: of another recording, or rows and columns mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwbridge.model import Finding

CHECK = "masks"
_MASKS = {"pixel_mask": ("x", "y"), "voxel_mask": ("x", "y", "z")}
_ADVICE = (
    "make sure that masks and movie are of one recording, x the column and y the row; of frames stored "
    "(time, height, width), process with --rows-first"
)


def outside(path: Path, *, rows_first: bool = False) -> Iterator[Finding]:
    """Yield a warning for each table of regions with pixels that no movie of its imaging plane has.

    With `rows_first`, acquired movies are taken as stored (time, row, column), against the standard.
    """
    with h5py.File(path, "r") as file:
        tables: list[h5py.Group] = []
        movies: list[h5py.Group] = []

        def look(_: str, found: Any) -> None:
            if isinstance(found, h5py.Group) and "imaging_plane" in found:
                tables.extend([found] * any(name in found for name in _MASKS))
                movies.extend([found] * _has_frames(found))

        file.visititems(look)
        for table in tables:
            with suppress(KeyError, ValueError, TypeError, OSError):  # what is damaged is said by who reads it
                yield from _of(table, movies, rows_first=rows_first)


def _has_frames(found: h5py.Group) -> bool:
    data = found.get("data")
    return isinstance(data, h5py.Dataset) and data.ndim in (3, 4) and bool(data.size)


def _of(table: h5py.Group, movies: list[h5py.Group], *, rows_first: bool) -> Iterator[Finding]:
    same = [movie for movie in movies if movie["imaging_plane"] == table["imaging_plane"]]
    name = next(name for name in _MASKS if name in table)
    ends = table[f"{name}_index"][:].astype(np.int64)
    pixels = table[name][: int(ends.max(initial=0))]
    places = np.stack([pixels[axis].astype(np.int64) for axis in _MASKS[name]], axis=1)
    told = []
    for movie in same:
        size = list(movie["data"].shape[1:])
        if rows_first and movie.name.startswith("/acquisition/"):
            size[:2] = size[1::-1]
        if len(size) != places.shape[1]:
            continue
        wrong = np.flatnonzero((places >= size).any(axis=1))
        if not len(wrong):
            return
        regions = len(np.unique(np.searchsorted(ends, wrong, side="right")))
        column, row = places[wrong[0], :2]
        told.append(
            f"pixels outside of the frames in {regions} of {len(ends)} regions of {table.name.rpartition('/')[2]}, "
            f"the first at row {row}, column {column}: {movie.name.rpartition('/')[2]} has {size[1]} rows and "
            f"{size[0]} columns"
        )
    if told:
        yield Finding("warning", told[0], _ADVICE, table.name.lstrip("/"), CHECK)
