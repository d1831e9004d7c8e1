"""What the lab knows, read from a file or the command line and checked against the one list of keys.

The keys are those that labs already use for NeuroConv; `schemas/json/metadata.json` lists them.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from nwbridge.errors import BadMetadata
from nwbridge.forms import fault
from nwbridge.metadata.keys import Metadata
from nwbridge.shipped import schemas


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of the metadata file."""
    found: dict[str, Any] = json.loads((schemas() / "json" / "metadata.json").read_text("utf-8"))
    return found


def load(path: Path) -> Metadata:
    """Read a YAML, TOML or JSON metadata file and check it; BadMetadata says what is wrong in one line."""
    try:
        text = path.read_text("utf-8-sig")
        match path.suffix.lower():
            case ".toml":
                content = tomllib.loads(text)
            case ".json":
                content = json.loads(text, object_pairs_hook=_each_key_once)
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

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice: YAML would forget the first."""
        _each_key_once([(str(getattr(key, "value", key)), None) for key, _ in node.value])
        return super().construct_mapping(node, deep)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise BadMetadata(f"the metadata file has the key {key} twice in one place; expected it once")
    return dict(pairs)


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
    if wrong := fault(plain, schema()):
        raise BadMetadata(f"{where}: {wrong}")
    for key in ("NWBFile.session_start_time", "Subject.date_of_birth"):
        group, name = key.split(".")
        if name in plain.get(group, {}):
            parse_time(plain[group][name], f"{where}: {key}")
    return dict(plain)


def _plain(value: Any, form: Mapping[str, Any]) -> Any:
    """Return plain values: dates as text, numbers as text where text is meant."""
    form = _resolve(form)
    if isinstance(value, dict):
        return {str(k): _plain(v, form.get("properties", {}).get(k, {})) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, form.get("items", {})) for item in value]
    if isinstance(value, int) and abs(value) > 1 << 1000:
        return f"{str(value)[:8]}…"
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


def parse_time(text: str, where: str) -> datetime:
    """Return an ISO 8601 date and time; BadMetadata where it is none or lacks a time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadMetadata(f"{where} is {text!r}; expected a date and time such as 2020-01-31T12:00:00+01:00") from None
    if time.tzinfo is None:
        raise BadMetadata(f"{where} is {text!r}, without a time zone; expected for example {time.isoformat()}+01:00")
    if (time.utcoffset() or timedelta()) % timedelta(minutes=1):
        raise BadMetadata(f"{where} is {text!r}; expected an offset of hours and minutes, as in +01:00")
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
        kind = inner.get("type")
        content[path[0]] = _number(value, where) if kind in ("number", "integer") else value


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
