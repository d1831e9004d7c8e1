"""The one path from a recording to a file: detect, describe, build, fill, verify, validate, rename."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nwbridge import metadata
from nwbridge.arrays.watched import watched
from nwbridge.dandi import gate, names
from nwbridge.description import Reading, named, read, recordings
from nwbridge.draft import lay_out, layout_for, named_after, threads_for
from nwbridge.errors import BadOption, CannotWrite, InvalidOutput, NwbridgeError
from nwbridge.landing import Clock, folder_for, same_file, silent
from nwbridge.metadata import Field, Metadata
from nwbridge.nwb import backend as backends
from nwbridge.nwb.backend import BackendName
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.endings import ZARR
from nwbridge.nwb.parts import check_target, part_file
from nwbridge.nwb.write import Progress, check, record_sources, write
from nwbridge.options import flags
from nwbridge.plugins import Registry
from nwbridge.results import Result, summaries
from nwbridge.validation import schema_errors, validate

Starting = Callable[[str, int, int], None]
# endings of recordings, which the shell gives as OUT where two of them were named
NOT_FOLDERS = frozenset(
    (".h5", ".hdf5", ".isxd", ".mat", ".csv", ".json", ".yaml", ".zip", ".tif", ".tiff", ".npy", ".nwb", ".zarr")
)


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
    archive: str | None = None,
    backend: BackendName | None = None,
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
        archive: ``dandi``: refuse what DANDI would refuse, add what its client says of the file to the findings, and
            where `out` is a folder, name the file in it as DANDI wants.
        backend: ``hdf5``, or ``zarr`` with the extra ``nwbridge[zarr]``; unless given, `out` says it by its name.
        progress: called as ``progress(phase, bytes_done, bytes_in_all)``.
        registry: the plugins to use, unless the installed ones.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done; nothing is left of
            `out` then.
    """
    clock = Clock()
    path, out = named(path), named(out)
    progress = progress or silent
    gate.check_archive(archive)
    chosen = archive is not None and not out.name.endswith((".nwb", ".zarr"))
    _check_backend(out, backend, archive)
    if not chosen:
        check_target(out, overwrite=overwrite)
    layout = replace(layout_for(compression, chunks), backend=backends.of(out))
    count = threads_for(threads)
    reading = read(path, source, only, options, metadata, first, registry)
    session = reading.session
    if archive is not None:
        gate.check_session(session)
    root, out = (out, out / names.layout(session)) if chosen else (None, out)
    if any(same_file(out, file) for file in session.files):
        raise BadOption(f"{out} is a file of the recording itself: choose another name")
    script = _script(path, out, reading, only, options, first)
    file = lay_out(reading, layout, _unknown(reading.fields), script)
    clock.lap("describe")
    with (
        watched(session.files) as fingerprints,
        folder_for(out, root, overwrite=overwrite),
        part_file(out, overwrite=overwrite) as part,
    ):
        with named_after(reading.match.plugin):
            written = write(file, layout, part, count, progress)
        found = fingerprints()
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
        size = layout.backend.size(part)
        progress("done", 1, 1)
    if archive is not None:
        findings = gate.check(out, root, findings)
        clock.lap("gate")
    clock.total()
    return Result(
        path=str(path),
        out=str(out),
        source=reading.match.source.name,
        plugin=reading.match.plugin.label,
        evidence=reading.match.evidence,
        session_id=session.id,
        elements=summaries(session.elements),
        fields=reading.fields,
        findings=tuple(dict.fromkeys((*session.findings, *layout.findings, *findings))),
        verified=verify,
        array_bytes=written.nbytes,
        file_bytes=size,
        seconds=clock.laps,
    )


def convert_each(
    path: Path | str, folder: Path | str, *, starting: Starting | None = None, **arguments: Any
) -> Iterator[Result | NwbridgeError]:
    """Convert every recording that a path holds, each to a file of its own name in `folder`, which is made if need be.

    Yields the result of each, or the error that refused it, which does not stop the others. `starting` is called as
    ``starting(name, number, how_many)`` before each. `arguments` are those of `convert`.
    """
    path, folder = named(path), Path(folder)
    if (folder.suffix.lower() in NOT_FOLDERS and not folder.is_dir()) or folder.is_file():
        raise CannotWrite(f"{folder} is no place to write to: expected a file that ends in .nwb, or a folder")
    gate.check_archive(arguments.get("archive"))
    told = {key: arguments.get(key) for key in ("source", "options", "registry")}
    names = recordings(path, **told, given=arguments.get("metadata"))
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the folder {folder} cannot be made: {error.strerror}") from error
    wanted = arguments.pop("only", None)
    chosen = [wanted] if wanted is not None else names or [None]
    for number, name in enumerate(chosen, 1):
        file = name or re.sub(r"[^A-Za-z0-9._-]+", "_", path.name.removesuffix(path.suffix if path.is_file() else ""))
        suffix = ZARR if arguments.get("backend") == "zarr" else ".nwb"
        out = folder if arguments.get("archive") else folder / f"{file}{suffix}"
        try:
            if starting is not None:
                starting(file, number, len(chosen))
            yield convert(path, out, only=name, **arguments)
        except NwbridgeError as error:
            yield error
    if made:
        with contextlib.suppress(OSError):  # something was written
            folder.rmdir()


def _check_backend(out: Path, backend: str | None, archive: str | None) -> None:
    """Raise where the backend contradicts the name of the file, or the archive would not look into it."""
    if archive is not None and (backend == "zarr" or out.name.endswith(ZARR)):
        raise BadOption(
            f"--for {archive} is for HDF5: of NWB in Zarr DANDI reads neither subject nor session (docs/zarr.md)"
        )
    backends.check_named(out, backend)


def _unknown(fields: Sequence[Field]) -> list[str]:
    return [f"{f.key} ({f.note})" for f in fields if f.origin == "unknown" and f.key in metadata.UNKNOWN]


def _script(
    path: Path, out: Path, reading: Reading, only: str | None, options: Mapping[str, Any] | None, first: int | None
) -> str:
    """Return the command without the user's folders: what was given in files stands there as single values."""
    words = ["nwbridge", "convert", path.name, out.name, "--source", reading.match.source.name]
    words += ["--only", only] if only else []
    words += ["--first", str(first)] if first else []
    for key, value in {**reading.given.get("options", {}), **(options or {})}.items():
        words += [f"--{key.replace('_', '-')}", Path(value).name if _is_path(reading, key) else str(value)]
    for setting in metadata.settings_of(reading.given):
        words += ["--set", setting]
    return shlex.join(os.fsencode(word).decode("utf-8", "replace") for word in words)


def _is_path(reading: Reading, key: str) -> bool:
    return any(flag.name == key.replace("-", "_") and flag.type is Path for flag in flags(reading.match.source.options))
