"""`nwbridge convert`: a recording becomes a verified NWB file."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from nwbridge.cli import reading
from nwbridge.cli.exits import DONE, FINDINGS, IN_WORDS, REFUSED
from nwbridge.cli.printing import advises_values, counts, print_findings, quoted, size, told_at_once
from nwbridge.cli.progress import bar
from nwbridge.errors import NwbridgeError

if TYPE_CHECKING:
    from nwbridge.results import Result

AGAIN = "to give what is advised, run the same command with --overwrite and each --set or option added"
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
    convert.add_argument(
        "--for",
        dest="archive",
        metavar="ARCHIVE",
        help="dandi: check what DANDI's client checks; in a folder, name files as DANDI wants (docs/dandi.md)",
    )
    convert.add_argument(
        "--backend",
        metavar="KIND",
        help="zarr: write folders in Zarr; OUT.nwb.zarr says it by its name (hdf5 otherwise; docs/zarr.md)",
    )
    convert.add_argument("--quiet", action="store_true", help="show no progress")
    convert.epilog = IN_WORDS
    convert.formatter_class = argparse.RawDescriptionHelpFormatter
    reading.add(convert)


def run(arguments: argparse.Namespace) -> int:
    """Convert and print what was written, whether it was verified, and what was found."""
    from nwbridge.conversion import convert, convert_each

    more = {**reading.arguments_of(arguments), "verify": arguments.verify, "overwrite": arguments.overwrite}
    more |= {"archive": arguments.archive, "backend": arguments.backend}
    if arguments.out.endswith((".nwb", ".nwb.zarr")):
        with bar(shown=not (arguments.quiet or arguments.json)) as progress:
            return _show(convert(arguments.path, arguments.out, **more, progress=progress), as_json=arguments.json)
    with bar(shown=not (arguments.quiet or arguments.json)) as progress:
        printer = _Each(arguments.json)
        for result in convert_each(arguments.path, arguments.out, starting=printer.begin, **more, progress=progress):
            printer.show(result)
    return printer.end(arguments.out)


class _Each:
    """Prints the results of several recordings, each below its name, and how many there are."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._names: list[str] = []
        self._codes: list[int] = []
        self._told: set[str] = set()
        self._advised = False

    def begin(self, name: str, number: int, many: int) -> None:
        """Print the name of a recording, if it is one of several."""
        self._names.append(name)
        if many > 1 and not self._as_json:
            print("\n" * (number > 1) + f"[{number}/{many}] {name}", flush=True)

    def show(self, result: Result | NwbridgeError) -> None:
        """Print one result, its evidence only where it is another than before."""
        evidence = "" if isinstance(result, NwbridgeError) else _evidence(result)
        several = evidence not in self._told
        self._told.add(evidence)
        self._codes.append(_show(result, as_json=self._as_json, evidence=several, advise=False))
        self._advised |= not isinstance(result, NwbridgeError) and advises_values(told_at_once(result.findings))

    def end(self, folder: str) -> int:
        """Print how many were written and which were not; return the exit code."""
        refused = [name for name, code in zip(self._names, self._codes, strict=True) if code == REFUSED]
        many = len(self._codes)
        if not self._as_json and many > 1:
            not_written = f"; refused: {', '.join(refused)}" if refused else ""
            print(f"\n{many - len(refused)} of {many} recordings written to {folder}{not_written}")
        if not self._as_json and self._advised:
            print(AGAIN)
        return max(self._codes)


def _show(result: Result | NwbridgeError, *, as_json: bool, evidence: bool = True, advise: bool = True) -> int:
    """Print one result, or why there is none, and return its exit code."""
    if isinstance(result, NwbridgeError):
        if as_json:
            print(json.dumps({"error": type(result).__name__, "message": str(result)}))
        print(f"nwbridge: error: {result}", file=sys.stderr)
        return REFUSED
    if as_json:
        print(json.dumps(result.as_json(), default=str))
    else:
        if evidence:
            print(_evidence(result))
        _print_result(result)
        if advise and advises_values(told_at_once(result.findings)):
            print(AGAIN)
    return DONE if result.ok else FINDINGS


def _evidence(result: Result) -> str:
    return f"{result.source} ({result.plugin}): {result.evidence}"


def _print_result(result: Result) -> None:
    seconds = result.seconds["total"]
    print(f"wrote {result.out}: {size(result.file_bytes)} for {size(result.array_bytes)} of values, in {seconds:.1f} s")
    if result.verified:
        print("verified: every value was read back from the file and equals the source's")
    else:
        print("not verified (--no-verify)")
    told = told_at_once(result.findings)
    print_findings(told)
    hints = f"; hints: nwbridge validate {quoted(result.out)}" if len(told) < len(result.findings) else ""
    print(counts(result.findings) + hints)
