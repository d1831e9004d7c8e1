"""Regions of interest and their traces, to and from NWB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from hdmf.common import VectorData, VectorIndex
from pynwb import NWBFile
from pynwb.image import ImageSeries
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, PlaneSegmentation, RoiResponseSeries

from nwbridge.arrays import from_numpy
from nwbridge.errors import BadSource
from nwbridge.model import Column, LazyArray, Reader, Region, Segmentation, Status, Traces
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.layout import Exact, Layout, add
from nwbridge.nwb.movies import clock, module
from nwbridge.nwb.planes import imaging_plane, plane_of
from nwbridge.nwb.stored import LAZY, Stored, as_row, dataset_of, elements, values_of
from nwbridge.nwb.tables import add_columns, columns_of

_AXES = ("x", "y", "z")
_MASK_AXES = (0, 2, 1, 3)  # (region, x, y, z), from (region, row, column, plane)
_NO_MASK = "the mask is not distributed"
_MASKS = ("image_mask", "pixel_mask", "voxel_mask")


@add.register
def _(segmentation: Segmentation, file: NWBFile, layout: Layout) -> None:
    regions = segmentation.regions
    if isinstance(regions, LazyArray):
        masks, ids = _images(regions, layout), np.arange(len(segmentation))
    else:
        masks, ids = _pixels(segmentation, regions, layout), np.array([region.id for region in regions], np.int64)
    status = (
        Column("status", np.array(segmentation.status), "what became of the region") if segmentation.status else None
    )
    columns, names = add_columns(filter(None, (status, *segmentation.columns)), file, layout)
    size = None if segmentation.image_shape is None else _in_words(segmentation.image_shape)
    role = None if segmentation.role == "cells" else segmentation.role
    table = PlaneSegmentation(
        name=segmentation.name,
        description=stating(segmentation.description, image=size, role=role),
        imaging_plane=imaging_plane(segmentation.plane, file),
        id=ids,
        columns=[*masks, *columns],
        colnames=[masks[0].name, *names],
    )
    _interface(file, ImageSegmentation).add_plane_segmentation(table)
    layout.tables.append(table)
    layout.exact.append(Exact(table.id, np.asarray(table.id.data)))
    for traces in segmentation.traces:
        add_traces(traces, table, file, layout)


def _in_words(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{size} {name}" for size, name in zip(shape, ("rows", "columns", "planes"), strict=False))


def _images(masks: LazyArray, layout: Layout) -> list[VectorData]:
    data = layout.empty(masks, _MASK_AXES[: len(masks.shape)])
    return [VectorData(name="image_mask", description="an image of weights for each region", data=data)]


def _pixels(segmentation: Segmentation, regions: tuple[Region, ...], layout: Layout) -> list[VectorData]:
    """Return the columns of the masks: pixels, or voxels, or one NaN each where no mask is distributed."""
    if any(region.pixels is None for region in regions):
        nothing = np.full((len(regions), 1, 1), np.nan)
        return [VectorData(name="image_mask", description=_NO_MASK, data=nothing)]
    shape = segmentation.image_shape or (1, 1)  # without any region nobody may know it
    name = "pixel_mask" if len(shape) == 2 else "voxel_mask"
    weights = [r.weights for r in regions if r.weights is not None]
    exact = all(w.dtype == np.float32 for w in weights)
    fields = [(axis, "<u4") for axis in _AXES[: len(shape)]]
    kind = np.dtype([*fields, ("weight", "<f4" if exact else "<f8")])
    # without any region the inspector, and so DANDI, stumbles over an empty column: one entry that is no region's
    stand_in = np.zeros(1, np.dtype([*fields, ("weight", "<f4")]))
    pixels = [region.pixels for region in regions if region.pixels is not None]
    ends = np.cumsum([len(p) for p in pixels], dtype=np.uint64)
    column = VectorData(
        name=name, description="x = column, y = row, and weight of each pixel of a region", data=stand_in
    )
    index = VectorIndex(name=f"{name}_index", data=layout.backend.bare(ends), target=column)  # hdmf would squeeze them
    if regions:
        rows = np.concatenate([_mask(p, r.weights, kind) for p, r in zip(pixels, regions, strict=True)])
        layout.replace(column, from_numpy(rows))
    layout.exact.append(Exact(index, ends))
    return [column, index]


def _mask(pixels: npt.NDArray[Any], weights: npt.NDArray[Any] | None, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    mask = np.empty(len(pixels), kind)
    for field, axis in zip(_AXES, (1, 0, 2)[: pixels.shape[1]], strict=False):
        mask[field] = pixels[:, axis]
    mask["weight"] = 1.0 if weights is None else weights
    return mask


def _interface(file: NWBFile, kind: type[Any]) -> Any:
    """Return the module's one container of a kind, made at the first call."""
    ophys = module(file, "ophys")
    found = next((one for one in ophys.data_interfaces.values() if type(one) is kind), None)
    if found is None:
        taken = kind.__name__ in ophys.data_interfaces  # by a movie of that name
        found = kind(name=f"{kind.__name__}_of_regions" if taken else kind.__name__)
        ophys.add(found)
    return found


