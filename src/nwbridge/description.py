"""From a path to the session that its source describes, with what the user says laid over it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nwbridge import metadata
from nwbridge.arrays import files_in
from nwbridge.errors import BadOption, BadSource, NotRecognized, NwbridgeError, PluginFault
from nwbridge.hookspecs import Described
from nwbridge.metadata import Field, Metadata
from nwbridge.model import Finding, Segmentation, Session, Table
from nwbridge.nwb import namespaces
from nwbridge.options import parse
from nwbridge.plugins import Match, Plugin, Registry, call, installed
from nwbridge.version import __version__

_ASKED: ContextVar[list[Plugin] | None] = ContextVar("asked", default=None)  # by the source that is describing
_WORDS = (".md", ".txt", ".pdf", ".html", ".yaml", ".yml", ".toml", ".nwb")  # of files beside a recording
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Reading:
    """A session as it will be written, who described it, and what the user gave."""

    match: Match
    session: Session
    given: Metadata
    asked: tuple[Plugin, ...] = ()  # whose sources described parts of the recording
    described: Session | None = None  # as the source says it, without what the user gave

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every metadata value with its origin."""
        return tuple(metadata.fields(self.session, self.given, self.described))

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
    given: Metadata | Path | str | None = None,
) -> tuple[str, ...]:
    """Return the names of the recordings that a path holds, each of which becomes one file; () where it is just one."""
    path, content = named(path), _content(given)
    _, found = _found(path, *_how(content, path, None, source, options), registry)
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
    match = _detected(path, source, registry or installed())
    call(match.plugin, "loading its NWB namespaces", namespaces.load, match.plugin.namespaces)
    chosen: Any = parse(match.source.options, options or {}, f"source {match.source.name}")
    found = call(match.plugin, f"describing {path}", match.source.describe, path, chosen)
    if isinstance(found, Mapping):
        odd = next((name for name in found if not isinstance(name, str) or not _FILE_NAME.fullmatch(name)), None)
        if odd is not None:
            raise PluginFault(f"{match.plugin.label}: a recording is named {odd!r}; expected letters, digits and . _ -")
    return match, found


def _detected(path: Path, source: str | None, registry: Registry) -> Match:
    """Return the source of a path; NotRecognized says which recordings lie deeper in a folder."""
    try:
        return registry.detect(path, source)
    except NotRecognized as error:
        if not path.is_dir() or not (inside := registry.below(path)):
            raise
        several = "; ".join(
            f"{name}: {paths[0].relative_to(path)}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
            for name, paths in inside.items()
        )
        raise NotRecognized(
            f"{path} is not one recording, but holds some ({several}): give one of them, "
            "or convert all with nwbridge batch"
        ) from error


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
    content = _content(given)
    asked: list[Plugin] = []
    with _noting(asked):
        match, found = _found(path, *_how(content, path, only, source, options), registry)
    return _read_one(match, found, asked, path, only, content, first)


def read_each(
    path: Path,
    source: str | None,
    options: Mapping[str, Any] | None,
    given: Callable[[str | None], Metadata],
    first: int | None,
) -> Iterator[tuple[str | None, Reading | NwbridgeError]]:
    """Describe every recording that a path holds, looking into it once; yield each, or the error that refuses it.

    Yields the name None where the path is one recording. `given` returns what the user says of each by name.
    """
    asked: list[Plugin] = []
    with _noting(asked):
        match, found = _found(path, source, options, None)
    for name in found if isinstance(found, Mapping) else (None,):
        try:
            yield name, _read_one(match, found, asked, path, name, given(name), first)
        except NwbridgeError as error:
            yield name, error


@contextmanager
def _noting(asked: list[Plugin]) -> Iterator[None]:
    """Note the plugins that a source asks while it describes."""
    token = _ASKED.set(asked)
    try:
        yield
    finally:
        _ASKED.reset(token)


