"""A tiny movie of two channels as ImageJ writes it, made up but true to format."""

from pathlib import Path

import numpy as np
import tifffile

TIMES, CHANNELS, ROWS, COLUMNS = 60, 2, 36, 48


def example(folder: Path) -> Path:
    """Write ``example.tif``, a hyperstack of a functional and a structural channel, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    cells = [np.hypot(rows - r, columns - c) < 4 for r, c in ((9, 11), (20, 30), (28, 41))]
    active = 1 + 2 * (rng.random((TIMES, len(cells))) < 0.2)
    movie = np.empty((TIMES, CHANNELS, ROWS, COLUMNS), np.uint16)
    for time in range(TIMES):
        functional = 60 + sum(100 * active[time, n] * cell for n, cell in enumerate(cells))
        structural = 40 + 200 * np.logical_or.reduce(cells)
        movie[time] = rng.poisson((functional, structural))
    labels = [name for _ in range(TIMES) for name in ("GCaMP6f", "tdTomato")]
    metadata = {"axes": "TCYX", "unit": "um", "finterval": 0.1, "Labels": labels}
    path = folder / "example.tif"
    tifffile.imwrite(path, movie, imagej=True, resolution=(1 / 0.8, 1 / 1.6), metadata=metadata)
    return path
