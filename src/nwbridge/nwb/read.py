"""From an NWB file, ours or not, to the session that it holds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from hdmf.common import DynamicTable
from hdmf.container import AbstractContainer
from pynwb import NWBHDF5IO, NWBFile, ProcessingModule, TimeSeries
from pynwb.base import Images
from pynwb.device import Device, DeviceModel
from pynwb.file import Subject as NwbSubject
from pynwb.icephys import IntracellularElectrode
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, ImagingPlane, OpticalChannel

from nwbridge.errors import BadSource, NwbridgeError
from nwbridge.model import Finding, Session, Subject
from nwbridge.nwb.build import TEXTS, UNKNOWN_NOTE, UNKNOWN_START, UNKNOWN_START_NOTE
from nwbridge.nwb.localizations import is_localizations, localizations_of
from nwbridge.nwb.stored import Stored, elements, text
from nwbridge.safety import check_hdf5

_STRUCTURE = (
    NWBFile,
    NwbSubject,
    ProcessingModule,
    Device,
    DeviceModel,
    ImagingPlane,
    OpticalChannel,
    IntracellularElectrode,
    ImageSegmentation,
    Fluorescence,
    DfOverF,
)
_RECORDINGS = "intracellular_recordings"  # made again from the voltages
_LISTS = ("experimenter", "keywords", "related_publications")


def read(path: Path) -> Session:
    """Return the session in an NWB file, its large arrays still unread; nothing stays open.

    What the model has no element for is named in the findings. Raises BadSource where the file is damaged, reaches
    out of itself, or breaks NWB so much that pynwb cannot open it.
    """
    check_hdf5(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other programs' files, which `validate` reports
            with NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
                return _session(io.read(), path)
    except NwbridgeError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][-200:]
        raise BadSource(
            f"{path.name} cannot be read as NWB ({reason}): see what nwbridge validate says of it"
        ) from error


def _session(file: NWBFile, path: Path) -> Session:
    stored = Stored(path, file)
    found = tuple(_elements(stored))
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
        findings=tuple(_left_out(stored)),
        origins=origins,
        **_texts(file),
    )


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
    for container in {id(place): place for place in places if place is not None}.values():  # trials are listed twice
        try:
            if is_localizations(container):
                yield from localizations_of(container, stored)
            else:
                yield from elements(container, stored)
        except NwbridgeError as error:
            stored.leave(container, str(error))


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


def _left_out(stored: Stored) -> Iterator[Finding]:
    """Name everything that did not become an element."""
    carried = {id(container) for container in stored.carried}
    for container in stored.file.objects.values():
        parents = list(_with_parents(container))
        if any(id(one) in carried for one in parents) or any(one.name == _RECORDINGS for one in parents):
            continue
        why = stored.troubles.get(container.object_id)
        if why is None and (isinstance(container, _STRUCTURE) or _is_part(container)):
            continue
        what = f"{container.name} ({type(container).__name__}) is not carried over"
        yield Finding(
            "warning", f"{what}: {why}" if why else what, "keep the original file as well", stored.path.name, "nwb"
        )


def _with_parents(container: AbstractContainer) -> Iterator[AbstractContainer]:
    while container is not None:
        yield container
        container = container.parent


def _is_part(container: AbstractContainer) -> bool:
    """Whether a container is named with the one that it is a part of."""
    return isinstance(container.parent, DynamicTable | TimeSeries | Images)
