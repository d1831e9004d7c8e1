"""From recordings to jobs: a name for each, none for two, and what an earlier run has already done."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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
        do = "process" if "steps" in self.request else "convert"
        more = {"do": do, "job": self.id, "threads": threads, "since": since, "overwrite": overwrite}
        return {key: self.one[key] for key in keys} | more


def job_id(path: str, name: str | None, steps: Sequence[str] = ()) -> str:
    """Return what a recording is called in results, and what is made of a file by steps of processing."""
    return path + (f"::{name}" if name else "") + (f" ({'+'.join(steps)})" if steps else "")


def request(one: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, str]:
    """Return what a result depends on, as digests by what they are of: equal where nothing has to be done again."""
    how = [one["source"], one["options"], one["name"]]
    how += [shared[key] for key in ("first", "chunks", "compression")]
    files = [[Path(file).name, *state] for file, *state in one["files"]]
    versions = ", ".join(" ".join(pair) for pair in one["made_by"])
    steps = ",".join(shared["steps"])
    how += [shared[key] for key in ("series", "light", "rows_first")] if steps else []
    return {
        "metadata": _digest(one["said"]),
        "options": _digest(how),
        "files": _digest(files),
        "versions": versions,
        **({"steps": steps} if steps else {}),
    }


def _digest(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def jobs(recordings: Iterable[Mapping[str, Any]], shared: Mapping[str, Any]) -> list[Job]:
    """Return a job for each recording; BadOption where two would get one name."""
    made_ = [Job(name, one, request(one, shared)) for name, one in _named(list(recordings), shared["steps"])]
    made_.sort(key=lambda job: job.id)
    places: dict[str, list[Job]] = {}
    for job in made_:
        place = unicodedata.normalize("NFC", job.out).casefold()  # not every disk tells them apart
        places.setdefault(place, []).append(job)
    if alike := [several for several in places.values() if len(several) > 1]:
        one, other, *rest = alike[0]
        more = f" (and {len(rest)} more)" if rest else ""
        others = f"; {len(alike) - 1} more names are given twice" if len(alike) > 1 else ""
        pattern = f" or from their paths (--pattern '{level}')" if (level := _level(alike[0])) else ""
        raise BadOption(
            f"{one.id} and {other.id}{more} would both become {other.out}: give them a session_id each, in a table of "
            f"sessions (--metadata sessions.csv){pattern}{others}"
        )
    return made_


def _level(several: Sequence[Job]) -> str:
    """Return a pattern that reads different sessions from the paths of some jobs, or "" where none would."""
    parts = [Path(job.one["path"]).with_suffix("").parts[::-1] for job in several]
    for depth in range(min(map(len, parts))):
        if len({one[depth].casefold() for one in parts}) == len(parts):
            return "{session_id}" + "/*" * depth
    return ""


def _named(recordings: Sequence[Mapping[str, Any]], steps: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the recordings, each with a name of its own: with the steps, and of several in a folder the sources."""
    names = [job_id(one["path"], one["name"], steps) for one in recordings]
    again = Counter(names)
    names = [f"{n} ({one['source']})" if again[n] > 1 else n for n, one in zip(names, recordings, strict=True)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BadOption(f"two recordings would both be called {twice[0]} in the results: rename one of them")
    return list(zip(names, recordings, strict=True))


def refuse_unmatched(content: metadata.Metadata, search: Any, found: Sequence[Job]) -> tuple[str, ...]:
    """Raise BadMetadata for what the lab says of recordings that are not there; return doubts about the rest."""
    paths: list[str | Path | tuple[str | Path, str | None]] = []
    for path, name in [(job.one["path"], job.one["name"]) for job in found] + [
        (one["path"], one["name"]) for one in search.failed
    ]:
        paths.append((search.root.name if path == "." else path, name))
    above = search.root.parent if any(path == "." for path in [job.one["path"] for job in found]) else search.root
    if lines := metadata.unmatched(content, paths, above):
        more = f"; and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise BadMetadata(f"{lines[0]}{more}")
    animals = [job.one.get("subject_id") or job.one["session_id"] for job in found]
    return tuple(metadata.doubts(content, paths, above, animals))


def decide(job: Job, journal: Journal, folder: Path, *, verify: bool, overwrite: bool) -> str:
    """Return what to do: `write`, `replace`, `finished`, or why the file that is there is in the way."""
    out = folder / job.out
    if not overwrite and (before := _other_name(job, journal, folder)):
        return f"it was written as {before}, when the metadata named it so: say --overwrite to replace that file"
    if not out.exists():
        return "write"
    written = journal.written.get((job.id, job.out))
    if written is not None and _is_same(out, written):
        if written.get("request") == job.request:
            return "finished" if written.get("verified") or not verify else "replace"
        return "replace" if overwrite else _changed(job, written)
    if overwrite or _left(job, journal, out):
        return "replace"
    if written is not None:
        return f"its file was changed after it was written ({job.out}): move it away, or say --overwrite"
    return f"its file exists already and is not of this batch ({job.out}): move it away, or say --overwrite"


def begun(job: Job, journal: Journal, folder: Path, what: str) -> str:
    """Return since when a file of the job's is ours: an earlier run's, where that run left one without a word."""
    since = _left(job, journal, folder / job.out) if what == "replace" else None
    return since or datetime.now(UTC).isoformat()


def _other_name(job: Job, journal: Journal, folder: Path) -> str | None:
    """Return another name under which the same recording is there already, since nobody wants it twice."""
    for name in sorted(journal.files.get(job.id, set()) - {job.out}):
        line = journal.written[job.id, name]
        same = (line.get("request") or {}).get("files") == job.request["files"]  # or of another folder, of like paths
        if same and (folder / name).exists() and _is_same(folder / name, line):
            return name
    return None


def remove_other_names(job: Job, journal: Journal, folder: Path) -> None:
    """Remove what a job wrote under another name, once it has written the file that takes its place."""
    while before := _other_name(job, journal, folder):
        (folder / before).unlink()
        with suppress(OSError):  # other sessions of the animal are there
            (folder / before).parent.rmdir()


def _left(job: Job, journal: Journal, out: Path) -> str | None:
    """Return since when a file is ours that a run which was killed left without a word, or None where it is not ours.

    Once the run has said that it wrote the file, that is told of; what came after it failed is of somebody else.
    """
    key, never = (job.id, job.out), {"time": datetime.min.replace(tzinfo=UTC).isoformat()}
    started = journal.started.get(key)
    if started is None:
        return None
    try:
        since, begun_ = (datetime.fromisoformat(started[key]) for key in ("since", "time"))
        written, failed = (
            datetime.fromisoformat(lines.get(key, never)["time"]) for lines in (journal.written, journal.failed)
        )
        told = written >= begun_ or (failed >= begun_ and made_since(out, failed))
        return str(started["since"]) if made_since(out, since) and not told else None
    except (KeyError, TypeError, ValueError):  # somebody has edited the results
        return None


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
