"""Calcium movies with known truth, for denoising: two kinds of scene, photon counts, one seed for all that is random.

`cells`: large cells with GCaMP transients over neuropil and vessels; within a patch only a few things change.
`specks`: thousands of small sources, each with transients of its own, and bodies that wander through the field of
view; within a patch tens of things change, and what moves has no fixed footprint: this scene is not of low rank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter
from scipy.sparse import csr_array

Array = npt.NDArray[np.float32]
SCENES = ("cells", "specks")
RATE = 30.0  # frames a second
BLOCK = 500  # frames made at a time; noise has a seed for each block, so a longer movie begins with the same frames


@dataclass(frozen=True)
class Scene:
    """What is to be seen, before any noise; its mean is 1."""

    shape: tuple[int, int, int]
    still: Array  # (row, column)
    footprints: csr_array  # (source, pixel)
    traces: Array  # (source, time), 0 at rest
    paths: Array  # (body, time, 2): rows and columns of what moves
    size: float  # of a body, in pixels
    light: Array  # of each body
    scale: float
    seed: int

    def truth(self, start: int, stop: int) -> Array:
        """Return frames `start` to `stop` of a scene whose mean is 1."""
        count, rows, columns = self.shape
        stop = min(stop, count)
        moving = np.zeros((stop - start, rows, columns), np.float32)
        for path, light in zip(self.paths, self.light, strict=True):
            row = np.exp(-0.5 * ((np.arange(rows) - path[start:stop, :1]) / self.size) ** 2)
            column = np.exp(-0.5 * ((np.arange(columns) - path[start:stop, 1:]) / self.size) ** 2)
            moving += light * row[:, :, None] * column[:, None, :]
        fluctuating = (self.footprints.T @ self.traces[:, start:stop]).T.reshape(-1, rows, columns)
        return np.maximum((self.still + fluctuating + moving) * self.scale, 0).astype(np.float32)

    def noisy(self, start: int, stop: int, photons: float) -> npt.NDArray[np.uint16]:
        """Return the frames as a detector would count them: `photons` a pixel and frame on average."""
        parts = []
        for block in range(start // BLOCK * BLOCK, stop, BLOCK):
            counts = np.random.default_rng((self.seed, 7, block)).poisson(self.truth(block, block + BLOCK) * photons)
            parts.append(counts[max(start - block, 0) : stop - block])
        return np.concatenate(parts).astype(np.uint16)


def _transients(random: np.random.Generator, sources: int, count: int, every_s: float) -> Array:
    """Return ΔF/F of sources that fire at random: a rise of 2 frames, decays of 0.3 to 1.2 s, amplitudes log-normal."""
    spikes = random.poisson(1 / (every_s * RATE), (sources, count)) * random.lognormal(0, 0.5, (sources, count))
    made = np.empty((sources, count), np.float32)
    for number, decay in enumerate(np.exp(-1 / (RATE * random.uniform(0.3, 1.2, sources)))):
        rise = np.exp(-1 / 2)
        made[number] = lfilter([1 - rise], np.convolve([1, -decay], [1, -rise]), spikes[number]) * 1.5
    return made


def _blobs(random: np.random.Generator, sources: int, rows: int, columns: int, size: tuple[float, float]) -> csr_array:
    """Return round footprints with soft edges at random places, one a row."""
    y, x = np.mgrid[:rows, :columns]
    data, index, ends = [], [], [0]
    for _ in range(sources):
        radius = random.uniform(*size)
        distance = np.hypot(y - random.uniform(0, rows), (x - random.uniform(0, columns)) * random.uniform(0.8, 1.25))
        weights = (1 / (1 + np.exp((distance - radius) / (0.15 * radius + 0.2)))).ravel()
        at = np.flatnonzero(weights > 0.01)
        data.append(weights[at])
        index.append(at)
        ends.append(ends[-1] + len(at))
    shape = (sources, rows * columns)
    return csr_array((np.concatenate(data).astype(np.float32), np.concatenate(index), ends), shape=shape)


def _background(random: np.random.Generator, rows: int, columns: int) -> Array:
    """Return neuropil at rest with dark vessels."""
    texture = gaussian_filter(random.normal(size=(rows, columns)), 3)
    image = 1 + 0.25 * texture / texture.std()
    vessels = gaussian_filter(random.normal(size=(rows, columns)), 8)
    return np.clip(image * np.where(np.abs(vessels) < 0.15 * vessels.std(), 0.35, 1.0), 0.1, None).astype(np.float32)


def scene(kind: str, count: int, rows: int = 128, columns: int = 128, seed: int = 0) -> Scene:
    """Make a scene of `count` frames."""
    random = np.random.default_rng((seed, SCENES.index(kind)))
    still = _background(random, rows, columns)
    area = rows * columns / 128**2
    if kind == "cells":
        sources, small, every, bodies = round(60 * area), (4.0, 7.0), 4.0, 0
    else:
        sources, small, every, bodies = round(2500 * area), (0.8, 1.8), 6.0, round(12 * area)
    footprints = _blobs(random, sources, rows, columns, small)
    traces = _transients(random, sources, count, every)
    still = still + (footprints.T @ np.full(sources, 0.5, np.float32)).reshape(rows, columns)
    if kind == "cells":  # neuropil waxes and wanes in wide patches
        wide = gaussian_filter(random.normal(size=(6, rows, columns)), (0, 15, 15)).reshape(6, -1).astype(np.float32)
        slow = gaussian_filter(random.normal(size=(6, count)), (0, 20)).astype(np.float32)
        wide, slow = wide / wide.std() * still.ravel(), slow / slow.std() * 0.04
        footprints = csr_array(np.concatenate([footprints.toarray(), wide]))
        traces = np.concatenate([traces, slow])
    walk = np.cumsum(gaussian_filter(random.normal(size=(bodies, count, 2)), (0, 10, 0)) * 0.8, axis=1)
    place = (walk + random.uniform(0, 1, (bodies, 1, 2)) * (rows, columns)) / (rows, columns)
    paths = np.abs((place + 1) % 2 - 1) * (rows, columns)  # reflected at the edges
    shape, light = (count, rows, columns), np.full(bodies, 2.0, np.float32)
    made = Scene(shape, still, footprints, traces, paths.astype(np.float32), 2.5, light, 1.0, seed)
    return replace(made, scale=1 / float(made.truth(0, min(count, BLOCK)).mean()))
