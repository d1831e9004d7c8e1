"""Traces of components: denoised, raw, deconvolved, and ΔF/F where F_dff is that."""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import LazyArray, Segmentation, Traces
from nwbridge_caiman.results import Results
from nwbridge_caiman.sparse import Columns

LOOKED_AT = 8  # components that tell what F_dff is
ALIKE = 0.1


@dataclass(frozen=True)
class Movement:
    """The clock of all traces: frames, and how many a second."""

    frames: int
    rate_hz: float | None


def frames(results: Results, count: int) -> int:
    """Return how many frames the traces have; BadSource where there is no trace."""
    for key in ("C", "YrA", "S", "F_dff", "f"):
        rows, why = (None, "background") if key == "f" else (count, f"A has {count} components")
        shape = results.shape(f"estimates/{key}", "(component, frame)", (rows, None), why)
        if shape is not None:
            if not shape[1]:
                raise results.bad(f"estimates/{key}", "holds traces of 0 frames; expected at least 1")
            return shape[1]
    raise results.bad("estimates", "has no traces: C, YrA and S are absent or None; expected at least C")


def traces(
    results: Results, group: str, footprints: Columns, movement: Movement, ground: Segmentation | None
) -> Iterator[Traces]:
    """Yield what there is of C, C + YrA, S, F_dff and R."""
    count = footprints.shape[1]
    prefix = "discarded_" if group.endswith("discarded_components") else ""
    why = f"A has {count} components and the traces {movement.frames} frames"
    keys = ("C", "YrA", "S", "F_dff", "R")
    have = {
        key
        for key in keys
        if results.shape(f"{group}/{key}", "(component, frame)", (count, movement.frames), why) is not None
    }
    rate = movement.rate_hz
    if not count:
        return
    if "C" in have:
        data = results.rows(f"{group}/C")
        yield Traces(f"{prefix}denoised", data, "denoised", "CaImAn's C: denoised temporal components", rate)
    if {"C", "YrA"} <= have:
        yield _raw(results, group, f"{prefix}raw", rate)
    elif not prefix:
        results.note("hint", f"{group}/YrA or C is absent: there are no raw traces, which are C + YrA")
    if "S" in have:
        words = "CaImAn's S: deconvolved activity, in units of its own"
        yield Traces(f"{prefix}deconvolved", results.rows(f"{group}/S"), "deconvolved", words, rate)
    if "F_dff" in have:
        yield _dff(results, group, prefix, have, footprints, ground, rate)
    if "R" in have and not ("YrA" in have and _alike(results.file, f"{group}/R", f"{group}/YrA")):
        words = "CaImAn's R: residuals of the components, which differ from YrA"
        yield Traces(f"{prefix}residual", results.rows(f"{group}/R"), "other", words, rate)


def _raw(results: Results, group: str, name: str, rate: float | None) -> Traces:
    shape = results.file[f"{group}/C"].shape
    types = (results.file[f"{group}/{key}"].dtype for key in ("C", "YrA"))
    dtype = np.result_type(*types, np.float32)  # small whole numbers have no room for a sum

    def add(file: h5py.File, start: int, stop: int) -> npt.NDArray[np.generic]:
        with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN of the source stay so
            total: npt.NDArray[np.generic] = np.add(
                file[f"{group}/C"][start:stop], file[f"{group}/YrA"][start:stop], dtype=dtype
            )
        return total

    words = "CaImAn's C + YrA: fluorescence of each component without background and other components"
    return Traces(name, results.lazy(shape, dtype, add), "fluorescence", words, rate)


