"""What the lab knows: load it from a file or the command line, check it, lay it over what the source says.

The keys are those that labs already use for NeuroConv; `schemas/json/metadata.json` is the one list of them.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
import reprlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import jsonschema
import yaml

from nwbridge.errors import BadMetadata
from nwbridge.model import Channel, Device, Movie, Plane, Session, Subject

Origin = Literal["source", "user", "unknown"]
Metadata = Mapping[str, Any]

# key in the metadata file -> field of the model, where the names differ
_SESSION = {"session_id": "id", "session_description": "description", "session_start_time": "start_time"}
_SUBJECT = {"age__reference": "age_reference"}
_PLANE = {"excitation_lambda": "excitation_nm", "imaging_rate": "rate_hz", "grid_spacing": "pixel_um"}
_CHANNEL = {"emission_lambda": "emission_nm"}
_SERIES = {"rate": "rate_hz"}
_REFERENCES = ("name", "device", "imaging_plane", "optical_channel")

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


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of the metadata file."""
    here = Path(__file__).parent
    shipped = here / "schemas" / "json" / "metadata.json"
    source = here.parents[1] / "schemas" / "json" / "metadata.json"  # an editable installation
    found: dict[str, Any] = json.loads((shipped if shipped.exists() else source).read_text("utf-8"))
    return found


