"""The user's values laid over what the source says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.metadata.given import parse_time
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
from nwbridge.model import Channel, Device, Movie, Plane, Session, Subject


def overlay(session: Session, metadata: Metadata) -> Session:
    """Return the session with the user's values in place of the source's; BadMetadata for a name that is not there."""
    ophys = metadata.get("Ophys", {})
    _check_names(session, ophys)
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
    if ophys:
        changes["elements"] = _elements(session, ophys)
    return replace(session, **changes)


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
    for entry in entries_on(ophys, movie.series_type, movie.name):
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


def _check_names(session: Session, ophys: Metadata) -> None:
    planes = planes_of(session)
    have = {
        "Device": {plane.device.name for plane in planes.values()},
        "ImagingPlane": set(planes),
        "TwoPhotonSeries": {m.name for m in session.of(Movie) if m.kind == "two-photon"},
        "OnePhotonSeries": {m.name for m in session.of(Movie) if m.kind == "one-photon"},
        "optical_channel": {c.name for plane in planes.values() for c in plane.channels},
    }
    references = {"device": "Device", "imaging_plane": "ImagingPlane"}
    for key, entries in ophys.items():
        if entries and not have[key]:
            present = ", ".join(kind for kind, names in have.items() if names) or "none"
            raise BadMetadata(f"Ophys.{key}: this recording has no {key}; it has: {present}")
        for entry in entries:
            named = [(key, "name", entry)] + [("optical_channel", "name", c) for c in entry.get("optical_channel", [])]
            named += [(kind, word, entry) for word, kind in references.items()]
            for kind, word, holder in named:
                name = holder.get(word)
                if name is not None and name not in have[kind]:
                    known = ", ".join(sorted(have[kind])) or "none"
                    raise BadMetadata(f"Ophys.{key}: this recording has no {kind} named {name}; it has: {known}")
