"""Reports: one HTML page on many recordings, to be looked at, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbridge import processors
from nwbridge.errors import BadOption, CannotWrite
from nwbridge.whole import check_place, publish

if TYPE_CHECKING:
    from nwbridge.processes.pool import Runner

Progress = Callable[[str, int, int], None]  # phase, recordings done, recordings in all


@dataclass(frozen=True)
class Written:
    """What a report is."""

    out: str
    recordings: int
    unread: tuple[str, ...]  # names of files that could not be read
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"out": self.out, "recordings": self.recordings, "unread": list(self.unread), "bytes": self.bytes}


def write(
    inputs: Sequence[Path | str],
    out: Path | str,
    *,
    results: Iterable[Mapping[str, Any]] | None = None,
    root: Path | str | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    check: bool = True,
    made: datetime | None = None,
    progress: Progress | None = None,
    executor: Runner | None = None,
) -> Written:
    """Write one HTML page on recordings.

    Args:
        inputs: NWB files, ours or not, and folders of them; of a folder with a ``results.jsonl``, also what it says.
        out: the page, ending in ``.html``. It gets this name only when it is whole.
        results: lines of a batch's results, of files below `root`; also of recordings that have no file.
        root: the folder that the files of `results` are named from.
        overwrite: replace an existing `out`.
        workers: processes that draw; as many as there are processors, at most 8, unless given.
        check: validate the files that no result speaks of.
        made: when the page was made; now, unless given.
        progress: called as ``progress("drawing", recordings_done, recordings_in_all)``.
        executor: what draws, as a batch's processes that run already; processes of the report's own, unless given.

    Raises:
        NwbridgeError: one of its kinds, with one line of what was found, expected and to be done.
    """
    from nwbridge.report.entries import entries
    from nwbridge.report.work import draw_all

    out = Path(out)
    _check_target(out, overwrite=overwrite)
    if workers is not None and workers < 1:
        raise BadOption(f"--workers {workers}: expected at least 1")
    found = entries([Path(path) for path in inputs], results, None if root is None else Path(root))
    if not found and results is None:
        raise BadOption("no recording was named: expected NWB files, or folders of them")
    count, tell = workers or processors.few(), progress or (lambda *_: None)
    drawn = draw_all(found, count, check=check, progress=tell, executor=executor)
    from nwbridge.report.page import page  # loads what the processes have loaded meanwhile

    text = page(found, drawn, made or datetime.now(UTC)).encode("utf-8", "replace")
    publish(text, out, overwrite=overwrite)
    unread = tuple(entry.name for entry, one in zip(found, drawn, strict=True) if one is not None and one.trouble)
    return Written(str(out), len(found), unread, len(text))


def _check_target(out: Path, *, overwrite: bool) -> None:
    """Raise CannotWrite unless the page can be written as it was asked for."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise CannotWrite(f"{out} should end in .html")
    check_place(out, overwrite=overwrite)
