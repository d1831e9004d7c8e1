"""A tiny cell, made up but true to format."""

from pathlib import Path

import numpy as np
import tifffile

ROWS, COLUMNS, FRAMES, MAGNIFICATION, PIXEL_NM = 24, 32, 100, 8, 130.0
HEADINGS = (
    '"id","frame","x [nm]","y [nm]","sigma [nm]","intensity [photon]","offset [photon]","bkgstd [photon]","chi2",'
    '"uncertainty [nm]"'
)


def example(folder: Path) -> Path:
    """Write ``CCPs/cell1`` with a few pits and return its path."""
    target = folder / "CCPs" / "cell1"
    target.mkdir(parents=True)
    rng = np.random.default_rng(1)
    pits = rng.uniform((3, 3), (ROWS - 3, COLUMNS - 3), (12, 2)) * PIXEL_NM  # y, x
    found = [(frame, *rng.normal(pit, 15)) for frame in range(1, FRAMES + 1) for pit in pits if rng.random() < 0.1]
    rows, columns = (np.mgrid[:ROWS, :COLUMNS] + 0.5) * PIXEL_NM
    light = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 150**2)) for y, x in pits)
    frames = (100 + rng.poisson(3 + 40 * light, (FRAMES, ROWS, COLUMNS)) / 0.23).astype(np.uint16)
    tifffile.imwrite(target / "WF_raw.tif", frames, imagej=True)
    tifffile.imwrite(target / "WF1.tif", frames.sum(axis=0, dtype=np.float32), imagej=True)
    edges = [np.arange(size * MAGNIFICATION + 1) * PIXEL_NM / MAGNIFICATION for size in (ROWS, COLUMNS)]
    _, y, x = np.array(found).T
    tifffile.imwrite(target / "SR1.tif", np.histogram2d(y, x, edges)[0].astype(np.float32), imagej=True)
    lines = [HEADINGS]
    for number, (frame, y_nm, x_nm) in enumerate(found, 1):
        fit = rng.normal((140, 900, 12, 4, 300, 9), (12, 200, 2, 0.5, 60, 1.5))
        lines.append(f"{number},{frame},{x_nm:.5f},{y_nm:.5f}," + ",".join(f"{value:.5f}" for value in fit))
    (target / "SR_locs.csv").write_text("\r\n".join([*lines, ""]), "utf-8", newline="")
    return target
