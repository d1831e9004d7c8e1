"""Files for other programs, made by plugins of what recordings hold: whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nwbridge.description import describe, named, recordings
from nwbridge.errors import BadOption, PluginFault
from nwbridge.model import Session
from nwbridge.options import parse
from nwbridge.plugins import Registry, call, installed
from nwbridge.whole import check_place, publish


@dataclass(frozen=True)
class Exported:
    """What an export wrote; `as_json` is one line for programs."""

    export: str
    plugin: str
    out: str
    paths: tuple[str, ...]
    sessions: tuple[str, ...]  # the ids of the recordings in it
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def export(
    name: str,
    paths: Iterable[Path | str] | Path | str,
    out: Path | str,
    *,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    registry: Registry | None = None,
) -> Exported:
    """Write a file for another program, made of every recording that the paths hold.

    Args:
        name: of the export, as `nwbridge export` lists them.
        paths: NWB files, or recordings of any installed source.
        out: the file to write. It gets this name only when it is whole.
        source: name of the source, where several recognize a path.
        options: of the export, by name.
        overwrite: replace an existing `out`.
        registry: the plugins to use, unless the installed ones.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done; nothing is left of
            `out` then.
    """
    record, plugin = (registry or installed()).export(name)
    chosen: Any = parse(record.options, options or {}, f"export {name}")
    out = named(out)
    inputs = [Path(paths)] if isinstance(paths, Path | str) else [Path(path) for path in paths]
    if not inputs:
        raise BadOption("no recording was named: expected NWB files, or recordings that a source reads")
    _refuse_inputs(out, inputs)
    check_place(out, overwrite=overwrite)
    sessions = tuple(session for path in inputs for session in _sessions(path, source, registry))
    _refuse_inputs(out, [file for session in sessions for file in session.files])
    content = call(plugin, f"making {out.name}", record.make, sessions, chosen)
    if not isinstance(content, bytes):
        raise PluginFault(f"{plugin.label}: export {name} returned a {type(content).__name__}; expected bytes")
    publish(content, out, overwrite=overwrite)
    ids = tuple(session.id for session in sessions)
    return Exported(name, plugin.label, str(out), tuple(map(str, inputs)), ids, len(content))


def _sessions(path: Path, source: str | None, registry: Registry | None) -> Iterator[Session]:
    """Yield every recording of a path."""
    for name in recordings(path, source=source, registry=registry) or (None,):
        yield describe(path, source=source, only=name, registry=registry)


def _refuse_inputs(out: Path, inputs: Sequence[Path]) -> None:
    """Raise BadOption where the file to write is one that is read."""
    for path in inputs:
        if os.path.exists(out) and os.path.exists(path) and out.samefile(path):  # noqa: PTH110
            raise BadOption(f"{out} is one of the files that are read: choose another name")
