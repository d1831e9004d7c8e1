"""`nwbridge inspect`: what convert would do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbridge.cli import reading
from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.printing import element_line, print_findings, quoted, roughly, size, step_line
from nwbridge.errors import BadOption

if TYPE_CHECKING:
    from nwbridge.results import Inspection

HELP = "say what convert would do, and write nothing"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("path", metavar="PATH", help="the recording: a file, a folder or a zip")
    reading.add(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what a conversion would do."""
    from nwbridge.inspection import inspect

    more = reading.arguments_of(arguments)
    try:
        inspection = inspect(arguments.path, **more)
    except BadOption:
        if arguments.only is not None or not _list(arguments, more):
            raise
        return DONE
    if arguments.json:
        print(json.dumps(inspection.as_json(), default=str))
    else:
        _print_inspection(inspection)
    return DONE if inspection.ok else FINDINGS


def _list(arguments: argparse.Namespace, more: dict[str, Any]) -> bool:
    """Print the names of the recordings, where there are several."""
    from nwbridge.description import recordings
    from nwbridge.plugins import installed

    names = recordings(arguments.path, source=more["source"], options=more["options"], given=more["metadata"])
    if len(names) < 2:
        return False
    match = installed().detect(Path(arguments.path), more["source"])
    if arguments.json:
        said = {"path": arguments.path, "source": match.source.name, "plugin": match.plugin.label}
        print(json.dumps(said | {"evidence": match.evidence, "recordings": names}))
        return True
    path = quoted(arguments.path)
    print(f"{match.source.name} ({match.plugin.label}): {match.evidence}")
    print(f"{len(names)} recordings")
    for name in names:
        print(f"  {name}")
    print(f"look at one: nwbridge inspect {path} --only {names[0]}")
    print(f"convert all: nwbridge convert {path} FOLDER")
    return True


def _print_inspection(inspection: Inspection) -> None:
    print(f"{inspection.source} ({inspection.plugin}): {inspection.evidence}")
    print(f"session {inspection.session_id}: {inspection.description}")
    for element in inspection.elements:
        print("  " + element_line(element))
    if inspection.steps:
        print("history")
        for step in inspection.steps:
            print("  " + step_line(step))
            if step.file:
                print(f"    of {step.file}, identifier {step.identifier}, SHA-256 {step.sha256}")
    guess = inspection.estimate
    sizes = f"{roughly(guess.file_bytes)} for {size(guess.array_bytes)} of values"
    print(f"about {sizes}, about {guess.seconds:.0f} s with verification")
    print("metadata")
    width = max(len(field.key) for field in inspection.fields)
    for field in inspection.fields:
        value = ", ".join(map(str, field.value)) if isinstance(field.value, list | tuple) else field.value
        value = "–" if value is None else value
        note = f"  ({field.note})" if field.note else ""
        print(f"  {field.origin:7}  {field.key:{width}}  {value}{note}")
    print_findings(inspection.findings)
    print("nothing was written")
