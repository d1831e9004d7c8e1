"""What sessions describe and what files hold, by name: for tests that compare the two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge.model import Images, LazyArray, Plane, Segmentation, Session, Table

_COLUMNS = ("VectorData", "TimestampVectorData", "LocalizationColumn", "DynamicTableRegion")
_ORDERS = {  # NWB's type -> the axes of what is stored, in the model's order
    "TwoPhotonSeries": (0, 2, 1, 3),
    "OnePhotonSeries": (0, 2, 1, 3),
    "RoiResponseSeries": (1, 0),
    "TimeSeries": (0, 1),
    "CurrentClampSeries": (0,),
    "GrayscaleImage": (1, 0),
    "RGBImage": (1, 0, 2),
    "RGBAImage": (1, 0, 2),
}


def arrays_of(session: Session) -> dict[str, LazyArray]:
    """Return every lazy array but timestamps.

    Movies, series, traces and image masks go by their element's name, images and columns by ``element/name``, what a
    movie's frames were moved by as ``element/shifts``.
    """
    return arrays_in(session.elements)


def arrays_in(elements: Iterable[Any]) -> dict[str, LazyArray]:
    """Return the lazy arrays of some elements, as `arrays_of` does."""
    found: dict[str, LazyArray] = {}
    for element in elements:
        data = getattr(element, "data", None)
        if isinstance(data, LazyArray):
            found[element.name] = data
        if isinstance(shifts := getattr(element, "shifts", None), LazyArray):
            found[f"{element.name}/shifts"] = shifts
        if isinstance(element, Segmentation):
            found |= {traces.name: traces.data for traces in element.traces}
            if isinstance(element.regions, LazyArray):
                found[element.name] = element.regions
        if isinstance(element, Images):
            found |= {f"{element.name}/{image.name}": image.data for image in element.images}
        for column in getattr(element, "columns", ()):
            if isinstance(column.values, LazyArray):
                found[f"{element.name}/{column.name}"] = column.values
    return found


def values_in(file: h5py.File) -> dict[str, npt.NDArray[Any]]:
    """Return what an NWB file holds by the names of `arrays_of`, axes in the model's order, read by h5py alone."""
    found: dict[str, npt.NDArray[Any]] = {}

    def visit(path: str, stored: h5py.Group | h5py.Dataset) -> None:
        kind = stored.attrs.get("neurodata_type")
        *_, parent, name = ("", *path.split("/"))
        if kind in _ORDERS:
            data = stored["data"] if isinstance(stored, h5py.Group) else stored
            order = _ORDERS[kind][: data.ndim]
            key = f"{parent}/{name}" if isinstance(stored, h5py.Dataset) else name
            if stored.parent.attrs.get("neurodata_type") == "CorrectedImageStack":
                key = parent if name == "corrected" else f"{parent}/shifts"
            elif name.endswith("_xy_translation"):
                key = name.replace("_xy_translation", "/shifts")
            found[key] = data[()].transpose(order)
            if key.endswith("/shifts"):
                found[key] = found[key][:, ::-1]  # x, y
        elif name == "image_mask":
            found[parent] = stored[()].transpose((0, 2, 1, 3)[: stored.ndim])
        elif kind in _COLUMNS and stored.dtype.kind in "uif":
            found[f"{parent}/{name}"] = stored[()]

    file.visititems(visit)
    return found


def content_of(session: Session) -> Session:
    """Return a session without what differs between a recording and the file that was made of it.

    That is its files, findings and origins, the order of elements, and tables without rows.
    """
    kept = [element for element in session.elements if not isinstance(element, Table) or len(element)]
    elements = tuple(_ordered(element) for element in sorted(kept, key=lambda element: str(element.name)))
    return replace(session, elements=elements, files=(), findings=(), origins={})


def _ordered(element: Any) -> Any:
    """Return an element with its parts in the order of their names."""
    plane = getattr(element, "plane", None)
    if isinstance(plane, Plane):
        channels = tuple(sorted(plane.channels, key=lambda channel: channel.name))
        element = replace(element, plane=replace(plane, channels=channels))
    if isinstance(element, Segmentation):
        return replace(element, traces=tuple(sorted(element.traces, key=lambda traces: traces.name)))
    if isinstance(element, Images):
        return replace(element, images=tuple(sorted(element.images, key=lambda image: image.name)))
    return element


def read_all(array: LazyArray, block: int | None = None) -> npt.NDArray[Any]:
    """Return all values of a lazy array, read in blocks of so many entries, or at once."""
    count = array.shape[0]
    size = block or max(1, count)
    with array.open() as reader:
        blocks = [np.array(reader[start : min(start + size, count)]) for start in range(0, count, size)]
    return np.concatenate(blocks) if blocks else np.empty(array.shape, array.dtype)