def load(path: Path) -> Metadata:
    """Read a YAML, TOML or JSON metadata file and check it; BadMetadata says what is wrong in one line."""
    try:
        text = path.read_text("utf-8-sig")
        match path.suffix.lower():
            case ".toml":
                content = tomllib.loads(text)
            case ".json":
                content = json.loads(text)
            case ".yaml" | ".yml":
                content = yaml.load(text, _Yaml)  # noqa: S506 a SafeLoader
            case other:
                raise BadMetadata(f"{path.name} ends in {other or 'nothing'}; expected .yaml, .toml or .json")
    except FileNotFoundError:
        raise BadMetadata(f"the metadata file {path} does not exist") from None
    except OSError as error:
        raise BadMetadata(f"the metadata file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # each parser has errors of its own, all ValueErrors
        raise BadMetadata(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    return check({} if content is None else content, path.name)


class _Yaml(yaml.SafeLoader):
    """Leaves 0123 and 12:30 as they are written: YAML 1.1 means octal 83 and 750 minutes."""


def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | str:
    text = str(loader.construct_scalar(node))
    return int(text) if re.fullmatch(r"[+-]?(0|[1-9]\d*)", text) else text


_Yaml.add_constructor("tag:yaml.org,2002:int", _whole_number)


def check(content: Any, where: str = "metadata") -> Metadata:
    """Return metadata that fits the schema, dates as text; BadMetadata names the key and what would do."""
    try:
        plain = _plain(content, schema())
    except RecursionError:
        raise BadMetadata(f"{where}: it holds itself; expected plain values") from None
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(plain)
    error = min(errors, key=lambda e: list(map(str, e.absolute_path)), default=None)
    if error is not None:
        raise BadMetadata(f"{where}: {_explain(error)}")
    for key in ("NWBFile.session_start_time", "Subject.date_of_birth"):
        group, name = key.split(".")
        if name in plain.get(group, {}):
            _time(plain[group][name], f"{where}: {key}")
    return dict(plain)


def _plain(value: Any, form: Mapping[str, Any]) -> Any:
    """Return plain values: dates as text, numbers as text where text is meant."""
    form = _resolve(form)
    if isinstance(value, dict):
        return {str(k): _plain(v, form.get("properties", {}).get(k, {})) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, form.get("items", {})) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # which is no number to the schema
    if isinstance(value, datetime | date):
        return value.isoformat()
    if form.get("type") == "string" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if form.get("type") == "array" and isinstance(value, str):
        return [value]
    return value


def _resolve(form: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = form.get("$ref")
    return schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else form


def _explain(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "the file"
    form: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = list(form["properties"])
        unknown = next(name for name in instance if name not in known)
        near = difflib.get_close_matches(unknown, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
        return f"{key} has an unknown key {unknown}; {hint}"
    return f"{key} is {reprlib.repr(instance)}; expected {_expected(form)}"


def _expected(form: Mapping[str, Any]) -> str:
    if "enum" in form:
        return " or ".join(form["enum"])
    if "properties" in form:
        return "keys such as " + ", ".join(list(form["properties"])[:3])
    words = {"string": "text", "array": "a list", "number": "a number"}[form["type"]]
    words += " above 0" if "exclusiveMinimum" in form else ""
    return words + (f": {form['description']}" if "description" in form else "")


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadMetadata(f"{where} is {text!r}; expected a date and time such as 2020-01-31T12:00:00+01:00") from None
    if time.tzinfo is None:
        raise BadMetadata(f"{where} is {text!r}, without a time zone; expected for example {time.isoformat()}+01:00")
    return time


def from_settings(settings: Iterable[str]) -> Metadata:
    """Return the metadata given as ``Group.key=value`` words; lists are split at commas."""
    content: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise BadMetadata(f"--set {setting}: expected KEY=VALUE, as in --set 'Subject.species=Mus musculus'")
        _put(content, key.strip().split("."), value.strip(), schema(), f"--set {key.strip()}")
    return check(content, "--set")


def _put(content: dict[str, Any], path: list[str], value: str, form: Mapping[str, Any], where: str) -> None:
    known = form.get("properties", {})
    if not known:
        raise BadMetadata(f"{where}: there is nothing below a single value; leave out .{'.'.join(path)}")
    if path[0] not in known:
        near = difflib.get_close_matches(path[0], known, 1, 0.5)
        raise BadMetadata(
            f"{where}: there is no key {path[0]}; "
            + (f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}")
        )
    inner = _resolve(known[path[0]])
    items = _resolve(inner.get("items", {}))
    if len(path) > 1:
        entry = content.setdefault(path[0], [{}] if inner.get("type") == "array" else {})
        _put(
            entry[0] if isinstance(entry, list) else entry,
            path[1:],
            value,
            items if isinstance(entry, list) else inner,
            where,
        )
    elif "properties" in inner or "properties" in items:
        names = (inner.get("properties") or items["properties"]).keys()
        raise BadMetadata(f"{where}: expected one more word after it: {', '.join(names)}")
    elif inner.get("type") == "array":
        parts = (
            [part.strip() for part in value.split(",")]
            if items.get("type") == "number" or path[0] == "keywords"
            else [value]
        )
        texts: list[Any] = content.get(path[0], []) + parts  # said twice, both count
        content[path[0]] = [_number(part, where) for part in parts] if items.get("type") == "number" else texts
    else:
        content[path[0]] = _number(value, where) if inner.get("type") == "number" else value


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadMetadata(f"{where} is {text!r}; expected a number") from None


def merge(under: Metadata, over: Metadata) -> Metadata:
    """Return `under` with everything that `over` says."""
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        lists = (
            isinstance(value, list) and isinstance(merged.get(key), list) and all(isinstance(v, dict) for v in value)
        )
        merged[key] = merge(merged[key], value) if both else merged[key] + value if lists else value
    return merged


def overlay(session: Session, metadata: Metadata) -> Session:
    """Return the session with the user's values in place of the source's; BadMetadata for a name that is not there."""
    ophys = metadata.get("Ophys", {})
    _check_names(session, ophys)
    changes = _fields(metadata.get("NWBFile", {}), _SESSION)
    for name in ("experimenter", "keywords", "related_publications"):
        if name in changes:
            changes[name] = tuple(changes[name])
    if "start_time" in changes:
        changes["start_time"] = _time(changes["start_time"], "NWBFile.session_start_time")
    if given := _fields(metadata.get("Subject", {}), _SUBJECT):
        if "date_of_birth" in given:
            given["date_of_birth"] = _time(given["date_of_birth"], "Subject.date_of_birth")
        changes["subject"] = replace(session.subject or Subject(), **given)
    if ophys:
        changes["elements"] = tuple(_element(element, ophys) for element in session.elements)
    return replace(session, **changes)


def _fields(given: Metadata, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in given.items()}


def _element(element: Any, ophys: Metadata) -> Any:
    if isinstance(plane := getattr(element, "plane", None), Plane):
        element = replace(element, plane=_plane(plane, ophys))
    if isinstance(element, Movie):
        for entry in _entries(ophys, _series_key(element), element.name):
            if "rate" in entry and element.timestamps is not None:
                raise BadMetadata(
                    f"Ophys.{_series_key(element)}.rate: {element.name} has a time for each frame; leave it out"
                )
            element = replace(element, **_fields({k: v for k, v in entry.items() if k not in _REFERENCES}, _SERIES))
    return element


def _plane(plane: Plane, ophys: Metadata) -> Plane:
    device: Device = plane.device
    for entry in _entries(ophys, "Device", device.name):
        device = replace(device, **{k: v for k, v in entry.items() if k != "name"})
    channels: tuple[Channel, ...] = plane.channels
    for entry in _entries(ophys, "ImagingPlane", plane.name):
        values = _fields({k: v for k, v in entry.items() if k not in _REFERENCES}, _PLANE)
        if "pixel_um" in values:
            values["pixel_um"] = tuple(reversed(values["pixel_um"]))  # the file gives x (columns) first
        plane = replace(plane, **values)
        for given in entry.get("optical_channel", []):
            fields = _fields({k: v for k, v in given.items() if k != "name"}, _CHANNEL)
            channels = tuple(replace(c, **fields) if given.get("name", c.name) == c.name else c for c in channels)
    return replace(plane, device=device, channels=channels)


def _entries(ophys: Metadata, key: str, name: str) -> Iterator[Metadata]:
    """Yield the entries that speak of `name`; one without a name speaks of all."""
    for entry in ophys.get(key, []):
        if entry.get("name", name) == name:
            yield entry


def _series_key(movie: Movie) -> str:
    return "OnePhotonSeries" if movie.kind == "one-photon" else "TwoPhotonSeries"


def _planes(session: Session) -> dict[str, Plane]:
    planes = (getattr(element, "plane", None) for element in session.elements)
    return {plane.name: plane for plane in planes if isinstance(plane, Plane)}


def _check_names(session: Session, ophys: Metadata) -> None:
    planes = _planes(session)
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


def fields(session: Session, given: Metadata) -> list[Field]:
    """List the session's metadata with where each value comes from; `session` has `given` laid over it already."""
    user = {key.replace("age__reference", "age_reference"): value for key, value in _flat(given)}
    found = [_field(f"NWBFile.{key}", getattr(session, name), session, user) for key, name in _SESSION.items()]
    for key in (key for key in schema()["properties"]["NWBFile"]["properties"] if key not in _SESSION):
        value = getattr(session, key)
        if value is not None or key in _RECOMMENDED:
            found.append(_field(f"NWBFile.{key}", value, session, user))
    subject = session.subject or Subject()
    for key in (key for key in schema()["properties"]["Subject"]["properties"] if key not in _SUBJECT):
        value = getattr(subject, key)
        dated = key == "age" and subject.date_of_birth is not None
        if value is not None or (f"Subject.{key}" in UNKNOWN and not dated):
            found.append(_field(f"Subject.{key}", value, session, user))
    for plane in _planes(session).values():
        found += _named("Device", plane.device.name, {}, session, given)
        found += _named("ImagingPlane", plane.name, _plane_values(plane), session, given)
    for movie in session.of(Movie):
        values = {"rate": movie.rate_hz} if movie.timestamps is None else {}
        found += _named(_series_key(movie), movie.name, values, session, given)
    return [field for number, field in enumerate(found) if field not in found[:number]]


def _plane_values(plane: Plane) -> dict[str, Any]:
    emissions = [channel.emission_nm for channel in plane.channels]
    values: dict[str, Any] = {
        "indicator": plane.indicator,
        "location": plane.location,
        "excitation_lambda": plane.excitation_nm,
        "optical_channel.emission_lambda": None if None in emissions else emissions[0],
    }
    if plane.pixel_um:
        values["grid_spacing"] = [plane.pixel_um[1], plane.pixel_um[0]]
    return values


def _named(kind: str, name: str, values: Metadata, session: Session, given: Metadata) -> list[Field]:
    """Return the fields of one device, plane or series, and whatever else the user says of it."""
    ophys = given.get("Ophys", {})
    user = {key: value for entry in _entries(ophys, kind, name) for key, value in _flat(entry, f"Ophys.{kind}")}
    values = {f"Ophys.{kind}.{key}": value for key, value in values.items()}
    rest = [key for key in user if key not in values and key.rsplit(".", 1)[1] not in _REFERENCES]
    found = [_field(key, value, session, user) for key, value in values.items()]
    return found + [Field(key, user[key], "user") for key in rest]


def _field(key: str, value: Any, session: Session, user: Metadata) -> Field:
    if value is None:
        return Field(key, None, "unknown", UNKNOWN.get(key, "left out"))
    if key in user:
        return Field(key, value, "user")
    return Field(key, value, "source", session.origins.get(key, ""))


def _flat(metadata: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(metadata, Mapping):
        for key, value in metadata.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(metadata, list) and metadata and isinstance(metadata[0], Mapping):
        for entry in metadata:
            yield from _flat(entry, prefix)
    else:
        yield prefix, metadata
