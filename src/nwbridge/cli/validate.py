"""`nwbridge validate`: every finding on a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.printing import advises_values, counts, print_findings, quoted

HELP = "check an NWB file: schema, NWB inspector with DANDI's rules, plugins"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("path", metavar="FILE.nwb", help="the file to check")


def run(arguments: argparse.Namespace) -> int:
    """Print every finding on a file."""
    from nwbridge.validation import validate

    findings = validate(Path(arguments.path))
    if arguments.json:
        print(json.dumps({"path": arguments.path, "findings": [f.__dict__ for f in findings]}))
    else:
        print_findings(findings)
        print(counts(findings))
        if advises_values(findings):
            path = Path(arguments.path)
            better = path.with_name(path.name.removesuffix(path.suffix) + "-2.nwb")
            print("to give values that are advised, convert the recording again with --overwrite and each --set")
            if path.suffix != ".zarr":  # which is no source
                again = f"nwbridge convert {quoted(path)} {quoted(better)} --set KEY=VALUE"
                print(f"(or this file into a new one: {again})")
    return FINDINGS if any(f.severity == "error" for f in findings) else DONE
