"""A plugin's options: one frozen dataclass gives the JSON schema, the command line's flags and checked values.

Write each option as a field with ``option(default, "what it does")``; types are str, int, float, bool, Path, Literal
and any of these ``| None``.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from nwbridge.errors import BadOption, PluginFault

T = TypeVar("T")
_JSON = {str: "string", int: "integer", float: "number", bool: "boolean", Path: "string"}
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
_SHORT = {str: "TEXT", int: "NUMBER", float: "NUMBER", bool: "true|false", Path: "PATH"}


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For plugins that have nothing to choose."""


def option(default: Any, help: str) -> Any:  # noqa: A002
    """Declare a field of an options dataclass: its default and one line of help."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclasses.dataclass(frozen=True)
class Flag:
    """One option as the command line and the schema show it."""

    name: str
    type: type
    choices: tuple[Any, ...]
    optional: bool
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The option's spelling on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def word(self) -> str:
        """What it takes, in a word for people."""
        return _SHORT[self.type]


def flags(options: type) -> list[Flag]:
    """Return the options that a dataclass declares; PluginFault for one that cannot be given as text."""
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise PluginFault(f"options are {options!r}; expected a frozen dataclass")
    try:
        hints = typing.get_type_hints(options)
    except NameError as error:
        raise PluginFault(f"options {options.__name__}: {error}; expected types that can be imported") from error
    found = []
    for field in dataclasses.fields(options):
        inner, optional = hints[field.name], False
        choices: tuple[Any, ...] = ()
        if typing.get_origin(inner) in (typing.Union, types.UnionType):
            rest = [part for part in typing.get_args(inner) if part is not type(None)]
            inner, optional = (rest[0] if len(rest) == 1 else inner), True
        if typing.get_origin(inner) is Literal:
            choices = typing.get_args(inner)
            inner = type(choices[0])
        flag = Flag(field.name, inner, choices, optional, field.default, field.metadata.get("help", ""))
        if inner not in _JSON or not all(type(choice) is inner for choice in choices) or not _fits(flag):
            raise PluginFault(
                f"option {options.__name__}.{field.name}: {hints[field.name]} cannot be an option; "
                "expected str, int, float, bool, Path or Literal, and a default of that type"
            )
        found.append(flag)
    return found


def _fits(flag: Flag) -> bool:
    """Whether the default is a value that could have been given."""
    try:
        return flag.default is not dataclasses.MISSING and bool(_value(flag, flag.default) == flag.default)
    except BadOption:
        return False


def schema(options: type) -> dict[str, Any]:
    """Return the JSON schema of an options dataclass."""
    properties = {}
    for flag in flags(options):
        entry: dict[str, Any] = {"type": [_JSON[flag.type], "null"] if flag.optional else _JSON[flag.type]}
        if flag.choices:
            entry["enum"] = [*flag.choices, None] if flag.optional else list(flag.choices)
        default = str(flag.default) if isinstance(flag.default, Path) else flag.default
        properties[flag.name] = entry | {"default": default, "description": flag.help}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def parse(options: type[T], values: Mapping[str, Any], who: str) -> T:
    """Return the options of `who`, checked and converted; BadOption names what is wrong and what would do."""
    known = {flag.name: flag for flag in flags(options)}
    checked = {}
    for given, value in values.items():
        name = given.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            own = ", ".join(flag.flag for flag in known.values()) or "none"
            have = f"did you mean {known[near[0]].flag}?" if near else f"it has {own}"
            raise BadOption(f"{who} has no option --{name.replace('_', '-')}; {have}")
        checked[name] = _value(known[name], value)
    return options(**checked)


def _value(flag: Flag, value: Any) -> Any:
    if value is None and flag.optional:
        return None
    try:
        if flag.type is bool:
            converted: Any = value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        else:
            converted = flag.type(value)
            if isinstance(value, bool) or (flag.type in (int, float) and converted != float(value)):
                raise ValueError
            if flag.type is str and not isinstance(value, str | int | float):
                raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError):
        raise BadOption(f"{flag.flag} {value}: expected {_WORDS[flag.type]}") from None
    if flag.choices and converted not in flag.choices:
        raise BadOption(f"{flag.flag} {value}: expected one of {', '.join(map(str, flag.choices))}")
    return converted
