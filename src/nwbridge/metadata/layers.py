"""The user's values laid over what the source says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.metadata.given import parse_time, prune, resolve, schema
from nwbridge.metadata.keys import (
    CHANNEL,
    PLANE,
    REFERENCES,
    SERIES,
    SESSION,
    SUBJECT,
    Metadata,
    entries_on,
    planes_of,
)
from nwbridge.metadata.names import check_names, named_by, without_defaults
from nwbridge.metadata.neuroconv import unused
from nwbridge.model import Channel, Device, Electrode, Movie, Plane, Session, Subject


def overlay(session: Session, metadata: Metadata) -> Session:
    """Return the session with the user's values in place of the source's; BadMetadata for a name that is not there."""
    told = unused(metadata, schema(), resolve)
    metadata = prune(metadata)
    if "Ophys" in metadata:
        metadata = {**metadata, "Ophys": without_defaults(session, metadata["Ophys"])}
    ophys, icephys = metadata.get("Ophys", {}), metadata.get("Icephys", {})
    session = named_by(session, metadata)
    told += check_names(session, metadata)
    changes = _fields(metadata.get("NWBFile", {}), SESSION)
    for name in ("experimenter", "keywords", "related_publications"):
        if name in changes:
            changes[name] = tuple(changes[name])
    if "start_time" in changes:
        changes["start_time"] = parse_time(changes["start_time"], "NWBFile.session_start_time")
    if given := _fields(metadata.get("Subject", {}), SUBJECT):
        if "date_of_birth" in given:
            given["date_of_birth"] = parse_time(given["date_of_birth"], "Subject.date_of_birth")
        changes["subject"] = replace(session.subject or Subject(), **given)
    if ophys or icephys:
        changes["elements"] = _electrodes(_elements(session, ophys), icephys)
    return replace(session, **changes, findings=(*session.findings, *told))


def _fields(given: Metadata, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in given.items()}


def _elements(session: Session, ophys: Metadata) -> tuple[Any, ...]:
    elements = [_series(element, ophys) if isinstance(element, Movie) else element for element in session.elements]
    planes = {name: _plane(plane, ophys) for name, plane in planes_of(session).items()}
    for before, after in zip(session.elements, elements, strict=True):
        if isinstance(after, Movie) and after.rate_hz != before.rate_hz:
            plane = planes[after.plane.name]
            if plane.rate_hz == before.rate_hz:  # the plane said the movie's old rate: it may not contradict the new
                planes[plane.name] = replace(plane, rate_hz=after.rate_hz)
    return tuple(
        replace(element, plane=planes[element.plane.name])
        if isinstance(getattr(element, "plane", None), Plane)
        else element
        for element in elements
    )


def _series(movie: Movie, ophys: Metadata) -> Movie:
    either = entries_on(ophys, "MicroscopySeries", movie.name)
    for entry in (*either, *entries_on(ophys, movie.series_type, movie.name)):
        if "rate" in entry and movie.timestamps is not None:
            raise BadMetadata(f"Ophys.{movie.series_type}.rate: {movie.name} has a time for each frame; leave it out")
        movie = replace(movie, **_fields({k: v for k, v in entry.items() if k not in REFERENCES}, SERIES))
    return movie


def _plane(plane: Plane, ophys: Metadata) -> Plane:
    device: Device = plane.device
    for entry in entries_on(ophys, "Device", device.name):
        device = replace(device, **{k: v for k, v in entry.items() if k != "name"})
    channels: tuple[Channel, ...] = plane.channels
    for entry in entries_on(ophys, "ImagingPlane", plane.name):
        values = _fields({k: v for k, v in entry.items() if k not in REFERENCES}, PLANE)
        if "pixel_um" in values:
            values["pixel_um"] = tuple(reversed(values["pixel_um"]))  # the file gives x (columns) first
        plane = replace(plane, **values)
        for given in entry.get("optical_channel", []):
            fields = _fields({k: v for k, v in given.items() if k != "name"}, CHANNEL)
            channels = tuple(replace(c, **fields) if given.get("name", c.name) == c.name else c for c in channels)
    return replace(plane, device=device, channels=channels)


def _electrodes(elements: tuple[Any, ...], icephys: Metadata) -> tuple[Any, ...]:
    """Return the elements with what the user says of their electrodes."""
    changed = []
    for element in elements:
        if isinstance(electrode := getattr(element, "electrode", None), Electrode):
            for entry in entries_on(icephys, "Electrodes", electrode.name):
                electrode = replace(electrode, **{key: value for key, value in entry.items() if key != "name"})
            element = replace(element, electrode=electrode)
        changed.append(element)
    return tuple(changed)
