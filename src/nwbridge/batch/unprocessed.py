"""What lies below a folder whose NWB files are processed, and is none: refused or left out, with what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from nwbridge.batch.find import NWB, Search
from nwbridge.errors import BadOption, BadSource

FEW = 5  # names that stand for many
STORE = "steps of processing read NWB in HDF5 (.nwb) only: give it so"
DAMAGED = "it is no NWB file in HDF5, or a damaged one: get it again where it came from"


def leave_out(search: Search) -> list[str]:
    """Refuse files that look like NWB and cannot be read; say what is left out: what is no NWB, or has nothing fit."""
    for name in search.nwb:
        search.fail(name, None, BadOption.__name__, STORE)
    damaged = [name for name in search.unknown if name.lower().endswith(".nwb")]
    for name in damaged:
        search.fail(name, None, BadSource.__name__, DAMAGED)
    search.nwb = []
    search.unknown = [name for name in search.unknown if name not in damaged]
    found = _recordings(search)
    search.unknown = [name for name in search.unknown if not any(_lies_in(name, path) for path in found)]
    notes = [
        f"{', '.join(sorted(names)[:FEW])}{_more(names)} {'has' if len(names) == 1 else 'have'} no {kind}, and "
        f"{'is' if len(names) == 1 else 'are'} left out"
        for kind, names in search.nothing.items()
    ]
    if not found:
        return notes
    told = ", ".join(f"{path} ({source})" for path, source in list(found.items())[:FEW])
    which = "is no NWB, and left out" if len(found) == 1 else "are no NWB, and left out"
    return [*notes, f"{told}{_more(found)} {which}: convert with nwbridge batch ROOT NWB, then process NWB"]


def _more(names: Collection[str]) -> str:
    return f" and {len(names) - FEW} more" if len(names) > FEW else ""


def _recordings(search: Search) -> dict[str, str]:
    """Return files that other sources recognize, and folders that they recognize for other reasons; and the sources."""
    found = {name: sources[0] for name in search.unknown if (sources := list(_sources(search, search.root / name)))}
    for name in search.unknown:
        for folder in Path(name).parents:
            inside = {source for path, source in found.items() if _lies_in(path, folder.as_posix())}
            if name in found or folder == Path() or inside:
                break
            if sources := list(_sources(search, search.root / folder)):
                found[folder.as_posix()] = sources[0]
    return found


def _sources(search: Search, path: Path) -> Iterator[str]:
    yield from (match.source.name for match in search.registry.matches(path) if match.source.name != NWB)


def _lies_in(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")
