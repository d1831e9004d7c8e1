"""`nwbridge validate`: every finding on a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.printing import counts, print_findings

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
    return FINDINGS if any(f.severity == "error" for f in findings) else DONE
