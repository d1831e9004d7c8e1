"""`nwbridge plugins`: what is installed."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from nwbridge.cli.exits import DONE
from nwbridge.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nwbridge.options import Flag
    from nwbridge.plugins import Plugin

WIDEST = 30  # characters of an option and what it takes that stand on one line with its help
KINDS = ("sources", "processors", "scores", "exports", "checks")
HELP = "list what is installed, or describe one plugin"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one plugin, or what it offers, with the options")


def run(arguments: argparse.Namespace) -> int:
    """List the plugins, or describe one."""
    from nwbridge.plugins import installed

    found = installed().plugins
    if arguments.name is not None:
        found = tuple(p for p in found if arguments.name in (p.name, p.distribution, *(r.name for r in p.records)))
        if not found:
            known = ", ".join(plugin.name for plugin in installed().plugins) or "none"
            raise BadOption(f"there is no plugin {arguments.name}; installed: {known}")
    if arguments.json:
        print(json.dumps([_plugin_as_json(plugin) for plugin in found]))
        return DONE
    for plugin in found:
        _print_plugin(plugin, details=arguments.name is not None)
    if arguments.name is None and found:
        print("nwbridge plugins NAME lists the options of one; docs/sources/ has a page for each of nwbridge's sources")
    if not found:
        print("no plugin is installed; those of nwbridge itself lie in its repository under plugins/")
    return DONE


def _plugin_as_json(plugin: Plugin) -> dict[str, Any]:
    from nwbridge.options import schema

    entry = {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error,
    }
    for kind in KINDS:
        entry[kind] = [  # type: ignore[assignment]
            {"name": r.name}
            | ({"title": r.title} if hasattr(r, "title") else {})
            | ({"options": schema(r.options)} if hasattr(r, "options") else {})
            for r in getattr(plugin, kind)
        ]
    return entry


def _print_plugin(plugin: Plugin, *, details: bool) -> None:
    from nwbridge.options import flags

    if plugin.error:
        print(f"{plugin.name}  ({plugin.distribution} {plugin.version})  NOT USED: {plugin.error}")
        return
    for kind in KINDS:
        for record in getattr(plugin, kind):
            title = f": {record.title}" if hasattr(record, "title") else ""
            print(f"{record.name}  ({plugin.distribution} {plugin.version})  {kind.removesuffix('s')}{title}")
            if details and hasattr(record, "options"):
                _print_options(flags(record.options))


def _print_options(found: Sequence[Flag]) -> None:
    """Print each option with what it takes, in columns."""
    if not found:
        print("  no options of its own")
    rows = [(f"{flag.flag} {'|'.join(map(str, flag.choices)) or flag.word}", flag) for flag in found]
    width = max((len(left) for left, _ in rows if len(left) <= WIDEST), default=0)
    for left, flag in rows:
        default = "" if flag.default is None else f" (default {_word(flag.default)})"
        gap = f"\n  {'':{width}}" if len(left) > width else " " * (width - len(left))
        print(f"  {left}{gap}  {flag.help}{default}")


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
