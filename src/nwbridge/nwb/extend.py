"""New elements in a file that pynwb has written before, ours or not: laid out by pynwb, filled by us."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
from hdmf.container import AbstractContainer
from pynwb import NWBHDF5IO, NWBFile

from nwbridge.errors import NwbridgeError, PluginFault
from nwbridge.model import Localizations, Segmentation
from nwbridge.nwb import localizations
from nwbridge.nwb.build import in_order
from nwbridge.nwb.layout import Layout, add
from nwbridge.nwb.read import containers_of
from nwbridge.nwb.segmentations import add_traces
from nwbridge.nwb.stored import reason
from nwbridge.nwb.write import Progress, Written, complete, lay_out


def extend(part: Path, elements: Sequence[Any], layout: Layout, threads: int, progress: Progress) -> Written:
    """Add elements to a file, and fill them.

    A `Segmentation` that the file has already gets the traces that are new; its regions stay as they are. Raises
    PluginFault where an element cannot be laid out.
    """
    if any(isinstance(element, Localizations) for element in elements):
        localizations.types()  # before the file is opened, which knows only the types that were known then
    with h5py.File(part, "r") as file:
        kept = set(file["specifications"]) if "specifications" in file else set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other programs' files, which `validate` reports
        with NWBHDF5IO(str(part), "r+", load_namespaces=True) as io:
            file = io.read()
            known = containers_of(file, part)
            try:
                for element in in_order(elements):
                    _add(element, file, layout, known)
            except NwbridgeError:
                raise
            except Exception as error:
                raise PluginFault(f"{element.name} cannot be laid out in a file: {reason(error)}") from error
            laid = lay_out(io, file, layout)
    return complete(laid, layout, part, threads, progress, kept)


def _add(element: Any, file: NWBFile, layout: Layout, known: dict[str, AbstractContainer]) -> None:
    table = known.get(element.name) if isinstance(element, Segmentation) else None
    if table is None:
        add(element, file, layout)
        return
    new = [traces for traces in element.traces if traces.name not in known]
    if not new:
        raise PluginFault(f"{element.name}: no traces came that the file does not have; expected some")
    for traces in new:
        add_traces(traces, table, file, layout)


def without_known(element: Any, names: set[str]) -> Any:
    """Return the element with only those traces that are new to a file."""
    if not isinstance(element, Segmentation):
        return element
    return replace(element, traces=tuple(traces for traces in element.traces if traces.name not in names))
