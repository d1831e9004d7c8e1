"""`nwbridge batch`: every recording below a folder becomes a file of a dandiset's folder."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbridge.cli import reading
from nwbridge.cli.exits import DONE, FINDINGS, INTERRUPTED
from nwbridge.cli.lanes import lanes
from nwbridge.cli.printing import quoted, size

if TYPE_CHECKING:
    from nwbridge.batch.told import BatchResult

HELP = "convert every recording below a folder, in parallel; go on where an earlier run ended"
EXITS = """\
exit codes: 0 every recording has its file, at most with warnings; 1 some failed, or have findings that are errors;
2 refused as a whole: one line says why, nothing was converted; 130 interrupted: the same command goes on."""
FEW = 5  # names that stand for many
MOST = 10  # kinds of warning
INSPECTOR = "inspector "  # begins the name of each of its checks
OVERWRITE = "say --overwrite"  # where that mends it, and the same command again does not


def add(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument("root", metavar="ROOT", help="the folder that holds the recordings")
    parser.add_argument("out", metavar="OUT", help="the folder for the NWB files, laid out as DANDI wants them")
    reading.add_shared(parser)
    parser.add_argument(
        "--pattern",
        metavar="P",
        action="append",
        default=[],
        help="how paths name animal and session: --pattern '{subject_id}/{session_id}'",
    )
    parser.add_argument(
        "--process",
        metavar="STEP[,STEP]",
        help="run steps of processing on every NWB file below ROOT instead; their options are flags (docs/batch.md)",
    )
    parser.add_argument("--series", metavar="NAME", help="with --process: what the first step works on")
    parser.add_argument("--light", action="store_true", help="with --process: leave out the acquired movies")
    parser.add_argument("--rows-first", action="store_true", help="with --process: frames are (height, width)")
    parser.add_argument("--source", metavar="NAME", help="take only recordings of this source")
    parser.add_argument("--workers", metavar="N", type=int, help="processes (as many as processors, at most 8)")
    parser.add_argument("--threads", metavar="N", type=int, help="threads of each (the processors shared out)")
    parser.add_argument(
        "--dask", metavar="ADDRESS", nargs="?", const="", help="use a Dask cluster; without ADDRESS one of this machine"
    )
    parser.add_argument("--for", dest="archive", metavar="ARCHIVE", help="dandi: refuse what DANDI would refuse")
    parser.add_argument(
        "--no-verify", dest="verify", action="store_false", help="do not read the files back and compare"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that were written from something else")
    parser.add_argument("--no-report", dest="report", action="store_false", help="make no page of pictures at the end")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.epilog = EXITS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(arguments: argparse.Namespace) -> int:
    """Convert everything and print what became of it."""
    from nwbridge.batch.run import convert_all

    try:
        with _interruptible(), lanes(shown=not (arguments.quiet or arguments.json)) as tell:
            result = convert_all(
                arguments.root,
                arguments.out,
                **reading.arguments_of(arguments),
                process=arguments.process,
                series=arguments.series,
                light=arguments.light,
                rows_first=arguments.rows_first,
                workers=arguments.workers,
                dask=arguments.dask,
                archive=arguments.archive,
                verify=arguments.verify,
                overwrite=arguments.overwrite,
                report=arguments.report,
                dry_run=arguments.dry_run,
                tell=tell,
            )
    except KeyboardInterrupt:
        print(
            "\nnwbridge: interrupted; what is finished stays, and the same command goes on from here", file=sys.stderr
        )
        return INTERRUPTED
    if arguments.json:
        print(json.dumps(result.as_json(), default=str))
    elif arguments.dry_run:
        _print_plan(result)
    else:
        _print_result(result)
    return DONE if result.ok else FINDINGS


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a batch system's SIGTERM, or a closed terminal, do what Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.signal(name, interrupt) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def _print_plan(result: BatchResult) -> None:
    planned = [line for line in result.lines if line["status"] == "planned"]
    thing, done = ("NWB files", "processed") if result.processed else ("recordings", "converted")
    for line in planned:
        print(f"{line['job']} → {line['out']} ({line['source']}, {size(line['bytes'])})")
    _print_alike(f"cannot be {done}", [(line["message"], line["job"]) for line in result.failed])
    _print_alike("refused", [(line["lacks"], line["job"]) for line in planned if line["lacks"]])
    missing = Counter(key for line in result.lines for key in line.get("missing", ()))
    for key, count in missing.items():
        print(f"nobody says {key.split(' (')[0]} of {count} recording{'' if count == 1 else 's'}")
    _print_beside(result)
    count = sum(not line["lacks"] for line in planned)
    print(f"{count} of {len(result.lines)} {thing} can be {done}; nothing was written")


def _print_result(result: BatchResult) -> None:
    written = [line for line in result.lines if line["status"] == "written"]
    _print_alike("failed", [(line["message"], line["job"]) for line in result.failed])
    _print_errors(written)
    _print_warnings(written)
    _print_beside(result)
    new = len(written) - len(result.finished)
    before = f", {len(result.finished)} finished before" if result.finished else ""
    values, files = (sum(line[key] for line in written) for key in ("array_bytes", "file_bytes"))
    plural = "" if len(result.lines) == 1 else "s"
    thing = "NWB file" if result.processed else "recording"
    print(f"{len(result.lines)} {thing}{plural}: {new} written{before}, {len(result.failed)} failed")
    if written:
        print(f"{size(files)} of NWB for {size(values)} of values{_verified(written)}")
    if any(OVERWRITE not in line["message"] for line in result.failed):
        print("mend what failed, then give the same command again: what is finished is not done again")
    print(f"results: {quoted(Path(result.results or ''))}")
    if result.report:
        print(f"report: {quoted(Path(result.report))}")


def _print_errors(written: Sequence[dict[str, Any]]) -> None:
    """Print each error that written files have, once for all that have it."""
    having = _having(written, "error", lambda finding: (finding["message"], finding["advice"] or ""))
    for (message, advice), jobs in having.items():
        print(f"written, but with an error: {message} ({_few(jobs)})")
        if advice:
            print(f"      → {advice}")
    if having and any(line.get("steps") for line in written):
        print("      → mend it in the files that were processed, then give the same command with --overwrite")
    elif having:
        print("      → then give the same command with --overwrite: files made from other metadata are written again")


def _print_warnings(written: Sequence[dict[str, Any]]) -> None:
    """Print the warnings of written files, each kind once: what sources say before what the NWB inspector says."""

    first: dict[str, str] = {}  # what each check of the inspector's says of the first file

    def kind(finding: Mapping[str, Any]) -> tuple[str, str]:
        message, check = str(finding["message"]), str(finding["check"])
        return (check, first.setdefault(check, message)) if check.startswith(INSPECTOR) else ("", message)

    having = sorted(_having(written, "warning", kind).items(), key=lambda pair: pair[0][0] != "")
    for (inspector, message), jobs in having[:MOST]:
        print(f"warning: {'NWB inspector: ' if inspector else ''}{message} ({_few(jobs)})")
    if len(having) > MOST:
        print(f"warning: {len(having) - MOST} more kinds, each with its files in the report")


def _having(
    written: Sequence[dict[str, Any]], severity: str, key: Callable[[Mapping[str, Any]], tuple[str, str]]
) -> dict[tuple[str, str], list[str]]:
    """Return the jobs that have each kind of finding, of one severity."""
    having: dict[tuple[str, str], list[str]] = {}
    for line in written:
        kinds = dict.fromkeys(key(finding) for finding in line["findings"] if finding["severity"] == severity)
        for kind in kinds:
            having.setdefault(kind, []).append(line["job"])
    return having


def _print_alike(what: str, said: Sequence[tuple[str, str]]) -> None:
    """Print each message once, with the jobs that it is said of."""
    jobs: dict[str, list[str]] = {}
    for message, job in said:
        jobs.setdefault(message, []).append(job)
    for message, names in jobs.items():
        print(f"{what}: {_few(names)}: {message}")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def _verified(written: Sequence[dict[str, Any]]) -> str:
    if all(line["verified"] for line in written):
        new = any(line.get("steps") for line in written)
        return "; every new value was read back" if new else "; every value was read back and equals the source's"
    return "; not all verified"


def _print_beside(result: BatchResult) -> None:
    for note in result.notes:
        print(note)
    for names, text in (
        (result.unknown, "in no recording"),
        (result.beside, "beside a recording that failed, and looked at again when that is mended"),
        (result.nwb, "NWB already (--source nwb takes them)"),
        (result.links, "links that lead out of ROOT, nowhere, or to what is found anyway; not followed"),
    ):
        if names:
            print(f"{text}: {_few(names)}")
