"""What it costs to read a movie back with h5py's defaults: `python -m benchmarks.reading FILE.nwb` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import h5py

IN_SEQUENCE = 200  # frames
TOGETHER = 100


def movie_in(file: h5py.File) -> h5py.Dataset:
    """Return the one (time, x, y) data set of a file's acquisitions."""
    found: list[h5py.Dataset] = []

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 3:
            found.append(item)

    file["acquisition"].visititems(keep)
    (movie,) = found
    return movie


def ms(begin: float) -> float:
    """Return the milliseconds since `begin`."""
    return 1000 * (time.perf_counter() - begin)


def main(path: str) -> None:
    """Time frames in sequence, frames together, and one pixel's whole time series, each on a freshly opened file."""
    with h5py.File(path, "r") as file:
        movie = movie_in(file)
        costs: dict[str, Any] = {"chunk": "×".join(map(str, movie.chunks)), "frames": len(movie)}
        count = min(IN_SEQUENCE, len(movie))
        begin = time.perf_counter()
        for number in range(count):
            movie[number]
        costs["frame_ms"] = ms(begin) / count
    with h5py.File(path, "r") as file:
        movie = movie_in(file)
        start = max(0, len(movie) // 2 - TOGETHER)  # seldom a chunk's edge
        begin = time.perf_counter()
        movie[start : start + TOGETHER]
        costs["together_ms"] = ms(begin)
    with h5py.File(path, "r") as file:
        movie = movie_in(file)
        begin = time.perf_counter()
        movie[:, movie.shape[1] // 3, movie.shape[2] // 3]
        costs["trace_ms"] = ms(begin)
    print(json.dumps(costs))


if __name__ == "__main__":
    main(*sys.argv[1:])
