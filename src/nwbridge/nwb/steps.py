"""The history of a file as a table, which anybody can read with pynwb alone."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import NWBFile

from nwbridge.errors import BadSource
from nwbridge.model import Column, Step, Table
from nwbridge.model.steps import STEPS, Companion, together
from nwbridge.nwb.stored import values_of

PLACE = f"/analysis/{STEPS}"
_WORDS = (
    "the steps of processing that this file's contents went through, first to last: what ran, with which parameters, "
    "on what, and what it made"
)
_COLUMNS = {
    "step": "name of the step",
    "plugin": "the software that did it",
    "version": "its version",
    "nwbridge_version": "version of nwbridge, which ran it",
    "made_from": "names of what it worked on, as JSON",
    "made": "names of what it made, as JSON",
    "parameters": "every option with its value, as JSON: a list of pairs",
    "input_file": "name of the NWB file that was read",
    "input_identifier": "identifier of that file",
    "input_sha256": "SHA-256 of that file, in hexadecimal",
    "left_out": "what that file holds and this one does not, as JSON",
    "time": "when it ran",
    "together_with": (
        "the other movies that it worked on at the same time, as JSON: of each the name of the NWB file that was read, "
        "its identifier, the name of the movie, and its place in the series, from 1"
    ),
}
_LATER = {"together_with"}  # columns that older files lack
_NEEDED = set(_COLUMNS) - _LATER


def table_of(steps: Sequence[Step]) -> Table:
    """Return the steps as a table."""
    rows = [_row(step) for step in steps]
    return Table(
        STEPS,
        tuple(Column(name, np.array([row[name] for row in rows]), words) for name, words in _COLUMNS.items()),
        _WORDS,
    )


def _row(step: Step) -> dict[str, str]:
    return {
        "step": step.name,
        "plugin": step.plugin,
        "version": step.version,
        "nwbridge_version": step.host_version or "",
        "made_from": _json(step.made_from),
        "made": _json(step.made),
        "parameters": _json(list(step.parameters.items())),  # the inspector wants no dictionaries in texts
        "input_file": step.file or "",
        "input_identifier": step.identifier or "",
        "input_sha256": step.sha256 or "",
        "left_out": _json(step.left_out),
        "time": step.time.isoformat() if step.time else "",
        "together_with": _json(step.together_with),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def steps_of(file: NWBFile) -> tuple[Step, ...]:
    """Return the steps that a file states; () where it states none, or not in our words."""
    table = file.analysis.get(STEPS)
    if table is None or not set(table.colnames) >= _NEEDED:
        return ()
    columns = {name: [str(text) for text in values_of(table[name].data)] for name in _COLUMNS if name in table.colnames}
    return tuple(_step({name: texts[row] for name, texts in columns.items()}) for row in range(len(table.id)))


def refuse_others(path: Path) -> None:
    """Raise BadSource where a file has something else of the table's name, which must not be replaced."""
    with h5py.File(path, "r") as file:
        if PLACE in file and not (isinstance(file[PLACE], h5py.Group) and set(file[PLACE]) >= _NEEDED):
            raise BadSource(f"{path.name} has a {PLACE} of another program, where the history belongs: rename it first")


def _step(row: dict[str, str]) -> Step:
    return Step(
        name=row["step"],
        plugin=row["plugin"],
        version=row["version"],
        made_from=tuple(json.loads(row["made_from"])),
        made=tuple(json.loads(row["made"])),
        parameters=dict(json.loads(row["parameters"])),
        host_version=row["nwbridge_version"] or None,
        file=row["input_file"] or None,
        identifier=row["input_identifier"] or None,
        sha256=row["input_sha256"].strip() or None,
        left_out=tuple(json.loads(row["left_out"])),
        time=datetime.fromisoformat(row["time"]) if row["time"] else None,
        together_with=tuple(Companion(*one) for one in json.loads(row.get("together_with") or "[]")),
    )


def record_input(part: Path, sha256: str, rows: int) -> None:
    """Complete the last `rows` steps with the checksum of what they read, known only when it has been read."""
    with h5py.File(part, "r+") as file:
        column = file[f"{PLACE}/input_sha256"]
        column[-rows:] = np.array([sha256] * rows, dtype=object)


def describe_modules(part: Path, steps: Sequence[Step]) -> None:
    """Say in the descriptions of the processing modules what was done, for who looks at nothing else."""
    with h5py.File(part, "r+") as file:
        for step in steps:
            chosen = ", ".join(f"{key} {value}" for key, value in step.parameters.items() if value is not None)
            words = f"{step.name} ({step.plugin} {step.version}) on {', '.join(step.made_from)}{together(step)}"
            words += f": {chosen}" if chosen else ""
            for name in _modules_with(file, step.made):
                module = file[f"processing/{name}"]
                before = str(module.attrs.get("description", "")).strip()
                module.attrs["description"] = f"{before}; {words}" if before else words


def _modules_with(file: h5py.File, names: Collection[str]) -> list[str]:
    """Return the modules that hold something of these names."""
    found = []
    for name, module in file.get("processing", {}).items():
        inside: set[str] = set()
        module.visit(lambda place, inside=inside: inside.add(posixpath.basename(place)))
        if inside & set(names):
            found.append(name)
    return found