def _dff(
    results: Results,
    group: str,
    prefix: str,
    have: set[str],
    footprints: Columns,
    ground: Segmentation | None,
    rate: float | None,
) -> Traces:
    """Return F_dff as what it is: CaImAn writes merely detrended traces there where it has nothing to divide by."""
    data = results.rows(f"{group}/F_dff")
    with np.errstate(all="ignore"):  # whatever the values, they are only looked at
        ratio, level = _ratio_and_level(results.file, group, have, footprints, ground)
    evidence = "" if np.isnan(ratio) else f"; its changes are {ratio:.3g} times the fluorescence's (median of some)"
    if abs(ratio - 1) < ALIKE and not 0.5 < level < 2:  # at a baseline near 1 dividing changes nothing
        words = "CaImAn's F_dff, which is detrended and not divided by a baseline"
        return Traces(f"{prefix}detrended", data, "detrended", words + evidence, rate)
    if ground is not None:
        words = "CaImAn's F_dff: ΔF/F with the background b, f in the baseline"
        return Traces(f"{prefix}dff", data, "dff", words + evidence, rate)
    results.note(
        "warning",
        f"{group}/F_dff may not be ΔF/F: there is no background b, f in the file that it could be divided by",
        "it is written as F_dff among the traces, not in DfOverF",
    )
    words = "CaImAn's F_dff; without a background in the file it is unknown what it was divided by"
    return Traces(f"{prefix}F_dff", data, "other", words + evidence, rate)


def _ratio_and_level(
    file: h5py.File, group: str, have: set[str], footprints: Columns, ground: Segmentation | None
) -> tuple[float, float]:
    """Return how F_dff's changes from frame to frame relate to the fluorescence's, and the level of fluorescence.

    Subtracting a slow baseline leaves the changes as they are; dividing by the level makes them smaller by that
    number. Both are medians of some components, NaN where nothing can be told.
    """
    norms, rows = footprints.norms(), _some(footprints.shape[1], LOOKED_AT)
    below = _below(footprints, ground, rows)
    ratios: list[float] = []
    levels: list[float] = []
    for row, offset in zip(rows, below, strict=True):
        change = np.diff(file[f"{group}/F_dff"][row].astype(float))
        sums = [file[f"{group}/C"][row].astype(float)] if "C" in have else []
        sums += [sums[0] + file[f"{group}/YrA"][row]] if {"C", "YrA"} <= have else []
        scaled = [total * norms[row] for total in sums]  # CaImAn scales by the footprint's norm first
        levels += [float(np.median(total + offset)) for total in scaled]
        ratios += [ratio for total in scaled if (ratio := _slope(change, np.diff(total))) is not None]
    return _median(ratios), _median(levels)


def _below(footprints: Columns, ground: Segmentation | None, rows: list[int]) -> npt.NDArray[np.float64]:
    """Return the background b · f under some components, as (component, frame) or zeros."""
    if ground is None or not isinstance(ground.regions, LazyArray):
        return np.zeros((len(rows), 1))
    parts = [slice(footprints.ends[row], footprints.ends[row + 1]) for row in rows]
    share = np.zeros((len(rows), ground.regions.shape[0]))
    with ground.regions.open() as masks, ground.traces[0].data.open() as courses:
        for number in range(share.shape[1]):
            mask = np.ravel(masks[number : number + 1], order="F")
            share[:, number] = [footprints.data[part] @ mask[footprints.indices[part]] for part in parts]
        under: npt.NDArray[np.float64] = share @ courses[0 : share.shape[1]]
    return under / footprints.norms()[rows][:, np.newaxis]


def _slope(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float | None:
    """Return one in units of the other; None where they do not go together."""
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    product, power = one @ other, (one @ one) * (other @ other)
    return float(product / (other @ other)) if 0 < power < np.inf and product * product > 0.9 * power else None


def _median(values: list[float]) -> float:
    """Return the median of what is finite, NaN where nothing is."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")


def _alike(file: h5py.File, one: str, two: str) -> bool:
    """Whether two sets of traces are the same, as far as some of the components tell."""
    rows = _some(file[one].shape[0], 32)
    return all(np.array_equal(file[one][row], file[two][row], equal_nan=True) for row in rows)


def _some(count: int, most: int) -> list[int]:
    return sorted({int(row) for row in np.linspace(0, count - 1, min(count, most))})