def _read_one(
    match: Match,
    found: Described,
    before: Sequence[Plugin],
    path: Path,
    only: str | None,
    content: Metadata,
    first: int | None,
) -> Reading:
    asked = list(before)
    with _noting(asked):
        session = _chosen(found, only, match, path)
    name = (only or next(iter(found))) if isinstance(found, Mapping) else None
    unmentioned = metadata.unmentioned(content, path.absolute(), name)
    content, more = _of_one(metadata.for_path(content, path.absolute(), name), session)
    source = session
    session = replace(session, findings=metadata.answered(session, content))
    session = metadata.overlay(session, content)
    contradicted = metadata.contradicted(source, session)
    session = replace(session, findings=(*session.findings, *unmentioned, *more, *contradicted))
    alone = not isinstance(found, Mapping) or len(found) == 1
    session = replace(
        session, findings=(*session.findings, *_empty(session), *(_unread(session, path) if alone else ()))
    )
    if first is not None:
        session = session.first(first)
    refuse_unwritable(session, session.id)
    session = replace(session, files=tuple(Path(f).absolute() for f in session.files))
    return Reading(match, session, content, tuple(asked), source)


def _content(given: Metadata | Path | str | None) -> Metadata:
    return metadata.load(Path(given)) if isinstance(given, Path | str) else metadata.check(given or {})


def _how(
    content: Metadata, path: Path, name: str | None, source: str | None, options: Mapping[str, Any] | None
) -> tuple[str | None, dict[str, Any]]:
    """Return the source and options that the user names for a path, on the command line or else in the metadata."""
    named_source, named_options = metadata.how_to_read(content, path.absolute(), name)
    return source or named_source, named_options | dict(options or {})


def _of_one(content: Metadata, session: Session) -> tuple[Metadata, list[Finding]]:
    """Return what the user says of the recording with its animal, and a finding where the animal is not listed."""
    own = session.subject.subject_id if session.subject else None
    session_id = content.get("NWBFile", {}).get("session_id", session.id)
    subject = content.get("Subject", {}).get("subject_id") or own or session_id
    told = []
    if (listed := content.get("Subjects")) is not None and subject not in listed:
        message = f"the animal {subject} is not among the Subjects of the metadata"
        alike = {name.lower(): name for name in listed}
        near = difflib.get_close_matches(subject.lower(), alike, 1, 0.8)
        advice = f"rename {alike[near[0]]} there to {subject}" if near else f"add {subject} to Subjects"
        advice += ", or give Subject.subject_id"
        told.append(Finding("warning", message, advice, check="metadata"))
    return metadata.for_subject(content, subject), told


def _unread(session: Session, folder: Path) -> Iterator[Finding]:
    """Yield a finding that names files of a folder that the source did not read, unless it names them itself."""
    if not folder.is_dir():
        return
    try:
        there = files_in(folder)
    except BadSource:
        return  # a link that leads nowhere, beside what the source reads
    read_ = {os.path.abspath(file) for file in session.files}  # noqa: PTH100  resolve() asks the disk for each
    told = " ".join(finding.message for finding in session.findings)
    rest = [
        name
        for name, blob in there.blobs.items()
        if os.path.abspath(blob.path) not in read_  # noqa: PTH100
        and Path(name).suffix.lower() not in _WORDS
        and Path(name).name not in told
    ]
    if rest:
        more = f" and {len(rest) - 3:,} more" if len(rest) > 3 else ""
        message = f"files of the folder that were not read: {', '.join(rest[:3])}{more}"
        yield Finding("hint", message, "if they are recordings, convert them by themselves", check="describe")


def _empty(session: Session) -> Iterator[Finding]:
    """Yield a finding for every element without rows."""
    for element in session.of(Table) + session.of(Segmentation):
        if not len(element):
            what = "has no region" if isinstance(element, Segmentation) else "is empty; no table was written for it"
            yield Finding("hint", f"{element.name} {what}", check="describe")


def refuse_unwritable(value: Any, where: str) -> None:
    """Raise BadSource for a text, anywhere in the session, that HDF5 cannot hold."""
    if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "replace").decode("utf-8") != value):
        raise BadSource(
            f"{where} is {value!r:.60}: it has characters that no NWB file can hold; give it in other words"
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            refuse_unwritable(key, f"{where}: a key")
            refuse_unwritable(inner, f"{where}: {key}")
    elif isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype.kind == "U"):
        for inner in value.flat if isinstance(value, np.ndarray) else value:
            refuse_unwritable(inner, where)
    elif is_dataclass(value):
        for entry in fields(value):
            refuse_unwritable(getattr(value, entry.name), f"{type(value).__name__}.{entry.name}")


def named(path: Path | str) -> Path:
    """Return the path with a name of its own, also for ``.``; links keep their names."""
    return Path(path) if Path(path).name not in ("", "..") else Path(path).resolve()