def add_traces(traces: Traces, table: PlaneSegmentation, file: NWBFile, layout: Layout) -> None:
    """Add one value of every region at every time, also to regions that a file has already."""
    rows = table.create_roi_table_region(region=list(range(len(table.id))), description="all regions, in order")
    series = RoiResponseSeries(
        name=traces.name,
        **clock(traces, layout, "mend it in the recording"),
        data=layout.empty(traces.data, (1, 0)),
        rois=rows,
        unit=traces.unit or "n.a.",
        description=stating(traces.description, kind=traces.kind, made_from=traces.made_from),
    )
    _interface(file, DfOverF if traces.kind == "dff" else Fluorescence).add_roi_response_series(series)


@elements.register
def _(masks: ImageSegmentation, stored: Stored) -> Iterator[Segmentation]:
    for table in masks.plane_segmentations.values():
        try:
            yield _segmentation(table, stored)
        except Exception as error:  # noqa: BLE001 other programs' masks may be damaged in any way
            stored.leave(table, error)
        else:
            stored.carry(table)


def _segmentation(table: PlaneSegmentation, stored: Stored) -> Segmentation:
    words, facts = stated(table.description)
    shape = tuple(int(n) for n in re.findall(r"\d+", facts["image"])) if "image" in facts else None
    regions = _regions(table, stored)
    if shape is None and isinstance(regions, tuple):
        shape = _shape_of(table, regions, stored)
    columns = columns_of(table, stored, without=_MASKS)
    status, columns = _status(table, columns, stored)
    traces = dict(_traces(table, stored)) if len(table.id) else {}
    made = Segmentation(
        name=stored.name(table),
        regions=regions,
        image_shape=shape,
        plane=plane_of(table.imaging_plane, stored),
        description=words,
        status=status,
        columns=columns,
        traces=tuple(traces.values()),
        role="background" if facts.get("role") == "background" else "cells",
    )
    stored.carry(*traces)
    return made


def _status(table: PlaneSegmentation, columns: tuple[Column, ...], stored: Stored) -> tuple[Any, tuple[Column, ...]]:
    """Return what became of the regions, if the column of that name says it in our words, and the other columns."""
    column = next((column for column in columns if column.name == "status"), None)
    if column is None:
        return None, columns
    others = tuple(other for other in columns if other is not column)
    words = tuple(column.values.tolist()) if isinstance(column.values, np.ndarray) else ()
    if column.ends is None and words and set(words) <= set(get_args(Status)):
        return words, others
    name = next(n for n in ("stored_status", "status_2", "status_3") if n not in table.colnames)
    stored.say(f"column status of {table.name} is carried over as {name}: expected {', '.join(get_args(Status))}")
    return None, tuple(replace(column, name=name) if other is column else other for other in columns)


def _regions(table: PlaneSegmentation, stored: Stored) -> tuple[Region, ...] | LazyArray:
    ids = [int(i) for i in values_of(table.id.data)]
    masks = [name for name in _MASKS if name in table.colnames]
    if len(masks) > 1:
        stored.say(f"{' and '.join(masks[1:])} of {table.name} cannot be carried over: the regions are its {masks[0]}")
    if masks[0] == "image_mask":
        data = dataset_of(table["image_mask"].data)
        if data.shape[1:] == (1, 1) and data.nbytes <= LAZY and np.isnan(values_of(data)).all():
            return tuple(Region(None, id=i) for i in ids)
        if ids != list(range(len(ids))):
            stored.say(f"the row ids of {table.name} cannot be carried over: its regions are images")
        return stored.array(data, _MASK_AXES[: data.ndim])
    index = next(column for column in table.columns if column.name == f"{masks[0]}_index")
    ends = values_of(index.data).astype(np.int64)
    rows = values_of(index.target.data)
    axes = [axis for axis in ("y", "x", "z") if axis in (rows.dtype.names or ())]
    if {"x", "y", "weight"} - set(rows.dtype.names or ()):
        raise BadSource(f"its {masks[0]} holds {rows.dtype}; expected x, y and weight")
    if (np.diff(ends, prepend=0) < 0).any() or (len(ends) and ends[-1] > len(rows)):
        raise BadSource(f"the ends of its {masks[0]}s do not grow to the {len(rows)} pixels")
    pixels = np.stack([rows[axis] for axis in axes], axis=1).astype(np.int64)
    weights = rows["weight"]
    places = zip(ids, [0, *ends][: len(ends)], ends, strict=True)
    return tuple(Region(pixels[low:high], weights[low:high], i) for i, low, high in places)


