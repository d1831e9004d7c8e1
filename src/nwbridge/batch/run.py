"""The one path from a folder of recordings to a folder of files: find, describe, name, convert or process, tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nwbridge import metadata as metadata_
from nwbridge import processors
from nwbridge.batch.find import NWB, Search, start
from nwbridge.batch.journal import Journal
from nwbridge.batch.plan import Job, jobs, refuse_unmatched, remove_other_names
from nwbridge.batch.resume import left
from nwbridge.batch.told import BatchResult, Line, failed, failures, planned, result
from nwbridge.batch.unprocessed import leave_out
from nwbridge.choosing import choose
from nwbridge.dandi import gate
from nwbridge.draft import layout_for, threads_for
from nwbridge.errors import BadOption, NotRecognized
from nwbridge.metadata import Metadata
from nwbridge.options import flags
from nwbridge.plugins import installed
from nwbridge.processes.pool import Event, Executor, Pool
from nwbridge.report import write

REPORT = "report.html"
WORK = "nwbridge.batch.work:perform"
Tell = Callable[[Event], None]


def convert_all(
    root: Path | str,
    out: Path | str,
    *,
    metadata: Metadata | Path | str | None = None,
    source: str | None = None,
    process: str | Sequence[str] | None = None,
    series: str | None = None,
    light: bool = False,
    rows_first: bool = False,
    options: Mapping[str, Any] | None = None,
    workers: int | None = None,
    threads: int | None = None,
    dask: str | None = None,
    archive: str | None = None,
    first: int | None = None,
    chunks: tuple[int, int, int] | None = None,
    compression: str = "fast",
    verify: bool = True,
    overwrite: bool = False,
    report: bool = True,
    dry_run: bool = False,
    tell: Tell | None = None,
) -> BatchResult:
    """Convert every recording below a folder, in processes; what is finished already is not done again.

    With `process`, steps are run on every NWB file below the folder instead.

    Args:
        root: the folder that holds the recordings.
        out: the folder for the files, laid out as DANDI wants them, and for results.jsonl; made if need be.
        metadata: what the lab knows: a file, or its content.
        source: take only recordings of this source.
        process: names of steps, as ``"register,denoise"``: every NWB file is processed, and nothing converted.
        series, light, rows_first: as for `nwbridge.process`.
        options: of sources, by name; each source gets those that it has. Of steps, as for `nwbridge.process`.
        workers: processes; as many as there are recordings and processors, at most 8, unless given.
        threads: of each that compress; the processors shared out among the workers, unless given.
        dask: address of a Dask scheduler whose workers take the place of processes; "" for a cluster of this machine.
        archive: ``dandi``: refuse what DANDI would.
        first, chunks, compression, verify: as for `nwbridge.convert`.
        overwrite: replace files that are in the way, or were written from something else.
        report: make a page of pictures at the end.
        dry_run: only plan; nothing is written, and the lines have the status ``planned``.
        tell: called with everything that happens to a recording.

    Raises:
        NwbridgeError: where the batch as a whole cannot be done; nothing was converted then. What concerns one
            recording stands in its line.
    """
    root, out = Path(os.path.realpath(root)), Path(os.path.abspath(out))  # noqa: PTH100 links keep their names
    _check(root, out, workers, threads, chunks, compression)
    gate.check_archive(archive)
    content = metadata_.load(Path(metadata)) if isinstance(metadata, Path | str) else metadata_.check(metadata or {})
    how = {"series": series, "light": light, "rows_first": rows_first}
    steps, options = _steps(process, options or {}, how, content, source, first)
    shared: dict[str, Any] = {
        "root": str(root),
        "out": str(out),
        "options": dict(options),
        "steps": steps,
        **how,
        "first": first,
        "chunks": list(chunks) if chunks else None,
        "compression": compression,
        "verify": verify,
        "archive": archive,
        "plan": dry_run,
    }
    tell = tell or _silent
    search = start(root, out, installed(), content, NWB if steps else source)
    search.steps = tuple(steps)
    executor = _executor(dask, workers or processors.few())
    try:
        _describe(search, executor, shared | {"metadata": content}, tell)
        left_out = leave_out(search) if steps else []
        found = jobs(search.without_parts(), shared)
        if not found and not search.failed:
            raise NotRecognized("; ".join(left_out) or _nothing(search))
        notes = (*refuse_unmatched(content, search, found), *left_out)
        if dry_run:
            return replace(result(search, out, [*map(planned, found), *failures(search)], ()), notes=notes)
        shared["threads"] = threads or (1 if dask else None)  # what else a Dask worker does, we do not know
        made = _convert(search, found, executor, shared, overwrite=overwrite, report=report, tell=tell)
        return replace(made, notes=notes)
    finally:
        unfinished = executor.running()
        executor.close()
        for task in unfinished:
            if "out" in task:
                _clean(out / task["out"])


def _check(
    root: Path, out: Path, workers: int | None, threads: int | None, chunks: Sequence[int] | None, compression: str
) -> None:
    if workers is not None and workers < 1:
        raise BadOption(f"--workers {workers}: expected at least 1")
    threads_for(threads)
    layout_for(compression, chunks)
    if out.exists() and not out.is_dir():
        raise BadOption(f"{out} is a file: give a folder for the NWB files")
    if out.exists() and root.exists() and out.samefile(root):
        raise BadOption(f"{out} is the folder of the recordings: give another for the NWB files")


def _steps(
    process: str | Sequence[str] | None,
    options: Mapping[str, Any],
    how: Mapping[str, Any],
    content: Metadata,
    source: str | None,
    first: int | None,
) -> tuple[list[str], Mapping[str, Any]]:
    """Return the steps, and their options with paths that workers find; BadOption where these cannot be together."""
    if process is None:
        if given := [f"--{name.replace('_', '-')}" for name, value in how.items() if value]:
            raise BadOption(f"{' and '.join(given)}: goes with --process STEP only")
        return [], options
    chosen = choose(process, options, installed())
    also = {"--source": source not in (None, NWB), "--first": first is not None, "metadata or --set": bool(content)}
    if wrong := [name for name, given in also.items() if given]:
        raise BadOption(f"{' and '.join(wrong)}: goes with conversion, and --process works on what NWB files hold")
    files = {flag.name for step in chosen for flag in flags(step.processor.options) if flag.type is Path}
    return [step.processor.name for step in chosen], {
        name: os.path.abspath(value) if name.rpartition(".")[2] in files else value  # noqa: PTH100
        for name, value in options.items()
    }


def _nothing(search: Search) -> str:
    if search.steps:
        return f"{search.root} holds no NWB file: convert its recordings first, with nwbridge batch ROOT OUT"
    if not search.unknown and not search.nwb and not search.links:
        return f"{search.root} is empty: give the folder that holds the recordings"
    also = f", and {len(search.nwb)} that are NWB already (--source nwb takes them)" if search.nwb else ""
    count = f"{len(search.unknown)} file{'' if len(search.unknown) == 1 else 's'} that no installed source recognizes"
    return f"{search.root} holds no recording, but {count}{also}; nwbridge plugins lists what is installed"


def _executor(dask: str | None, workers: int) -> Executor:
    if dask is None:
        return Pool(workers, WORK)
    from nwbridge.batch.cluster import Cluster

    return Cluster(dask, workers)


def _describe(search: Search, executor: Executor, shared: Mapping[str, Any], tell: Tell) -> None:
    """Have every claim described, and settle what it is worth, until no claim is left."""
    while search.claims:
        groups, search.claims = search.claims, []
        tasks = [
            {"do": "describe", "path": claim.path, "source": claim.source, "evidence": claim.evidence}
            for group in groups
            for claim in group
        ]
        answers: dict[int, Mapping[str, Any]] = {}
        for event in executor.run(tasks, shared):
            tell(event)
            if event.what == "done":
                answers[id(event.task)] = event.values
        waiting = iter(tasks)
        for group in groups:
            search.settle(group, [answers[id(next(waiting))] for _ in group])


def _convert(
    search: Search,
    found: Sequence[Job],
    executor: Executor,
    shared: Mapping[str, Any],
    *,
    overwrite: bool,
    report: bool,
    tell: Tell,
) -> BatchResult:
    out = search.out
    journal = Journal(out, search.root)
    try:
        todo = left(search, found, journal, shared, overwrite=overwrite)
        for line in todo.lines.values():
            if line["status"] == "failed":
                tell(Event("line", {}, line))
        tasks = todo.tasks(journal, shared, executor.size)
        tell(Event("planned", {}, {"jobs": len(tasks), "finished": len(todo.finished) - len(todo.unchecked)}))
        lines = todo.lines | _run(tasks, executor, shared, journal, tell)
        told = [lines[key] for key in sorted(lines)]
        page = _report(told, out, executor, tell) if report else None
        return result(search, out, told, tuple(todo.finished), str(journal.path), page)
    finally:
        journal.close()


def _run(
    waiting: Sequence[tuple[Job, dict[str, Any]]],
    executor: Executor,
    shared: Mapping[str, Any],
    journal: Journal,
    tell: Tell,
) -> dict[str, Line]:
    """Do the jobs, and tell each one's story as it ends."""
    of = {task["job"]: job for job, task in waiting}
    lines: dict[str, Line] = {}
    for event in executor.run([task for _, task in waiting], shared):
        job = of[event.task["job"]]
        tell(event)
        if event.what == "started" and event.task["do"] in ("convert", "process"):
            start_ = {"job": job.id, "status": "started", "path": job.one["path"], "out": job.out}
            journal.append({**start_, "since": event.task["since"], "request": job.request, **event.values})
        elif event.what == "done":
            before = journal.written[job.id, job.out] if event.task["do"] == "check" else {}
            lines[job.id] = journal.append(_line(job, before, event.values, shared))
            if lines[job.id]["status"] == "written":
                remove_other_names(job, journal, journal.path.parent)
            tell(Event("line", event.task, lines[job.id]))
    for job, _ in waiting:
        if lines.get(job.id, {}).get("status") == "failed":
            with suppress(OSError):  # other sessions of the animal are there
                Path(shared["out"], job.out).parent.rmdir()
    return lines


