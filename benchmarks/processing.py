"""What a step costs by itself: `python -m benchmarks.processing IN.nwb COPY STEP [NAME=VALUE …]`.

It copies the file plainly, runs the step's plugin, and computes every block of its results, in as many threads and
blocks of the size that `nwbridge process` asks for. Nothing is written but the copy. `python -m benchmarks --only
process` compares it with the command.
"""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost

SHAPE = (2000, 256, 256)  # of the movie
STEPS = {
    "denoise, Gaussian": ("denoise", "method=gaussian"),
    "denoise, local SVD": ("denoise", "method=svd"),
    "register": ("register",),
}


def make(path: Path) -> None:
    """Write the movie: photon noise around a still image, which jitters by a pixel."""
    import numpy as np
    import tifffile

    import nwbridge

    random = np.random.default_rng(0)
    image = random.gamma(2, 60, SHAPE[1:])
    moved = (np.roll(image, random.integers(-1, 2, 2), (0, 1)) for _ in range(SHAPE[0]))
    tiff = path.with_suffix(".tif")
    tifffile.imwrite(tiff, np.stack([random.poisson(one).astype(np.uint16) for one in moved]))
    options = {"rate": 30.0, "kind": "two-photon"}
    nwbridge.convert(tiff, path, options=options, metadata={"Subject": {"species": "Mus musculus"}})


def cases(nwbridge: Path, movie: Path, folder: Path) -> dict[str, Any]:
    """Return, for each step, the command that does its work alone and the commands that process a file."""
    found: dict[str, Any] = {}
    for name, (step, *options) in STEPS.items():
        flags = [word for option in options for word in ("--" + option.partition("=")[0], option.partition("=")[2])]
        command = [nwbridge, "process", step, movie, folder / "processed.nwb", "--json", "--quiet", "--overwrite"]
        alone = [sys.executable, "-m", "benchmarks.processing", movie, folder / "copy.nwb", step, *options]
        found[f"{name}: plugin and plain copy"] = (alone, None)
        found[f"{name}: nwbridge process --no-verify"] = ([*command, *flags, "--no-verify"], folder / "processed.nwb")
        found[f"{name}: nwbridge process"] = ([*command, *flags], folder / "processed.nwb")
    return found


def table(medians: dict[str, Cost]) -> list[str]:
    """Return the table, each step beside what its plugin costs alone."""
    lines = [
        f"### Processing a movie of {SHAPE[0]:,} frames of {SHAPE[1]}×{SHAPE[2]}",
        "",
        "| run | wall s | CPU s | peak MB | wall / alone | CPU / alone |",
        "|---|---|---|---|---|---|",
    ]
    for name, cost in medians.items():
        alone = medians[f"{name.partition(':')[0]}: plugin and plain copy"]
        beside = f"{cost.wall_s / alone.wall_s:.2f} | {cost.cpu_s / alone.cpu_s:.2f}"
        lines.append(f"| {name} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | {cost.peak_mb:.0f} | {beside} |")
    return lines


def _compute(array: Any, height: int, workers: ThreadPoolExecutor) -> None:
    """Ask for every block once, from as many threads as may read it."""
    starts = range(0, array.shape[0], height)
    with array.open() as reader:
        blocks = ((reader, start, min(start + height, array.shape[0])) for start in starts)
        if array.parallel:
            list(workers.map(lambda block: block[0][block[1] : block[2]].sum(), blocks))
        else:
            for _, start, stop in blocks:
                reader[start:stop].sum()


def main(path: str, copy: str, step: str, *options: str) -> None:
    """Copy, run, compute."""
    import nwbridge
    from nwbridge.model import Finding, Movie
    from nwbridge.model.lazy import lazy_arrays
    from nwbridge.nwb.chunks import chunk_shape
    from nwbridge.options import parse
    from nwbridge.plugins import installed

    shutil.copyfile(path, copy)
    with Path(copy).open("rb+") as file:
        os.fsync(file.fileno())
    processor, _ = installed().processor(step)
    chosen = parse(processor.options, dict(option.split("=") for option in options), step)
    elements = nwbridge.describe(path).elements
    first = next(element for element in elements if isinstance(element, processor.takes))
    results = processor.run((first, *(e for e in elements if e is not first)), chosen)
    movies = [one for one in results if isinstance(one, Movie)]
    with ThreadPoolExecutor(nwbridge.threads()) as workers:
        for element in (*movies, *(one for one in results if not isinstance(one, Movie | Finding))):
            for array in lazy_arrays(element):
                _compute(array, chunk_shape(array.shape, array.dtype.itemsize)[0], workers)


if __name__ == "__main__":
    main(*sys.argv[1:])
