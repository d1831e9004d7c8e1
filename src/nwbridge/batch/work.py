"""What is done for one recording, wherever that is: plain values in, plain values out, no error raised."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from nwbridge import metadata
from nwbridge.asked import Asked, pick_members
from nwbridge.choosing import check_for, choose, lacks, made_by, place_of
from nwbridge.conversion import convert
from nwbridge.dandi import gate
from nwbridge.description import Reading, named, read_each
from nwbridge.draft import lay_out, layout_for, of_many
from nwbridge.errors import BadMetadata, BadSource, CannotWrite, MissingMetadata, NwbridgeError
from nwbridge.model import Finding, Session
from nwbridge.nwb.made import made, made_since
from nwbridge.options import flags
from nwbridge.plugins import installed
from nwbridge.processing import process
from nwbridge.report.work import DRAW
from nwbridge.report.work import perform as draw
from nwbridge.results import Result

Progress = Callable[[str, int, int], None]
Values = dict[str, Any]


def perform(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Do what a task says; a failure is a result with `error` and `message`."""
    if task["do"] == DRAW:
        return draw(task, shared, progress)
    try:
        if not Path(shared["root"]).exists():
            raise BadSource(f"{shared['root']} is not there: a worker has to see the recordings by the same path")
        what = {"describe": _describe, "convert": _convert, "process": _process, "check": _check}
        return what[task["do"]](task, shared, progress)
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
    return {"error": type(error).__name__, "message": of_many(str(error))}


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

    plain: dict[str | None, Values] = {}  # of those that the metadata refuse: what they are made of
    found: list[Values] = []
    for name, reading in read_each(path, task["source"], options, given, shared["first"]):
        try:
            if isinstance(reading, NwbridgeError):
                raise reading
            found.append(
                {"name": name, "evidence": task["evidence"], **_described(reading, given(name), options, shared)}
            )
        except BadMetadata as error:
            if name not in plain:
                plain = _made_of(path, task["source"], options)
            found.append({"name": name, **failure(error), **plain.get(name, {})})
        except NwbridgeError as error:
            found.append({"name": name, **failure(error)})
    if not found:
        raise BadSource(f"{relative} holds no recording that can be converted")
    return {"recordings": found}


def _made_of(path: Path, source: str, options: Values) -> dict[str | None, Values]:
    """Return the files of each recording of a path, whatever the metadata say of it."""
    readings = read_each(path, source, options, lambda _: {}, None)
    return {name: {"files": _files(one)} for name, one in readings if not isinstance(one, NwbridgeError)}


def _files(reading: Reading) -> list[list[Any]]:
    """Return each file of a recording with its size and time."""
    files = reading.session.files
    return [[os.path.abspath(file), *_state(file)] for file in files]  # noqa: PTH100  no links followed


def _described(reading: Reading, given: metadata.Metadata, options: Values, shared: Mapping[str, Any]) -> Values:
    from nwbridge.dandi.names import layout

    session = reading.session
    if shared.get("steps"):  # of a batch that processes
        return _of_steps(reading, shared)
    missing = [f"{field.key} ({field.note})" for field in reading.fields if field.origin == "unknown"]
    return {
        "source": reading.match.source.name,
        "plugin": reading.match.plugin.label,
        "session_id": session.id,
        "subject_id": session.subject.subject_id if session.subject else None,
        "out": str(layout(session)),
        "options": options,
        "metadata": given,
        "said": reading.given,  # of these, what speaks of this recording and its animal
        "made_by": [list(pair) for pair in reading.made_by],
        "files": _files(reading),
        "missing": missing if shared["plan"] else [],
        "lacks": _lacks(reading, shared["archive"]) if shared["plan"] else "",
    }


def _of_steps(reading: Reading, shared: Mapping[str, Any]) -> Values:
    """Return what is said of a file that steps are run on, or what it has none of, which the first of them takes."""
    session = reading.session
    chosen = choose(shared["steps"], shared["options"], installed())
    if nothing := lacks(session, chosen[0].processor):
        return {"nothing": nothing}
    (path,) = session.files
    pick_members(Asked(shared["steps"], series=shared["series"]), chosen, session, path, alone=True)
    return {
        "source": reading.match.source.name,
        "plugin": ", ".join(dict.fromkeys(step.plugin.label for step in chosen)),
        "session_id": session.id,
        "subject_id": session.subject.subject_id if session.subject else None,
        "out": str(place_of(session, chosen)),
        "options": shared["options"],
        "metadata": {},
        "said": {},
        "made_by": [list(pair) for pair in made_by(chosen)],
        "files": _files(reading),
        "missing": [],
        "lacks": _refused(session, shared["archive"]) if shared["plan"] else "",
    }


def _refused(session: Session, archive: str | None) -> str:
    """Return why an archive refuses a session."""
    try:
        check_for(archive, session)
    except (BadMetadata, MissingMetadata) as error:
        return str(error)
    return ""


def _lacks(reading: Reading, archive: str | None) -> str:
    """Return what refuses the recording because nobody says it, as its rate or species; nothing is written."""
    try:
        if archive is not None:
            gate.check_session(reading.session)
        lay_out(reading, layout_for("none", None), (), "")
    except (BadMetadata, MissingMetadata) as error:
        return of_many(str(error))
    return ""


def _state(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror}") from error
    return stat.st_size, stat.st_mtime_ns


def _convert(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Convert one recording."""
    own = {key: task[key] for key in ("source", "metadata")} | {"only": task["name"], "first": shared["first"]}
    return _written(task, shared, lambda path, out, **how: convert(path, out, **own, **how, progress=progress))


def _process(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Run steps on one file."""
    own = {key: shared[key] for key in ("steps", "series", "light", "rows_first")}
    return _written(task, shared, lambda path, out, **how: process(path, out, **own, **how, progress=progress))


def _written(task: Mapping[str, Any], shared: Mapping[str, Any], write: Callable[..., Result]) -> Values:
    """Write one file; what an earlier try of this same task left with the final name is replaced."""
    out = Path(shared["out"], task["out"])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the folder {out.parent} cannot be made: {error.strerror}") from error
    ours = out.exists() and made_since(out, datetime.fromisoformat(task["since"]))
    more: Values = {"archive": shared["archive"]} if shared["archive"] else {}
    result = write(
        named(Path(shared["root"], task["path"])),
        out,
        options=task["options"],
        threads=task["threads"],
        chunks=shared["chunks"] and tuple(shared["chunks"]),
        compression=shared["compression"],
        verify=shared["verify"],
        overwrite=task["overwrite"] or ours,
        **more,
    )
    found = made(out)
    identifier = found.identifier if found else None
    line: Values = json.loads(json.dumps(result.as_json(), default=str))
    own = {"path": task["path"], "out": task["out"], "identifier": identifier, "mtime_ns": _state(out)[1]}
    return line | own | more


def _check(task: Mapping[str, Any], shared: Mapping[str, Any], progress: Progress) -> Values:
    """Ask the archive's gate of a file that an earlier run wrote without it."""
    root = Path(shared["out"])
    findings = gate.check(root / task["out"], root, [Finding(**one) for one in task["findings"]])
    ok = all(finding.severity != "error" for finding in findings)
    return {"findings": [asdict(finding) for finding in findings], "ok": ok, "archive": shared["archive"]}
