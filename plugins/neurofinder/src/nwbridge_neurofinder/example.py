"""A tiny data set in the current layout, made up but true to format."""

import json
from pathlib import Path

import numpy as np
import tifffile

ROWS, COLUMNS, FRAMES = 40, 52, 60


def example(folder: Path) -> Path:
    """Write ``neurofinder.99.00`` with three cells, two of which overlap, and return its path."""
    target = folder / "neurofinder.99.00"
    (target / "images").mkdir(parents=True)
    (target / "regions").mkdir()
    rng = np.random.default_rng(99)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    cells = [np.hypot(rows - r, columns - c) < 5 for r, c in ((12, 14), (16, 20), (28, 40))]
    activity = np.convolve(rng.random(FRAMES + 20) < 0.1, np.exp(-np.arange(20) / 6))[: FRAMES + 20]
    for frame in range(FRAMES):
        light = (
            80 + 40 * np.sin(columns / 9) + sum(cell * 120 * activity[frame + 5 * n] for n, cell in enumerate(cells))
        )
        image = rng.poisson(light).astype(np.uint16)
        tifffile.imwrite(target / "images" / f"image{frame:05d}.tiff", image, metadata=None)
    regions = [{"id": n, "coordinates": np.argwhere(cell).tolist()} for n, cell in enumerate(cells)]
    (target / "regions" / "regions.json").write_text(json.dumps(regions), "utf-8")
    info = {
        "id": "example-recording",
        "lab": "Example Lab",
        "contributors": ["Jane Doe"],
        "location": "Example Institute",
        "animal": "Mouse",
        "animal-state": "Awake head-fixed",
        "experiment": "made up to show the format",
        "method": "Two-photon raster",
        "indicator": "GCaMP6s",
        "region": "vS1",
        "depth-microns": 196,
        "pixels-per-micron": 1.15,
        "rate-hz": 7,
        "dimensions": [ROWS, COLUMNS, FRAMES],
    }
    (target / "info.json").write_text(json.dumps(info, indent=1), "utf-8")
    return target
