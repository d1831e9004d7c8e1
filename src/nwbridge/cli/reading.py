"""The flags that say what to read and how to write it, shared by convert, inspect and batch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nwbridge.cli.offered import options_in
from nwbridge.errors import BadOption


def add(command: argparse.ArgumentParser) -> None:
    """Add the flags of a command that reads one path."""
    command.add_argument("--source", metavar="NAME", help="the source, where several recognize PATH")
    command.add_argument("--only", metavar="NAME", help="one recording, where PATH holds several")
    add_shared(command)
    add_threads(command, "that compress")


def add_threads(command: argparse.ArgumentParser, which: str) -> None:
    """Add the flag for the number of threads."""
    command.add_argument("--threads", metavar="N", type=int, help=f"threads {which} (as many as processors, at most 8)")


def add_shared(command: argparse.ArgumentParser) -> None:
    """Add the flags that mean the same for one recording and for many."""
    command.add_argument(
        "--metadata",
        metavar="FILE",
        action="append",
        default=[],
        help="what the lab knows: YAML, TOML, JSON, or a table of sessions (CSV); several add up (docs/metadata.md)",
    )
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one value of it: --set 'Subject.species=Mus musculus'",
    )
    command.add_argument("--first", metavar="N", type=int, help="take only the first N frames of movies")
    add_storage(command)


def add_storage(command: argparse.ArgumentParser) -> None:
    """Add the flags that say how values are stored."""
    command.add_argument(
        "--chunks",
        metavar="F,R,C",
        help="frames, rows and columns in a chunk of a movie (chosen for frames and traces)",
    )
    command.add_argument(
        "--compression",
        default="fast",
        metavar="KIND",
        help="fast (the default), small or none; any HDF5 reader opens all",
    )


def arguments_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what they say, as arguments of `nwbridge.convert`."""
    from nwbridge import metadata

    given = metadata.load_all([Path(name) for name in arguments.metadata])
    if patterns := getattr(arguments, "pattern", None):
        given = metadata.merge(given, metadata.check({"Pattern": patterns}, "--pattern"))
    return {
        "source": arguments.source,
        "options": options_in(arguments),
        "metadata": metadata.override(given, metadata.from_settings(arguments.set)),
        "first": arguments.first,
        "threads": arguments.threads,
        "chunks": chunks_of(arguments.chunks),
        "compression": arguments.compression,
    } | ({"only": arguments.only} if "only" in arguments else {})


def chunks_of(text: str | None) -> tuple[int, int, int] | None:
    """Return what --chunks says."""
    if text is None:
        return None
    try:
        frames, rows, columns = (int(part) for part in text.split(","))
    except ValueError:
        raise BadOption(f"--chunks {text}: expected frames,rows,columns, as in 64,128,128") from None
    return frames, rows, columns
