"""What is done for one recording, wherever that is: plain values in, plain values out, no error raised."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nwbridge import metadata
from nwbridge.description import Reading, named, read_each
from nwbridge.errors import BadSource, CannotWrite, MissingMetadata, NwbridgeError
from nwbridge.nwb.made import made, made_since
from nwbridge.options import flags
from nwbridge.plugins import Plugin, call, installed

Progress = Callable[[str, int, int], None]
Values = dict[str, Any]


def perform(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Do what a task says; a failure is a result with `error` and `message`."""
    try:
        if not Path(shared["root"]).exists():
            raise BadSource(f"{shared['root']} is not there: a worker has to see the recordings by the same path")
        return {"describe": _describe, "convert": _convert}[task["do"]](task, shared, progress)
    except NwbridgeError as error:
        return failure(error)
    except MemoryError:
        return {"error": "MemoryError", "message": "there is not enough memory: take fewer --workers"}
    except Exception as error:  # noqa: BLE001 one recording's failure may not end the others
        words = " ".join(f"{type(error).__name__}: {error}".split())
        trace = {"traceback": traceback.format_exc()} if os.environ.get("NWBRIDGE_TRACEBACK") else {}
        message = f"{words} (a fault of nwbridge: report it with NWBRIDGE_TRACEBACK=1)"
        return {"error": type(error).__name__, "message": message, **trace}


def failure(error: NwbridgeError) -> Values:
    """Return an error as plain values."""
    return {"error": type(error).__name__, "message": str(error)}


def _describe(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Describe every recording of a path: what it is, where it goes, what it is made of."""
    content, relative, root = shared["metadata"], task["path"], shared["root"]
    path = named(Path(root, relative))
    speaks = path.name if relative == "." else relative  # the root itself is known by its name
    above = Path(root).parent if relative == "." else Path(root)
    source, _ = installed().source(task["source"])
    known = {flag.name for flag in flags(source.options)}
    options = {key: value for key, value in shared["options"].items() if key in known}
    options |= metadata.how_to_read(content, speaks, None, above)[1]

    def given(name: str | None) -> metadata.Metadata:
        said = metadata.for_path(content, speaks, name, above)
        return {key: value for key, value in said.items() if key not in ("source", "options")}

    found = []
    for name, reading in read_each(path, task["source"], options, given, shared["first"]):
        if isinstance(reading, NwbridgeError):
            found.append({"name": name, **failure(reading)})
            continue
        try:
            found.append(
                {"name": name, "evidence": task["evidence"], **_described(reading, given(name), options, shared)}
            )
        except NwbridgeError as error:
            found.append({"name": name, **failure(error)})
    if not found:
        raise BadSource(f"{relative} holds no recording that can be converted")
    return {"recordings": found}


def _described(reading: Reading, given: metadata.Metadata, options: Values, shared: Mapping[str, Any]) -> Values:
    from nwbridge.dandi.names import layout

    session = reading.session
    missing = [f"{field.key} ({field.note})" for field in reading.fields if field.origin == "unknown"]
    return {
        "source": reading.match.source.name,
        "plugin": reading.match.plugin.label,
        "session_id": session.id,
        "subject_id": session.subject.subject_id if session.subject else None,
        "out": str(layout(session)),
        "options": options,
        "metadata": given,
        "made_by": [list(pair) for pair in reading.made_by],
        "files": [[os.path.abspath(file), *_state(file)] for file in session.files],  # noqa: PTH100 no links followed
        "missing": missing if shared["plan"] else [],
        "lacks": _lacks(reading) if shared["plan"] else "",
    }


def _lacks(reading: Reading) -> str:
    """Return what refuses the recording because nobody says it, as its rate; nothing is written."""
    from nwbridge.nwb.build import Layout, build

    plugin: Plugin = reading.match.plugin
    try:
        call(plugin, "laying out the file", build, reading.session, Layout(), (), (), "")
    except MissingMetadata as error:
        return str(error)
    return ""


def _state(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror}") from error
    return stat.st_size, stat.st_mtime_ns


def _convert(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Convert one recording; what an earlier try of this same task left with the final name is replaced."""
    from nwbridge.conversion import convert

    out = Path(shared["out"], task["out"])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the folder {out.parent} cannot be made: {error.strerror}") from error
    ours = out.exists() and made_since(out, datetime.fromisoformat(task["since"]))
    more: Values = {"archive": shared["archive"]} if shared["archive"] else {}
    result = convert(
        named(Path(shared["root"], task["path"])),
        out,
        source=task["source"],
        only=task["name"],
        options=task["options"],
        metadata=task["metadata"],
        first=shared["first"],
        threads=task["threads"],
        chunks=shared["chunks"] and tuple(shared["chunks"]),
        compression=shared["compression"],
        verify=shared["verify"],
        overwrite=task["overwrite"] or ours,
        progress=progress,
        **more,
    )
    found = made(out)
    identifier = found.identifier if found else None
    line: Values = json.loads(json.dumps(result.as_json(), default=str))
    return line | {"path": task["path"], "out": task["out"], "identifier": identifier, "mtime_ns": _state(out)[1]}
