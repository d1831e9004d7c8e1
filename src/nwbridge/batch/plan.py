"""From recordings to jobs: a name for each, none for two, and what an earlier run has already done."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nwbridge import metadata
from nwbridge.batch.journal import Journal
from nwbridge.errors import BadMetadata, BadOption
from nwbridge.nwb.made import made, made_since


@dataclass(frozen=True)
class Job:
    """One recording and the file that it becomes."""

    id: str  # its path, and ::NAME where the path holds several
    one: Mapping[str, Any]  # what `work.describe` said
    request: Mapping[str, str]

    @property
    def out(self) -> str:
        """Where the file goes, relative to the batch's folder."""
        return str(self.one["out"])

    @property
    def size(self) -> int:
        """Bytes of the source files."""
        return sum(size for _, size, _ in self.one["files"])

    def task(self, threads: int, since: str, *, overwrite: bool) -> dict[str, Any]:
        """Return what a worker needs."""
        keys = ("path", "name", "source", "options", "metadata", "out")
        more = {"do": "convert", "job": self.id, "threads": threads, "since": since, "overwrite": overwrite}
        return {key: self.one[key] for key in keys} | more


def job_id(path: str, name: str | None) -> str:
    """Return what a recording is called in results."""
    return path + (f"::{name}" if name else "")


def request(one: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, str]:
    """Return what a result depends on, as digests by what they are of: equal where nothing has to be done again."""
    how = [one["source"], one["options"], one["name"]]
    how += [shared[key] for key in ("first", "chunks", "compression", "archive")]
    files = [[Path(file).name, *state] for file, *state in one["files"]]
    versions = ", ".join(" ".join(pair) for pair in one["made_by"])
    return {
        "metadata": _digest(one["metadata"]),
        "options": _digest(how),
        "files": _digest(files),
        "versions": versions,
    }


def _digest(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def jobs(recordings: Iterable[Mapping[str, Any]], shared: Mapping[str, Any]) -> list[Job]:
    """Return a job for each recording; BadOption where two would get one name."""
    made_ = [Job(job_id(one["path"], one["name"]), one, request(one, shared)) for one in recordings]
    made_.sort(key=lambda job: job.id)
    places: dict[str, list[Job]] = {}
    for job in made_:
        place = unicodedata.normalize("NFC", job.out).casefold()  # not every disk tells them apart
        places.setdefault(place, []).append(job)
    if alike := [several for several in places.values() if len(several) > 1]:
        one, other, *rest = alike[0]
        more = f" (and {len(rest)} more)" if rest else ""
        others = f"; {len(alike) - 1} more names are given twice" if len(alike) > 1 else ""
        raise BadOption(
            f"{one.id} and {other.id}{more} would both become {other.out}: give them a session_id each, in a table of "
            f"sessions (--metadata sessions.csv) or from their paths (--pattern '{{session_id}}'){others}"
        )
    return made_


def refuse_unmatched(content: metadata.Metadata, search: Any, found: Sequence[Job]) -> None:
    """Raise BadMetadata for what the lab says of recordings that are not there."""
    paths: list[str | Path | tuple[str | Path, str | None]] = []
    for path, name in [(job.one["path"], job.one["name"]) for job in found] + [
        (one["path"], one["name"]) for one in search.failed
    ]:
        paths.append((search.root.name if path == "." else path, name))
    above = search.root.parent if any(path == "." for path in [job.one["path"] for job in found]) else search.root
    if lines := metadata.unmatched(content, paths, above):
        more = f"; and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise BadMetadata(f"{lines[0]}{more}")


def decide(job: Job, journal: Journal, folder: Path, *, verify: bool, overwrite: bool) -> str:
    """Return what to do: `write`, `replace`, `finished`, or why the file that is there is in the way."""
    out = folder / job.out
    if not out.exists():
        return "write"
    written = journal.written.get(job.id)
    if written is not None and _is_same(out, written):
        if written.get("request") == job.request:
            return "finished" if written.get("verified") or not verify else "replace"
        return "replace" if overwrite else _changed(job, written)
    started = journal.started.get(job.id)
    if overwrite or (started is not None and made_since(out, datetime.fromisoformat(started["since"]))):
        return "replace"
    if written is not None:
        return f"its file was changed after it was written ({job.out}): move it away, or say --overwrite"
    return f"its file exists already and is not of this batch ({job.out}): move it away, or say --overwrite"


def begun(job: Job, journal: Journal, folder: Path, what: str) -> str:
    """Return since when a file of the job's is ours: an earlier run's, where that run left one without a word."""
    started = journal.started.get(job.id)
    if what == "replace" and started and made_since(folder / job.out, datetime.fromisoformat(started["since"])):
        return str(started["since"])
    return datetime.now(UTC).isoformat()


def _is_same(out: Path, line: Mapping[str, Any]) -> bool:
    """Whether a file is the one that a line tells of."""
    stat = out.stat()
    if line.get("out") is None or stat.st_size != line.get("file_bytes"):
        return False
    if stat.st_mtime_ns == line.get("mtime_ns"):
        return True
    found = made(out)  # copied, perhaps
    return found is not None and found.identifier == line.get("identifier")


def _changed(job: Job, line: Mapping[str, Any]) -> str:
    before = line.get("request") or {}
    words = {"metadata": "other metadata", "options": "other options", "files": "source files that have changed since"}
    found = [text for key, text in words.items() if before.get(key) != job.request[key]]
    if before.get("versions") != job.request["versions"]:
        found.append(f"other versions ({before.get('versions')})")
    return f"its file was written from {' and '.join(found)}: say --overwrite to write it again"
