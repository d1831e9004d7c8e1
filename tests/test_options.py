"""An options dataclass gives the schema, the flags and checked values."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import jsonschema
import pytest

from nwbridge import BadOption, NoOptions, PluginFault, option
from nwbridge.options import flags, parse, schema


@dataclass(frozen=True)
class Everything:
    title: str = option("none", "what it is called")
    frame_count: int = option(3, "how many")
    threshold: float = option(0.5, "where it begins")
    invert: bool = option(False, "whether light is dark")
    mask: Path = option(Path("mask.tif"), "file of the mask")  # noqa: RUF009
    kind: Literal["mean", "max"] = option("mean", "what is computed")
    order: Literal[1, 2] = option(2, "of the filter")
    depth: float | None = option(None, "µm, if known")
    channel: Literal["red", "green"] | None = option(None, "the only one to take")


def test_the_schema_lists_type_default_help_and_choices():
    described = json.loads(json.dumps(schema(Everything)))
    jsonschema.Draft202012Validator.check_schema(described)
    entries = described["properties"]
    assert entries["title"] == {"type": "string", "default": "none", "description": "what it is called"}
    assert [entries[name]["type"] for name in ("frame_count", "threshold", "invert", "mask")] == [
        "integer",
        "number",
        "boolean",
        "string",
    ]
    assert entries["mask"]["default"] == "mask.tif"
    assert entries["kind"]["enum"] == ["mean", "max"]
    assert entries["order"] == {"type": "integer", "default": 2, "description": "of the filter", "enum": [1, 2]}
    assert entries["depth"]["type"] == ["number", "null"]
    assert entries["channel"]["enum"] == ["red", "green", None]


def test_the_schema_accepts_the_defaults_and_nothing_unknown():
    described = schema(Everything)
    defaults = {name: entry["default"] for name, entry in described["properties"].items()}
    jsonschema.validate(defaults, described)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(defaults | {"titel": "x"}, described)


def test_flags_are_spelt_as_on_a_command_line():
    assert [flag.flag for flag in flags(Everything)][:3] == ["--title", "--frame-count", "--threshold"]


def test_without_values_the_defaults_hold():
    assert parse(Everything, {}, "source x") == Everything()
    assert parse(NoOptions, {}, "source x") == NoOptions()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("title", "", ""),
        ("title", "mean", "mean"),
        ("title", 7, "7"),
        ("frame_count", "12", 12),
        ("frame-count", 12, 12),
        ("frame_count", 12.0, 12),
        ("threshold", "1e-3", 0.001),
        ("threshold", 2, 2.0),
        ("invert", "TRUE", True),
        ("invert", "false", False),
        ("invert", True, True),
        ("mask", "a/b.tif", Path("a/b.tif")),
        ("kind", "max", "max"),
        ("order", "1", 1),
        ("depth", "196", 196.0),
        ("depth", None, None),
        ("channel", "green", "green"),
        ("channel", None, None),
    ],
)
def test_text_and_python_values_are_converted(name, given, expected):
    value = getattr(parse(Everything, {name: given}, "source x"), name.replace("-", "_"))
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("title", None, "--title None: expected text"),
        ("title", ["a"], r"--title \['a'\]: expected text"),
        ("title", True, "--title True: expected text"),
        ("frame_count", "many", "--frame-count many: expected a whole number"),
        ("frame_count", 1.5, "--frame-count 1.5: expected a whole number"),
        ("frame_count", math.inf, "--frame-count inf: expected a whole number"),
        ("frame_count", math.nan, "--frame-count nan: expected a whole number"),
        ("frame_count", True, "--frame-count True: expected a whole number"),
        ("frame_count", None, "--frame-count None: expected a whole number"),
        ("threshold", "0,5", "--threshold 0,5: expected a number"),
        ("threshold", "nan", "--threshold nan: expected a number"),
        ("threshold", False, "--threshold False: expected a number"),
        ("invert", "maybe", "--invert maybe: expected true or false"),
        ("invert", 1, "--invert 1: expected true or false"),
        ("mask", 5, "--mask 5: expected a path"),
        ("kind", "median", "--kind median: expected one of mean, max"),
        ("order", 3, "--order 3: expected one of 1, 2"),
        ("channel", "blue", "--channel blue: expected one of red, green"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_do(name, given, words):
    with pytest.raises(BadOption, match=words):
        parse(Everything, {name: given}, "source x")


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        (Everything, "treshold", "source x has no option --treshold; did you mean --threshold?"),
        (Everything, "frame-cont", "source x has no option --frame-cont; did you mean --frame-count?"),
        (Everything, "zzz", "source x has no option --zzz; it has --title, --frame-count"),
        (NoOptions, "depth", "source x has no option --depth; it has none"),
    ],
)
def test_an_unknown_option_is_answered_with_the_nearest_spelling(options, given, words):
    with pytest.raises(BadOption) as caught:
        parse(options, {given: 1}, "source x")
    assert str(caught.value).startswith(words)


def declared(kind, default):
    """A dataclass with one option of this type and default."""
    made = type("Odd", (), {"__annotations__": {"odd": kind}, "odd": default})
    return dataclass(frozen=True)(made)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (list[int], option(None, "")),
        (int | str, option(1, "")),
        (dict, option(None, "")),
        (int, field()),
        (list, field(default_factory=list)),
        (int, option("three", "")),
        (int, option(None, "")),
        (Literal["a", "b"], option("c", "")),
        (Literal["a", 1], option("a", "")),
    ],
)
def test_what_cannot_be_an_option_is_the_plugin_s_fault(kind, default):
    with pytest.raises(PluginFault, match=r"option Odd\.odd: .* cannot be an option; expected str, int"):
        flags(declared(kind, default))


@pytest.mark.parametrize("options", [dict, None, Everything()])
def test_options_are_a_dataclass(options):
    with pytest.raises(PluginFault, match="expected a frozen dataclass"):
        flags(options)


def test_a_type_that_nobody_can_import_is_the_plugin_s_fault():
    with pytest.raises(PluginFault, match="options Odd: name 'Nowhere' is not defined"):
        flags(declared("Nowhere", option(1, "")))
