"""Tables of single molecules, to and from NWB: the type of the namespace ndx-smlm."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pynwb
from hdmf.common import DynamicTable, VectorData
from pynwb import NWBFile

from nwbridge.model import Column, Localizations
from nwbridge.nwb import namespaces
from nwbridge.nwb.facts import stated
from nwbridge.nwb.layout import Layout, add
from nwbridge.nwb.motion import element_of, series_named
from nwbridge.nwb.movies import module
from nwbridge.nwb.planes import imaging_plane, plane_of
from nwbridge.nwb.stored import Stored
from nwbridge.nwb.tables import columns_of, made_table
from nwbridge.shipped import schemas

NAMESPACE = "ndx-smlm"


@functools.cache
def types() -> tuple[type[Any], type[Any]]:
    """Return the classes of table and column, which pynwb makes from the namespace; files opened before lack them."""
    namespaces.load([schemas() / "nwb" / NAMESPACE / f"{NAMESPACE}.namespace.yaml"])
    return pynwb.get_class("Localizations", NAMESPACE), pynwb.get_class("LocalizationColumn", NAMESPACE)


@add.register
def _(table: Localizations, file: NWBFile, layout: Layout) -> None:
    if not len(table):
        return
    kind, column_kind = types()
    known = {spec["name"] for spec in kind.__columns__}
    units = {column.name: column.unit for column in table.columns if column.name in known}
    plain = tuple(replace(column, unit=None) if column.name in known else column for column in table.columns)
    facts = {"frame_base": table.frame_base, "software": table.software, "software_version": table.software_version}
    made = made_table(
        replace(table, columns=plain),
        file,
        layout,
        kind,
        dict.fromkeys(known, column_kind),
        imaging_plane=None if table.plane is None else imaging_plane(table.plane, file),
        found_in=None if table.found_in is None else series_named(table.found_in, file),
        **{name: value for name, value in facts.items() if value is not None},
    )
    for column in made.columns:
        if units.get(column.name) is not None:
            column.unit = units[column.name]
    module(file, "ophys").add(made)


def is_localizations(container: Any) -> bool:
    """Whether a container is such a table; its class may have been made from the file's own copy of the namespace."""
    known = type(container).__name__ == "Localizations" and getattr(container, "namespace", "") == NAMESPACE
    return known and isinstance(container, DynamicTable)


def localizations_of(table: Any, stored: Stored) -> Iterator[Localizations]:
    """Yield the element."""
    columns = tuple(_with_unit(column, table) for column in columns_of(table, stored))
    base = table.frame_base
    yield Localizations(
        name=stored.name(table),
        columns=columns,
        description=stated(table.description)[0],
        plane=None if table.imaging_plane is None else plane_of(table.imaging_plane, stored),
        frame_base=None if base is None else int(base),
        found_in=None if table.found_in is None else stored.name(element_of(table.found_in)),
        software=table.software,
        software_version=table.software_version,
    )
    stored.carry(table)


def _with_unit(column: Column, table: Any) -> Column:
    vector: VectorData = next(c for c in table.columns if c.name == column.name)
    return replace(column, unit=getattr(vector, "unit", None) or column.unit)
