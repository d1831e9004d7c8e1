"""`nwbridge process`: NWB files go in, for each a new one with results beside what was there comes out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nwbridge.cli import reading
from nwbridge.cli.exits import DONE, FINDINGS
from nwbridge.cli.offered import options_in
from nwbridge.cli.printing import counts, element_line, print_findings, quoted, size, step_line, told_at_once
from nwbridge.cli.progress import bar

if TYPE_CHECKING:
    from nwbridge.results import Result

HELP = "run steps of processing on an NWB file and write a new one"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument(
        "name", metavar="STEP[,STEP]", help="the steps, first to last; nwbridge process alone lists them"
    )
    parser.add_argument(
        "path",
        metavar="IN.nwb",
        nargs="+",
        help="the file to read, of any program; it stays as it is. Several are a series for steps that take one",
    )
    parser.add_argument(
        "out",
        metavar="OUT.nwb",
        help="the file to write: all of IN.nwb, the results and the history; of several, the folder for one of each",
    )
    parser.add_argument(
        "--series",
        metavar="NAME[,NAME]",
        help="what the first step works on, where IN.nwb has several; several of one file as a series",
    )
    parser.add_argument(
        "--light", action="store_true", help="leave out the acquired movies; the history names the file that has them"
    )
    parser.add_argument(
        "--rows-first", action="store_true", help="IN.nwb stores frames as (height, width), against the standard"
    )
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="do not read the results back")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.nwb if it exists")
    parser.add_argument(
        "--for",
        dest="archive",
        metavar="ARCHIVE",
        help="dandi: check what DANDI's client checks; in a folder, name the file as DANDI wants (docs/dandi.md)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    reading.add_threads(parser, "that compute and compress")
    reading.add_storage(parser)


def take_files(arguments: argparse.Namespace, more: Sequence[str]) -> None:
    """Take the files that argparse left over because flags stand between them: OUT is the last one."""
    files = [*arguments.path, arguments.out, *more]
    arguments.path, arguments.out = files[:-1], files[-1]


def run(arguments: argparse.Namespace) -> int:
    """Process and print what was made, of what, and what was found."""
    from nwbridge.processing import process, process_series

    with bar(shown=not (arguments.quiet or arguments.json)) as progress:
        how: dict[str, Any] = {
            "options": options_in(arguments),
            "series": arguments.series,
            "light": arguments.light,
            "rows_first": arguments.rows_first,
            "threads": arguments.threads,
            "chunks": reading.chunks_of(arguments.chunks),
            "compression": arguments.compression,
            "verify": arguments.verify,
            "overwrite": arguments.overwrite,
            "archive": arguments.archive,
            "progress": progress,
        }
        if len(arguments.path) == 1:
            results = [process(arguments.path[0], arguments.out, arguments.name, **how)]
        else:
            results = [*process_series(arguments.path, arguments.out, arguments.name, **how)]
    for number, result in enumerate(results, 1):
        if arguments.json:
            print(json.dumps(result.as_json(), default=str))
        else:
            _print(result, f"[{number}/{len(results)}] {result.path}" if len(results) > 1 else "")
    return DONE if all(result.ok for result in results) else FINDINGS


def _print(result: Result, head: str) -> None:
    if head:
        print(head)
    print(f"{result.evidence} ({result.plugin})")
    for element in result.elements:
        print("  " + element_line(element))
    print(f"wrote {result.out}: {size(result.file_bytes)}, in {result.seconds['total']:.1f} s")
    if result.verified:
        print("verified: every new value was read back from the file; what was there before was copied as it is")
    else:
        print("not verified (--no-verify)")
    print("history")
    for step in result.steps:
        print("  " + step_line(step))
    told = told_at_once(result.findings)
    print_findings(told)
    hints = f"; hints: nwbridge validate {quoted(result.out)}" if len(told) < len(result.findings) else ""
    print(counts(result.findings) + hints)
