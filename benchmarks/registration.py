"""How well and how fast `register` finds and undoes shifts that are known: `python -m benchmarks.registration`.

A picture wanders by fractions of a pixel behind the field of view, and a detector counts photons. The picture is the
mean of a recording's frames where `NWBRIDGE_SAMPLES` names the recordings, slightly smoothed, since its noise would
wander with it; else it is made up.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift, spline_filter

RECORDED = {
    "neurofinder.00.00": ("neurofinder/neurofinder.00.00/images/*.tiff", 20, 12.0),
    "SIMA's example": ("deepcad/sima_example.tif", 10, 6.0),
}
PHOTONS = (0.5, 2, 8)
FRAMES = 100
SEEDS = 3


def pictures() -> dict[str, tuple[npt.NDArray[np.float64], int, float]]:
    """Return pictures by name, each with the margin that lies outside of the field of view and the largest shift."""
    found = {}
    if samples := os.environ.get("NWBRIDGE_SAMPLES"):
        import tifffile

        for name, (pattern, margin, most) in RECORDED.items():
            frames = [tifffile.imread(path).astype(np.float64) for path in sorted(Path(samples).glob(pattern))]
            mean = np.mean(np.concatenate([np.atleast_3d(f) if f.ndim == 3 else f[np.newaxis] for f in frames]), axis=0)
            found[name] = (gaussian_filter(mean, 0.7), margin, most)
    random = np.random.default_rng(0)
    cells = np.zeros((552, 552))
    cells[tuple(random.integers(0, 552, (2, 900)))] = random.random(900) + 0.5
    found["made up"] = (gaussian_filter(cells, 3) * 100 + 0.15, 20, 12.0)
    return found


def wandering(picture: Any, margin: int, most: float, photons: float, seed: int) -> tuple[Any, Any]:
    """Return frames as a detector counts them, and by what each was moved."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 0.4, (FRAMES, 2)), axis=0)
    walk = np.clip(walk - np.median(walk, axis=0), -most, most)
    light = picture / picture.mean() * photons
    inside = slice(margin, -margin)
    smooth = spline_filter(light, 3, mode="reflect")
    seen = (shift(smooth, by, order=3, mode="reflect", prefilter=False)[inside, inside] for by in walk)
    return np.stack([random.poisson(np.maximum(frame, 0)) for frame in seen]).astype(np.uint16), walk


def accuracy() -> list[str]:
    """Return a table of how far shifts are off, over all seeds."""
    from nwbridge import Movie, Plane, arrays
    from nwbridge_register import RegisterOptions, run

    lines = [
        "| picture | field of view | photons a pixel | rms error, px | worst of 100 | not found |",
        "|---|---|---|---|---|---|",
    ]
    for name, (picture, margin, most) in pictures().items():
        for photons in PHOTONS:
            away, lost = [], 0
            for seed in range(SEEDS):
                frames, walk = wandering(picture, margin, most, photons, seed)
                movie = Movie("Movie", arrays.from_numpy(frames), Plane(), rate_hz=30.0)
                made, told, *_ = run((movie,), RegisterOptions())
                with made.shifts.open() as reader:
                    error = np.asarray(reader[0:FRAMES]) + walk
                away.append(np.hypot(*(error - np.median(error, axis=0)).T))
                lost += len(told.values["frames_without_match"])
            off = np.concatenate(away)
            size = f"{frames.shape[1]}×{frames.shape[2]}"
            rms, worst = np.sqrt(np.mean(off**2)), np.percentile(off, 99)
            lines.append(f"| {name} | {size} | {photons} | {rms:.3f} | {worst:.2f} | {lost} of {SEEDS * FRAMES} |")
    return lines


def speed() -> list[str]:
    """Return a table of frames a second of one core's time, at 512×512."""
    from threadpoolctl import threadpool_limits

    from nwbridge_register.matching import Matcher
    from nwbridge_register.moving import moved

    picture, margin, most = pictures()["made up"]
    frames, walk = wandering(picture, margin, most, 8, 0)
    small, far = (np.hypot(*walk.T) < 1.5), (np.abs(walk).max(axis=1) > 3)
    matcher = Matcher(frames.mean(axis=0).astype(np.float32), 51, 10, 1.0, 0.0)
    by = np.array([1.3, -2.2])
    tasks = {
        "find a shift below 2 pixels": (frames[small], lambda frame: matcher.match(frame.astype(np.float32))),
        "find a larger one": (frames[far], lambda frame: matcher.match(frame.astype(np.float32))),
        "move, cubic": (frames, lambda frame: moved(frame, by, "cubic")),
        "move, linear": (frames, lambda frame: moved(frame, by, "linear")),
        "move by whole pixels": (frames, lambda frame: moved(frame, np.rint(by), "cubic")),
    }
    lines = ["| at 512×512 | frames a second of one core |", "|---|---|"]
    for name, (some, task) in tasks.items():
        with threadpool_limits(1, "blas"):  # as the step does
            start = time.process_time()
            for frame in some:
                task(frame)
        lines.append(f"| {name} | {len(some) / (time.process_time() - start):.0f} |")
    return lines


if __name__ == "__main__":
    print("\n".join([*speed(), ""]), flush=True)
    print("\n".join(accuracy()))
