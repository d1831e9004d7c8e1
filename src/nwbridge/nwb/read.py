"""From an NWB file, ours or not, to the session that it holds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.file import Subject as NwbSubject

from nwbridge.errors import BadSource, NwbridgeError
from nwbridge.model import Column, Segmentation, Session, Subject
from nwbridge.model.session import SOURCES
from nwbridge.model.steps import STEPS
from nwbridge.nwb.build import TEXTS, UNKNOWN_NOTE, UNKNOWN_START, UNKNOWN_START_NOTE
from nwbridge.nwb.localizations import is_localizations, localizations_of
from nwbridge.nwb.outside import outside
from nwbridge.nwb.steps import steps_of
from nwbridge.nwb.stored import Stored, elements, reason, text
from nwbridge.nwb.uncarried import uncarried
from nwbridge.safety import check_hdf5

_LISTS = ("experimenter", "keywords", "related_publications")


def read(path: Path, *, rows_first: bool = False) -> Session:
    """Return the session in an NWB file, its large arrays still unread; nothing stays open.

    With `rows_first`, acquired movies are taken as stored (time, row, column), against the standard. What the model
    has no element for is named in the findings. Raises BadSource where the file is damaged, reaches out of itself, or
    breaks NWB so much that pynwb cannot open it.
    """
    check_hdf5(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other programs' files, which `validate` reports
            with NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
                return _session(Stored(path, io.read(), rows_first))
    except NwbridgeError:
        raise
    except Exception as error:
        raise BadSource(
            f"{path.name} cannot be read as NWB ({reason(error)}): see what nwbridge validate says of it"
        ) from error


def _session(stored: Stored) -> Session:
    file, path = stored.file, stored.path
    with h5py.File(path, "r") as raw:
        if datetime.fromisoformat(str(raw["session_start_time"].asstr()[()])).tzinfo is None:
            stored.say("session_start_time states no time zone; that of this machine is taken")  # pynwb does
    found = tuple(_referring(tuple(_elements(stored)), stored))
    notes, unknown = _notes(file.notes)
    dated = file.session_start_time != UNKNOWN_START
    description = (file.session_description or "").removesuffix(UNKNOWN_START_NOTE).rstrip()
    origins = {f"NWBFile.{name}": path.name for name in ("session_id", "session_start_time", *_LISTS, *TEXTS)}
    return Session(
        id=file.session_id or path.stem,
        description=description or f"what {path.name} holds",
        elements=found,
        start_time=file.session_start_time if dated else None,
        subject=_subject(file.subject, unknown),
        files=(path,),
        notes=notes,
        steps=steps_of(file),
        findings=(*uncarried(stored), *outside(path, rows_first=stored.rows_first)),
        origins=origins,
        **_texts(file),
    )


def containers_of(file: NWBFile, path: Path) -> dict[str, Any]:
    """Return the containers of an open file by the names of the elements that they become."""
    stored = Stored(path, file)
    for _ in _elements(stored):
        pass
    containers = {id(container): container for container in file.objects.values()}
    return {name: containers[key] for name, key in stored.names.items() if key in containers}


def _texts(file: NWBFile) -> dict[str, Any]:
    """Return the general fields that are text, or lists of it."""
    lists = {name: getattr(file, name) for name in _LISTS}
    known = {name: None if value is None else tuple(map(str, value)) for name, value in lists.items()}
    return known | {name: getattr(file, name) for name in TEXTS}


def _elements(stored: Stored) -> Iterator[Any]:
    file = stored.file
    places: list[Any] = [*file.acquisition.values()]
    for module in file.processing.values():
        places += module.data_interfaces.values()
    places += [*file.analysis.values(), *file.intervals.values(), *_events(file)]
    places += [file.epochs, file.trials, file.invalid_times, file.units]
    named = [file.units, file.trials, file.epochs, file.invalid_times]  # the model knows these by their names
    for container in filter(None, named):
        stored.name(container)
    stored.names |= {SOURCES: 0, STEPS: 0}  # tables of these names are written anew for every file
    for container in {id(place): place for place in places if place is not None}.values():  # trials are listed twice
        try:
            if is_localizations(container):
                yield from localizations_of(container, stored)
            else:
                yield from elements(container, stored)
        except Exception as error:  # noqa: BLE001 one damaged container spoils no other
            stored.leave(container, error)


def _referring(found: tuple[Any, ...], stored: Stored) -> Iterator[Any]:
    """Yield the elements without what refers to elements, or rows of them, that are not carried."""
    names = {element.name for element in found}
    regions = {element.name: element for element in found if isinstance(element, Segmentation)}
    written: set[str] = set()  # segmentations may refer to those before them
    for element in found:
        columns = getattr(element, "columns", ())
        later = set(regions) - written if isinstance(element, Segmentation) else set()
        known = {name: one for name, one in regions.items() if name not in later}
        kept = tuple(column for column in columns if column.rows_of is None or _are_rows(column, known))
        for name in {column.name for column in columns} - {column.name for column in kept}:
            stored.say(f"column {name} of {element.name} is not carried over: it refers to regions that are not there")
        if len(kept) < len(columns):
            if not kept and not isinstance(element, Segmentation):
                continue
            element = replace(element, columns=kept)
        if getattr(element, "found_in", None) not in (None, *names):
            stored.say(f"{element.name} was found in {element.found_in}, which is not carried over")
            element = replace(element, found_in=None)
        written.add(element.name)
        yield element


def _are_rows(column: Column, regions: Mapping[str, Segmentation]) -> bool:
    """Whether a column names rows of a segmentation that is carried."""
    values, of = column.values, regions.get(str(column.rows_of))
    if of is None or values.dtype.kind not in "ui":
        return False
    return not isinstance(values, np.ndarray) or not values.size or bool(values.min() >= 0 and values.max() < len(of))


def _events(file: NWBFile) -> list[Any]:
    """Return the tables of events, which files of older NWB versions cannot have."""
    return list((getattr(file, "events", None) or {}).values())


def _notes(notes: str | None) -> tuple[str | None, set[str]]:
    """Return the notes without our sentence on what is unknown, and the keys that it names."""
    words, ours, rest = (notes or "").partition(UNKNOWN_NOTE)
    keys = set(re.findall(r"((?:NWBFile|Subject|Ophys)\.[\w.]+) \(", rest)) if ours else set()
    return words.strip() or None, keys


def _subject(subject: NwbSubject | None, unknown: set[str]) -> Subject | None:
    """Return the subject without what was written only because NWB or archives require it."""
    if subject is None:
        return None
    names = {"age_reference": "age__reference"}
    values = {f.name: getattr(subject, names.get(f.name, f.name)) for f in fields(Subject)}
    known: dict[str, Any] = {
        name: value if isinstance(value, datetime) else text(value)
        for name, value in values.items()
        if f"Subject.{name}" not in unknown
    }
    if known.get("age") is None and known.get("age_reference") == "birth":
        del known["age_reference"]
    found = Subject(**known)
    return None if found == Subject() else found
