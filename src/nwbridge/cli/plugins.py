"""`nwbridge plugins`: what is installed."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from nwbridge.cli.exits import DONE
from nwbridge.errors import BadOption

if TYPE_CHECKING:
    from nwbridge.plugins import Plugin

HELP = "list what is installed, or describe one plugin"


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one plugin or source, with its options")


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
    for kind in ("sources", "processors", "checks"):
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
    for kind, records in (
        ("source", plugin.sources),
        ("processor", plugin.processors),
        ("check", plugin.checks),
    ):
        for record in records:
            title = f": {record.title}" if hasattr(record, "title") else ""
            print(f"{record.name}  ({plugin.distribution} {plugin.version})  {kind}{title}")
            if details and hasattr(record, "options"):
                for flag in flags(record.options):
                    words = "|".join(map(str, flag.choices)) or flag.type.__name__
                    default = "" if flag.default is None else f" (default {flag.default})"
                    print(f"  {flag.flag} {words}  {flag.help}{default}")
                if not flags(record.options):
                    print("  no options of its own")