def _line(job: Job, before: Line, values: Mapping[str, Any], shared: Mapping[str, Any]) -> Line:
    """Return what became of a job, of whose file an earlier line said what stands in `before`."""
    out = Path(shared["out"], job.out)
    if "error" in values:
        if values["error"] == "WorkerDied":
            _clean(out)
        return failed(job, values)
    if not out.exists():
        message = f"{shared['out']} is not the same folder for the worker that wrote: give one that both see"
        return failed(job, {"error": "CannotWrite", "message": message})
    return {"job": job.id, "status": "written", **before, **values, "request": job.request}


def _report(lines: Sequence[Line], out: Path, executor: Executor, tell: Tell) -> str | None:
    """Make the page; that it fails does not harm the files."""
    page = out / REPORT
    tell(Event("report", {}, {}))
    try:
        write([], page, results=list(lines), root=out, overwrite=True, executor=executor)
    except Exception as error:  # noqa: BLE001 whatever it is, the files are there
        tell(Event("note", {}, {"message": f"the report was not made: {error}"}))
        return None
    return str(page)


def _clean(out: Path) -> None:
    """Remove what killed processes of this machine left of an output."""
    from nwbridge.nwb.parts import remove_abandoned

    with suppress(OSError):
        remove_abandoned(out)


def _silent(event: Event) -> None:
    """Say nothing."""
