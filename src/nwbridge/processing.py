"""The one path from an NWB file to an NWB file: copy, pick, run, add, fill, verify, validate, rename."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nwbridge.arrays.watched import watched
from nwbridge.choosing import Chosen, check_for, choose, made_by, pick, pick_first, place_of
from nwbridge.dandi import gate
from nwbridge.description import named, refuse_unwritable
from nwbridge.draft import layout_for, named_after, threads_for
from nwbridge.errors import BadOption, BadSource, InvalidOutput, PluginFault
from nwbridge.landing import Clock, folder_for, same_file, silent
from nwbridge.model import Element, Finding, Session, Step
from nwbridge.model.session import SOURCES
from nwbridge.model.steps import STEPS
from nwbridge.nwb import namespaces
from nwbridge.nwb import steps as history
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.copying import acquired_movies, copy, names_in, renew
from nwbridge.nwb.endings import ZARR
from nwbridge.nwb.extend import extend
from nwbridge.nwb.made import made
from nwbridge.nwb.read import read
from nwbridge.nwb.source import detect
from nwbridge.nwb.write import Progress, Written, check, check_target, part_file
from nwbridge.outcomes import made_names, newest_last, origins, renamed, sorted_out, with_origin
from nwbridge.plugins import Registry, call, installed
from nwbridge.results import Result, reworded, summaries
from nwbridge.running import running
from nwbridge.validation import schema_errors, validate
from nwbridge.version import __version__


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
        series: name of the element that the first step works on, where several would do.
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
    clock = Clock()
    path, out = named(path), named(out)
    progress = progress or silent
    registry = registry or installed()
    chosen = choose(steps, options or {}, registry)
    gate.check_archive(archive)
    _check_paths(path, out)
    into_folder = archive is not None and not out.name.endswith(".nwb")
    if not into_folder:
        _refuse_in_place(path, out)
        check_target(out, overwrite=overwrite)
    layout_for(compression, chunks)
    count = threads_for(threads)
    for plugin in registry.plugins:
        call(plugin, "loading its NWB namespaces", namespaces.load, plugin.namespaces)
    session = read(path, rows_first=rows_first)
    session = replace(session, elements=tuple(newest_last(session.elements, session.steps)))
    history.refuse_others(path)
    first = pick_first(session, chosen[0].processor, path, series)
    check_for(archive, session)
    root, out = (out, out / place_of(session, chosen)) if into_folder else (None, out)
    _refuse_in_place(path, out)
    script = _script(path, out, chosen, options or {}, series, light=light, rows_first=rows_first)
    clock.lap("describe")
    with ExitStack() as stack:
        fingerprints = stack.enter_context(watched([path]))
        stack.enter_context(folder_for(out, root, overwrite=overwrite))
        part = stack.enter_context(part_file(out, overwrite=overwrite))
        progress("copying", 0, 1)
        left = acquired_movies(path) if light else {}
        emptied = copy(path, part, {*left.values(), history.PLACE})
        renew(part, made_by(chosen), script)
        clock.lap("copy")
        run = _Run(path, part, session, tuple(left), count, compression, chunks, progress, clock)
        for number, step in enumerate(chosen):
            element = first if number == 0 else pick(run.last, step.processor, path, None, chosen[number - 1])
            run.do(step, element, last=number == len(chosen) - 1)
        if verify:
            for written in run.written:
                check(part, written, count, progress)
            clock.lap("verify")
        (found,) = fingerprints()
        history.record_input(part, found.sha256, len(chosen))
        history.describe_modules(part, run.steps[-len(chosen) :])
        progress("validating", 0, 1)
        findings = _validated(part, path, registry)
        clock.lap("validate")
        size = part.stat().st_size
        progress("done", 1, 1)
    if archive is not None:
        findings = gate.check(out, root, findings)
        clock.lap("gate")
    clock.total()
    return Result(
        path=str(path),
        out=str(out),
        source="nwb",
        plugin=", ".join(dict.fromkeys(step.plugin.label for step in chosen)),
        evidence=" → ".join(f"{s.name} of {', '.join(s.made_from)}" for s in run.steps[-len(chosen) :]),
        session_id=session.id,
        elements=summaries(run.results),
        fields=(),
        findings=reworded((*run.findings, *_of_light(left, emptied, path), *findings)),
        verified=verify,
        array_bytes=sum(written.nbytes for written in run.written),
        file_bytes=size,
        seconds=clock.laps,
        steps=tuple(replace(s, sha256=found.sha256) if s.sha256 is None else s for s in run.steps),
    )


class _Run:
    """The steps of one run on one part file: what grows is kept here."""

    def __init__(
        self,
        path: Path,
        part: Path,
        session: Session,
        left: tuple[str, ...],
        threads: int,
        compression: Compression,
        chunks: tuple[int, int, int] | None,
        progress: Progress,
        clock: Clock,
    ) -> None:
        self._path, self._part, self._left = path, part, left
        self._threads, self._compression, self._chunks = threads, compression, chunks
        self._progress, self._clock = progress, clock
        self._elements = {element.name: element for element in session.elements}
        identity = made(path)
        self._identifier = identity.identifier if identity else None
        self.last: list[Element] = list(session.elements)  # what the next step may work on
        self.results: list[Element] = []
        self.findings: list[Finding] = []
        self.steps: list[Step] = list(session.steps)
        self.written: list[Written] = []

    def do(self, step: Chosen, element: Element, *, last: bool) -> None:
        """Run a step and write what it makes."""
        kinds = (*step.processor.takes, *step.processor.beside)
        beside = [e for e in self._elements.values() if e is not element and isinstance(e, kinds)]
        doing = f"running {step.processor.name}"
        with running(self._progress, self._threads):
            self._progress(doing, 0, 1)
            outcome = _run(step, doing, (element, *beside))
            self._clock.lap(step.processor.name)
            results, findings = sorted_out(outcome, f"{step.plugin.label}: {step.processor.name}")
            taken = names_in(self._part) | {*self._left, SOURCES, STEPS}
            results = [with_origin(result, (element, *beside)) for result in renamed(results, taken, self._elements)]
            for result in results:
                call(step.plugin, doing, refuse_unwritable, result, result.name)
            self.steps.append(self._step(step, element, results))
            new: list[Any] = [*results, history.table_of(self.steps)] if last else list(results)
            layout = layout_for(self._compression, self._chunks)
            with named_after(step.plugin):
                self.written.append(extend(self._part, new, layout, self._threads, self._progress))
            self._clock.lap("write")
        self.findings += [*findings, *layout.findings]
        made_names = {result.name for result in results}
        fresh = {e.name: e for e in newest_last(read(self._part).elements, self.steps) if e.name in made_names}
        self.results += results
        self._elements |= fresh
        self.last = list(fresh.values())

    def _step(self, step: Chosen, element: Element, results: Sequence[Element]) -> Step:
        return Step(
            name=step.processor.name,
            plugin=step.plugin.distribution,
            version=step.plugin.version,
            made_from=origins(results, element, self._elements),
            made=tuple(made_names(results, self._elements)),
            parameters={name: _without_folder(value) for name, value in asdict(step.options).items()},
            host_version=__version__,
            file=self._path.name,
            identifier=self._identifier,
            left_out=self._left,
            time=datetime.now(UTC).replace(microsecond=0),
        )


def _run(step: Chosen, doing: str, elements: tuple[Element, ...]) -> Any:
    """Call the processor; that memory did not suffice is nobody's fault."""
    try:
        return call(step.plugin, doing, step.processor.run, elements, step.options)
    except PluginFault as error:
        if isinstance(error.__cause__, MemoryError):
            raise BadSource(f"there is not enough memory for {doing}: close other programs") from error
        raise


