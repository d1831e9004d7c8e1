"""Images of 2048 × 2048 from molecules, on one core: `python -m benchmarks.smlm FILE.h5 METHOD WEIGHT` renders one.

Reading the columns (uncompressed HDF5) is part of what is measured; starting Python and compiling are not.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost

MOLECULES, MORE = 5_000_000, 20_000_000
FIELD, PIXEL_UM = 256, 0.13  # camera pixels
METHODS = ("histogram", "ash", "gaussian", "uncertainty")  # with their default radius, shifts, floor and cap


def cases(files: Mapping[str, Path]) -> dict[str, tuple[list[str | Path], None]]:
    """Return the commands: every method, counted; the slowest of them also weighed, and with more molecules."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.smlm"]
    few, many = files.values()
    found: dict[str, tuple[list[str | Path], None]] = {
        name: ([*command, few, name, "counts"], None) for name in METHODS
    }
    found["gaussian, by intensity"] = ([*command, few, "gaussian", "intensity"], None)
    found["Fourier ring correlation"] = ([*command, few, "frc", "counts"], None)
    found[f"gaussian, {MORE // 1_000_000} million"] = ([*command, many, "gaussian", "counts"], None)
    return found


def table(costs: Mapping[str, Sequence[Cost]]) -> list[str]:
    """Return the rows, with medians of what each process itself timed."""
    from statistics import median

    lines = [
        f"### {MOLECULES // 1_000_000} million localizations to 2048 × 2048 pixels (8 ×), one core, compiled before"
    ]
    lines += ["", "| method | s | million localizations a second | peak MB of the process | sum of the image |"]
    lines += ["|---|---|---|---|---|"]
    for name, several in costs.items():
        said = [json.loads(cost.output) for cost in several]
        seconds, peak = median(one["seconds"] for one in said), median(cost.peak_mb for cost in several)
        rate = said[0]["rows"] / seconds / 1e6
        lines.append(f"| {name} | {seconds:.2f} | {rate:.1f} | {peak:.0f} | {said[0]['sum']:.0f} |")
    return lines


def _localizations(path: Path, count: int) -> Any:
    """Return the first molecules of a file, lazily."""
    from nwbridge import Column, Localizations, Plane, arrays

    units = {"x": "nm", "y": "nm", "uncertainty": "nm", "intensity": "photon", "frame": None}
    columns = (Column(name, arrays.from_hdf5(path, name).first(count), unit=unit) for name, unit in units.items())
    return Localizations("Localizations", tuple(columns), plane=Plane(pixel_um=(PIXEL_UM, PIXEL_UM)))


def _render(path: Path, method: str, weight: str) -> None:
    """Render once with a few molecules, which compiles, then with all; print what it took."""
    import h5py

    from nwbridge.running import running
    from nwbridge_render_smlm import RenderOptions, run

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with h5py.File(path) as file:
        rows = len(file["x"])
    frc = method == "frc"
    options = RenderOptions("histogram" if frc else method, weight=weight, rows=FIELD * 8, columns=FIELD * 8, frc=frc)
    with running(lambda *_: None, 1):
        run((_localizations(path, 1000),), options)
        begin = time.perf_counter()
        elements = run((_localizations(path, rows),), options)
        images, parameters = elements[:2]
        with images.images[0].data.open() as reader:
            reader[0 : FIELD * 8]
        seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "rows": rows, "sum": parameters.values["sum_of_image"]}))


if __name__ == "__main__":
    _render(Path(sys.argv[1]), *sys.argv[2:])
