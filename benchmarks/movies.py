"""Makes the recordings that are converted: `python -m benchmarks.movies KIND PATH FRAMES [TIFF]`.

Photon counts: Poisson noise around a still image whose brightness is gamma-distributed and waxes and wanes slowly.
Every block of frames has a seed of its own, so a movie begins with the same frames however long it is.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

ROWS = COLUMNS = 512
FRAME = ROWS * COLUMNS * 2  # bytes
SEED = 20260101
BLOCK = 20  # frames
THREADS = 4


def frames(count: int) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield the movie frame by frame; a few blocks are made ahead in threads."""
    image = np.random.default_rng(SEED).gamma(2, 60, (ROWS, COLUMNS))

    def block(start: int) -> npt.NDArray[np.uint16]:
        number = np.arange(start, min(start + BLOCK, count))
        light = image * (1 + 0.1 * np.sin(number / 50))[:, None, None]
        return np.random.default_rng((SEED, start)).poisson(light).astype(np.uint16)

    with ThreadPoolExecutor(THREADS) as pool:
        coming = deque()
        for start in range(0, count, BLOCK):
            coming.append(pool.submit(block, start))
            if len(coming) > THREADS:
                yield from coming.popleft().result()
        for made in coming:
            yield from made.result()


def tiff(path: Path, count: int) -> None:
    """Write one multi-page TIFF, uncompressed; BigTIFF where the frames do not fit 4 GiB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, bigtiff=count * FRAME > 4e9) as file:
        file.write(frames(count), shape=(count, ROWS, COLUMNS), dtype=np.uint16, photometric="minisblack")


def folder(path: Path, count: int) -> None:
    """Write a neurofinder test set: one TIFF a frame, and info.json."""
    (path / "images").mkdir(parents=True)
    for number, frame in enumerate(frames(count)):
        tifffile.imwrite(path / "images" / f"image{number:05d}.tiff", frame, photometric="minisblack", metadata=None)
    info = {"id": "made-up", "animal": "Mouse", "rate-hz": 30, "dimensions": [ROWS, COLUMNS, count]}
    (path / "info.json").write_text(json.dumps(info), "utf-8")


def zipped(path: Path, source: Path, method: int) -> None:
    """Pack one file as zip programs do (deflate level 6)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method, compresslevel=6) as archive:
        archive.write(source, f"recording/{source.name}")


def main(kind: str, path: str, count: str, source: str = "") -> None:
    """Make one recording."""
    if kind == "tiff":
        tiff(Path(path), int(count))
    elif kind == "folder":
        folder(Path(path), int(count))
    else:
        zipped(Path(path), Path(source), {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}[kind])


if __name__ == "__main__":
    main(*sys.argv[1:])
