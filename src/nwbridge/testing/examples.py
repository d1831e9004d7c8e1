"""A small recording with something of every kind that processors take, for their tests."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.arrays import from_numpy
from nwbridge.conversion import convert
from nwbridge.hookspecs import Source
from nwbridge.model import (
    Column,
    Localizations,
    Movie,
    Plane,
    Region,
    Segmentation,
    Series,
    Session,
    Subject,
    Table,
    Traces,
    Units,
)
from nwbridge.plugins import Plugin, Registry

FRAMES, ROWS, COLUMNS, RATE = 120, 36, 52, 10.0
_CELLS = ((9, 12), (20, 33), (27, 10), (12, 42))  # row and column of the middle
_RADIUS = 4


def write_example(path: Path, takes: Collection[type] = (), without: Collection[type] = ()) -> Path:
    """Write an NWB file with a noisy movie of cells that flicker, their regions and traces, molecules and more.

    Of the types in `takes` only the first is there, once, so that nobody has to choose; none of those in `without` is.
    """
    left_out = {*list(takes)[1:], *without}
    elements = tuple(one for one in _elements() if type(one) not in left_out) or (_notes(),)
    subject = Subject("mouse-1", "Mus musculus", "F", "P90D")
    session = Session("made-up", "Made up to test processors.", elements, subject=subject)
    source = Source("made-up", "made up", lambda _: "made up", lambda _, __: session, lambda folder: folder)
    (path.parent / "described").touch()
    try:
        registry = Registry((Plugin("made-up", "made-up", "0", sources=(source,)),))
        convert(path.parent / "described", path, registry=registry)
    finally:
        (path.parent / "described").unlink()
    return path


def _elements() -> tuple[Any, ...]:
    plane = Plane("ImagingPlane", rate_hz=RATE, pixel_um=(0.1, 0.1), indicator="GCaMP6f", excitation_nm=920.0)
    rng = np.random.default_rng(8)
    rises = rng.random((len(_CELLS), FRAMES)) < 0.06
    activity = np.stack([np.convolve(rise, 0.8 ** np.arange(30))[:FRAMES] for rise in rises])
    frames = rng.poisson(_light(activity)).astype(np.uint16)
    regions = tuple(Region(np.argwhere(_disc(*middle))) for middle in _CELLS)
    values = np.stack([frames[:, _disc(*middle)].mean(axis=1) for middle in _CELLS])
    traces = Traces("Fluorescence", from_numpy(values), rate_hz=RATE, unit="counts", made_from="TwoPhotonSeries")
    return (
        Movie("TwoPhotonSeries", from_numpy(frames), plane, rate_hz=RATE, unit="counts"),
        Segmentation("Cells", regions, (ROWS, COLUMNS), plane, traces=(traces,)),
        _molecules(plane, rng),
        Series("Speed", from_numpy(rng.random(50 * 12)), "m/s", rate_hz=50.0),
        _spikes(rises),
        _notes(),
    )


def _disc(row: int, column: int) -> npt.NDArray[np.bool_]:
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return np.asarray(np.hypot(rows - row, columns - column) < _RADIUS)


def _light(activity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the expected counts: cells before a background that is brighter in the middle."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    light = np.repeat(20 + 30 * np.exp(-((rows - 18) ** 2 + (columns - 26) ** 2) / 400)[np.newaxis], FRAMES, axis=0)
    for middle, values in zip(_CELLS, activity, strict=True):
        light += 25 * _disc(*middle) * (1 + 2 * values[:, np.newaxis, np.newaxis])
    return np.asarray(light)


def _molecules(plane: Plane, rng: np.random.Generator) -> Localizations:
    """Return molecules along two lines, in nanometres, on the pixels of the movie."""
    count = 400
    along = rng.random(count)
    x = 300 + 4500 * along + rng.normal(0, 15, count)
    y = np.where(np.arange(count) % 2, 500 + 2500 * along, 2900 - 2400 * along) + rng.normal(0, 15, count)
    columns = (
        Column("frame", np.sort(rng.integers(0, FRAMES, count))),
        Column("x", x, unit="nm"),
        Column("y", y, unit="nm"),
        Column("sigma", rng.normal(130, 8, count), unit="nm"),
        Column("intensity", rng.gamma(4, 300, count), unit="photon"),
        Column("uncertainty", rng.uniform(8, 25, count), unit="nm"),
    )
    return Localizations("Molecules", columns, plane=plane, frame_base=0)


def _spikes(rises: npt.NDArray[np.bool_]) -> Units:
    times = [np.flatnonzero(rise) / RATE for rise in rises]
    ends = np.cumsum([len(one) for one in times])
    return Units(columns=(Column("spike_times", np.concatenate(times), unit="s", ends=ends),))


def _notes() -> Table:
    return Table("Notes", (Column("note", np.array(["made up"])),))
