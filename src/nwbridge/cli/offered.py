"""What plugins offer to a command: their options as flags, and the names that it can be given."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nwbridge.hookspecs import Export, Processor, Score, Source
    from nwbridge.options import Flag

    Record = Source | Processor | Score | Export

# what a command takes the options of: of every source, or of those of the others that the words name
OPTIONS_OF = {
    "convert": "sources",
    "inspect": "sources",
    "batch": "sources",
    "process": "processors",
    "score": "scores",
    "export": "exports",
}


def takes_names(command: str | None) -> bool:
    """Whether a command is told by name what to run: then only the options of what is named are its flags."""
    return OPTIONS_OF.get(command or "", "sources") != "sources"


def steps_in(command: str | None, words: Sequence[str]) -> list[str] | None:
    """Return the steps of processing that a batch is told to run, or None where it converts."""
    if command != "batch":
        return None
    for place, word in enumerate(words):
        if word == "--process":
            return words[place + 1].split(",") if place + 1 < len(words) else []
        if word.startswith("--process="):
            return word.partition("=")[2].split(",")
    return None


def records(command: str, words: Sequence[str] | None = None) -> list[Record]:
    """Return what a command can run, or of that what the words name, alone or in a list as STEP,STEP."""
    from nwbridge.plugins import installed

    found: list[Record] = [one for plugin in installed().plugins for one in getattr(plugin, OPTIONS_OF[command])]
    if words is None or not takes_names(command):
        return found
    said = [name for word in words for name in word.split(",")]
    return sorted((one for one in found if one.name in said), key=lambda one: said.index(one.name))


def add_options(parser: argparse.ArgumentParser, command: str, words: Sequence[str]) -> None:
    """Add the options of plugins that a command takes to its flags; what is run by name is listed in its help."""
    from nwbridge.options import flags

    known = {flag for action in parser._actions for flag in action.option_strings}
    steps = steps_in(command, words)
    processing = command == "process" or steps is not None
    chosen = records(command, words) if steps is None else records("process", steps)
    for record in chosen:
        group = parser.add_argument_group(f"options of {record.name}")
        for flag in flags(record.options):
            extra: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.type is bool else {}
            extra |= {"default": argparse.SUPPRESS, "metavar": "|".join(map(str, flag.choices)) or flag.word}
            if flag.flag not in known:
                known.add(flag.flag)
                group.add_argument(flag.flag, dest=f"option_{flag.name}", help=_help(flag), **extra)
            if processing and len(chosen) > 1:  # where two steps have an option of one name
                longer = f"--{record.name}.{flag.flag[2:]}"
                group.add_argument(longer, dest=f"option_{record.name}.{flag.name}", help=argparse.SUPPRESS, **extra)
    if takes_names(command):
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = listing(command)


def _help(flag: Flag) -> str:
    """Return an option's help as argparse takes it, with its default."""
    default = str(flag.default).lower() if flag.type is bool else flag.default
    return (flag.help + (f" (default {default})" if flag.default is not None else "")).replace("%", "%%")


def listing(command: str) -> str:
    """Return in lines what a command can run."""
    found = records(command)
    width = max((len(one.name) for one in found), default=0)
    lines = [f"  {one.name:{width}}  {one.title}" for one in found] or ["  none: no plugin offers any"]
    return "\n".join(["installed:", *lines, f"nwbridge {command} NAME --help lists the options of one"])


def refuse_unknown(arguments: argparse.Namespace) -> None:
    """Raise BadOption for a name that is not installed, before flags are called unknown that would be its own."""
    from nwbridge.plugins import installed

    if getattr(arguments, "process", None):  # of a batch
        for name in arguments.process.split(","):
            installed().processor(name.strip())
    elif takes_names(arguments.command):
        look_up = getattr(installed(), OPTIONS_OF[arguments.command].removesuffix("s"))
        for name in arguments.name.split(","):
            look_up(name)


def options_in(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of plugins that were given."""
    return {k.removeprefix("option_"): v for k, v in vars(arguments).items() if k.startswith("option_")}
