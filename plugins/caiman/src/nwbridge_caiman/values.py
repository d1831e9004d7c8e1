"""The numbers of one result, by the names that CaImAn has for them: sparse footprints, traces, images, evaluation."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, LazyArray, Movie, Region, Segmentation, Table, Traces
from nwbridge_caiman.cells import KINDS, QUALITIES
from nwbridge_caiman.choosing import Result
from nwbridge_caiman.provenance import sizes_in

Values = dict[str, npt.NDArray[Any]]
EVEN = 0.1  # of a frame's duration: how far a time may stray from an even rate
MATRIX = ("data", "indices", "indptr", "shape")


def values_of(result: Result) -> Values:
    """Return everything below estimates/ that the session has; discarded/… of what was taken out."""
    found = _components(result.cells, result.traces) | _status(result.cells)
    if result.discarded is not None:
        below = _components(result.discarded, result.discarded_traces)
        found |= {f"discarded/{name}": value for name, value in below.items()}
    if result.background is not None:
        found |= _background(result.background, result.cells)
    if result.ring is not None:
        found |= _ring(result.ring)
    for key, images in result.images.items():
        planes = [read(image.data) for image in images]
        found[key] = np.stack(planes, axis=2) if len(dims_of(result.cells)) == 3 else planes[0]
        if found[key].shape != dims_of(result.cells):
            raise BadSource(f"{key} is an image of {found[key].shape}; the cells' are {dims_of(result.cells)}")
    _check_frames(result, found)
    return found


def read(array: LazyArray) -> npt.NDArray[Any]:
    """Return all values."""
    with array.open() as reader:
        return np.asarray(reader[0 : array.shape[0]])


def dims_of(cells: Segmentation) -> tuple[int, ...]:
    """Return (rows, columns[, planes])."""
    if cells.image_shape is None:
        raise BadSource(f"{cells.name} has no masks: they are not distributed, and CaImAn's file is made of them")
    return cells.image_shape


def _components(cells: Segmentation, traces: dict[str, Traces]) -> Values:
    found = {f"A/{part}": value for part, value in _footprints(cells).items()}
    found |= {key: read(one.data) for key, one in traces.items()}
    for column in cells.columns:
        if column.name in QUALITIES and column.ends is None and column.values.dtype.kind in "buif":
            values = column.values
            found[column.name] = read(values) if isinstance(values, LazyArray) else values
    return found


def _footprints(cells: Segmentation) -> Values:
    """Return the masks as a matrix by columns: pixels count down the columns of the image."""
    dims = dims_of(cells)
    if isinstance(cells.regions, LazyArray):
        parts = _of_images(cells.regions)
    else:
        parts = [_of_pixels(cells, region, dims) for region in cells.regions]
    kind = np.result_type(*(weights.dtype for _, weights in parts)) if parts else np.dtype(np.float32)
    kind = kind if kind in (np.float32, np.float64) else np.dtype(np.float64)
    places = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in parts)])
    ends = np.cumsum([0, *(len(rows) for rows, _ in parts)])
    index = np.int32 if max(int(np.prod(dims)), int(ends[-1])) < 1 << 31 else np.int64  # as scipy chooses
    data = np.concatenate([np.zeros(0, kind), *(weights.astype(kind) for _, weights in parts)])
    shape = np.array([int(np.prod(dims)), len(cells)], np.int64)
    return dict(zip(MATRIX, (data, places.astype(index), ends.astype(index), shape), strict=True))


def _of_images(images: LazyArray) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    found = []
    with images.open() as reader:
        for number in range(images.shape[0]):
            flat = np.asarray(reader[number : number + 1])[0].ravel(order="F")
            (rows,) = np.nonzero(flat)
            found.append((rows, flat[rows]))
    return found


def _of_pixels(cells: Segmentation, region: Region, dims: tuple[int, ...]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if region.pixels is None:
        raise BadSource(f"{cells.name} has regions without masks: they are not distributed")
    rows = np.ravel_multi_index(tuple(region.pixels.T), dims, order="F")
    weights = np.ones(len(rows)) if region.weights is None else np.asarray(region.weights)
    if len(rows) == 1 and not weights[0]:  # how a component without any pixel is kept
        return rows[:0], weights[:0]
    if len(np.unique(rows)) < len(rows):
        raise BadSource(f"{cells.name}: region {region.id} has a pixel twice; expected every pixel once")
    return rows, weights


def _status(cells: Segmentation) -> Values:
    """Return the numbers of accepted and rejected components; nothing where nobody evaluated them."""
    if cells.status is None:
        return {}
    status = np.array(cells.status)
    return {key: np.flatnonzero(status == word).astype(np.int64) for word, key in KINDS.items()}


def _background(ground: Segmentation, cells: Segmentation) -> Values:
    if ground.image_shape != cells.image_shape:
        raise BadSource(f"{ground.name} has images of {ground.image_shape}, {cells.name} of {cells.image_shape}")
    if isinstance(ground.regions, LazyArray):
        masks = read(ground.regions)
        flat = np.moveaxis(masks, 0, -1).reshape(-1, len(ground), order="F")
    else:
        parts = _footprints(ground)
        flat = np.zeros(tuple(parts["shape"]), parts["data"].dtype)
        flat[parts["indices"], np.repeat(np.arange(len(ground)), np.diff(parts["indptr"]))] = parts["data"]
    traces = next((one for one in ground.traces if one.kind == "background"), ground.traces[0])
    return {"b": flat, "f": read(traces.data)}


def _ring(table: Table) -> Values:
    """Return W by columns, of a table with a row for each."""
    size = len(table)
    targets, weights = (table[name] for name in ("targets", "weights") if name in table)
    ends = targets.ends
    if ends is None or weights.ends is None or not np.array_equal(ends, weights.ends):
        raise BadSource(f"{table.name}: expected ragged columns targets and weights, as long as each other")
    rows, data = (np.asarray(read(v) if isinstance(v, LazyArray) else v) for v in (targets.values, weights.values))
    whole = (data, rows.astype(np.int32), np.concatenate([[0], ends]).astype(np.int32), np.array([size, size]))
    return {f"W/{part}": value for part, value in zip(MATRIX, whole, strict=True)}


def _check_frames(result: Result, found: Values) -> None:
    """Raise BadSource unless all traces have as many frames."""
    names = {key: one.name for key, one in result.traces.items()}
    names |= {f"discarded/{key}": one.name for key, one in result.discarded_traces.items()} | {"f": "the background"}
    first, count = next(((name, found[key].shape[1]) for key, name in names.items() if key in found), ("", 0))
    for key, name in names.items():
        if key in found and found[key].shape[1] != count:
            raise BadSource(f"{name} has {found[key].shape[1]} frames, {first} {count}; expected as many")


def frames_of(result: Result, found: Values) -> int:
    """Return how many frames there are; BadSource where nothing says it."""
    for key in ("C", "f"):
        if key in found:
            return int(found[key].shape[1])
    counts = {movie.data.shape[0] for movie in result.session.of(Movie)}
    named = sizes_in(str(result.parameters.values.get("mmap_file"))) if result.parameters else None
    counts = counts if len(counts) == 1 else {named[1]} if named else set()
    if not counts:
        raise BadSource(f"{result.session.id}: {result.cells.name} has no region, and nothing says how many frames")
    return int(counts.pop())


def rate_of(result: Result, given: float | None) -> float | None:
    """Return frames a second, None where nothing says it; BadSource where they are not even."""
    clock = result.traces.get("C")
    if given is not None:
        return given
    if clock is None or clock.timestamps is None:
        return (clock.rate_hz if clock else None) or result.cells.plane.rate_hz
    times = read(clock.timestamps).astype(np.float64)
    if len(times) < 2:
        return result.cells.plane.rate_hz
    if not np.isfinite(times).all():
        times = np.zeros(len(times))  # which are no times either
    period = (times[-1] - times[0]) / (len(times) - 1)
    strays = np.abs(times - times[0] - period * np.arange(len(times)))
    if not (period > 0 and strays.max() <= EVEN * period):
        raise BadSource(
            f"{result.session.id}: {clock.name} has uneven times, frame {int(strays.argmax())} most of all; CaImAn's "
            "file holds a rate alone: give it with --rate HZ, and keep the NWB file for the times"
        )
    return float(1 / period)
