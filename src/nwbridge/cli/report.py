"""nwbridge report: one page of pictures on NWB files, or on a batch."""

from __future__ import annotations

import argparse
import json
import sys

from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.progress import bar

HELP = "draw NWB files, or what a batch made, as one page to look at"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "inputs", metavar="FILE.nwb|FOLDER", nargs="+", help="NWB files, any program's; or folders: of them, of a batch"
    )
    parser.add_argument(
        "-o", "--out", metavar="OUT.html", default="report.html", help="the page to write (report.html)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.html if it exists")
    parser.add_argument("--no-check", dest="check", action="store_false", help="do not validate the files")
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes that draw (as many as there are, at most 8)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say what is in it."""
    from nwbridge import report
    from nwbridge.report.markup import count, size

    with bar(shown=not (arguments.quiet or arguments.json)) as show:
        written = report.write(
            arguments.inputs,
            arguments.out,
            overwrite=arguments.overwrite,
            check=arguments.check,
            workers=arguments.workers,
            progress=lambda phase, done, total: show(f"{phase} {done} of {total}", 0, 1),
        )
    if arguments.json:
        print(json.dumps(written.as_json()))
    else:
        print(f"wrote {written.out}: {count(written.recordings, 'recording')}, {size(written.bytes)}")
        for name in written.unread:
            print(f"  {name} cannot be read: the page says why", file=sys.stderr)
    return FINDINGS if written.unread else DONE
