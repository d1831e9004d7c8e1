"""The one path from a recording to a file: detect, describe, build, fill, verify, validate, rename."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nwbridge import metadata
from nwbridge.arrays.fingerprint import Fingerprint, fingerprint
from nwbridge.errors import (
    BadOption,
    BadSource,
    CannotWrite,
    InvalidOutput,
    MissingMetadata,
    NwbridgeError,
    PluginFault,
)
from nwbridge.hookspecs import Described
from nwbridge.metadata import Field, Metadata
from nwbridge.model import Finding, Segmentation, Session, Table
from nwbridge.nwb import namespaces
from nwbridge.nwb.build import Layout, build
from nwbridge.nwb.chunks import COMPRESSIONS, Compression
from nwbridge.nwb.fill import default_threads
from nwbridge.nwb.sample import estimate
from nwbridge.nwb.write import Progress, check, check_target, part_file, record_sources, write
from nwbridge.options import parse
from nwbridge.plugins import Match, Plugin, Registry, call, installed
from nwbridge.results import Inspection, Result, summaries
from nwbridge.validation import schema_errors, validate
from nwbridge.version import __version__

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class _Described:
    match: Match
    session: Session
    given: Metadata

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(metadata.fields(self.session, self.given))

    @property
    def made_by(self) -> list[tuple[str, str]]:
        return [("nwbridge", __version__), (self.match.plugin.distribution, self.match.plugin.version)]


def convert(
    path: Path | str,
    out: Path | str,
    *,
    source: str | None = None,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
    metadata: Metadata | Path | str | None = None,
    first: int | None = None,
    threads: int | None = None,
    chunks: tuple[int, int, int] | None = None,
    compression: Compression = "fast",
    verify: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Result:
    """Convert one recording to one NWB file, and prove that its numbers are the source's.

    Args:
        path: the recording: a file, a folder or a zip.
        out: the file to write, ending in ``.nwb``. It gets this name only when it is whole.
        source: name of the source, where several recognize the path.
        only: name of the recording, where the path holds several (see `recordings`).
        options: of the source, by name.
        metadata: a metadata file, or its content.
        first: convert only the first frames.
        threads: that compress; as many as there are processors, at most 8, unless given.
        chunks: of movies, as (frames, rows, columns).
        compression: ``fast`` (deflate by ISA-L), ``small`` (zlib level 6) or ``none``; every HDF5 reader opens all.
        verify: read everything back and compare it with what was read from the source.
        overwrite: replace an existing `out`.
        progress: called as ``progress(phase, bytes_done, bytes_in_all)``.
        registry: the plugins to use, unless the installed ones.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done; nothing is left of
            `out` then.
    """
    begin = time.perf_counter()
    path, out = _named(path), _named(out)
    progress = progress or _silent
    check_target(out, overwrite=overwrite)
    layout = _layout(compression, chunks)
    count = _threads(threads)
    described = _describe(path, source, only, options, metadata, first, registry)
    session = described.session
    if any(_same_file(out, file) for file in session.files):
        raise BadOption(f"{out} is a file of the recording itself: choose another name")
    before = {file: _state(file) for file in session.files}
    script = _script(path, out, described, first)
    file = _build(described, layout, _unknown(described.fields), script)
    clock = _Clock(begin)
    clock.lap("describe")
    with part_file(out, overwrite=overwrite) as part, _fingerprints(session.files) as prints:
        with _named_after(described.match.plugin):
            written = write(file, layout, part, count, progress)
        found = _refuse_changed(before, prints)
        record_sources(part, [p.size for p in found], [p.sha256 for p in found])
        clock.lap("write")
        if verify:
            check(part, written, count, progress)
            clock.lap("verify")
        progress("validating", 0, 1)
        findings = validate(part, session, registry)
        if wrong := schema_errors(findings):
            where = f" ({wrong[0].where})" if wrong[0].where else ""
            raise InvalidOutput(f"what was written is not valid NWB: {wrong[0].message}{where}; nothing was kept")
        clock.lap("validate")
        size = part.stat().st_size
        progress("done", 1, 1)
    clock.total()
    return Result(
        path=str(path),
        out=str(out),
        source=described.match.source.name,
        plugin=described.match.plugin.label,
        evidence=described.match.evidence,
        session_id=session.id,
        elements=summaries(session),
        fields=described.fields,
        findings=(*session.findings, *findings),
        verified=verify,
        array_bytes=written.nbytes,
        file_bytes=size,
        seconds=clock.laps,
    )


def convert_each(path: Path | str, folder: Path | str, **arguments: Any) -> Iterator[Result | NwbridgeError]:
    """Convert every recording that a path holds, each to a file of its own name in `folder`, which is made if need be.

    Yields the result of each, or the error that refused it, which does not stop the others. `arguments` are those of
    `convert`.
    """
    path, folder = _named(path), Path(folder)
    names = recordings(path, **{key: arguments.get(key) for key in ("source", "options", "registry")})
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the folder {folder} cannot be made: {error.strerror}") from error
    wanted = arguments.pop("only", None)
    for name in [wanted] if wanted is not None else names or [None]:
        file = name or re.sub(r"[^A-Za-z0-9._-]+", "_", path.name.removesuffix(path.suffix if path.is_file() else ""))
        try:
            yield convert(path, folder / f"{file}.nwb", only=name, **arguments)
        except NwbridgeError as error:
            yield error


def inspect(
    path: Path | str,
    *,
    source: str | None = None,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
    metadata: Metadata | Path | str | None = None,
    first: int | None = None,
    threads: int | None = None,
    chunks: tuple[int, int, int] | None = None,
    compression: Compression = "fast",
    registry: Registry | None = None,
) -> Inspection:
    """Say what `convert` would do with the same arguments, and estimate size and time from a few blocks."""
    layout = _layout(compression, chunks)
    described = _describe(_named(path), source, only, options, metadata, first, registry)
    session, findings = described.session, list(described.session.findings)
    try:
        _build(described, layout, (), "")
    except MissingMetadata as error:
        findings.insert(0, Finding("error", str(error), check="describe"))
    with _named_after(described.match.plugin):
        guess = estimate(layout, _threads(threads))
    return Inspection(
        path=str(path),
        source=described.match.source.name,
        plugin=described.match.plugin.label,
        evidence=described.match.evidence,
        session_id=session.id,
        description=session.description,
        elements=summaries(session),
        fields=described.fields,
        findings=tuple(findings),
        estimate=guess,
    )


def recordings(
    path: Path | str,
    *,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
) -> tuple[str, ...]:
    """Return the names of the recordings that a path holds, each of which becomes one file; () where it is just one."""
    _, found = _found(_named(path), source, options, registry)
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
    match, found = _found(_named(path), source, options, registry)
    return _chosen(found, only, match, _named(path))


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
                f"{path} holds {len(found)} recordings ({few}): give a folder to write them all to, "
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


def _describe(
    path: Path,
    source: str | None,
    only: str | None,
    options: Mapping[str, Any] | None,
    given: Metadata | Path | str | None,
    first: int | None,
    registry: Registry | None,
) -> _Described:
    content = metadata.load(Path(given)) if isinstance(given, Path | str) else metadata.check(given or {})
    match, found = _found(path, source, options, registry)
    session = _chosen(found, only, match, path)
    session = metadata.overlay(session, content)
    empty = tuple(
        Finding("hint", f"{element.name} is empty; no table was written for it", check="describe")
        for element in session.of(Table)
        if not len(element)
    ) + tuple(
        Finding("hint", f"{element.name} has no region", check="describe")
        for element in session.of(Segmentation)
        if not len(element)
    )
    session = replace(session, findings=session.findings + empty)
    if first is not None:
        session = session.first(first)
    _refuse_unwritable(session, session.id)
    return _Described(match, replace(session, files=tuple(Path(f).absolute() for f in session.files)), content)


def _refuse_unwritable(value: Any, where: str) -> None:
    """Raise BadSource for a text, anywhere in the session, that HDF5 cannot hold."""
    if isinstance(value, str) and ("\0" in value or value.encode("utf-8", "replace").decode("utf-8") != value):
        raise BadSource(
            f"{where} is {value!r:.60}: it has characters that no NWB file can hold; give it in other words"
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_unwritable(inner, f"{where}: {key}")
    elif isinstance(value, tuple) or (isinstance(value, np.ndarray) and value.dtype.kind == "U"):
        for inner in value.flat if isinstance(value, np.ndarray) else value:
            _refuse_unwritable(inner, where)
    elif is_dataclass(value):
        for entry in fields(value):
            _refuse_unwritable(getattr(value, entry.name), f"{type(value).__name__}.{entry.name}")


def _named(path: Path | str) -> Path:
    """Return the path with a name of its own, also for ``.``; links keep their names."""
    return Path(path) if Path(path).name not in ("", "..") else Path(path).resolve()


def _layout(compression: str, chunks: Sequence[int] | None) -> Layout:
    if compression not in COMPRESSIONS:
        raise BadOption(f"--compression {compression}: expected one of {', '.join(COMPRESSIONS)}")
    if chunks is not None and (len(chunks) != 3 or min(chunks) < 1):
        raise BadOption(f"--chunks {chunks}: expected frames, rows and columns, each at least 1, as in 64,128,128")
    return Layout(compression=compression, chunks=tuple(chunks) if chunks else None)


def _threads(threads: int | None) -> int:
    if threads is not None and threads < 1:
        raise BadOption(f"--threads {threads}: expected at least 1")
    return threads or default_threads()


def _build(described: _Described, layout: Layout, unknown: Sequence[str], script: str) -> Any:
    """Return the NWBFile; pynwb's complaint about a value is the fault of the plugin that gave it."""
    arguments = (described.session, layout, unknown, described.made_by, script)
    return call(described.match.plugin, "laying out the file", build, *arguments)


