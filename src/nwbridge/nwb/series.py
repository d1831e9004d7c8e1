"""Voltages and other values over time, to and from NWB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pynwb import NWBFile, TimeSeries
from pynwb.icephys import CurrentClampSeries, IntracellularElectrode

from nwbridge.model import Electrode, Finding, Series
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.layout import Layout, add
from nwbridge.nwb.motion import movie_beside
from nwbridge.nwb.movies import clock, made_from, place
from nwbridge.nwb.planes import device, device_of
from nwbridge.nwb.stored import Stored, dataset_of, elements, text


@add.register
def _(series: Series, file: NWBFile, layout: Layout) -> None:
    common = {
        "name": series.name,
        **clock(series, layout, "mend it in the recording"),
        "data": layout.empty(series.data),
        "description": stating(series.description, made_from=series.made_from),
        "conversion": float(series.conversion),
        "offset": float(series.offset),
    }
    if series.electrode is None:
        place(TimeSeries(unit=series.unit or "n.a.", **common), file, "misc", series.made_from)
        return
    electrode = _electrode(series.electrode, file)
    made = CurrentClampSeries(electrode=electrode, stimulus_description="N/A", unit="volts", **common)
    place(made, file, "icephys", series.made_from)
    if series.made_from is not None:  # the table of recordings is of what was recorded
        return
    if not layout.backend.row_references:
        left = "Zarr cannot hold the table of intracellular recordings: it is left out, each series names its electrode"
        layout.findings += [] if layout.findings else [Finding("warning", left, "nothing, or write HDF5", check="zarr")]
        return
    count = series.data.shape[0]
    file.add_intracellular_recording(
        electrode=electrode, response=made, response_start_index=0, response_index_count=count
    )


def _electrode(electrode: Electrode, file: NWBFile) -> IntracellularElectrode:
    if electrode.name in file.icephys_electrodes:
        return file.icephys_electrodes[electrode.name]
    return file.create_icephys_electrode(
        name=electrode.name,
        description=electrode.description or "not described by the source",
        device=device(electrode.device, file),
        location=electrode.location or "unknown",
        cell_id=electrode.cell_id,
    )


@elements.register
def _(series: TimeSeries, stored: Stored) -> Iterator[Series]:
    if type(series) is not TimeSeries or movie_beside(series) is not None:
        return  # a kind of series that says more than the model holds, or what a movie holds
    words, facts = stated(series.description)
    unit = None if series.unit == "n.a." else series.unit
    yield Series(
        stored.name(series), unit=unit, made_from=made_from(series, facts), description=words, **_common(series, stored)
    )
    stored.carry(series)


@elements.register
def _(series: CurrentClampSeries, stored: Stored) -> Iterator[Series]:
    if type(series) is not CurrentClampSeries:
        return
    unit = dataset_of(series.data).attrs.get("unit", "volts")  # pynwb says volts whatever is stored
    if unit not in ("volts", "V"):
        stored.leave(series, f"its unit is {unit}; expected volts")
        return
    words, facts = stated(series.description)
    known = series.electrode
    electrode = Electrode(
        known.name, text(known.description), device_of(known.device), text(known.cell_id), text(known.location)
    )
    yield Series(
        stored.name(series),
        kind="current clamp",
        unit="volts",
        electrode=electrode,
        description=words,
        made_from=made_from(series, facts),
        **_common(series, stored),
    )
    stored.carry(series)


def _common(series: TimeSeries, stored: Stored) -> dict[str, Any]:
    return {
        "data": stored.array(series.data),
        **stored.clock(series),
        "conversion": float(series.conversion),
        "offset": float(series.offset),
    }