def _check_paths(path: Path, out: Path) -> None:
    if path.name.endswith(ZARR) or out.name.endswith(ZARR):
        raise BadOption("nwbridge process reads and writes HDF5 (.nwb) only: give NWB in HDF5")
    if not path.exists():
        raise BadSource(f"{path} does not exist")
    if path.is_dir():
        raise BadSource(f"{path} is a folder; give one NWB file, or process all with nwbridge batch --process")
    if detect(path) is None:
        raise BadSource(f"{path.name} is no NWB file: turn it into one with nwbridge convert, then process that")


def _refuse_in_place(path: Path, out: Path) -> None:
    if same_file(out, path):
        raise BadOption(f"{out} is the file that is read: choose another name; nothing is changed in place")


def _script(
    path: Path,
    out: Path,
    chosen: Sequence[Chosen],
    options: Mapping[str, Any],
    series: str | None,
    *,
    light: bool,
    rows_first: bool,
) -> str:
    """Return the command without the user's folders."""
    words = ["nwbridge", "process", ",".join(step.processor.name for step in chosen), path.name, out.name]
    words += ["--series", series] if series else []
    words += ["--light"] if light else []
    words += ["--rows-first"] if rows_first else []
    for key, value in options.items():
        of, _, name = key.replace("-", "_").rpartition(".")
        steps = [step for step in chosen if of in ("", step.processor.name.replace("-", "_"))]
        parsed = next(getattr(step.options, name) for step in steps if hasattr(step.options, name))
        words += [f"--{key.replace('_', '-')}", str(_without_folder(parsed if isinstance(parsed, Path) else value))]
    return shlex.join(words)


def _without_folder(value: Any) -> Any:
    """Return a path's name: nobody else has the user's folders."""
    return value.name if isinstance(value, Path) else value


def _validated(part: Path, path: Path, registry: Registry) -> list[Finding]:
    """Validate; what the file that was read breaks already is a finding, anything else is refused."""
    findings = validate(part, registry=registry)
    if wrong := schema_errors(findings):
        before = {(finding.message, finding.where) for finding in validate(path, registry=registry)}
        if new := [finding for finding in wrong if (finding.message, finding.where) not in before]:
            where = f" ({new[0].where})" if new[0].where else ""
            raise InvalidOutput(f"what was written is not valid NWB: {new[0].message}{where}; nothing was kept")
    return findings


def _of_light(left: Mapping[str, str], emptied: Sequence[str], path: Path) -> Iterator[Finding]:
    """Say what is not in a light file, and where it is."""
    if left:
        text = f"left out: {', '.join(left)} (--light); the history names {path.name} by identifier and SHA-256"
        yield Finding("hint", text, "keep that file as well", check="process")
    if emptied:
        text = f"{', '.join(emptied)} stays without its values, because other objects refer to it"
        yield Finding("hint", text, "nothing; the inspector warns of empty data there", check="process")
