"""Makes recordings of other kinds than movies: `python -m benchmarks.recordings KIND PATH COUNT [COUNT]`.

Made-up values: what is measured is cost, and noise is the hardest to compress.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

import h5py
import numpy as np

SEED = 20260102
BLOCK = 1_000_000
PERIOD = 2.5e-5  # seconds: 40 kHz


def allen(path: Path, samples: int) -> None:
    """Write a recording of Dataset II: two float64 voltages, ΔF/F, spikes."""
    rng = np.random.default_rng(SEED)
    seconds = samples * PERIOD
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name in ("ephys_raw", "ephys_baseline_subtracted"):
            data = file.create_dataset(name, (samples,), "f8")
            for start in range(0, samples, BLOCK):
                stop = min(start + BLOCK, samples)
                data[start:stop] = rng.normal(0, 1e-4, stop - start)
        file["dff"] = rng.normal(0, 0.05, int(seconds * 30))
        file["dte"], file["dto"], file["quiroga"] = PERIOD, 1 / 30, 5e-4
        file["genotype"] = "Emx1-IRES-Cre;Camk2a-tTA;Ai94"
        file["sptimes"] = np.sort(rng.random(200) * seconds)


def folder(path: Path, samples: int, count: int) -> None:
    """Write a folder of recordings, all of one content."""
    allen(path / "100000.h5", samples)
    for number in range(1, count):
        os.link(path / "100000.h5", path / f"{100000 + number}.h5")


def cells(path: Path, count: int, samples: int) -> None:
    """Write an Inscopix cell set (version 5): an image of 200 × 160 and a trace for each cell."""
    rows, columns = 200, 160
    rng = np.random.default_rng(SEED)
    names = [f"C{number:04d}" for number in range(count)]
    time = {"num": 50, "den": 1000}
    footer = {
        "type": 1,
        "name": path.name,
        "CellNames": names,
        "CellStatuses": [number % 3 for number in range(count)],
        "CellActivity": [True] * count,
        "CellColors": None,
        "cellMetrics": None,
        "extraProperties": None,
        "fileVersion": 5,
        "spacingInfo": {
            "numPixels": {"x": columns, "y": rows},
            "pixelSize": {"x": {"num": 3, "den": 1}, "y": {"num": 3, "den": 1}},
            "topLeft": {"x": {"num": 0, "den": 1}, "y": {"num": 0, "den": 1}},
        },
        "timingInfo": {
            "numTimes": samples,
            "period": time,
            "start": {"secsSinceEpoch": {"num": 1_600_000_000, "den": 1}, "utcOffset": 0},
            "dropped": [],
            "cropped": [],
            "blank": [],
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in names:
            image = np.zeros((rows, columns), "<f4")
            row, column = rng.integers(0, rows - 12), rng.integers(0, columns - 12)
            image[row : row + 12, column : column + 12] = rng.random((12, 12))
            file.write(image.tobytes())
            file.write(rng.normal(0, 1, samples).astype("<f4").tobytes())
        text = json.dumps(footer).encode()
        file.write(text + b"\0" + struct.pack("<Q", len(text)))


def localizations(path: Path, rows: int) -> None:
    """Write a cell's folder with nothing but its table, as ThunderSTORM writes it."""
    rng = np.random.default_rng(SEED)
    names = ["id", "frame", "x [nm]", "y [nm]", "sigma [nm]", "intensity [photon]", "offset [photon]"]
    names += ["bkgstd [photon]", "chi2", "uncertainty [nm]"]
    (path / "CCPs" / "cell1").mkdir(parents=True)
    with (path / "CCPs" / "cell1" / "SR_locs.csv").open("w", encoding="utf-8") as file:
        file.write(",".join(f'"{name}"' for name in names) + "\n")
        for start in range(0, rows, 100_000):
            count = min(100_000, rows - start)
            values = rng.random((count, 8)) * 1000
            lines = (
                f"{start + n + 1},{(start + n) // 500 + 1}," + ",".join(map(repr, row.tolist())) + "\n"
                for n, row in enumerate(values)
            )
            file.writelines(lines)


def molecules(path: Path, rows: int) -> None:
    """Write columns of localizations in a field of 256 × 256 pixels of 130 nm as HDF5 data sets."""
    rng = np.random.default_rng(SEED)
    columns = {
        "x": lambda count: rng.random(count) * 256 * 130,
        "y": lambda count: rng.random(count) * 256 * 130,
        "uncertainty": lambda count: rng.gamma(4, 4, count),  # 16 nm on average
        "intensity": lambda count: rng.gamma(2, 500, count),
        "frame": lambda count: rng.integers(1, 20_001, count).astype(float),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, draw in columns.items():
            data = file.create_dataset(name, (rows,), "f8")
            for start in range(0, rows, BLOCK):
                stop = min(start + BLOCK, rows)
                data[start:stop] = draw(stop - start)


if __name__ == "__main__":
    makers = {"allen": allen, "folder": folder, "cells": cells, "localizations": localizations, "molecules": molecules}
    makers[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
