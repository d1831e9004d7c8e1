"""Tables of every kind, to and from NWB."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
from hdmf.common import DynamicTable, DynamicTableRegion, EnumData, VectorData, VectorIndex
from pynwb import NWBFile
from pynwb.epoch import TimeIntervals
from pynwb.event import EventsTable, TimestampVectorData
from pynwb.misc import Units as NwbUnits
from pynwb.ophys import ImageSegmentation, PlaneSegmentation

from nwbridge.arrays import from_function
from nwbridge.errors import BadSource
from nwbridge.model import Column, Events, Intervals, LazyArray, Parameters, Table, Units
from nwbridge.model.session import SOURCES
from nwbridge.model.steps import STEPS
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.layout import Exact, Layout, add
from nwbridge.nwb.stored import LAZY, Stored, dataset_of, elements, number, reason, values_of


def add_columns(
    columns: Iterable[Column], file: NWBFile, layout: Layout, kinds: dict[str, type[VectorData]] | None = None
) -> tuple[list[VectorData], list[str]]:
    """Return NWB's columns, those with several values a row with their index, and the names in order."""
    made: list[VectorData] = []
    names = []
    for column in columns:
        made += _column(column, file, layout, (kinds or {}).get(column.name, VectorData))
        names.append(column.name)
    return made, names


def _column(column: Column, file: NWBFile, layout: Layout, kind: type[VectorData]) -> list[VectorData]:
    values = column.values
    data: Any
    if isinstance(values, LazyArray):
        data = layout.empty(values)
    elif column.ends is not None and not len(values):
        # the inspector stumbles over a column without a value: one that is no row's
        data = np.full(1, np.nan if values.dtype.kind == "f" else 0, values.dtype)
    else:
        data = values.tolist() if values.dtype.kind == "U" else values
    common = {"name": column.name, "description": stating(column.description, unit=column.unit), "data": data}
    if column.rows_of is None:
        vector = kind(**common)
    else:
        # what is not filled yet cannot be validated
        lazy = isinstance(values, LazyArray)
        vector = DynamicTableRegion(table=_regions(file, column.rows_of), validate_data=not lazy, **common)
    if isinstance(data, np.ndarray | list):
        layout.exact.append(Exact(vector, np.asarray(data)))
    if column.ends is None:
        return [vector]
    index = VectorIndex(name=f"{column.name}_index", data=column.ends.astype(np.uint64), target=vector)
    layout.exact.append(Exact(index, column.ends))
    return [vector, index]


def _regions(file: NWBFile, name: str) -> PlaneSegmentation:
    masks = next(one for one in file.processing["ophys"].data_interfaces.values() if isinstance(one, ImageSegmentation))
    return masks.plane_segmentations[name]


def ids(count: int, layout: Layout) -> Any:
    """Return the numbers of a table's rows, lazily: there may be millions."""
    return layout.empty(from_function((count,), np.int64, lambda start, stop: np.arange(start, stop, dtype=np.int64)))


def made_table(
    table: Table, file: NWBFile, layout: Layout, kind: type[Any] = DynamicTable, kinds: Any = None, **more: Any
) -> Any:
    """Return NWB's table."""
    columns, names = add_columns(table.columns, file, layout, kinds)
    made = kind(
        name=table.name,
        description=stating(table.description),
        id=ids(len(table), layout),
        columns=columns,
        colnames=names,
        **more,
    )
    layout.tables.append(made)
    return made


@add.register
def _(table: Table, file: NWBFile, layout: Layout) -> None:
    if len(table):  # as everywhere here: the inspector, and so DANDI, stumbles over empty tables; `convert` says it
        file.add_analysis(made_table(table, file, layout))


@add.register
def _(table: Intervals, file: NWBFile, layout: Layout) -> None:
    if len(table):  # epochs, trials and invalid_times lie with the others: pynwb finds them by their names
        file.add_time_intervals(made_table(table, file, layout, TimeIntervals))


@add.register
def _(table: Events, file: NWBFile, layout: Layout) -> None:
    if len(table):
        file.add_events_table(made_table(table, file, layout, EventsTable, {"timestamp": TimestampVectorData}))


@add.register
def _(table: Units, file: NWBFile, layout: Layout) -> None:
    if len(table):
        more = {} if table.resolution_s is None else {"resolution": float(table.resolution_s)}
        file.units = made_table(table, file, layout, NwbUnits, **more)


