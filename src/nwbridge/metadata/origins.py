"""Where each metadata value of a session comes from, and what is written where nobody says anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from nwbridge.forms import used
from nwbridge.metadata.given import form_of, prune
from nwbridge.metadata.keys import REFERENCES, SESSION, SUBJECT, Metadata, entries_on, planes_of
from nwbridge.metadata.names import without_defaults
from nwbridge.model import Finding, Movie, Plane, Series, Session, Subject

Origin = Literal["source", "user", "unknown"]
OPTION = "option --"  # how a source's note on an origin begins where an option of the user gave the value
_ASKED = re.compile(r"--set ['\"]?([\w.]+)")

# what is written where nobody says anything, in words for `inspect`, the file's notes and the report
UNKNOWN = {
    "NWBFile.session_start_time": "written as 1900-01-01T00:00:00+00:00, marked as a placeholder",
    "Subject.subject_id": "written as the session's id",
    "Subject.species": "left out; DANDI requires it",
    "Subject.sex": "written as U (unknown)",
    "Subject.age": "written as P0D/ (at least 0 days)",
    "Ophys.ImagingPlane.indicator": "written as unknown",
    "Ophys.ImagingPlane.location": "written as unknown",
    "Ophys.ImagingPlane.excitation_lambda": "written as NaN",
    "Ophys.ImagingPlane.optical_channel.emission_lambda": "written as NaN",
    "Ophys.TwoPhotonSeries.rate": "required: give it",
    "Ophys.OnePhotonSeries.rate": "required: give it",
}
_RECOMMENDED = (
    "experimenter",
    "institution",
    "lab",
    "keywords",
    "experiment_description",
    "related_publications",
)


@dataclass(frozen=True)
class Field:
    """One metadata value of a session and where it comes from."""

    key: str  # as in the metadata file
    value: Any
    origin: Origin
    note: str = ""  # where the source states it, or what is written where nobody does


def fields(session: Session, given: Metadata, source: Session | None = None) -> list[Field]:
    """List the session's metadata with where each value comes from; `session` has `given` laid over it already.

    With `source`, the session as its source says it, a value of the user's that repeats the source's is the source's.
    """
    found = _fields(session, given)
    if source is None:
        return found
    stated: dict[str, list[Field]] = {}
    for field in _fields(source, {}):
        stated.setdefault(field.key, []).append(field)
    return [_repeated(field, stated.get(field.key, [])) for field in found]


def _repeated(field: Field, stated: list[Field]) -> Field:
    """Return the field as the source's where the user repeats what the source says, of all planes or movies."""
    if field.origin == "user" and stated and all(one.value == field.value for one in stated):
        return replace(field, origin=stated[0].origin, note=stated[0].note)
    return field


def _fields(session: Session, given: Metadata) -> list[Field]:
    given = prune(given)
    if "Ophys" in given:
        given = given | {"Ophys": without_defaults(session, given["Ophys"])}
    user = {key.replace("age__reference", "age_reference"): value for key, value in _flat(given)}
    found = [_field(f"NWBFile.{key}", getattr(session, name), session, user) for key, name in SESSION.items()]
    for key in (key for key in used(form_of("NWBFile")) if key not in SESSION):
        value = getattr(session, key)
        if value is not None or key in _RECOMMENDED:
            found.append(_field(f"NWBFile.{key}", value, session, user))
    subject = session.subject or Subject()
    for key in (key for key in used(form_of("Subject")) if key not in SUBJECT):
        value = getattr(subject, key)
        dated = key == "age" and subject.date_of_birth is not None
        if value is not None or (f"Subject.{key}" in UNKNOWN and not dated):
            found.append(_field(f"Subject.{key}", value, session, user))
    for plane in planes_of(session).values():
        found += _named("Device", plane.device.name, {}, session, given)
        found += _named(
            "ImagingPlane", plane.name, _plane_values(plane, moving=bool(session.of(Movie))), session, given
        )
    for movie in session.of(Movie):
        values: dict[str, Any] = {"rate": movie.rate_hz} if movie.timestamps is None else {}
        stated = {
            "exposure_time": movie.exposure_s,
            "binning": movie.binning,
            "pmt_gain": movie.pmt_gain,
            "unit": movie.unit,
            "conversion": None if movie.conversion == 1 else movie.conversion,
            "offset": movie.offset or None,
        }
        values |= {key: value for key, value in stated.items() if value is not None}
        found += _named(movie.series_type, movie.name, values, session, given)
    for electrode in {e.electrode.name: e.electrode for e in session.of(Series) if e.electrode}.values():
        values = {"cell_id": electrode.cell_id, "location": electrode.location}
        found += _named("Electrodes", electrode.name, values, session, given)
    return [field for number, field in enumerate(found) if field not in found[:number]]


def _plane_values(plane: Plane, *, moving: bool) -> dict[str, Any]:
    emissions = [channel.emission_nm for channel in plane.channels]
    values: dict[str, Any] = {
        "indicator": plane.indicator,
        "location": plane.location,
        "excitation_lambda": plane.excitation_nm,
        "optical_channel.emission_lambda": None if None in emissions else emissions[0],
    }
    if plane.rate_hz is not None and not moving:  # else the movie's own rate is listed
        values["imaging_rate"] = plane.rate_hz
    if plane.pixel_um:
        values["grid_spacing"] = [plane.pixel_um[1], plane.pixel_um[0]]
    return values


def _named(kind: str, name: str, values: Metadata, session: Session, given: Metadata) -> list[Field]:
    """Return the fields of one device, plane or series, and whatever else the user says of it."""
    group = "Icephys" if kind == "Electrodes" else "Ophys"
    said = given.get(group, {})
    entries = [*entries_on(said, "MicroscopySeries", name)] if kind.endswith("Series") else []
    entries += entries_on(said, kind, name)
    user = {key: value for entry in entries for key, value in _flat(entry, f"{group}.{kind}")}
    values = {f"{group}.{kind}.{key}": value for key, value in values.items()}
    rest = [key for key in user if key not in values and key.rsplit(".", 1)[1] not in REFERENCES]
    found = [_field(key, value, session, user) for key, value in values.items()]
    return found + [Field(key, user[key], "user") for key in rest]


def _field(key: str, value: Any, session: Session, user: Metadata) -> Field:
    if value is None:
        return Field(key, None, "unknown", UNKNOWN.get(key, "left out"))
    if key in user:
        return Field(key, value, "user")
    note = session.origins.get(key, "")
    return Field(key, value, "user" if note.startswith(OPTION) else "source", note)


def answered(session: Session, given: Metadata) -> tuple[Finding, ...]:
    """Return the findings of a source without those that ask for what the user gives, and what is given twice.

    `session` is as the source and its options say it; a finding asks for the keys after ``--set`` in its advice.
    """
    user = {key for key, _ in _flat(given)}
    kept = [f for f in session.findings if not (asked := set(_ASKED.findall(f.advice))) or not asked <= user]
    stated = {field.key: field for field in fields(session, {})}
    for key, value in _flat(given):
        option = session.origins.get(key, "")
        if option.startswith(OPTION) and key in stated and stated[key].value != value:
            text = f"{key} is {value} in the metadata and {stated[key].value} by the {option}: {value} is written"
            kept.append(Finding("warning", text, "give it once", check="metadata"))
    return tuple(kept)


def _flat(metadata: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(metadata, Mapping):
        for key, value in metadata.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(metadata, list) and metadata and isinstance(metadata[0], Mapping):
        for entry in metadata:
            yield from _flat(entry, prefix)
    else:
        yield prefix, metadata
