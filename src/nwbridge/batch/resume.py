"""What earlier runs have left to do: jobs that wait, files that are finished, and failures that are history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nwbridge import processors
from nwbridge.batch.find import Search
from nwbridge.batch.journal import Journal
from nwbridge.batch.plan import Job, begun, decide
from nwbridge.batch.told import Line, failed, failures


@dataclass
class Left:
    """What is to be done, and the last word on what is not."""

    lines: dict[str, Line]
    finished: list[str] = field(default_factory=list)
    waiting: list[tuple[Job, str]] = field(default_factory=list)
    unchecked: list[Job] = field(default_factory=list)  # finished, and the archive was not asked of them

    def tasks(self, journal: Journal, shared: Mapping[str, Any], size: int) -> list[tuple[Job, dict[str, Any]]]:
        """Return what `size` workers have to do, the long ones first, so that none is left over at the end."""
        self.waiting.sort(key=lambda pair: -pair[0].size)
        threads = shared["threads"] or max(1, processors.usable() // max(1, min(size, len(self.waiting))))
        convert = [
            (job, job.task(threads, begun(job, journal, journal.path.parent, what), overwrite=what == "replace"))
            for job, what in self.waiting
        ]
        check = [
            {"do": "check", "job": job.id, "out": job.out, "findings": self.lines[job.id]["findings"]}
            for job in self.unchecked
        ]
        return [*convert, *zip(self.unchecked, check, strict=True)]


def left(search: Search, found: Sequence[Job], journal: Journal, shared: Mapping[str, Any], *, overwrite: bool) -> Left:
    """Return what is left to do; the journal's last word on each recording is true again."""
    told = Left({line["job"]: journal.append(line) for line in failures(search)})
    _forget(search, {*told.lines, *(job.id for job in found)}, journal)
    for job in found:
        what = decide(job, journal, journal.path.parent, verify=shared["verify"], overwrite=overwrite)
        written = journal.written.get((job.id, job.out))
        if what == "finished" and written is not None:
            again = journal.last[job.id]["status"] != "written"  # it has failed since, and is as before
            told.lines[job.id] = journal.append(written) if again else written
            told.finished.append(job.id)
            told.unchecked += [job] if shared["archive"] not in (None, written.get("archive")) else []
        elif what in ("write", "replace"):
            told.waiting.append((job, what))
        else:
            told.lines[job.id] = _in_the_way(job, what, journal)
    return told


def _in_the_way(job: Job, why: str, journal: Journal) -> Line:
    """Return a line of the job, which goes to the journal only where that has no line of a file that is there."""
    line = failed(job, {"error": "CannotWrite", "message": why})
    if any((journal.path.parent / name).exists() for name in journal.files.get(job.id, ())):
        return line | {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    return journal.append(line)


def _forget(search: Search, known: set[str], journal: Journal) -> None:
    """Say of recordings that failed once, and are not below this root any more, that they are gone."""
    for job, line in list(journal.last.items()):
        path = search.root / str(line.get("path"))
        ours = line.get("root") == str(search.root) and (search.source is None or not path.exists())
        if line["status"] == "failed" and ours and job not in known:
            journal.append({"job": job, "status": "gone", "path": line["path"]})