def _unknown(fields: Sequence[Field]) -> list[str]:
    return [f"{f.key} ({f.note})" for f in fields if f.origin == "unknown" and f.key in metadata.UNKNOWN]


def _script(path: Path, out: Path, described: _Described, first: int | None) -> str:
    """Return the command without the user's folders."""
    names = [os.fsencode(p.name).decode("utf-8", "replace") for p in (path, out)]
    words = ["nwbridge", "convert", *names, "--source", described.match.source.name]
    return " ".join(words + (["--first", str(first)] if first else []))


def _same_file(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.exists() and one.samefile(other)
    return False


@contextlib.contextmanager
def _named_after(plugin: Plugin) -> Iterator[None]:
    """Put the plugin's name and version on its failures while its arrays are read."""
    try:
        yield
    except PluginFault as error:
        raise PluginFault(f"{plugin.label}: {error}") from error


@contextlib.contextmanager
def _fingerprints(files: Sequence[Path]) -> Iterator[list[Future[Fingerprint]]]:
    """Read the source files once more beside the conversion, to name them by checksum."""
    stop = threading.Event()
    with ThreadPoolExecutor(1, "nwbridge-fingerprint") as pool:
        try:
            yield [pool.submit(fingerprint, file, stop.is_set) for file in files]
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _state(file: Path) -> tuple[int, int, int]:
    """Return what changes when a file does."""
    try:
        stat = file.stat()
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror}") from error
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _refuse_changed(
    before: Mapping[Path, tuple[int, int, int]], prints: Sequence[Future[Fingerprint]]
) -> list[Fingerprint]:
    """Return the fingerprints; BadSource where a file is not what it was before any of it was read."""
    try:
        found = [future.result() for future in prints]
    except OSError as error:
        raise BadSource(f"{error.filename} cannot be read any more: {error.strerror}") from error
    for file, state in before.items():
        if _state(file) != state:
            raise BadSource(f"{file.name} changed while it was converted: wait until it is complete, then try again")
    return found


class _Clock:
    """Seconds of each phase."""

    def __init__(self, begin: float) -> None:
        self._begin = self._last = begin
        self.laps: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self.laps[phase] = round(now - self._last, 3)
        self._last = now

    def total(self) -> None:
        self.laps["total"] = round(time.perf_counter() - self._begin, 3)


def _silent(phase: str, done: int, total: int) -> None:
    """Show nothing."""
