"""The one path from NWB files to NWB files: copy, pick, run, add, fill, verify, validate, rename."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nwbridge import chain
from nwbridge.arrays.watched import watched
from nwbridge.asked import (
    Asked,
    check_folder,
    check_paths,
    check_together,
    pick_members,
    places,
    refuse_in_place,
    script,
)
from nwbridge.chain import File, How, Member
from nwbridge.choosing import Chosen, check_for, choose, made_by
from nwbridge.dandi import gate
from nwbridge.description import named
from nwbridge.draft import layout_for, threads_for
from nwbridge.errors import BadOption, InvalidOutput
from nwbridge.landing import Clock, folder_for, silent
from nwbridge.model import Element, Finding, Session
from nwbridge.nwb import namespaces
from nwbridge.nwb import steps as history
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.copying import acquired_movies, copy, renew
from nwbridge.nwb.made import made
from nwbridge.nwb.parts import check_target, part_files
from nwbridge.nwb.read import read
from nwbridge.nwb.write import Progress, check
from nwbridge.outcomes import newest_last
from nwbridge.plugins import Registry, call, installed
from nwbridge.results import Result, reworded, summaries
from nwbridge.running import about
from nwbridge.validation import schema_errors, validate


def process(
    path: Path | str,
    out: Path | str,
    steps: str | Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    series: str | None = None,
    light: bool = False,
    rows_first: bool = False,
    threads: int | None = None,
    chunks: tuple[int, int, int] | None = None,
    compression: Compression = "fast",
    verify: bool = True,
    overwrite: bool = False,
    archive: str | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Result:
    """Run steps of processing on an NWB file and write a new one, with everything of the old one and the results.

    The file that is read stays as it is. The new one has its own identifier and object ids, no link to other files,
    and its history as a table ``processing_steps``.

    Args:
        path: an NWB file in HDF5, of nwbridge or of any other program.
        out: the file to write, ending in ``.nwb``; with `archive` also the folder of a dandiset.
        steps: names of processors, as ``"register,denoise"`` or a list; each works on what the one before made.
        options: of the steps, by name; where several steps have an option of one name, as ``"step.name"``.
        series: name of the element that the first step works on, where several would do; as ``"A,B"`` several of
            them in order, where a step works on several at once.
        light: leave out the acquired movies; the history names the file that has them, by identifier and SHA-256.
        rows_first: the acquired movies are stored (time, height, width), against the standard.
        threads: that compute and compress; as many as there are processors, at most 8, unless given.
        chunks: of new movies, as (frames, rows, columns).
        compression: of new values: ``fast``, ``small`` or ``none``. What is copied stays as it is.
        verify: read the new values back and compare them with what was computed.
        overwrite: replace an existing `out`.
        archive: ``dandi``: as in `convert`.
        progress: called as ``progress(phase, done, in_all)``.
        registry: the plugins to use, unless the installed ones.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done; nothing is left of
            `out` then.
    """
    how = (threads, chunks, compression, verify, overwrite, archive, progress, registry)
    path, out = named(path), named(out)
    into_folder = archive is not None and not out.name.endswith(".nwb")
    asked = Asked(steps, options, series, light, rows_first, *how)
    (result,) = _processed(asked, [path], out, into_folder=into_folder)
    return result


def process_series(
    paths: Sequence[Path | str], folder: Path | str, steps: str | Sequence[str], **arguments: Any
) -> tuple[Result, ...]:
    """Run steps of processing on several NWB files whose movies follow each other in time, as one series.

    A step that can works on all of them at once, any other on each by itself. Each file becomes a new one of its own
    name in `folder`, which is made if need be; where anything goes wrong, none does.

    Args:
        paths: NWB files in HDF5, in the order of the series.
        folder: where the new files go; with ``archive="dandi"`` the folder of a dandiset, which names them.
        steps: as for `process`; one of them at least works on several movies at once.
        arguments: those of `process`; ``series`` names the element of that name in each file.

    Raises:
        NwbridgeError: as for `process`; nothing is left of any of the files then.
    """
    if isinstance(paths, Path | str) or not paths:
        raise BadOption(f"the files of a series are {paths!r}; expected a list of paths")
    folder = named(folder)
    check_folder(folder)
    return _processed(Asked(steps, **arguments), [named(path) for path in paths], folder, into_folder=True)


@dataclass(frozen=True)
class _Plan:
    """What will be written of what, known once the files have been looked into: an entry for each of them."""

    paths: Sequence[Path]
    sessions: Sequence[Session]
    picked: Sequence[tuple[Element, ...]]  # what of each file belongs to the series
    outs: Sequence[Path]
    root: Path | None  # the folder below which `outs` are named, and are to have folders
    script: str


def _processed(asked: Asked, paths: Sequence[Path], out: Path, *, into_folder: bool) -> tuple[Result, ...]:
    """Process files as one series: each becomes a file in the folder `out`, or the only one that file."""
    clock = Clock()
    registry, progress = asked.registry or installed(), asked.progress or silent
    chosen = choose(asked.steps, asked.options or {}, registry)
    plan = _planned(asked, chosen, registry, paths, out, into_folder=into_folder)
    how = How(threads_for(asked.threads), asked.compression, asked.chunks, progress, clock)
    clock.lap("describe")
    with ExitStack() as stack:
        fingerprints = stack.enter_context(watched(paths))
        for one in plan.outs:
            stack.enter_context(folder_for(one, plan.root, overwrite=asked.overwrite))
        parts = stack.enter_context(part_files(plan.outs, overwrite=asked.overwrite))
        files = [_begun(plan, number, part, chosen, asked) for number, part in enumerate(parts)]
        clock.lap("copy")
        chain.run(chosen, _members(files, plan.picked, progress), how)
        if asked.verify:
            for file in files:
                _verify(file, how.threads)
            clock.lap("verify")
        for file, found in zip(files, fingerprints(), strict=True):
            _finish(file, found.sha256, registry)
        clock.lap("validate")
        progress("done", 1, 1)
    if asked.archive is not None:
        for file, one in zip(files, plan.outs, strict=True):
            file.checked = gate.check(one, plan.root, file.checked)
        clock.lap("gate")
    clock.total()
    return tuple(_result(file, one, chosen, asked, clock) for file, one in zip(files, plan.outs, strict=True))


def _planned(
    asked: Asked, chosen: Sequence[Chosen], registry: Registry, paths: Sequence[Path], out: Path, *, into_folder: bool
) -> _Plan:
    """Look into the files and refuse what cannot be done, before anything is written."""
    gate.check_archive(asked.archive)
    check_paths(paths, out)
    check_together(chosen, paths)
    if not into_folder:
        refuse_in_place(paths, [out])
        check_target(out, overwrite=asked.overwrite)
    layout_for(asked.compression, asked.chunks)
    for plugin in registry.plugins:
        call(plugin, "loading its NWB namespaces", namespaces.load, plugin.namespaces)
    sessions, picked = [], []
    for path in paths:
        session = read(path, rows_first=asked.rows_first)
        sessions.append(replace(session, elements=tuple(newest_last(session.elements, session.steps))))
        history.refuse_others(path)
        picked.append(pick_members(asked, chosen, sessions[-1], path, alone=len(paths) == 1))
        check_for(asked.archive, session)
    outs = places(paths, sessions, out, chosen, asked.archive) if into_folder else [out]
    refuse_in_place(paths, outs)
    words = script(asked, chosen, paths, outs[0].name if len(outs) == 1 else "OUT")
    return _Plan(paths, sessions, picked, outs, out if into_folder else None, words)


def _begun(plan: _Plan, number: int, part: Path, chosen: Sequence[Chosen], asked: Asked) -> File:
    """Copy a file to its part file, as a file of its own."""
    path, several, tell = plan.paths[number], len(plan.paths) > 1, asked.progress or silent
    tell = about(tell, f"{path.name} ({number + 1} of {len(plan.paths)})") if several else tell
    tell("copying", 0, 1)
    left = acquired_movies(path) if asked.light else {}
    emptied = copy(path, part, {*left.values(), history.PLACE})
    renew(part, made_by(chosen), plan.script)
    identity = made(path)
    identifier = identity.identifier if identity else None
    return File(path, part, plan.sessions[number], identifier, tuple(left), emptied, tell, several)


def _members(files: Sequence[File], picked: Sequence[tuple[Element, ...]], progress: Progress) -> list[Member]:
    """Return the series: what was picked of each file, in order."""
    found = [(file, element) for file, elements in zip(files, picked, strict=True) for element in elements]
    of_one_file = len(files) == 1 < len(found)
    return [
        Member(file, element, n, about(progress, f"{element.name} ({n} of {len(found)})") if of_one_file else file.tell)
        for n, (file, element) in enumerate(found, 1)
    ]


def _verify(file: File, threads: int) -> None:
    """Read back what was written."""
    with file.blamed():
        for written in file.written:
            check(file.part, written, threads, file.tell)


def _finish(file: File, sha256: str, registry: Registry) -> None:
    """Complete the history of a part file with what was read, and validate it."""
    history.record_input(file.part, sha256, len(file.fresh))
    history.describe_modules(file.part, file.fresh)
    file.steps = [replace(step, sha256=sha256) if step.sha256 is None else step for step in file.steps]
    file.tell("validating", 0, 1)
    with file.blamed():
        file.checked = _validated(file.part, file.path, registry)
    file.size = file.part.stat().st_size


def _result(file: File, out: Path, chosen: Sequence[Chosen], asked: Asked, clock: Clock) -> Result:
    worked_on: dict[str, list[str]] = {}
    for step in file.fresh:  # of several movies of a file, each has its own
        worked_on.setdefault(step.name, []).extend(step.made_from)
    return Result(
        path=str(file.path),
        out=str(out),
        source="nwb",
        plugin=", ".join(dict.fromkeys(step.plugin.label for step in chosen)),
        evidence=" → ".join(f"{name} of {', '.join(dict.fromkeys(names))}" for name, names in worked_on.items()),
        session_id=file.session.id,
        elements=summaries(file.results),
        fields=(),
        findings=reworded((*file.findings, *_of_light(file), *file.checked)),
        verified=asked.verify,
        array_bytes=sum(written.nbytes for written in file.written),
        file_bytes=file.size,
        seconds=clock.laps,
        steps=tuple(file.steps),
    )


def _validated(part: Path, path: Path, registry: Registry) -> list[Finding]:
    """Validate; what the file that was read breaks already is a finding, anything else is refused."""
    findings = validate(part, registry=registry)
    if wrong := schema_errors(findings):
        before = {(finding.message, finding.where) for finding in validate(path, registry=registry)}
        if new := [finding for finding in wrong if (finding.message, finding.where) not in before]:
            where = f" ({new[0].where})" if new[0].where else ""
            raise InvalidOutput(f"what was written is not valid NWB: {new[0].message}{where}; nothing was kept")
    return findings


def _of_light(file: File) -> Iterator[Finding]:
    """Say what is not in a light file, and where it is."""
    if file.left:
        text = (
            f"left out: {', '.join(file.left)} (--light); the history names {file.path.name} by identifier and SHA-256"
        )
        yield Finding("hint", text, "keep that file as well", check="process")
    if file.emptied:
        text = f"{', '.join(file.emptied)} stays without its values, because other objects refer to it"
        yield Finding("hint", text, "nothing; the inspector warns of empty data there", check="process")
