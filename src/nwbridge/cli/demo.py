"""`nwbridge demo`: a source's example recording."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nwbridge.cli.exits import DONE
from nwbridge.cli.printing import quoted
from nwbridge.errors import CannotWrite

HELP = "write a tiny example recording"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("source", metavar="SOURCE", help="name of the source")
    parser.add_argument("folder", metavar="FOLDER", help="where to write; made if it does not exist")


def run(arguments: argparse.Namespace) -> int:
    """Write a source's example recording."""
    from nwbridge.plugins import call, installed

    source, plugin = installed().source(arguments.source)
    folder = Path(arguments.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotWrite(f"{folder} is not empty: give a new folder")
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be made: {error.strerror}") from error
    path = call(plugin, "writing its example", source.example, folder)
    if arguments.json:
        print(json.dumps({"source": source.name, "path": str(path)}))
    else:
        print(f"wrote {path}: made-up values in the format of {source.title}")
        print(f"next: nwbridge convert {quoted(path)} {source.name}.nwb")
    return DONE
