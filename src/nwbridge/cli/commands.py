"""One function a command: calls one function of the host and prints what it returns."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbridge.cli.exits import DONE, FINDINGS, REFUSED
from nwbridge.cli.progress import bar
from nwbridge.errors import BadOption, CannotWrite, NwbridgeError

if TYPE_CHECKING:
    from nwbridge.model import Finding
    from nwbridge.plugins import Plugin
    from nwbridge.results import Inspection, Result


def convert(arguments: argparse.Namespace) -> int:
    """Convert and print what was written, whether it was verified, and what was found."""
    from nwbridge.conversion import convert as run
    from nwbridge.conversion import convert_each

    more = {**_reading(arguments), "verify": arguments.verify, "overwrite": arguments.overwrite}
    if arguments.out.endswith(".nwb"):
        with bar(shown=not (arguments.quiet or arguments.json)) as progress:
            return _show(run(arguments.path, arguments.out, **more, progress=progress), as_json=arguments.json)
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


def inspect(arguments: argparse.Namespace) -> int:
    """Print what a conversion would do."""
    from nwbridge.conversion import inspect as run

    inspection = run(arguments.path, **_reading(arguments))
    if arguments.json:
        print(json.dumps(inspection.as_json(), default=str))
    else:
        _print_inspection(inspection)
    return DONE if inspection.ok else FINDINGS


def validate(arguments: argparse.Namespace) -> int:
    """Print every finding on a file."""
    from nwbridge.validation import validate as run

    findings = run(Path(arguments.path))
    if arguments.json:
        print(json.dumps({"path": arguments.path, "findings": [f.__dict__ for f in findings]}))
    else:
        _print_findings(findings)
        print(_count(findings))
    return FINDINGS if any(f.severity == "error" for f in findings) else DONE


def plugins(arguments: argparse.Namespace) -> int:
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


def demo(arguments: argparse.Namespace) -> int:
    """Write a source's example recording."""
    from nwbridge.plugins import call, installed

    source, plugin = installed().source(arguments.source)
    folder = Path(arguments.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotWrite(f"{folder} is not empty: give a new folder")
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be made: {error.strerror}") from error
    path = call(plugin, "writing its example", source.example, folder)
    if arguments.json:
        print(json.dumps({"source": source.name, "path": str(path)}))
    else:
        print(f"wrote {path}: made-up values in the format of {source.title}")
        print(f"next: nwbridge convert {_quoted(path)} {source.name}.nwb")
    return DONE


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that convert and inspect share."""
    from nwbridge import metadata

    given = metadata.load(Path(arguments.metadata)) if arguments.metadata else {}
    return {
        "source": arguments.source,
        "only": arguments.only,
        "options": {k.removeprefix("option_"): v for k, v in vars(arguments).items() if k.startswith("option_")},
        "metadata": metadata.merge(given, metadata.from_settings(arguments.set)),
        "first": arguments.first,
        "threads": arguments.threads,
        "chunks": _chunks(arguments.chunks),
        "compression": arguments.compression,
    }


def _chunks(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadOption(f"--chunks {text}: expected frames,rows,columns, as in 64,128,128") from None


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def _print_result(result: Result) -> None:
    print(f"{result.source} ({result.plugin}): {result.evidence}")
    seconds = result.seconds["total"]
    print(
        f"wrote {result.out}: {_size(result.file_bytes)} for {_size(result.array_bytes)} of values, in {seconds:.1f} s"
    )
    if result.verified:
        print("verified: every value was read back from the file and equals the source's")
    else:
        print("not verified (--no-verify)")
    told = [f for f in result.findings if f.severity != "hint" or not f.check.startswith("inspector")]
    _print_findings(told)
    print(_count(result.findings) + (f"; hints: nwbridge validate {result.out}" if _hints(result.findings) else ""))


def _hints(findings: Sequence[Finding]) -> int:
    return sum(finding.severity == "hint" for finding in findings)


def _print_inspection(inspection: Inspection) -> None:
    print(f"{inspection.source} ({inspection.plugin}): {inspection.evidence}")
    print(f"session {inspection.session_id}: {inspection.description}")
    for element in inspection.elements:
        print("  " + _element(element))
    guess = inspection.estimate
    sizes = f"{_size(guess.file_bytes)} for {_size(guess.array_bytes)} of values"
    print(f"about {sizes}, about {guess.seconds:.0f} s with verification")
    print("metadata")
    width = max(len(field.key) for field in inspection.fields)
    for field in inspection.fields:
        value = ", ".join(map(str, field.value)) if isinstance(field.value, list | tuple) else field.value
        value = "–" if value is None else value
        note = f"  ({field.note})" if field.note else ""
        print(f"  {field.origin:7}  {field.key:{width}}  {value}{note}")
    _print_findings(inspection.findings)
    print("nothing was written")


def _element(element: Mapping[str, Any]) -> str:
    size = f", {_size(element['bytes'])}" if "bytes" in element else ""
    if "shape" in element:
        axes = " (time × row × column)" if len(element["shape"]) == 3 else ""
        text = f"{_by(element['shape'])} {element['dtype']}{axes}"
    elif "regions" in element:
        shape = (
            f" in an image of {_by(element['image_shape'])}" if element["image_shape"] else ", masks not distributed"
        )
        traces = "; ".join(f"{name} {_by(shape)}" for name, shape in element.get("traces", {}).items())
        text = f"{element['regions']} regions{shape}" + (f"; traces (region × time): {traces}" if traces else "")
    elif "images" in element:
        text = ", ".join(f"{name} {_by(shape)}" for name, shape in element["images"].items())
    elif "rows" in element:
        text = f"{element['rows']} rows of {', '.join(element['columns'])}"
    else:
        text = f"{element['values']} values" if "values" in element else ""
    return f"{element['name']}: {element['type']} {text}{size}".rstrip()


def _by(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        where = f" [{finding.where}]" if finding.where else ""
        print(f"  {finding.severity}: {finding.message}{where}")
        if finding.advice:
            print(f"      → {finding.advice}")


def _count(findings: Sequence[Finding]) -> str:
    counts = [(sum(f.severity == severity for f in findings), severity) for severity in ("error", "warning", "hint")]
    return ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts)


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
