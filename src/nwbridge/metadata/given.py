"""What the lab knows, checked against the one list of keys, and laid over what was known before.

The keys are those that labs already use for NeuroConv; `schemas/json/metadata.json` lists them.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.forms import Path, dotted, first_fault, near, used
from nwbridge.metadata.advice import instead, rewritten
from nwbridge.metadata.keys import Metadata
from nwbridge.metadata.neuroconv import adapt
from nwbridge.metadata.patterns import placeholders
from nwbridge.shipped import schemas


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of the metadata file."""
    found: dict[str, Any] = json.loads((schemas() / "json" / "metadata.json").read_text("utf-8"))
    return found


def form_of(key: str) -> Mapping[str, Any]:
    """Return the schema of what stands below a key of the file."""
    return resolve(schema()["properties"][key])


def check(content: Any, where: str = "metadata", line: Callable[[Path], str] = lambda path: "") -> Metadata:
    """Return metadata that fits the schema, dates as text; BadMetadata names the key and what would do.

    `line` returns the words for where in a file a key stands, as in " line 14".
    """
    try:
        plain = _plain(adapt(_plain(content, schema()), where), schema())
    except RecursionError:
        raise BadMetadata(f"{where}: it holds itself; expected plain values") from None
    if wrong := first_fault(plain, schema(), instead):
        raise BadMetadata(f"{where}{line(wrong.at)}: {_called(wrong.path, plain)} {wrong.words}")
    for above, part in _parts(plain):
        for group, name in (("NWBFile", "session_start_time"), ("Subject", "date_of_birth")):
            if name in part.get(group, {}):
                path = (*above, group, name)
                parse_time(part[group][name], f"{where}{line(path)}: {_called(path, plain)}")
    for name, subject in plain.get("Subjects", {}).items():
        if subject.get("subject_id", name) != name:
            given = subject["subject_id"]
            at = line(("Subjects", name, "subject_id"))
            raise BadMetadata(f"{where}{at}: Subjects.{name}.subject_id is {given!r}; leave it out: {name} is the id")
        if "date_of_birth" in subject:
            at = line(("Subjects", name, "date_of_birth"))
            parse_time(subject["date_of_birth"], f"{where}{at}: Subjects.{name}.date_of_birth")
    for pattern in plain.get("Pattern", []):
        _check_pattern(pattern, where)
    return dict(plain)


def _parts(content: Metadata) -> Iterator[tuple[Path, Metadata]]:
    """Yield the document and the entries that hold the same groups, each with where it stands."""
    yield (), content
    for number, entry in enumerate(content.get("Sessions", [])):
        yield ("Sessions", number), entry


def _called(path: Path, content: Metadata) -> str:
    """Return what a place is called: an entry of Sessions by its path, for people count from one."""
    if len(path) < 2 or path[0] != "Sessions" or not isinstance(path[1], int):
        return dotted(path)
    entry = content["Sessions"][path[1]]
    own = entry.get("path") if isinstance(entry, Mapping) else None
    name = f"the entry {own} of Sessions" if isinstance(own, str) else f"entry {path[1] + 1} of Sessions"
    return f"{name}: {dotted(path[2:])}" if path[2:] else name


def _check_pattern(pattern: str, where: str) -> None:
    for group, key in placeholders(pattern, where):
        known = used(form_of(group))
        if key not in known:
            raise BadMetadata(f"{where}: Pattern {pattern}: there is no key {group}.{key}; {near(key, known)}")
        if resolve(known[key]).get("type") == "array":
            raise BadMetadata(f"{where}: Pattern {pattern}: {group}.{key} is a list; expected a key of one value")


_NOTHING = object()


def _plain(value: Any, form: Mapping[str, Any]) -> Any:
    """Return plain values: dates as text, numbers as text where text is meant; a key without a value says nothing."""
    form = resolve(form)
    if isinstance(value, dict):
        known, rest = form.get("properties", {}), form.get("additionalProperties")
        inner = {str(k): (v, known.get(k) or (rest if isinstance(rest, dict) else {})) for k, v in value.items()}
        plain = {
            k: {} if v is None and k not in known and f else _plain(v, f)
            for k, (v, f) in inner.items()
            if v is not None or k not in known
        }
        return {k: v for k, v in plain.items() if v is not _NOTHING}
    if isinstance(value, list | tuple):
        items = [_plain(item, form.get("items", {})) for item in value]
        if "properties" in resolve(form.get("items", {})):  # a dash whose lines are all comments says nothing
            kept = [item for item in items if item not in (None, {})]
            return kept if kept or not items else _NOTHING
        return items
    if isinstance(value, int) and abs(value) > 1 << 1000:
        return f"{str(value)[:8]}…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # which is no number to the schema; NaN is a placeholder of NeuroConv's in places
    if isinstance(value, datetime | date):
        return value.isoformat()
    if form.get("type") == "string" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if form.get("type") == "array" and isinstance(value, str):
        return [value]
    return value


def resolve(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the form that a reference of the schema names."""
    reference = form.get("$ref")
    return schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else form


def prune(content: Metadata) -> dict[str, Any]:
    """Return the content without NeuroConv's keys that have no use here."""
    pruned: dict[str, Any] = _pruned(content, schema())
    return pruned


def _pruned(value: Any, form: Mapping[str, Any]) -> Any:
    form = resolve(form)
    if isinstance(value, list):
        return [_pruned(item, form.get("items", {})) for item in value]
    if isinstance(value, Mapping) and (known := form.get("properties")):
        kept = {key: inner for key, inner in value.items() if not known.get(key, {}).get("unused")}
        return {key: _pruned(inner, known.get(key, {})) for key, inner in kept.items()}
    return value


def parse_time(text: str, where: str) -> datetime:
    """Return an ISO 8601 date and time; BadMetadata where it is none or lacks a time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        expected = rewritten(text) or "a date and time such as 2020-01-31T12:00:00+01:00"
        raise BadMetadata(f"{where} is {text!r}; expected {expected}") from None
    if time.tzinfo is None:
        raise BadMetadata(f"{where} is {text!r}, without a time zone; expected for example {time.isoformat()}+01:00")
    if (time.utcoffset() or timedelta()) % timedelta(minutes=1):
        raise BadMetadata(f"{where} is {text!r}; expected an offset of hours and minutes, as in +01:00")
    return time


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
