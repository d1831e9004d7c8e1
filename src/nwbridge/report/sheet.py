"""One recording that is being drawn, and the two functions that turn its elements into figures and tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.model import Column, LazyArray, Movie, Session
from nwbridge.report.detail import Detail
from nwbridge.report.figures import Figure
from nwbridge.report.pictures import Picture
from nwbridge.report.sampling import Projection, project
from nwbridge.report.tracks import Track

COLUMN = 64 << 20  # bytes of a column that are read; of a longer one, evenly spread stretches


@dataclass
class Sheet:
    """A recording, how finely it is drawn, and what of it was drawn already."""

    session: Session
    detail: Detail
    prefix: str  # of every id in the page
    projections: dict[str, Projection] = field(default_factory=dict)  # by movie
    shown: dict[str, tuple[str, Picture]] = field(default_factory=dict)  # by element: id and picture in the page
    thumb: tuple[str, Picture] | None = None  # the picture that stands for the recording

    def projection(self, movie: Movie) -> Projection:
        """Return the movie's mean and maximum, computed once."""
        if movie.name not in self.projections:
            self.projections[movie.name] = project(movie, self.detail.read)
        return self.projections[movie.name]

    def show(self, key: str, picture: Picture) -> str:
        """Note that a picture is in the page, and return its id."""
        identity = f"{self.prefix}-i{len(self.shown)}"
        self.shown[key] = (identity, picture)
        self.thumb = self.thumb or (identity, picture)
        return identity

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Return the session's elements of a kind."""
        return self.session.of(kind)


@singledispatch
def panels(element: Any, sheet: Sheet) -> Iterator[Figure]:
    """Yield the figures of an element; register a function for each kind."""
    yield from ()


@singledispatch
def tracks(element: Any, sheet: Sheet) -> Iterator[Track]:
    """Yield what of an element lies on the recording's time axis; register a function for each kind."""
    yield from ()


def column_blocks(column: Column, rows: int = 1 << 20) -> Iterator[npt.NDArray[Any]]:
    """Yield all values of a column, block after block."""
    if not isinstance(column.values, LazyArray):
        yield column.values
        return
    with column.values.open() as reader:
        for start in range(0, column.values.shape[0], rows):
            yield np.asarray(reader[start : start + rows])


def column_values(column: Column) -> npt.NDArray[Any]:
    """Return a column's values; of one that is too long, stretches that are evenly spread."""
    values = column.values
    if not isinstance(values, LazyArray):
        return values
    if values.nbytes <= COLUMN:
        return np.concatenate([*column_blocks(column)]) if values.shape[0] else np.empty(0)
    length = 1 << 16
    starts = np.linspace(0, values.shape[0] - length, COLUMN // (length * values.dtype.itemsize)).astype(int)
    with values.open() as reader:
        return np.concatenate([np.asarray(reader[start : start + length]) for start in starts.tolist()])
