"""What is wrong with JSON-like content, in one line: the first place where it breaks a JSON schema."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jsonschema

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """A place in the content, by keys and numbers, and what is wrong there."""

    path: Path
    at: Path  # as near as it can be pointed at
    words: str  # after the name of the place


_WORDS = {
    "string": "text",
    "array": "a list",
    "object": "keys and values",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


def fault(
    content: Any,
    form: Mapping[str, Any],
    instead: Callable[[Path, Any], str | None] = lambda path, value: None,
) -> str | None:
    """Return what was found where `content` breaks the schema `form` and what was expected, or None."""
    wrong = first_fault(content, form, instead)
    return None if wrong is None else f"{dotted(wrong.path)} {wrong.words}"


def dotted(path: Path) -> str:
    """Return how a place is called."""
    return ".".join(map(str, path)) or "the file"


def first_fault(
    content: Any,
    form: Mapping[str, Any],
    instead: Callable[[Path, Any], str | None] = lambda path, value: None,
) -> Fault | None:
    """Return the first place where `content` breaks the schema `form`, or None.

    A `description` in the schema is used as the words for what is expected. `instead` may know what to write in place
    of a value. Properties marked `unused` are taken, and offered to nobody.
    """
    errors = jsonschema.Draft202012Validator(form).iter_errors(content)
    error: Any = min(errors, key=lambda e: list(map(str, e.absolute_path)), default=None)
    if error is None:
        return None
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = next(name for name in error.instance if name not in known)
        words = f"has an unknown key {unknown}; {near(unknown, known, used(error.schema))}"
        return Fault(path, (*path, unknown), words)
    if error.validator == "required":
        lacking = next(name for name in error.validator_value if name not in error.instance)
        return Fault(path, path, f"lacks {lacking}")
    other = instead(path, error.instance)
    better = f"write {other}" if other is not None else f"expected {_expected(error.schema)}"
    return Fault(path, path, f"is {reprlib.repr(error.instance)}; {better}")


def used(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a schema that have a use."""
    return {key: value for key, value in form.get("properties", {}).items() if not value.get("unused")}


def near(word: str, known: Iterable[str], offered: Iterable[str] | None = None) -> str:
    """Return the nearest spelling as a question, or all that is `offered` where nothing is near."""
    words = list(known)
    found = difflib.get_close_matches(word, words, 1, 0.5)
    return f"did you mean {found[0]}?" if found else f"expected {', '.join(words if offered is None else offered)}"


def _expected(form: Mapping[str, Any]) -> str:
    if "enum" in form:
        return " or ".join(map(str, form["enum"]))
    if "properties" in form:
        return "keys such as " + ", ".join(list(used(form))[:3])
    kind = form["type"] if isinstance(form["type"], str) else form["type"][0]
    words = _WORDS[kind] + (f" above {form['exclusiveMinimum']}" if "exclusiveMinimum" in form else "")
    words += f" from {form['minimum']}" if "minimum" in form else ""
    return words + (f": {form['description']}" if "description" in form else "")