@add.register
def _(parameters: Parameters, file: NWBFile, layout: Layout) -> None:
    if not parameters.values:
        return
    texts = [json.dumps(value, ensure_ascii=False) for value in parameters.values.values()]
    columns = (
        Column("key", np.array(list(parameters.values))),
        Column("value", np.array(texts), "as JSON"),
    )
    made, names = add_columns(columns, file, layout)
    facts = {"table_of": "parameters", "software": parameters.software, "version": parameters.version}
    file.add_analysis(
        DynamicTable(
            name=parameters.name,
            description=stating(parameters.description, **facts),
            columns=made,
            colnames=names,
        )
    )


def columns_of(table: DynamicTable, stored: Stored, without: Collection[str] = ()) -> tuple[Column, ...]:
    """Return the columns of a stored table in order, without those that the model cannot hold."""
    return tuple(_columns(table, stored, [name for name in table.colnames if name not in without]))


def _columns(table: DynamicTable, stored: Stored, names: Iterable[str]) -> Iterator[Column]:
    for name in names:
        try:
            column = _stored_column(table, name, stored)
            if len(column) != len(table.id):
                raise BadSource(f"it has {len(column)} rows; expected {len(table.id)}")
        except Exception as error:  # noqa: BLE001 other programs' columns hold references, lists of lists and more
            stored.say(f"column {name} of {table.name} is not carried over: {reason(error)}")
        else:
            yield column


def _stored_column(table: DynamicTable, name: str, stored: Stored) -> Column:
    vector = next(column for column in table.columns if column.name == name)
    index = next((c for c in table.columns if isinstance(c, VectorIndex) and c.target is vector), None)
    words, facts = stated(vector.description)
    if index is not None and any(isinstance(c, VectorIndex) and c.target is index for c in table.columns):
        raise BadSource("its rows hold lists of lists")
    region = isinstance(vector, DynamicTableRegion)
    if region and not isinstance(vector.table, PlaneSegmentation):
        raise BadSource(f"it refers to rows of {vector.table.name}, which are not regions")
    ends = None if index is None else values_of(index.data).astype(np.int64)
    data = dataset_of(vector.data)
    values: Any = stored.array(data) if data.nbytes > LAZY and data.dtype.kind in "uif" else values_of(data)
    if ends is not None and isinstance(values, np.ndarray):
        values = values[: ends[-1] if len(ends) else 0]
    if isinstance(vector, EnumData):
        values = values_of(vector.elements.data)[values]
    rows_of = stored.name(vector.table) if region else None
    return Column(name, values, words, facts.get("unit"), ends, rows_of)


@elements.register
def _(table: DynamicTable, stored: Stored) -> Iterator[Table | Parameters]:
    if type(table) is not DynamicTable:
        return  # a kind of table that says more than the model holds
    if (table.name == SOURCES and table.colnames == ("path", "size", "sha256")) or table.name == STEPS:
        stored.carry(table)  # written anew for every file
        return
    words, facts = stated(table.description)
    if facts.get("table_of") == "parameters":
        keys, texts = (values_of(table[name].data) for name in ("key", "value"))
        values = {str(key): json.loads(value) for key, value in zip(keys, texts, strict=True)}
        yield Parameters(stored.name(table), values, words, facts.get("software"), facts.get("version"))
    else:
        yield Table(stored.name(table), columns_of(table, stored), words)
    stored.carry(table)


@elements.register
def _(table: TimeIntervals, stored: Stored) -> Iterator[Intervals]:
    yield from _plain(table, stored, Intervals)


@elements.register
def _(table: EventsTable, stored: Stored) -> Iterator[Events]:
    yield from _plain(table, stored, Events)


@elements.register
def _(table: NwbUnits, stored: Stored) -> Iterator[Units]:
    resolution = number(table.resolution)
    yield from _plain(table, stored, Units, resolution_s=resolution if resolution and resolution > 0 else None)


def _plain(table: DynamicTable, stored: Stored, kind: type[Any], **more: Any) -> Iterator[Any]:
    words = stated(table.description)[0]
    columns = columns_of(table, stored)
    for column in columns:
        if column.name in kind.unfit:
            stored.say(f"column {column.name} of {table.name} is not carried over: the model has no such column")
    kept = tuple(column for column in columns if column.name not in kind.unfit)
    yield kind(name=stored.name(table), columns=kept, description=words, **more)
    stored.carry(table)
