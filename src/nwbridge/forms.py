"""What is wrong with JSON-like content, in one line: the first place where it breaks a JSON schema."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping
from typing import Any

import jsonschema

_WORDS = {
    "string": "text",
    "array": "a list",
    "object": "keys and values",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


def fault(content: Any, form: Mapping[str, Any]) -> str | None:
    """Return what was found where `content` breaks the schema `form` and what was expected, or None.

    A `description` in the schema is used as the words for what is expected.
    """
    errors = jsonschema.Draft202012Validator(form).iter_errors(content)
    error: Any = min(errors, key=lambda e: list(map(str, e.absolute_path)), default=None)
    if error is None:
        return None
    key = ".".join(str(part) for part in error.absolute_path) or "the file"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        near = difflib.get_close_matches(unknown, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
        return f"{key} has an unknown key {unknown}; {hint}"
    if error.validator == "required":
        return f"{key} lacks {next(name for name in error.validator_value if name not in error.instance)}"
    return f"{key} is {reprlib.repr(error.instance)}; expected {_expected(error.schema)}"


def _expected(form: Mapping[str, Any]) -> str:
    if "enum" in form:
        return " or ".join(map(str, form["enum"]))
    if "properties" in form:
        return "keys such as " + ", ".join(list(form["properties"])[:3])
    kind = form["type"] if isinstance(form["type"], str) else form["type"][0]
    words = _WORDS[kind] + (f" above {form['exclusiveMinimum']}" if "exclusiveMinimum" in form else "")
    words += f" from {form['minimum']}" if "minimum" in form else ""
    return words + (f": {form['description']}" if "description" in form else "")
