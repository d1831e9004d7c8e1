"""`nwbridge score`: how good a result is, against what is known to be true."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.offered import options_in
from nwbridge.cli.printing import pairs, print_findings, table

if TYPE_CHECKING:
    from nwbridge.scoring import Scored

HELP = "score a result against what is known to be true"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("name", metavar="NAME", help="the score; nwbridge score alone lists what is installed")
    parser.add_argument("truth", metavar="TRUTH", help="what is known to be true: an NWB file, or what the score reads")
    parser.add_argument("result", metavar="RESULT", help="what is to be scored")


def run(arguments: argparse.Namespace) -> int:
    """Print the scores in a table, and the conventions that they depend on."""
    from nwbridge.scoring import score

    scored = score(arguments.name, arguments.truth, arguments.result, options=options_in(arguments))
    if arguments.json:
        print(json.dumps(scored.as_json()))
    else:
        _print(scored)
    return DONE if scored.ok else FINDINGS


def _print(scored: Scored) -> None:
    print(f"{scored.score} ({scored.plugin}): {scored.result} against {scored.truth}")
    for line in table(scored.rows):
        print(f"  {line}")
    print("conventions")
    for line in pairs(scored.conventions):
        print(f"  {line}")
    print_findings(scored.findings)
