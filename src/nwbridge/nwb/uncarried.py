"""What of an NWB file the session does not hold, named one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from hdmf.common import DynamicTable, MeaningsTable
from hdmf.container import AbstractContainer
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.base import Image, Images
from pynwb.device import Device, DeviceModel
from pynwb.event import TimestampVectorData
from pynwb.file import Subject
from pynwb.icephys import CurrentClampSeries, IntracellularElectrode, IntracellularRecordingsTable
from pynwb.image import ImageSeries
from pynwb.misc import Units
from pynwb.ophys import (
    CorrectedImageStack,
    DfOverF,
    Fluorescence,
    ImageSegmentation,
    ImagingPlane,
    MotionCorrection,
    OnePhotonSeries,
    OpticalChannel,
    PlaneSegmentation,
    RoiResponseSeries,
    TwoPhotonSeries,
)

from nwbridge.model import Finding
from nwbridge.nwb.stored import LAZY, Stored, dataset_of, values_of

_STRUCTURE = (
    *(NWBFile, Subject, ProcessingModule, OpticalChannel),
    *(ImageSegmentation, Fluorescence, DfOverF, MotionCorrection),
)
_INSTRUMENTS = (Device, DeviceModel, ImagingPlane, IntracellularElectrode)  # held with what was recorded through them
_ADVICE = "keep the original file as well"
# Fields that the model holds, or that follow from what it holds. Those of an extension's subclass are not among them.
_HELD: dict[type[Any], set[str]] = {
    AbstractContainer: {"name", "description", "data", "unit"},
    TimeSeries: {
        *("conversion", "offset", "timestamps", "timestamps_unit", "interval"),
        *("starting_time", "starting_time_unit", "rate", "timestamp_link", "data_link"),
    },
    ImageSeries: {"dimension", "format", "num_samples", "starting_frame", "imaging_plane", "pmt_gain"},
    TwoPhotonSeries: {"field_of_view"},
    OnePhotonSeries: {"exposure_time", "binning"},
    CorrectedImageStack: {"corrected", "original", "xy_translation"},
    RoiResponseSeries: {"rois"},
    CurrentClampSeries: {"electrode"},
    Image: {"resolution"},
    Images: {"images"},
    DynamicTable: {"id", "columns", "colnames"},
    PlaneSegmentation: {"imaging_plane"},
    Units: {"resolution"},
    ImagingPlane: {
        *("optical_channel", "device", "excitation_lambda", "imaging_rate", "indicator", "location", "conversion"),
        *("grid_spacing", "grid_spacing_unit", "origin_coords_unit"),
    },
    OpticalChannel: {"emission_lambda"},
    Device: {"manufacturer", "model"},
    DeviceModel: {"manufacturer"},
    IntracellularElectrode: {"cell_id", "location", "device"},
}
_PLACE = r"(acquisition|analysis|intervals|events|scratch|stimulus/\w+|processing/[^/]+)/[^/]+"  # of typed things
_LOCALIZATIONS = {"imaging_plane", "found_in", "frame_base", "software", "software_version"}
# what NWB requires or pynwb writes by itself
_NOTHING = {
    "comments": "no comments",
    "resolution": -1.0,
    "stimulus_description": "N/A",
    "conversion": 1.0,
    "offset": 0.0,
    "waveform_unit": "volts",
    "reference_frame": "unknown",
}


def uncarried(stored: Stored) -> Iterator[Finding]:
    """Yield a finding for everything that no element holds."""
    for message in stored.said:
        yield _finding("hint", message, stored)
    carried = {id(container) for container in stored.carried}
    through = {id(one) for container in stored.carried for one in _instruments(container)}
    for container in stored.file.objects.values():
        parents = list(_with_parents(container))
        if not isinstance(container, MeaningsTable) and {id(container), *map(id, parents)} & (carried | through):
            if id(container) in carried | through and (lost := _lost_fields(container)):
                label = f"{container.name} ({type(container).__name__})"
                yield _finding("hint", f"{', '.join(lost)} of {label} cannot be carried over", stored)
            continue
        why = stored.troubles.get(container.object_id)
        if why is None and _is_named_with(container, parents, carried):
            continue
        what = f"{container.name} ({type(container).__name__}) is not carried over"
        yield _finding("warning", f"{what}: {why}" if why else what, stored)
    for where, kind in _unknown_to_pynwb(stored):
        yield _finding("warning", f"{where} ({kind}) is not carried over: pynwb does not know such a thing", stored)
    if lost := _lost_of_file(stored.file):
        yield _finding("hint", f"{', '.join(lost)} of the file cannot be carried over", stored)


def _finding(severity: Any, message: str, stored: Stored) -> Finding:
    return Finding(severity, message, _ADVICE, stored.path.name, "nwb")


def _with_parents(container: AbstractContainer) -> Iterator[AbstractContainer]:
    while container is not None:
        yield container
        container = container.parent


def _is_named_with(container: AbstractContainer, parents: list[AbstractContainer], carried: set[int]) -> bool:
    """Whether there is nothing to say of a container: it only holds others, or is named with what it is a part of."""
    if isinstance(container, _STRUCTURE) or _is_made_again(parents):
        return True
    if isinstance(container, MeaningsTable) and id(container.parent) in carried:
        return False
    return isinstance(container.parent, DynamicTable | TimeSeries | Images | CorrectedImageStack)


def _is_made_again(parents: list[AbstractContainer]) -> bool:
    """Whether a container belongs to a table of recordings that says no more than that the voltages were recorded."""
    table = next((one for one in parents if isinstance(one, IntracellularRecordingsTable)), None)
    if table is None or table.colnames or len(table.category_tables) != 3:
        return False
    tables = [table.category_tables[name] for name in ("electrodes", "stimuli", "responses")]
    if any(len(inner.colnames) != 1 for inner in tables):
        return False
    responses, stimuli = (values_of(inner.columns[0].data) for inner in (tables[2], tables[1]))
    whole = all(row["idx_start"] == 0 and row["count"] > 0 for row in responses)
    return whole and all(row["count"] <= 0 for row in stimuli)


def _instruments(container: Any) -> Iterator[Any]:
    """Yield the planes, devices and so on that a container was recorded through."""
    for name in ("imaging_plane", "electrode", "device", "model"):
        one = getattr(container, name, None)
        if isinstance(one, _INSTRUMENTS) and not (name == "device" and isinstance(container, TimeSeries)):
            yield one
            yield from _instruments(one)
    for table in getattr(container, "plane_segmentations", {}).values():
        yield from _instruments(table)


def _lost_fields(container: Any) -> list[str]:
    """Return the names of what is stated of a container and has no place in the model."""
    held = set().union(*(names for kind, names in _HELD.items() if isinstance(container, kind)))
    if type(container).__name__ == "Localizations":
        held |= _LOCALIZATIONS
    lost = [name for name, value in container.fields.items() if name not in held and _is_stated(name, value)]
    if isinstance(container, DynamicTable):
        lost += [] if _is_counted(container) else ["row ids"]
        times = [column for column in container.columns if isinstance(column, TimestampVectorData)]
        lost += [f"resolution of {column.name}" for column in times if getattr(column, "resolution", None) is not None]
    return lost


def _is_stated(name: str, value: Any) -> bool:
    if value is None or (isinstance(value, float | str) and value in ("", _NOTHING.get(name))):
        return False
    return not isinstance(value, list | tuple | dict) or len(value) > 0


def _is_counted(table: DynamicTable) -> bool:
    """Whether rows have their number as id, or are regions, whose ids are held; of long tables, the ends."""
    data = table.id.data
    if isinstance(table, PlaneSegmentation) or not len(data):
        return True
    if isinstance(data, h5py.Dataset) and dataset_of(data).nbytes > LAZY:
        return int(data[0]) == 0 and int(data[-1]) == len(data) - 1
    return np.array_equal(values_of(data), np.arange(len(data)))


def _unknown_to_pynwb(stored: Stored) -> Iterator[tuple[str, str]]:
    """Yield name and type of what pynwb passes over: types that it has no schema of, and things without a type."""
    known = set(stored.file.objects)
    found: list[tuple[str, str]] = []

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        kind = item.attrs.get("neurodata_type")
        if kind is None and re.fullmatch(_PLACE, name):
            found.append((name, "data set" if isinstance(item, h5py.Dataset) else "group"))
        elif kind is not None and item.attrs.get("object_id") not in (None, *known):
            found.append((name, str(kind)))

    with h5py.File(stored.path, "r") as file:
        for group in set(file) - {"specifications"}:
            if isinstance(file.get(group, getlink=True), h5py.HardLink) and isinstance(file[group], h5py.Group):
                file[group].visititems(lambda name, item, group=group: look(f"{group}/{name}", item))
    return iter(found)


def _lost_of_file(file: NWBFile) -> list[str]:
    lost = []
    if file.timestamps_reference_time not in (None, file.session_start_time):
        lost.append("timestamps_reference_time")
    made_by = [str(pair[0]) for pair in file.was_generated_by or ()]
    if "nwbridge" not in made_by:
        lost += [name for name in ("was_generated_by", "source_script") if getattr(file, name)]
    return lost
