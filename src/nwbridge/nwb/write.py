"""From a described recording to a part file that holds all of it: laid out, filled, read back and compared.

In Zarr the file is a folder; what differs is the backend's matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hdmf.common import VectorData
from pynwb import NWBFile

from nwbridge.errors import InvalidOutput, PluginFault
from nwbridge.nwb import backend, namespaces
from nwbridge.nwb.backend import Backend
from nwbridge.nwb.fill import Advance, Part, fill, verify
from nwbridge.nwb.layout import Layout

Progress = Callable[[str, int, int], None]  # phase, bytes done, bytes in all


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
