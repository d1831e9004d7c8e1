"""The parser: what can be asked, in words; whatever needs pynwb or plugins is imported only when asked for."""

from __future__ import annotations

import argparse
import difflib
import itertools
import json
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from nwbridge.cli import offered
from nwbridge.cli.exits import DONE, IN_WORDS, INTERRUPTED, REFUSED
from nwbridge.errors import NwbridgeError
from nwbridge.version import __version__

COMMANDS = (
    "convert",
    "inspect",
    "validate",
    "metadata",
    "batch",
    "report",
    "process",
    "score",
    "export",
    "dandi",
    "plugins",
    "demo",
)  # a module each: HELP, add(parser), run(arguments)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest spelling."""

    def error(self, message: str) -> NoReturn:
        known = [flag for action in self._actions for flag in action.option_strings]
        for word in message.split():
            name = word.split("=")[0].rstrip(":")
            if name.startswith("--") and name not in known and (near := difflib.get_close_matches(name, known, 1, 0.7)):
                message += f" (did you mean {near[0]}?)"
        self.exit(REFUSED, f"nwbridge: error: {message}; see {self.prog} --help\n")


def _commands(parser: argparse.ArgumentParser) -> None:
    """Let each command's module add its arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    for name in COMMANDS:
        module = _module(name)
        text = module.HELP
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="print one line of JSON for programs")
        module.add(made)


def _module(command: str) -> Any:
    return import_module(f"nwbridge.cli.{command}")


def build_parser() -> _Parser:
    """Return the parser with every flag but those of plugins."""
    parser = _Parser(
        prog="nwbridge",
        description="Turns what microscopes and analysis programs write into verified NWB files.",
        epilog="nwbridge COMMAND --help says more of each; nwbridge plugins NAME lists a plugin's own options.\n"
        + IN_WORDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nwbridge {__version__}")
    _commands(parser)
    return parser


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse; plugins are loaded only where a flag may be theirs, or where they are what is run."""
    parser = build_parser()
    commands: dict[str, Any] = parser._subparsers._group_actions[0].choices  # type: ignore[union-attr,assignment]
    command = next((word for word in words if word in commands), None)
    if command in offered.OPTIONS_OF:
        known = {flag for action in commands[command]._actions for flag in action.option_strings}
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        if offered.takes_names(command) or flags - known:
            offered.add_options(commands[command], command, words)
    arguments, unknown = parser.parse_known_args(words)
    if unknown and not any(word.startswith("-") for word in unknown):
        take = getattr(_module(arguments.command), "take_files", None) if arguments.command else None
        if take is not None:
            take(arguments, unknown)
            return arguments
    if unknown:
        offered.refuse_unknown(arguments)
        said = f"there is no {unknown[0]}" if unknown[0].startswith("-") else _too_many(words, unknown[0])
        commands.get(arguments.command, parser).error(said)
    return arguments


def _too_many(words: Sequence[str], extra: str) -> str:
    """Say what a word too many comes from: a value that was not quoted, or a second recording."""
    for place, word in enumerate(words[:-2]):
        after = list(itertools.takewhile(lambda text: not text.startswith("-"), words[place + 2 :]))
        after = list(itertools.takewhile(lambda text: text == extra or not Path(text).exists(), after))
        if word == "--set" and "=" in words[place + 1] and after:
            return f"{after[0]} stands alone; quote the value: --set {shlex.quote(f'{words[place + 1]} {after[0]}')}"
    return f"{extra} is one word too many; of several recordings, give the folder that holds them"


def _list(command: str, *, as_json: bool) -> int:
    """Print what a command can run, where it was not told what."""
    found = [{"name": one.name, "title": one.title} for one in offered.records(command)]
    print(json.dumps(found) if as_json else offered.listing(command))
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if len(bare := [word for word in words if word != "--json"]) == 1 and offered.takes_names(bare[0]):
            return _list(bare[0], as_json=bare != words)
        arguments = _parse(words)
        if arguments.command is None:
            build_parser().print_help()
            return REFUSED
        return int(_module(arguments.command).run(arguments))
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
    except KeyboardInterrupt as stop:
        kept = f"; {stop}" if str(stop) else ""  # of a step that can go on
        print(f"\nnwbridge: interrupted; nothing was written{kept}", file=sys.stderr)
        return INTERRUPTED
