"""From a path to the session that its source describes, with what the user says laid over it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nwbridge import metadata
from nwbridge.errors import BadOption, BadSource, PluginFault
from nwbridge.hookspecs import Described
from nwbridge.metadata import Field, Metadata
from nwbridge.model import Finding, Segmentation, Session, Table
from nwbridge.nwb import namespaces
from nwbridge.options import parse
from nwbridge.plugins import Match, Plugin, Registry, call, installed
from nwbridge.version import __version__

_ASKED: ContextVar[list[Plugin] | None] = ContextVar("asked", default=None)  # by the source that is describing
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Reading:
    """A session as it will be written, who described it, and what the user gave."""

    match: Match
    session: Session
    given: Metadata
    asked: tuple[Plugin, ...] = ()  # whose sources described parts of the recording

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every metadata value with its origin."""
        return tuple(metadata.fields(self.session, self.given))

    @property
    def made_by(self) -> list[tuple[str, str]]:
        """The software that makes the file, with versions."""
        plugins = (self.match.plugin, *self.asked)
        return list(dict.fromkeys((("nwbridge", __version__), *((p.distribution, p.version) for p in plugins))))


def recordings(
    path: Path | str,
    *,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> tuple[str, ...]:
    """Return the names of the recordings that a path holds, each of which becomes one file; () where it is just one."""
    _, found = _found(named(path), source, options, registry)
    return tuple(found) if isinstance(found, Mapping) else ()


def describe(
    path: Path | str,
    *,
    source: str | None = None,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> Session:
    """Return what a source says of a path: for looking at it, and for sources whose recordings hold another's files."""
    match, found = _found(named(path), source, options, registry)
    session = _chosen(found, only, match, named(path))
    if (asked := _ASKED.get()) is not None:
        asked.append(match.plugin)
    return session


def _found(
    path: Path, source: str | None, options: Mapping[str, Any] | None, registry: Registry | None
) -> tuple[Match, Described]:
    """Return the source that reads a path, and its session or the functions that describe each of its recordings."""
    match = (registry or installed()).detect(path, source)
    call(match.plugin, "loading its NWB namespaces", namespaces.load, match.plugin.namespaces)
    chosen: Any = parse(match.source.options, options or {}, f"source {match.source.name}")
    found = call(match.plugin, f"describing {path}", match.source.describe, path, chosen)
    if isinstance(found, Mapping):
        odd = next((name for name in found if not isinstance(name, str) or not _FILE_NAME.fullmatch(name)), None)
        if odd is not None:
            raise PluginFault(f"{match.plugin.label}: a recording is named {odd!r}; expected letters, digits and . _ -")
    return match, found


def _chosen(found: Described, only: str | None, match: Match, path: Path) -> Session:
    """Return the one recording that is meant."""
    if isinstance(found, Mapping):
        if not found:
            raise BadSource(f"{path} holds no recording that can be converted")
        if only is None and len(found) > 1:
            few = ", ".join(list(found)[:5]) + (", …" if len(found) > 5 else "")
            raise BadOption(
                f"{path} holds {len(found)} recordings ({few}): convert them into a folder, "
                "or choose one with --only NAME"
            )
        name = only if only is not None else next(iter(found))
        if name not in found:
            near = difflib.get_close_matches(name, found, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(list(found)[:20])}"
            raise BadOption(f"{path} has no recording {name}; {hint}")
        found = call(match.plugin, f"describing {name} of {path}", found[name])
    elif only is not None and only != getattr(found, "id", None):
        raise BadOption(f"{path} is one recording; leave out --only")
    if not isinstance(found, Session):
        raise PluginFault(f"{match.plugin.label}: describe returned a {type(found).__name__}; expected a Session")
    return found


def read(
    path: Path,
    source: str | None,
    only: str | None,
    options: Mapping[str, Any] | None,
    given: Metadata | Path | str | None,
    first: int | None,
    registry: Registry | None,
) -> Reading:
    """Describe one recording and lay the user's metadata over it."""
    content = metadata.load(Path(given)) if isinstance(given, Path | str) else metadata.check(given or {})
    asked: list[Plugin] = []
    token = _ASKED.set(asked)
    try:
        match, found = _found(path, source, options, registry)
        session = _chosen(found, only, match, path)
    finally:
        _ASKED.reset(token)
    session = metadata.overlay(session, content)
    session = replace(session, findings=(*session.findings, *_empty(session)))
    if first is not None:
        session = session.first(first)
    _refuse_unwritable(session, session.id)
    return Reading(
        match, replace(session, files=tuple(Path(f).absolute() for f in session.files)), content, tuple(asked)
    )


def _empty(session: Session) -> Iterator[Finding]:
    """Yield a finding for every element without rows."""
    for element in session.of(Table) + session.of(Segmentation):
        if not len(element):
            what = "has no region" if isinstance(element, Segmentation) else "is empty; no table was written for it"
            yield Finding("hint", f"{element.name} {what}", check="describe")


def _refuse_unwritable(value: Any, where: str) -> None:
    """Raise BadSource for a text, anywhere in the session, that HDF5 cannot hold."""
    if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "replace").decode("utf-8") != value):
        raise BadSource(
            f"{where} is {value!r:.60}: it has characters that no NWB file can hold; give it in other words"
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_unwritable(key, f"{where}: a key")
            _refuse_unwritable(inner, f"{where}: {key}")
    elif isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype.kind == "U"):
        for inner in value.flat if isinstance(value, np.ndarray) else value:
            _refuse_unwritable(inner, where)
    elif is_dataclass(value):
        for entry in fields(value):
            _refuse_unwritable(getattr(value, entry.name), f"{type(value).__name__}.{entry.name}")


def named(path: Path | str) -> Path:
    """Return the path with a name of its own, also for ``.``; links keep their names."""
    return Path(path) if Path(path).name not in ("", "..") else Path(path).resolve()
