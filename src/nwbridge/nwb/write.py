"""To a file that is whole or absent: a part file beside it, filled, verified, and renamed at the end.

In Zarr the file is a folder; what differs is the backend's matter.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.common import VectorData
from pynwb import NWBFile

from nwbridge.errors import CannotWrite, InvalidOutput, PluginFault
from nwbridge.nwb import backend, namespaces
from nwbridge.nwb.backend import Backend
from nwbridge.nwb.endings import ZARR
from nwbridge.nwb.fill import Advance, Part, fill, verify
from nwbridge.nwb.layout import Layout

Progress = Callable[[str, int, int], None]  # phase, bytes done, bytes in all
_LOCK = "unable to lock file"  # HDF5's words
_HOST = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:20] or "host"
MAX_NAME = 255  # bytes that file systems allow


@dataclass(frozen=True)
class Written:
    """What `write` put into the part file: the hashes that `check` compares with."""

    parts: tuple[Part, ...]
    digests: tuple[list[int], ...]
    exact: tuple[tuple[str, Any], ...]  # data sets that pynwb wrote, and the values they should hold
    backend: Backend

    @property
    def nbytes(self) -> int:
        """Bytes of all values that were filled."""
        return sum(part.array.nbytes for part in self.parts)


def _part_path(out: Path, suffix: str) -> Path:
    """Return a name of this run's own for an output that is not yet whole: `NAME.HOST-PID-TOKEN.part.nwb`."""
    stem = out.name.removesuffix(suffix)
    return out.with_name(f"{stem}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}.part{suffix}")


def remove_abandoned(out: Path) -> None:
    """Remove part files of runs on this machine that were killed, and put back what one of them moved aside."""
    if os.name != "posix":
        return  # elsewhere a process cannot be asked whether it lives
    kind = backend.of(out)
    stem, end = re.escape(out.name.removesuffix(kind.suffix)), re.escape(kind.suffix)
    pattern = re.compile(rf"{stem}\.{re.escape(_HOST)}-(\d+)-[0-9a-f]{{8}}\.(part|old){end}")
    for file in list(out.parent.iterdir()):
        if (match := pattern.fullmatch(file.name)) and not _lives(int(match[1])):
            with suppress(OSError):
                if match[2] == "old" and not os.path.lexists(out):
                    file.rename(out)
                else:
                    kind.remove(file)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def check_target(out: Path, *, overwrite: bool) -> None:
    """Raise CannotWrite unless `out` can be written as it was asked for."""
    try:
        if "\0" in str(out):
            raise CannotWrite(f"{str(out)!r:.80} is no name of a file")
        if out.suffix != ".nwb" and not (out.name.endswith(ZARR) and out.name != ZARR):
            raise CannotWrite(f"{out} should end in .nwb, or in {ZARR} for Zarr")
        kind = backend.of(out)
        kind.refuse(out)
        if os.path.lexists(out) and not overwrite:
            raise _taken(out)
        if not os.path.isdir(out.parent):  # noqa: PTH112
            raise CannotWrite(f"the folder {out.parent} does not exist: create it first")
        if not os.access(out.parent, os.W_OK | os.X_OK):
            raise CannotWrite(f"the folder {out.parent} is read-only: choose another")
        if len(os.fsencode(_part_path(out, kind.suffix).name)) > MAX_NAME:
            raise CannotWrite(f"the name {out.name[:40]}… is too long: choose a shorter one")
    except (OSError, ValueError) as error:
        raise CannotWrite(f"{out!s:.80} cannot be written: {error}") from error


def _taken(out: Path) -> CannotWrite:
    return CannotWrite(f"{out} exists already: choose another name or say --overwrite")


