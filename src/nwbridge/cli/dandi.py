"""`nwbridge dandi`: check a folder as DANDI's client would, and upload it to a dandiset's draft."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nwbridge.cli.exits import DONE, FINDINGS, INTERRUPTED, REFUSED
from nwbridge.cli.printing import counts, print_findings, quoted, size
from nwbridge.cli.progress import bar

if TYPE_CHECKING:
    from nwbridge.dandi.folder import Findings

HELP = "check a folder of NWB files as DANDI would, and upload it"
_EXISTING = "refresh, skip, overwrite, force or error"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    check = actions.add_parser(
        "check", allow_abbrev=False, help="say what DANDI has against a file, or the files of a folder"
    )
    check.add_argument("path", metavar="PATH", help="a folder, or one NWB file")
    upload = actions.add_parser(
        "upload", allow_abbrev=False, help="upload a folder to a dandiset's draft, if all of it passes the check"
    )
    upload.add_argument("path", metavar="FOLDER", help="the dandiset's folder, which is left as it is")
    upload.add_argument("--instance", default="dandi", metavar="NAME", help="dandi, dandi-sandbox, or an address")
    upload.add_argument("--existing", default="refresh", metavar="HOW", help=f"files that are there: {_EXISTING}")
    upload.add_argument("--jobs", default=5, type=int, metavar="N", help="files at a time (5)")
    init = actions.add_parser(
        "init", allow_abbrev=False, help="write dandiset.yaml, which only the client's own commands need"
    )
    init.add_argument("path", metavar="FOLDER", help="the dandiset's folder")
    for action in (upload, init):
        action.add_argument("--dandiset", metavar="ID", help="its six digits, unless dandiset.yaml has them")
    for action in (check, upload):
        action.add_argument("--quiet", action="store_true", help="show no progress")
    for action in (check, upload, init):
        text = action.prog.rsplit(" ", 1)[1]
        action.description = next(one.help for one in actions._choices_actions if one.dest == text)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check, upload or write dandiset.yaml."""
    return {"check": _check, "upload": _upload, "init": _init}[arguments.action](arguments)


def _check(arguments: argparse.Namespace) -> int:
    path = Path(arguments.path)
    found = _found(path, arguments)
    if arguments.json:
        print(json.dumps({"path": arguments.path, "ok": _green(found), "findings": _plain(found)}))
    else:
        _print(found)
        files = sum(place.endswith(".nwb") for place in found)
        print(f"{files} file{'' if files == 1 else 's'}: {counts([f for fs in found.values() for f in fs])}")
        print(_verdict(found, path))
    return DONE if _green(found) else FINDINGS


def _found(path: Path, arguments: argparse.Namespace) -> Findings:
    from nwbridge.dandi.folder import check_folder
    from nwbridge.dandi.gate import check

    if path.is_file():
        return {path.name: check(path)}
    with bar(shown=not (arguments.quiet or arguments.json)) as progress:
        return check_folder(path, progress)


def _green(found: Findings) -> bool:
    from nwbridge.dandi.folder import passes

    return passes(found)


def _plain(found: Findings) -> dict[str, list[dict[str, str]]]:
    return {place: [finding.__dict__ for finding in findings] for place, findings in found.items()}


def _print(found: Findings) -> None:
    """Print what is said of each file; hints of the inspector only with --json, as for `convert`."""
    for place, findings in found.items():
        told = [f for f in findings if f.severity != "hint" or not f.check.startswith("inspector")]
        if told:
            print(place)
            print_findings(told)


def _verdict(found: Findings, path: Path) -> str:
    if _green(found):
        return "DANDI's client has nothing against it" + (
            f"; next: nwbridge dandi upload {quoted(path)} --dandiset ID" if path.is_dir() else ""
        )
    again = "convert RECORDING FOLDER --for dandi"
    if (path / "results.jsonl").is_file():
        again = f"batch RECORDINGS {quoted(path)} --for dandi --overwrite"
    return f"DANDI would refuse it; --set means: nwbridge {again} --set …"


def _upload(arguments: argparse.Namespace) -> int:
    from nwbridge.dandi.upload import prepared, upload

    folder = Path(arguments.path)
    how = {"instance": arguments.instance, "existing": arguments.existing, "jobs": arguments.jobs}
    prepared(folder, arguments.dandiset, **how)
    found = _found(folder, arguments)
    if not _green(found):
        if arguments.json:
            print(json.dumps({"error": "BadSource", "message": _verdict(found, folder), "findings": _plain(found)}))
        else:
            _print(found)
        print(f"nwbridge: error: nothing was uploaded: {_verdict(found, folder)}", file=sys.stderr)
        return REFUSED
    try:
        with bar(shown=not (arguments.quiet or arguments.json)) as progress:
            done = upload(folder, arguments.dandiset, **how, found=found, progress=progress)
    except KeyboardInterrupt:
        print("\nnwbridge: interrupted; what is there stays: give the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    if arguments.json:
        print(json.dumps(done.as_json()))
    else:
        files = f"{len(done.uploaded)} file{'' if len(done.uploaded) == 1 else 's'}"
        print(f"uploaded {files}, {size(done.bytes)}; {len(done.skipped)} were there already")
        print(done.url)
    return DONE


def _init(arguments: argparse.Namespace) -> int:
    from nwbridge.dandi import dandiset
    from nwbridge.errors import BadOption, BadSource

    folder = Path(arguments.path)
    if not folder.is_dir():
        raise BadSource(f"{folder} is no folder" if folder.exists() else f"{folder} does not exist")
    number = arguments.dandiset
    if number is None and dandiset.identifier_in(folder) is None and sys.stdin.isatty() and not arguments.json:
        number = input("dandiset (six digits): ")
    if number is None and (number := dandiset.identifier_in(folder)) is None:
        raise BadOption("--dandiset is missing: give the six digits of the dandiset, as in --dandiset 000123")
    path = dandiset.write(folder, number)
    print(
        json.dumps({"path": str(path), "dandiset": dandiset.identifier(number)}) if arguments.json else f"wrote {path}"
    )
    return DONE
