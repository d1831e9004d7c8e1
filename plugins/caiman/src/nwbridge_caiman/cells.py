"""Components as regions: their pixels, what the evaluation said, and one column for each quality."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import Column, Plane, Region, Segmentation
from nwbridge_caiman.results import Results
from nwbridge_caiman.sparse import Columns
from nwbridge_caiman.traces import Movement, traces

QUALITIES = {
    "SNR_comp": "signal-to-noise ratio of the trace's peaks, as CaImAn estimated it (may be inf)",
    "r_values": "correlation of the footprint with the movie around the trace's peaks",
    "cnn_preds": "probability of CaImAn's network that the footprint is a neuron's",
    "ecc": "eccentricity of the footprint",
    "center": "centre of mass of the footprint: row, column[, plane], in pixels from 0",
    "bl": "baseline of the denoised trace",
    "c1": "initial concentration of the denoised trace",
    "g": "coefficients of the autoregressive process of the denoised trace, one for each order",
    "lam": "sparsity penalty of the deconvolution",
    "neurons_sn": "standard deviation of the trace's noise",
}
KINDS = {"accepted": "idx_components", "rejected": "idx_components_bad"}


def segmentation(
    results: Results,
    group: str,
    name: str,
    footprints: Columns,
    dims: tuple[int, ...],
    plane: Plane,
    movement: Movement,
    ground: Segmentation | None,
) -> Segmentation:
    """Return the components below a group, with their traces."""
    count = footprints.shape[1]
    discarded = group.endswith("discarded_components")
    words = "components that were taken out with CaImAn's select_components" if discarded else "CaImAn's components"
    return Segmentation(
        name,
        tuple(_regions(results, group, footprints, dims)),
        dims,
        plane,
        f"{words}: spatial footprints A with their weights",
        status=_status(results, group, count, "rejected" if discarded else None),
        columns=tuple(_qualities(results, group, count)),
        traces=tuple(traces(results, group, footprints, movement, ground)),
    )


def _regions(results: Results, group: str, footprints: Columns, dims: tuple[int, ...]) -> Iterator[Region]:
    """Yield every component's pixels: rows of A count along columns of the image first (Fortran order)."""
    pixels = np.stack(np.unravel_index(footprints.indices, dims, order="F"), axis=1)
    empty = []
    for number, (start, stop) in enumerate(zip(footprints.ends[:-1], footprints.ends[1:], strict=True)):
        if start == stop:
            empty.append(number)
            yield Region(np.zeros((1, len(dims)), np.int64), np.zeros(1, footprints.data.dtype), id=number)
        else:
            yield Region(pixels[start:stop], footprints.data[start:stop], id=number)
    if empty:
        several = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        results.note(
            "warning",
            f"component {empty[0]}{several} of {group}/A has no pixel; written as the first pixel with weight 0",
            "its traces are kept; leave it out of what you do with footprints",
        )


def _status(results: Results, group: str, count: int, always: str | None) -> tuple[Any, ...] | None:
    """Return what the evaluation said of each component; None where there was no evaluation."""
    if always and count:
        return (always,) * count
    named = {kind: _numbers(results, f"{group}/{key}", count) for kind, key in KINDS.items()}
    if all(numbers is None for numbers in named.values()) or not count:
        return None
    status = np.full(count, "not evaluated", dtype="<U13")
    for kind, numbers in named.items():
        if numbers is not None:
            taken = numbers[status[numbers] != "not evaluated"]
            if len(taken):
                raise results.bad(group, f"names component {taken[0]} in idx_components and in idx_components_bad")
            status[numbers] = kind
    return tuple(status.tolist())


def _numbers(results: Results, name: str, count: int) -> npt.NDArray[np.int64] | None:
    item = results.dataset(name)
    if item is None:
        return None
    if item.ndim != 1 or (item.dtype.kind not in "iu" and item.size):
        raise results.bad(name, f"is {item.dtype} of shape {item.shape}; expected a row of components' numbers")
    numbers: npt.NDArray[np.int64] = item[()].astype(np.int64)
    wrong = (numbers < 0) | (numbers >= count)
    if wrong.any():
        raise results.bad(name, f"names component {numbers[wrong][0]}; A has {count} components, from 0")
    return numbers


def _qualities(results: Results, group: str, count: int) -> Iterator[Column]:
    for key, words in QUALITIES.items():
        name = f"{group}/{key}"
        item = results.dataset(name)
        if item is None or item.ndim == 0 or item.shape[0] == 0:
            continue  # not computed: None, 0 or nothing; such values stand with the parameters
        if item.shape[0] != count or item.ndim > 2:
            raise results.bad(name, f"has the shape {item.shape}; expected a row for each of A's {count} components")
        if item.dtype.kind not in "buifSO":
            raise results.bad(name, f"holds {item.dtype}; expected numbers or text")
        values = item[()]
        if values.dtype.kind in "SO":  # numpy objects become texts of 32 characters
            texts = values.astype("S").astype(str)
            if set(texts.flat) <= {"None", "NoneType"}:
                continue
            values, words = _parsed(texts), f"{words} (stored as text)"
        yield Column(key, values, words)


def _parsed(texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers that were stored as text, NaN for None; the text itself where it is anything else."""
    try:
        return np.where(np.isin(texts, ("None", "NoneType")), "nan", texts).astype(np.float64)
    except ValueError:
        return texts