@contextmanager
def part_file(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield the path to write to; give it its final name if all went well, remove it if not."""
    with part_files([out], overwrite=overwrite) as (part,):
        yield part


@contextmanager
def part_files(outs: Sequence[Path], *, overwrite: bool) -> Iterator[list[Path]]:
    """Yield the paths to write to; give them all their final names if all went well, remove them all if not."""
    kinds = [backend.of(out) for out in outs]
    parts = [_part_path(out, kind.suffix) for out, kind in zip(outs, kinds, strict=True)]
    try:
        for out in outs:
            remove_abandoned(out)
        yield parts
        for kind, part in zip(kinds, parts, strict=True):
            kind.sync(part)
        _publish(outs, parts, overwrite=overwrite)
        for folder in dict.fromkeys(out.parent for out in outs):
            _sync_folder(folder)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "errno" not in str(error):
            raise  # HDF5 says RuntimeError where a full disk stops it from closing
        raise _cannot_write(outs[0] if len(outs) == 1 else outs[0].parent, error) from error
    finally:
        for kind, part in zip(kinds, parts, strict=True):
            with suppress(OSError):
                kind.remove(part)


def _publish(outs: Sequence[Path], parts: Sequence[Path], *, overwrite: bool) -> None:
    """Give finished files their names, all or none; what several replace is kept aside until the last has its name."""
    kept: list[tuple[Path, Path]] = []
    named: list[Path] = []
    try:
        for out, part in zip(outs, parts, strict=True):
            kind = backend.of(out)
            if overwrite and len(outs) > 1 and os.path.lexists(out):
                aside = part.with_name(f"{part.name.removesuffix(f'.part{kind.suffix}')}.old{kind.suffix}")
                out.rename(aside)
                kept.append((aside, out))
            if not kind.publish(part, out, overwrite=overwrite):
                raise _taken(out)
            named.append(out)
    except BaseException:
        for out in named:
            backend.of(out).remove(out)
        for aside, out in kept:
            aside.rename(out)
        raise
    for aside, out in kept:
        backend.of(out).remove(aside)


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power failure, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cannot_write(out: Path, error: OSError | RuntimeError) -> CannotWrite:
    text = " ".join(str(error).split())
    told = re.search(r"errno = (\d+)", text)  # HDF5 has it in its words only
    number = int(told.group(1)) if told else getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CannotWrite(f"there is not enough space for {out}: free some or write elsewhere; nothing was kept")
    if _LOCK in text:
        return CannotWrite(f"{out} cannot be locked on this file system: set HDF5_USE_FILE_LOCKING=FALSE and try again")
    reason = os.strerror(number) if number else text
    return CannotWrite(f"{out} cannot be written: {reason}; nothing was kept")


@dataclass(frozen=True)
class LaidOut:
    """What pynwb has written: where the arrays are that are still to be filled."""

    parts: tuple[Part, ...]
    columns: Mapping[str, Sequence[str]]  # of each table, in order
    spaces: Mapping[str, set[str]]  # namespaces, and those that each includes
    exact: tuple[tuple[str, Any], ...]


def write(file: NWBFile, layout: Layout, part: Path, threads: int, progress: Progress) -> Written:
    """Lay the file out with pynwb and fill its arrays."""
    with layout.backend.writer(part) as io:
        laid = lay_out(io, file, layout)
    return complete(laid, layout, part, threads, progress)


def lay_out(io: Any, file: NWBFile, layout: Layout) -> LaidOut:
    """Let pynwb write everything but the arrays that are filled later."""
    kind = layout.backend
    _lay_out(kind, io, file)
    parts = _parts(kind, io, file, layout)
    columns = {_name_of(io, table): table.colnames for table in layout.tables}
    exact = tuple((_name_of(io, entry.container), entry.values) for entry in layout.exact)
    return LaidOut(parts, columns, _dependencies(io), exact)


def complete(
    laid: LaidOut, layout: Layout, part: Path, threads: int, progress: Progress, kept: Collection[str] = ()
) -> Written:
    """Fill the arrays of a file that is laid out; schemas of extensions that nothing uses go, but for those `kept`."""
    kind = layout.backend
    advance = _counted(progress, "writing", sum(p.array.nbytes for p in laid.parts))
    with kind.filling(part) as handle:
        _forget_unused(handle, laid.spaces, kept)
        for name, order in laid.columns.items():
            kind.order_columns(handle[name], order)
        for p, slot in zip(laid.parts, layout.slots, strict=True):
            if isinstance(slot.target, VectorData):
                kind.recreate(handle, p.name, slot, layout.compression)
        digests = [
            d for group in _groups(laid.parts) for d in fill(handle, group, threads, layout.compression, advance)
        ]
    return Written(laid.parts, tuple(digests), laid.exact, kind)


def _lay_out(kind: Backend, io: Any, file: NWBFile) -> None:
    """Let pynwb write all but the large arrays; what it cannot write, a plugin should not have described."""
    try:
        kind.lay_out(io, file)
    except (OSError, RuntimeError, MemoryError):  # the disk's fault
        raise
    except Exception as error:
        words = " ".join(str(error).split())[-200:]
        raise PluginFault(
            f"what was described cannot be laid out in a file: {type(error).__name__}: {words}"
        ) from error


def _parts(kind: Backend, io: Any, file: NWBFile, layout: Layout) -> tuple[Part, ...]:
    """Return what is to be filled, each with the name of its data set."""
    placed = [slot.target for slot in layout.slots if not isinstance(slot.target, VectorData)]
    names = {id(target): name for target, name in zip(placed, kind.names(io, file, placed), strict=True)}
    return tuple(
        Part(names.get(id(slot.target)) or _name_of(io, slot.target), slot.array, slot.axes) for slot in layout.slots
    )


def _dependencies(io: Any) -> dict[str, set[str]]:
    """Return the namespaces that each loaded one includes."""
    catalog = io.manager.namespace_catalog
    return {
        name: {part["namespace"] for part in catalog.get_namespace(name=name).schema if "namespace" in part}
        for name in catalog.namespaces
    }


def _forget_unused(file: Any, dependencies: Mapping[str, set[str]], kept: Collection[str] = ()) -> None:
    """Remove the schemas of extensions that this process knows, but that the file has nothing of."""
    used = {*namespaces.SHIPPED, *kept}
    if used.issuperset(file["specifications"]):
        return
    file.visititems(lambda _, stored: used.add(str(stored.attrs.get("namespace", "core"))))
    while more := {inner for name in used for inner in dependencies.get(name, ())} - used:
        used |= more
    for name in set(file["specifications"]) - used:
        del file["specifications"][name]


def _groups(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Yield what is filled together: columns of one table whose rows are read at once, anything else alone."""
    for _, group in itertools.groupby(parts, lambda p: id(p.array.field_of[0] if p.array.field_of else p)):
        yield list(group)


def _counted(progress: Progress, phase: str, total: int) -> Advance:
    """Return the function that adds up what a phase has done and reports it."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(phase, done, total)

    return advance


def _name_of(io: Any, container: Any) -> str:
    """Return where pynwb put a container's data."""
    return "/" + str(io.manager.get_builder(container).path).split("/", 1)[1]


def record_sources(part: Path, sizes: Sequence[int], digests: Sequence[str]) -> None:
    """Complete the table of source files with what was found while they were read."""
    if not sizes:
        return
    with backend.of(part).open(part, "r+") as file:
        table = file["analysis/source_files"]
        table["size"][:] = np.asarray(sizes, dtype=table["size"].dtype)
        table["sha256"][:] = np.asarray(digests, dtype=object)


def check(part: Path, written: Written, threads: int, progress: Progress) -> None:
    """Read everything back from the file and compare; InvalidOutput where a number differs."""
    advance = _counted(progress, "verifying", written.nbytes)
    with written.backend.open(part) as file:
        for p, digests in zip(written.parts, written.digests, strict=True):
            verify(file, p, digests, threads, advance)
        for name, values in written.exact:
            stored = written.backend.values(file[name])
            same = np.array_equal(stored, values, equal_nan=values.dtype.kind == stored.dtype.kind == "f")
            if stored.shape != values.shape or not same:
                raise InvalidOutput(f"{name} read back from the file differs from the source; nothing was kept")
