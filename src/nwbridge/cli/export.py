"""`nwbridge export`: a file for another program, made of what recordings hold."""

from __future__ import annotations

import argparse
import json

from nwbridge.cli.exits import DONE
from nwbridge.cli.offered import options_in
from nwbridge.cli.printing import size

HELP = "write what recordings hold as a file for another program"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("name", metavar="NAME", help="the export; nwbridge export alone lists what is installed")
    parser.add_argument("paths", metavar="FILE", nargs="+", help="NWB files, or recordings that a source reads")
    parser.add_argument("-o", "--out", metavar="OUT", required=True, help="the file to write")
    parser.add_argument("--source", metavar="NAME", help="the source, where several recognize a FILE")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what is in it."""
    from nwbridge.exports import export

    exported = export(
        arguments.name,
        arguments.paths,
        arguments.out,
        source=arguments.source,
        options=options_in(arguments),
        overwrite=arguments.overwrite,
    )
    if arguments.json:
        print(json.dumps(exported.as_json()))
    else:
        few, many = exported.sessions[:5], len(exported.sessions)
        names = ", ".join(few) + (f" and {many - len(few)} more" if many > len(few) else "")
        print(f"wrote {exported.out} ({exported.plugin}): {size(exported.bytes)}, of {names}")
    return DONE
