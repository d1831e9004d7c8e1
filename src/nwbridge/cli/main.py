"""The parser: what can be asked, in words; whatever needs pynwb or plugins is imported only when asked for."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from nwbridge.cli.exits import DONE, IN_WORDS, INTERRUPTED, REFUSED
from nwbridge.errors import NwbridgeError
from nwbridge.version import __version__


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest spelling."""

    def error(self, message: str) -> NoReturn:
        known = [flag for action in self._actions for flag in action.option_strings]
        for word in message.split():
            name = word.split("=")[0].rstrip(":")
            if name.startswith("--") and name not in known and (near := difflib.get_close_matches(name, known, 1)):
                message += f" (did you mean {near[0]}?)"
        self.exit(REFUSED, f"nwbridge: error: {message}; see {self.prog} --help\n")


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    made: dict[str, argparse.ArgumentParser] = {}
    for name, text in (
        ("convert", "turn a recording into a verified NWB file"),
        ("inspect", "say what convert would do, and write nothing"),
        ("validate", "check an NWB file: schema, NWB inspector with DANDI's rules, plugins"),
        ("plugins", "list what is installed, or describe one plugin"),
        ("demo", "write a tiny example recording"),
    ):
        made[name] = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
        )
        made[name].add_argument("--json", action="store_true", help="print one line of JSON for programs")
    return made


def _add_convert(convert: argparse.ArgumentParser) -> None:
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


def _add_reading(command: argparse.ArgumentParser) -> None:
    """Add what convert and inspect have in common."""
    command.add_argument("--source", metavar="NAME", help="the source, where several recognize PATH")
    command.add_argument("--only", metavar="NAME", help="one recording, where PATH holds several")
    command.add_argument("--metadata", metavar="FILE", help="what the lab knows: YAML, TOML or JSON (docs/metadata.md)")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one value of it: --set 'Subject.species=Mus musculus'",
    )
    command.add_argument("--first", metavar="N", type=int, help="take only the first N frames")
    command.add_argument(
        "--threads", metavar="N", type=int, help="threads that compress (as many as processors, at most 8)"
    )
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


def build_parser() -> _Parser:
    """Return the parser with every flag but those of plugins."""
    parser = _Parser(
        prog="nwbridge",
        description="Turns what microscopes and analysis programs write into verified NWB files.",
        epilog="nwbridge COMMAND --help says more of each; nwbridge plugins NAME lists a source's own options.\n"
        + IN_WORDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nwbridge {__version__}")
    commands = _commands(parser)
    _add_convert(commands["convert"])
    commands["inspect"].add_argument("path", metavar="PATH", help="the recording: a file, a folder or a zip")
    for name in ("convert", "inspect"):
        _add_reading(commands[name])
    commands["validate"].add_argument("path", metavar="FILE.nwb", help="the file to check")
    commands["plugins"].add_argument("name", metavar="NAME", nargs="?", help="one plugin or source, with its options")
    commands["demo"].add_argument("source", metavar="SOURCE", help="name of the source")
    commands["demo"].add_argument("folder", metavar="FOLDER", help="where to write; made if it does not exist")
    return parser


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse; flags that nwbridge does not have may be a plugin's, so only then plugins are loaded."""
    parser = build_parser()
    commands: dict[str, Any] = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr,assignment]
    command = next((word for word in words if word in commands), None)
    if command in ("convert", "inspect"):
        known = {flag for action in commands[command]._actions for flag in action.option_strings}
        if any(word.startswith("--") and word.split("=")[0] not in known for word in words):
            _add_options_of_sources(commands[command], known)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        commands.get(arguments.command, parser).error(f"there is no {unknown[0]}")
    return arguments


def _add_options_of_sources(parser: argparse.ArgumentParser, known: set[str]) -> None:
    from nwbridge.options import flags
    from nwbridge.plugins import installed

    for name, (source, _) in installed().sources().items():
        group = parser.add_argument_group(f"options of {name}")
        for flag in flags(source.options):
            if flag.flag not in known:
                known.add(flag.flag)
                extra: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.type is bool else {}
                group.add_argument(
                    flag.flag, dest=f"option_{flag.name}", help=flag.help, default=argparse.SUPPRESS, **extra
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parse(words)
        if arguments.command is None:
            build_parser().print_help()
            return REFUSED
        from nwbridge.cli import commands

        return int(getattr(commands, arguments.command)(arguments))
    except NwbridgeError as error:
        if "--json" in words:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        print(f"nwbridge: error: {error}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # `nwbridge plugins | head`
        sys.stderr.close()
        return DONE
    except Exception as error:
        if os.environ.get("NWBRIDGE_TRACEBACK"):
            raise
        words_ = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"nwbridge: error: {words_} (a fault of nwbridge: report it with NWBRIDGE_TRACEBACK=1)", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\nnwbridge: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
