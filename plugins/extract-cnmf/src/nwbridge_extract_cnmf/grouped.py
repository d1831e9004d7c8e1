"""CaImAn's parameter files, JSON in groups; `schemas/json/caiman_parameters.json` says the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from nwbridge_extract_cnmf.parameters import Parameters

# where CaImAn keeps each parameter; those in several groups have to agree
GROUPS: Mapping[str, tuple[str, ...]] = {
    "data": ("fr", "decay_time", "dxy"),
    "init": (
        "K", "gSig", "gSiz", "tsub", "ssub", "method_init", "min_corr", "min_pnr", "ssub_B", "ring_size_factor", "nb",
        "rolling_sum", "normalize_init", "center_psf",
    ),
    "preprocess": ("p",),
    "patch": (
        "rf", "stride", "only_init", "nb_patch", "low_rank_background", "del_duplicates", "border_pix", "n_processes",
    ),
    "spatial": ("update_background_components", "nb"),
    "temporal": ("p", "nb", "method_deconvolution", "bas_nonneg"),
    "merging": ("merge_thr",),
    "quality": ("min_SNR", "rval_thr", "SNR_lowest", "rval_lowest"),
}  # fmt: skip
UNUSED = ("motion", "online", "ring_CNN")  # groups of CaImAn for other steps
_OWN = ("evaluate", "seed", "refit")  # that CaImAn has no place for
_PAIRS = ("gSig", "gSiz", "dxy")
_WHOLE = (
    "K",
    "gSig",
    "gSiz",
    "rf",
    "stride",
    "tsub",
    "ssub",
    "ssub_B",
    "nb",
    "nb_patch",
    "border_pix",
    "n_processes",
    "p",
)
_WORDS = ("method_init", "method_deconvolution")
_EMPTY = ("K", "rf", "n_processes", "fr")  # null means something
_FALSE = ("low_rank_background",)  # null means false


class BadFile(ValueError):
    """A parameter file that cannot be used, in one line."""


def read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters of a file by name, and the names that have no effect here."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise BadFile(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(
            f'{path.name} is no JSON ({error}); expected groups as CaImAn\'s: {{"init": {{"K": 4}}}}'
        ) from error
    return parse(content, path.name)


def parse(content: Any, name: str = "the file") -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters in groups by name, and those that have no effect here."""
    if not isinstance(content, dict) or not all(isinstance(group, dict) for group in content.values()):
        flat = ", ".join(sorted(content)[:3]) if isinstance(content, dict) else type(content).__name__
        raise BadFile(f"{name} holds {flat} without groups; expected CaImAn's: {', '.join(GROUPS)}")
    if unknown := sorted(set(content) - {*GROUPS, *UNUSED}):
        raise BadFile(f"{name} has a group {unknown[0]}; expected CaImAn's: {', '.join((*GROUPS, *UNUSED))}")
    found: dict[str, Any] = {}
    places: dict[str, str] = {}
    unused = [f"{group}/{key}" for group in UNUSED for key in content.get(group, {})]
    for group, keys in GROUPS.items():
        for key, value in content.get(group, {}).items():
            if key not in keys:
                unused.append(f"{group}/{key}")
                continue
            value = _checked(f"{name}: {group}/{key}", key, value)
            if key in found and found[key] != value:
                raise BadFile(
                    f"{name}: {key} is {found[key]} in {places[key]} and {value} in {group}; expected one value"
                )
            found[key], places[key] = value, group
    return found, tuple(unused)


def _checked(where: str, key: str, value: Any) -> Any:
    """Return a value of the type that the parameter has."""
    if value is None:
        if key in _FALSE:
            return False
        if key in _EMPTY:
            return None
        raise BadFile(f"{where} is null; expected a value")
    if key in _PAIRS:
        values = value if isinstance(value, list) else [value, value]
        if len(values) != 2:
            raise BadFile(f"{where} is {value}; expected one number or two, [rows, columns]")
        return tuple(_number(where, one, whole=key in _WHOLE) for one in values)
    if key in _WORDS:
        if not isinstance(value, str):
            raise BadFile(f"{where} is {value}; expected text")
        return value
    if isinstance(getattr(Parameters, key), bool):
        if not isinstance(value, bool):
            raise BadFile(f"{where} is {json.dumps(value)}; expected true or false")
        return value
    return _number(where, value, whole=key in _WHOLE)


def _number(where: str, value: Any, *, whole: bool) -> int | float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and (not whole or value == int(value))
    if not fits:
        raise BadFile(f"{where} is {json.dumps(value)}; expected {'a whole number' if whole else 'a number'}")
    return int(value) if whole else float(value)


def grouped(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """Return parameters in CaImAn's groups; what CaImAn has no place for in a group ``extraction``."""
    made = {group: {key: _plain(getattr(parameters, key)) for key in keys} for group, keys in GROUPS.items()}
    return made | {"extraction": {key: getattr(parameters, key) for key in _OWN}}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def schema() -> dict[str, Any]:
    """Return the JSON schema of a parameter file."""
    words = {entry.name: entry.metadata["help"] for entry in fields(Parameters)}
    properties = {
        group: {
            "type": "object",
            "properties": {key: _entry(key) | {"description": words[key]} for key in keys},
        }
        for group, keys in GROUPS.items()
    }
    others = {group: {"type": "object", "description": "of another step of CaImAn; not used"} for group in UNUSED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Parameters of source extraction, in CaImAn's groups",
        "description": "What extract-cnmf --parameters reads; other keys in a group have no effect and are named",
        "type": "object",
        "properties": properties | others,
        "additionalProperties": False,
    }


def _entry(key: str) -> dict[str, Any]:
    default = getattr(Parameters, key)
    if key in _WORDS:
        choices = {"method_init": ["corr_pnr", "greedy_roi", "sparse_NMF"], "method_deconvolution": ["oasis"]}
        return {"enum": choices[key], "default": default}
    if isinstance(default, bool):
        return {"type": ["boolean", "null"] if key in _FALSE else "boolean", "default": default}
    kind = "integer" if key in _WHOLE else "number"
    if key in _PAIRS:
        pair = {"type": "array", "items": {"type": kind}, "minItems": 2, "maxItems": 2}
        return {"anyOf": [{"type": kind}, pair], "default": list(default)}
    return {"type": [kind, "null"] if key in _EMPTY else kind, "default": default}


def lines() -> Iterator[str]:
    """Yield the schema as it is stored."""
    yield from json.dumps(schema(), indent=2, ensure_ascii=False).splitlines()
