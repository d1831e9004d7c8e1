"""`nwbridge metadata`: a metadata file to fill in."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nwbridge.cli.exits import DONE
from nwbridge.cli.printing import quoted
from nwbridge.errors import BadOption, CannotWrite, NotRecognized, NwbridgeError

if TYPE_CHECKING:
    from nwbridge.metadata.template import Found

HELP = "write a metadata file to fill in: what recordings say, and what is missing"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("path", metavar="PATH", help="a recording, or a folder with any number of them")
    parser.add_argument("-o", "--out", metavar="FILE.yaml", help="the file to write; printed unless given")
    parser.add_argument(
        "--table", metavar="FILE.csv", help="write a table of sessions, with a row for each recording (- prints it)"
    )
    parser.add_argument("--source", metavar="NAME", help="the source, where several recognize PATH")


def run(arguments: argparse.Namespace) -> int:
    """Write the template, or print it."""
    from nwbridge.metadata import template

    for out, suffixes in ((arguments.out, (".yaml", ".yml")), (arguments.table, (".csv",))):
        _refuse_out(out, suffixes)
    path = Path(arguments.path)
    found, failed = _found(path, arguments.source)
    if not found:
        why = next((f": {name}: {text}" for name, text in failed.items()), "")
        raise NotRecognized(f"{path} holds no recording that can be read{why}")
    several = len(found) > 1 or bool(failed) or found[0].path != path.name
    text = template.many(found, failed) if several else template.one(found[0])
    if arguments.table:
        _write(arguments.table, template.table(found), arguments)
    if arguments.out or not arguments.table:
        _write(arguments.out or "-", text, arguments)
    files = [name for name in (arguments.out, arguments.table) if name and name != "-"]
    if arguments.json:
        recordings = [{"path": one.path, "source": one.source, "session_id": one.session.id} for one in found]
        said = {"path": str(path), "files": files, "recordings": recordings, "failed": failed}
        print(json.dumps(said if arguments.out else said | {"template": text}))
        return DONE
    for name, why in failed.items():
        print(f"left out {name}: {why}", file=_words(arguments))
    if files:
        flags = " ".join(f"--metadata {quoted(Path(name))}" for name in files)
        command = f"batch {quoted(path)} OUT" if several else f"convert {quoted(path)} OUT.nwb"
        print(f"next: fill it in, then nwbridge {command} {flags}", file=_words(arguments))
    return DONE


def _words(arguments: argparse.Namespace) -> TextIO:
    """Return where words for people go: not among what is printed to be kept."""
    names = [name for name in (arguments.out, arguments.table) if name]
    return sys.stderr if not names or "-" in names else sys.stdout


def _refuse_out(out: str | None, suffixes: tuple[str, ...]) -> None:
    if out is None or out == "-":
        return
    if Path(out).suffix.lower() not in suffixes:
        raise BadOption(f"{out} ends in {Path(out).suffix or 'nothing'}; expected {' or '.join(suffixes)}")
    if Path(out).exists():
        raise CannotWrite(f"{out} exists already: give another name, or move it away")


def _write(out: str, text: str, arguments: argparse.Namespace) -> None:
    """Write a file that is not there yet, or print the text."""
    if out == "-":
        if not arguments.json:
            print(text, end="")
        return
    try:
        with Path(out).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror}") from error
    if not arguments.json:
        print(f"wrote {out}", file=_words(arguments))


def _found(path: Path, source: str | None) -> tuple[list[Found], dict[str, str]]:
    """Return the recordings of a path, and why others could not be read."""
    if not path.exists():
        raise BadOption(f"{path} does not exist: give a recording, or a folder that holds some")
    if not path.is_dir():
        return _in_one(path, source, path.name)
    return _below(path, source)


def _in_one(path: Path, source: str | None, label: str) -> tuple[list[Found], dict[str, str]]:
    """Return the recordings that one path holds."""
    from nwbridge.description import named, read_each
    from nwbridge.metadata.template import Found

    found, failed = [], {}
    for name, reading in read_each(named(path), source, {}, lambda _: {}, None):
        whole = f"{label}::{name}" if name else label
        if isinstance(reading, NwbridgeError):
            failed[whole] = str(reading)
        else:
            found.append(Found(whole, reading.match.source.name, reading.session))
    return found, failed


def _below(root: Path, source: str | None) -> tuple[list[Found], dict[str, str]]:
    """Return the recordings below a folder, as a batch would find them; their paths are relative to it."""
    from nwbridge.batch.find import start
    from nwbridge.batch.work import perform
    from nwbridge.plugins import installed

    root = root.resolve()
    search = start(root, root / ".none", installed(), {}, source)
    shared: Mapping[str, Any] = {"root": str(root), "metadata": {}, "options": {}, "first": None, "plan": False}
    while search.claims:
        groups, search.claims = search.claims, []
        for group in groups:
            tasks = [{"do": "describe", "path": c.path, "source": c.source, "evidence": c.evidence} for c in group]
            search.settle(group, [perform(task, shared, lambda *_: None) for task in tasks])
    paths = dict.fromkeys((one["path"], one["source"]) for one in search.without_parts())
    found: list[Found] = []
    failed = {
        f"{one['path']}::{one['name']}" if one.get("name") else one["path"]: one["message"] for one in search.failed
    }
    for path, kind in sorted(paths):
        whole = path == "."
        more, broken = _in_one(root if whole else root / path, kind, root.name if whole else path)
        found += more
        failed |= broken
    if beside := sorted(search.beside):
        others = f" and {len(beside) - 5} more" if len(beside) > 5 else ""
        failed[", ".join(beside[:5]) + others] = "beside a recording that failed; looked at again when that is mended"
    return found, failed
