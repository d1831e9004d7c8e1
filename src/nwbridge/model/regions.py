"""Regions of interest and their traces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource, PluginFault
from nwbridge.model.lazy import LazyArray, check_clock, is_number
from nwbridge.model.optics import Plane
from nwbridge.model.tables import Column, check_columns


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest as exact pixels; regions may overlap."""

    pixels: npt.NDArray[np.integer[Any]] | None  # (n, 2): row, column, or (n, 3) with the plane; None: not distributed
    weights: npt.NDArray[np.floating[Any]] | None = None  # (n,); None: every pixel counts 1
    id: int | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        if self.id != other.id or self.pixels is None or other.pixels is None:
            return self.id == other.id and self.pixels is other.pixels
        ones = np.ones(len(self.pixels))
        mine, others = (ones if r.weights is None else np.asarray(r.weights, float) for r in (self, other))
        return np.array_equal(self.pixels, other.pixels) and np.array_equal(mine, others, equal_nan=True)

    __hash__ = None  # type: ignore[assignment]


Status = Literal["accepted", "undecided", "rejected", "not evaluated"]
_TAKEN = ("status", *(f"{mask}_mask{index}" for mask in ("image", "pixel", "voxel") for index in ("", "_index")))
TraceKind = Literal["fluorescence", "denoised", "deconvolved", "detrended", "dff", "background", "other"]


@dataclass(frozen=True)
class Traces:
    """One value of every region at every time; becomes a RoiResponseSeries, in DfOverF where it is ΔF/F."""

    name: str
    data: LazyArray  # (region, time)
    kind: TraceKind = "fluorescence"
    description: str | None = None
    rate_hz: float | None = None
    timestamps: LazyArray | None = None  # (time,), seconds; where given, the rate is not written
    start_s: float = 0.0
    unit: str | None = None
    made_from: str | None = None  # the name of the traces that these were computed from, or words

    def __post_init__(self) -> None:
        if len(self.data.shape) != 2 or 0 in self.data.shape or not is_number(self.data.dtype):
            raise BadSource(
                f"traces {self.name} were described as {self.data.shape} {self.data.dtype}; "
                "expected numbers as (region, time), neither of them 0"
            )
        if self.kind not in get_args(TraceKind):
            raise PluginFault(
                f"traces {self.name}: kind {self.kind!r}; expected one of {', '.join(get_args(TraceKind))}"
            )
        check_clock(f"traces {self.name}", self.data.shape[1], self.rate_hz, self.timestamps, self.start_s)


@dataclass(frozen=True)
class Segmentation:
    """Regions of interest in one imaging plane, and what is known of each; becomes a PlaneSegmentation.

    Regions are exact pixels, or images as large as the field of view, one a region, that are too many or too dense to
    hold as pixels. Regions without an id get their number. Without any region there are no columns, status or traces.
    """

    name: str
    regions: tuple[Region, ...] | LazyArray  # LazyArray: (region, row, column[, plane])
    image_shape: tuple[int, ...] | None  # (rows, columns[, planes]); None only where no mask is distributed
    plane: Plane
    description: str | None = None
    status: tuple[Status, ...] | None = None  # of each region; None: nobody evaluated them
    columns: tuple[Column, ...] = ()  # a row for each region
    traces: tuple[Traces, ...] = ()
    role: Literal["cells", "background"] = "cells"  # background: spatial components whose traces are to be subtracted

    def __post_init__(self) -> None:
        shape = self.image_shape
        if isinstance(self.regions, LazyArray):
            shape = self.regions.shape[1:] if shape is None else tuple(shape)
            if self.regions.shape[1:] != shape:
                raise BadSource(
                    f"{self.name}: masks of {self.regions.shape[1:]} for images of {shape}; expected as large"
                )
        masked = isinstance(self.regions, LazyArray) or any(region.pixels is not None for region in self.regions)
        if (masked and shape is None) or (shape is not None and (len(shape) not in (2, 3) or min(shape) < 1)):
            raise BadSource(f"{self.name}: an image of {shape}; expected (rows, columns[, planes]), none of them 0")
        object.__setattr__(self, "image_shape", shape)
        if isinstance(self.regions, tuple):
            object.__setattr__(self, "regions", self._numbered(self.regions))
        count = len(self)
        if not count:
            for name, nothing in (("status", None), ("columns", ()), ("traces", ())):
                object.__setattr__(self, name, nothing)
        if self.status is not None and (len(self.status) != count or set(self.status) - set(get_args(Status))):
            raise BadSource(
                f"{self.name}: {len(self.status)} status values for {count} regions; "
                f"expected as many, each of {', '.join(get_args(Status))}"
            )
        check_columns(self.name, self.columns, count, taken=_TAKEN)
        for traces in self.traces:
            if traces.data.shape[0] != count:
                raise BadSource(f"{self.name}: {traces.name} has {traces.data.shape[0]} traces for {count} regions")

    def __len__(self) -> int:
        return self.regions.shape[0] if isinstance(self.regions, LazyArray) else len(self.regions)

    def _numbered(self, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        seen: dict[int, int] = {}
        for number, region in enumerate(regions):
            label = f"{self.name}: region {number}" + (f" (id {region.id})" if region.id is not None else "")
            _check_pixels(label, region, self.image_shape)
            if region.id is not None and not -(1 << 63) <= region.id < 1 << 63:
                raise BadSource(f"{label} has an id of more than 64 bits; expected a smaller one")
            if region.id is not None and seen.setdefault(region.id, number) != number:
                raise BadSource(f"{label} has the id of region {seen[region.id]}; expected every id once")
        for what, field in (("an id", "id"), ("pixels", "pixels")):
            if len({getattr(region, field) is None for region in regions}) > 1:
                raise BadSource(f"{self.name}: some regions have {what} and some have none; expected all or none")
        if all(region.id is not None for region in regions):
            return regions  # the same object: by it, results for regions that a file has already are told
        return tuple(replace(region, id=number) for number, region in enumerate(regions))


def _check_pixels(label: str, region: Region, image_shape: tuple[int, ...] | None) -> None:
    """Raise BadSource unless the region has pixels, all of them inside the image."""
    pixels = region.pixels
    if pixels is None or image_shape is None:
        return
    axes = len(image_shape)
    if pixels.ndim != 2 or pixels.shape[1] != axes or not len(pixels) or pixels.dtype.kind not in "iu":
        raise BadSource(
            f"{label} has pixels of shape {pixels.shape}, {pixels.dtype}; expected whole numbers of shape (n, {axes}), "
            f"at least one {'(row, column)' if axes == 2 else '(row, column, plane)'}"
        )
    if region.weights is not None and region.weights.shape != pixels.shape[:1]:
        raise BadSource(f"{label} has {len(pixels)} pixels and {len(region.weights)} weights; expected as many")
    outside = ((pixels < 0) | (pixels >= image_shape)).any(axis=1)
    if outside.any():
        place = ", ".join(
            f"{name} {n}" for name, n in zip(("row", "column", "plane"), pixels[outside][0], strict=False)
        )
        size = " and ".join(f"{n} {name}" for name, n in zip(("rows", "columns", "planes"), image_shape, strict=False))
        raise BadSource(
            f"{label} has {int(outside.sum())} of {len(pixels)} pixels outside the image, the first at {place}; "
            f"the image has {size}"
        )
