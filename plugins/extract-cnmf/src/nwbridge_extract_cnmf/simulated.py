"""Calcium movies with known truth, for tests, benchmarks, and for choosing parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Simulated:
    """A movie and what it is made of."""

    movie: npt.NDArray[np.uint16]  # (time, row, column)
    footprints: Array  # (cell, row, column)
    traces: Array  # (cell, time): calcium, without baseline
    spikes: Array  # (cell, time)
    rate_hz: float


def simulate(
    kind: Literal["one-photon", "two-photon"] = "one-photon",
    shape: tuple[int, int, int] = (1000, 128, 128),
    cells: int = 60,
    *,
    sigma: float = 3.0,
    rate_hz: float = 10.0,
    decay_s: float = 0.8,
    brightness: float = 1.0,
    seed: int = 0,
) -> Simulated:
    """Return a movie of `shape` (time, row, column) with photon noise.

    One-photon cells are Gaussian blobs over a strong background: a mean picture with dark vessels, and broad sources
    that fluctuate slowly and are each larger than the cells' transients. Two-photon cells are rings (the nucleus is
    dark) over a weaker background of two sources.
    """
    rng = np.random.default_rng(seed)
    count, rows, cols = shape
    spikes, traces = _activity(rng, cells, count, rate_hz, decay_s)
    centres = _places(rng, cells, rows, cols, sigma)
    footprints = np.stack([_cell(rng, at, (rows, cols), sigma, ring=kind == "two-photon") for at in centres])
    one = kind == "one-photon"
    level, strength = (1000.0, 200.0 * brightness) if one else (12.0, 14.0 * brightness)
    sources = _broad(rng, 12 if one else 2, count, (rows, cols))
    vessels = _vessels(rng, (rows, cols)) if one else np.ones((rows, cols), np.float32)
    amplitudes = rng.uniform(0.6, 1.4, cells).astype(np.float32)
    traces = traces * (strength * amplitudes)[:, np.newaxis]
    movie = np.empty(shape, np.uint16)
    flat = footprints.reshape(cells, -1)
    for at in range(0, count, 100):
        part = slice(at, min(count, at + 100))
        ground = 1 + (0.03 if one else 0.15) * np.tensordot(sources[1][:, part].T, sources[0], 1)
        light = level * vessels * np.maximum(ground, 0.1)
        resting = 0.0 if one else 0.3 * strength * footprints.sum(axis=0)
        light += resting + (traces[:, part].T @ flat).reshape(-1, rows, cols) * (vessels if one else 1)
        movie[part] = np.minimum(rng.poisson(light), 65535)
    return Simulated(movie, footprints * (vessels if one else 1), traces, spikes, rate_hz)


def _activity(rng: np.random.Generator, cells: int, count: int, rate_hz: float, decay_s: float) -> tuple[Array, Array]:
    """Return spikes and calcium that decays, each cell with its own time constant."""
    often = rng.uniform(0.1, 0.3, (cells, 1)) / rate_hz
    spikes = (rng.random((cells, count)) < often) * rng.uniform(0.7, 1.3, (cells, count))
    for number in np.flatnonzero(spikes.sum(axis=1) == 0):
        spikes[number, rng.integers(count)] = 1.0
    decay = np.exp(-1 / (rng.uniform(0.7, 1.3, cells) * decay_s * rate_hz))
    calcium = np.zeros((cells, count))
    calcium[:, 0] = spikes[:, 0]
    for t in range(1, count):
        calcium[:, t] = decay * calcium[:, t - 1] + spikes[:, t]
    return spikes.astype(np.float32), calcium.astype(np.float32)


def _places(rng: np.random.Generator, cells: int, rows: int, cols: int, sigma: float) -> npt.NDArray[np.float64]:
    """Return centres that are no nearer to each other than cells can be, as far as there is room."""
    found: list[npt.NDArray[np.float64]] = []
    apart, tries = 2.5 * sigma, 0
    margin = min(1.5 * sigma, rows / 4, cols / 4)
    while len(found) < cells:
        place = rng.uniform([margin, margin], [rows - 1 - margin, cols - 1 - margin])
        if all(np.hypot(*(place - other)) > apart for other in found):
            found.append(place)
        tries += 1
        if tries % 500 == 0:
            apart *= 0.9
    return np.array(found)


def _cell(
    rng: np.random.Generator, at: npt.NDArray[np.float64], shape: tuple[int, int], sigma: float, *, ring: bool
) -> Array:
    y, x = np.indices(shape)
    dy, dx = y - at[0], x - at[1]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.8, 1.25)
    u = (np.cos(angle) * dy + np.sin(angle) * dx) / (sigma * ratio)
    v = (np.cos(angle) * dx - np.sin(angle) * dy) * ratio / sigma
    square = u * u + v * v
    image = np.exp(-0.5 * square)
    if ring:
        image = np.exp(-0.5 * (square / 2) ** 2) * (1 - 0.6 * np.exp(-2 * square))
    image[image < 0.05] = 0
    return np.asarray(image / image.max(), np.float32)


def _broad(rng: np.random.Generator, number: int, count: int, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Return broad sources, (source, row, column), and their slow courses of unit size, (source, time)."""
    y, x = np.indices(shape)
    images = []
    for _ in range(number):
        row, col, width = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(0.12, 0.4) * max(shape)
        images.append(np.exp(-0.5 * ((y - row) ** 2 + (x - col) ** 2) / width**2))
    frequencies = np.fft.rfftfreq(count)
    shape_of = 1 / np.maximum(frequencies, 1 / count) / (1 + (frequencies / 0.05) ** 2)
    spectrum = (
        rng.normal(size=(number, len(frequencies))) + 1j * rng.normal(size=(number, len(frequencies)))
    ) * shape_of
    spectrum[:, 0] = 0
    courses = np.fft.irfft(spectrum, count, axis=1)
    courses /= np.maximum(courses.std(axis=1, keepdims=True), 1e-12)
    return np.asarray(images, np.float32), courses.astype(np.float32)


def _vessels(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return how much light comes through: less where vessels, lines that wander, lie above."""
    dark = np.zeros(shape)
    y, x = np.indices(shape)
    for _ in range(3):
        phase, angle, width = rng.uniform(0, 6.3), rng.uniform(0, np.pi), rng.uniform(2.0, 4.0)
        along, across = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
        middle = across - np.median(across) - rng.uniform(-0.4, 0.4) * max(shape) - 6 * np.sin(along / 18 + phase)
        dark += 0.25 * np.exp(-0.5 * (middle / width) ** 2)
    shade = 1 - 0.35 * (((y / shape[0] - 0.5) ** 2 + (x / shape[1] - 0.5) ** 2) * 2)
    return np.asarray(shade * (1 - np.minimum(dark, 0.6)), np.float32)


def matched(truth: Array, found: Array, least: float = 0.5) -> list[tuple[int, int, float]]:
    """Return pairs (true cell, found component, cosine) one to one, of the largest sum of cosines, each above `least`.

    Footprints are (cell, row, column).
    """
    from scipy.optimize import linear_sum_assignment

    if not len(truth) or not len(found):
        return []
    one, other = (np.asarray(part, np.float64).reshape(len(part), -1) for part in (truth, found))
    one, other = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in (one, other))
    alike = one @ other.T
    pairs = zip(*linear_sum_assignment(-np.where(alike > least, alike, 0)), strict=True)
    return [(int(a), int(b), float(alike[a, b])) for a, b in pairs if alike[a, b] > least]
