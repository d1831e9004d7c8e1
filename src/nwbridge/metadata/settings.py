"""What the lab knows, given a value at a time on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.forms import near, used
from nwbridge.metadata.given import check, form_of, merge, resolve
from nwbridge.metadata.keys import GROUPS, Metadata


def override(content: Metadata, settings: Metadata) -> Metadata:
    """Return `content` with `settings` that win over everything in it, whatever the animal and the recording."""
    if not settings:
        return content
    groups = {key: value for key, value in settings.items() if key in GROUPS}
    rest = {key: value for key, value in settings.items() if key not in GROUPS}
    return merge(content, rest | ({"Sessions": [{"path": "**", **groups}]} if groups else {}))


def from_settings(settings: Iterable[str]) -> Metadata:
    """Return the metadata given as ``Group.key=value`` words; lists are split at commas."""
    content: dict[str, Any] = {}
    form = {"properties": {group: form_of(group) for group in GROUPS}}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise BadMetadata(f"--set {setting}: expected KEY=VALUE, as in --set 'Subject.species=Mus musculus'")
        _put(content, key.strip().split("."), value.strip(), form, f"--set {key.strip()}")
    return check(content, "--set")


def settings_of(content: Metadata) -> list[str]:
    """Return the words that give the same values one at a time; of several entries of a list, nothing can."""
    return [setting for group in GROUPS if group in content for setting in _words(group, content[group])]


def _words(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _words(f"{key}.{name}", inner)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield from _words(key, value[0]) if len(value) == 1 else ()
    elif isinstance(value, list) and all(isinstance(one, int | float) for one in value):
        yield f"{key}={','.join(map(str, value))}"
    else:
        yield from (f"{key}={one}" for one in (value if isinstance(value, list) else [value]))


def _put(content: dict[str, Any], path: list[str], value: str, form: Mapping[str, Any], where: str) -> None:
    known = used(form)
    if not known:
        raise BadMetadata(f"{where}: there is nothing below a single value; leave out .{'.'.join(path)}")
    if path[0] not in known:
        raise BadMetadata(f"{where}: there is no key {path[0]}; {near(path[0], known)}")
    inner = resolve(known[path[0]])
    items = resolve(inner.get("items", {}))
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
        names = used(inner) or used(items)
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
