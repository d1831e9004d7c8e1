"""`nwbridge convert`: a recording becomes a verified NWB file."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from nwbridge.cli import reading
from nwbridge.cli.exits import DONE, FINDINGS, IN_WORDS, REFUSED
from nwbridge.cli.printing import counts, print_findings, size
from nwbridge.cli.progress import bar
from nwbridge.errors import NwbridgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwbridge.model import Finding
    from nwbridge.results import Result

HELP = "turn a recording into a verified NWB file"


def add(convert: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    convert.add_argument("path", metavar="PATH", help="the recording: a file, a folder or a zip")
    convert.add_argument(
        "out", metavar="OUT.nwb", help="the file to write; or a folder, which gets a file for each recording in PATH"
    )
    convert.add_argument(
        "--no-verify", dest="verify", action="store_false", help="do not read the file back and compare"
    )
    convert.add_argument("--overwrite", action="store_true", help="replace OUT.nwb if it exists")
    convert.add_argument("--quiet", action="store_true", help="show no progress")
    convert.epilog = IN_WORDS
    convert.formatter_class = argparse.RawDescriptionHelpFormatter
    reading.add(convert)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written, whether it was verified, and what was found."""
    from nwbridge.conversion import convert, convert_each

    more = {**reading.arguments_of(arguments), "verify": arguments.verify, "overwrite": arguments.overwrite}
    if arguments.out.endswith(".nwb"):
        with bar(shown=not (arguments.quiet or arguments.json)) as progress:
            return _show(convert(arguments.path, arguments.out, **more, progress=progress), as_json=arguments.json)
    with bar(shown=not (arguments.quiet or arguments.json)) as progress:
        codes = [
            _show(result, as_json=arguments.json)
            for result in convert_each(arguments.path, arguments.out, **more, progress=progress)
        ]
    return max(codes)


def _show(result: Result | NwbridgeError, *, as_json: bool) -> int:
    """Print one result, or why there is none, and return its exit code."""
    if isinstance(result, NwbridgeError):
        if as_json:
            print(json.dumps({"error": type(result).__name__, "message": str(result)}))
        print(f"nwbridge: error: {result}", file=sys.stderr)
        return REFUSED
    if as_json:
        print(json.dumps(result.as_json(), default=str))
    else:
        _print_result(result)
    return DONE if result.ok else FINDINGS


def _print_result(result: Result) -> None:
    print(f"{result.source} ({result.plugin}): {result.evidence}")
    seconds = result.seconds["total"]
    print(f"wrote {result.out}: {size(result.file_bytes)} for {size(result.array_bytes)} of values, in {seconds:.1f} s")
    if result.verified:
        print("verified: every value was read back from the file and equals the source's")
    else:
        print("not verified (--no-verify)")
    told = [f for f in result.findings if f.severity != "hint" or not f.check.startswith("inspector")]
    print_findings(told)
    print(counts(result.findings) + (f"; hints: nwbridge validate {result.out}" if _hints(result.findings) else ""))


def _hints(findings: Sequence[Finding]) -> int:
    return sum(finding.severity == "hint" for finding in findings)
