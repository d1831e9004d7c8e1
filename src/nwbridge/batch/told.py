"""What a batch says of its recordings: a line of plain values each, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nwbridge.batch.find import Search
from nwbridge.batch.plan import Job, job_id

Line = dict[str, Any]


@dataclass(frozen=True)
class BatchResult:
    """What became of every recording below a folder."""

    root: str
    out: str
    lines: tuple[Line, ...]  # the last word on each recording, as in results.jsonl; or `planned`
    finished: tuple[str, ...]  # jobs that an earlier run had finished
    unknown: tuple[str, ...]  # files that belong to no recording
    beside: tuple[str, ...]  # files that may be part of a recording that failed
    nwb: tuple[str, ...]  # files that are NWB already
    links: tuple[str, ...]  # links that were not followed
    results: str | None = None
    report: str | None = None
    notes: tuple[str, ...] = ()  # doubts about what the lab says of them all, and what is left out
    processed: tuple[str, ...] = ()  # the steps that were run, where NWB files were processed

    @property
    def failed(self) -> tuple[Line, ...]:
        """The lines of the recordings that have no file."""
        return tuple(line for line in self.lines if line["status"] == "failed")

    @property
    def ok(self) -> bool:
        """Whether every recording has its file and no finding is an error; of a dry run, whether it could."""
        return not self.failed and all(line.get("ok", True) and not line.get("lacks") for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "ok": self.ok}


def failed(job: Job, values: Mapping[str, Any]) -> Line:
    """Return the line of a job that has no file."""
    known = ("path", "source", "plugin", "evidence", "session_id", "out")
    return {"job": job.id, "status": "failed", **{key: job.one[key] for key in known}, **values, "request": job.request}


def failures(search: Search) -> list[Line]:
    """Return a line for each recording that could not be described."""
    return [
        {
            "job": job_id(one["path"], one["name"], search.steps),
            "status": "failed",
            **{k: v for k, v in one.items() if k != "name"},
        }
        for one in search.failed
    ]


def planned(job: Job) -> Line:
    """Return the line of a job in a dry run."""
    known = ("path", "source", "plugin", "evidence", "session_id", "subject_id", "out", "missing", "lacks")
    return {"job": job.id, "status": "planned", **{key: job.one[key] for key in known}, "bytes": job.size}


def result(
    search: Search,
    out: Path,
    lines: Sequence[Line],
    finished: tuple[str, ...],
    results: str | None = None,
    report: str | None = None,
) -> BatchResult:
    """Return everything together."""
    return BatchResult(
        str(search.root),
        str(out),
        tuple(sorted(lines, key=lambda line: line["job"])),
        finished,
        tuple(sorted(search.unknown)),
        tuple(sorted(search.beside)),
        tuple(sorted(search.nwb)),
        tuple(sorted(search.links)),
        results,
        report,
        processed=search.steps,
    )