def _shape_of(table: PlaneSegmentation, regions: tuple[Region, ...], stored: Stored) -> tuple[int, ...] | None:
    """Return (rows, columns) of the movie in the same imaging plane, or what holds all pixels, if there are any."""
    if not any(region.pixels is not None for region in regions):
        return None
    tops = [region.pixels.max(axis=0) for region in regions if region.pixels is not None and len(region.pixels)]
    least = tuple(int(n) + 1 for n in np.max(tops, axis=0))
    for series in stored.file.objects.values():
        if getattr(series, "imaging_plane", None) is table.imaging_plane and isinstance(series, ImageSeries):
            sizes = series.data.shape[1:]
            shape = tuple(int(sizes[axis]) for axis in (1, 0, 2)[: len(sizes)])
            if len(shape) == len(least) and all(size >= low for size, low in zip(shape, least, strict=True)):
                return shape
    return least


def _traces(table: PlaneSegmentation, stored: Stored) -> Iterator[tuple[RoiResponseSeries, Traces]]:
    found = [one for one in stored.file.objects.values() if isinstance(one, RoiResponseSeries)]
    for series in sorted(found, key=_in_order):
        if series.rois.table is not table:
            continue
        if not np.array_equal(values_of(series.rois.data), np.arange(len(table.id))):
            stored.leave(series, "its traces are not those of all regions in order")
            continue
        try:
            yield series, _one_trace_each(series, len(table.id), stored)
        except Exception as error:  # noqa: BLE001 the regions are carried all the same
            stored.leave(series, error)


def _in_order(series: RoiResponseSeries) -> list[tuple[int, str]]:
    """Return what sorts names with numbers as people do: dff, dff_2, dff_10. So what a step made last comes last."""
    parts = re.findall(r"(\d+)|(\D+)", f"{series.name} {getattr(series.parent, 'name', '')}")
    return [(int(number or 0), words) for number, words in parts]


def _one_trace_each(series: RoiResponseSeries, count: int, stored: Stored) -> Traces:
    words, facts = stated(series.description)
    kind: Any = "dff" if isinstance(series.parent, DfOverF) else facts.get("kind", _kind_by_name(series))
    flat = len(series.data.shape) == 1
    data = as_row(stored.array(series.data)) if flat else stored.array(series.data, (1, 0))
    if data.shape[0] != count:
        raise BadSource(f"its values are {series.data.shape}; expected (time, region) of {count} regions")
    return Traces(
        name=stored.name(series),
        data=_in_unit(data, float(series.conversion), float(series.offset)),
        kind=kind,
        description=words,
        **stored.clock(series),
        unit=None if series.unit == "n.a." else series.unit,
        made_from=facts.get("made_from"),
    )


def _in_unit(data: LazyArray, conversion: float, offset: float) -> LazyArray:
    """Return traces in their unit: ratios as ΔF/F are wrong of stored values that an offset is to be added to."""
    if (conversion, offset) == (1.0, 0.0):
        return data
    kind = np.result_type(data.dtype, np.float32)

    @contextmanager
    def opened() -> Iterator[Reader]:
        with data.open() as reader:
            yield _InUnit(reader, kind, conversion, offset)

    return LazyArray(data.shape, kind, opened, data.parallel)


@dataclass(frozen=True)
class _InUnit:
    reader: Reader
    kind: np.dtype[Any]
    conversion: float
    offset: float

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        return (np.asarray(self.reader[key], np.float64) * self.conversion + self.offset).astype(self.kind)


def _kind_by_name(series: RoiResponseSeries) -> str:
    """Return what other programs' names say, of series or, as suite2p's, of what holds them."""
    low = f"{getattr(series.parent, 'name', '')} {series.name}".lower()
    if ("neuropil" in low or "fneu" in low) and not re.search("correct|subtract|denoised|deconvolved", low):
        return "background"
    if "spks" in low:
        return "deconvolved"
    return next((kind for kind in ("denoised", "deconvolved", "background") if kind in low), "fluorescence")
