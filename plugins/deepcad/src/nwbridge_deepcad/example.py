"""A tiny recording as it would be downloaded, made up but true to format."""

import io
import zipfile
from pathlib import Path

import numpy as np
import tifffile

ROWS, COLUMNS, FRAMES = 44, 60, 90
OUTER = "1_ZOOM1.3_550Vx575H_FOV_30Hz_80umdepth_dendrite_0.2power_1AMP"
INNER = "1_550Vx575H_FOV_30Hz_0.2power_00001_{}SNR_MC.tif"


def example(folder: Path) -> Path:
    """Write a zip with a low-SNR and a high-SNR movie and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    branch = np.exp(-((rows - 20 - 8 * np.sin(columns / 12)) ** 2) / 6)
    activity = np.convolve(rng.random(FRAMES) < 0.05, np.exp(-np.arange(25) / 9))[:FRAMES]
    light = 4 + branch * (3 + 12 * activity[:, None, None])
    target = folder / f"{OUTER}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for which, gain in (("low", 1), ("high", 10)):
            movie = rng.poisson(light * gain).astype(np.uint16) * 8
            tiff = io.BytesIO()
            tifffile.imwrite(tiff, movie, imagej=True)
            archive.writestr(f"{OUTER}/{INNER.format(which)}", tiff.getvalue())
    return target
