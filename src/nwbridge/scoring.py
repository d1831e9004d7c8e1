"""How good a result is: a plugin's score of it against what is known to be true, as plain values."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nwbridge.errors import Ambiguous, BadOption, BadSource, PluginFault
from nwbridge.hookspecs import Scores
from nwbridge.model import Finding
from nwbridge.options import parse
from nwbridge.plugins import Plugin, Registry, call, installed


@dataclass(frozen=True)
class Scored:
    """What a score found; `as_json` is one line for programs."""

    score: str
    plugin: str
    truth: str
    result: str
    conventions: dict[str, Any]  # what the numbers depend on: thresholds, bins, lags
    rows: tuple[dict[str, Any], ...]  # None: not defined
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"ok": self.ok}


def score(
    name: str,
    truth: Path | str,
    result: Path | str,
    *,
    options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> Scored:
    """Compare a result with what is known to be true.

    Args:
        name: of the score, as `nwbridge score` lists them.
        truth: what is known to be true: an NWB file, or whatever else the score reads.
        result: what is to be scored.
        options: of the score, by name.
        registry: the plugins to use, unless the installed ones.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done.
    """
    record, plugin = (registry or installed()).score(name)
    chosen: Any = parse(record.options, options or {}, f"score {name}")
    for path in (Path(truth), Path(result)):
        if not os.path.exists(path):  # noqa: PTH110 that of Path raises for a name that is too long
            raise BadSource(f"{path} does not exist")
    try:
        found = call(plugin, f"scoring {result}", record.run, Path(truth), Path(result), chosen)
    except (BadOption, Ambiguous) as error:
        raise type(error)(_of_files(str(error))) from error
    _check(found, name, plugin)
    return Scored(
        score=name,
        plugin=plugin.label,
        truth=str(truth),
        result=str(result),
        conventions={key: _plain(value, name, plugin) for key, value in found.conventions.items()},
        rows=tuple({key: _plain(value, name, plugin) for key, value in row.items()} for row in found.rows),
        findings=tuple(found.findings),
    )


def _of_files(message: str) -> str:
    """Return advice on recordings that holds for scores too: they have no flag to choose one, but read its NWB file."""
    message = message.replace("or choose one with --only NAME", "and give one of the files")
    return message.replace(
        "choose with --source NAME", "convert it with nwbridge convert --source NAME, and give that file"
    )


def _check(found: Any, name: str, plugin: Plugin) -> None:
    """Raise PluginFault unless a score returned what it should."""
    if not isinstance(found, Scores):
        raise PluginFault(f"{plugin.label}: score {name} returned a {type(found).__name__}; expected Scores")
    if not found.rows:
        raise PluginFault(f"{plugin.label}: score {name} returned no row; expected one for each thing compared")
    if not all(isinstance(finding, Finding) for finding in found.findings):
        raise PluginFault(f"{plugin.label}: score {name} returned findings that are none; expected Finding")


def _plain(value: Any, name: str, plugin: Plugin) -> Any:
    """Return a value that JSON can hold: of numpy's scalars the number, of NaN None, of infinity a word."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, str | int | float):
        return value
    raise PluginFault(f"{plugin.label}: score {name} returned a {type(value).__name__}; expected numbers and text")
