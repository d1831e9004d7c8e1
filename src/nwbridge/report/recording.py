"""One recording as it is drawn, in a process of its own: from a file to plain values and HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py

from nwbridge import metadata
from nwbridge.errors import NwbridgeError
from nwbridge.model import Images, Localizations, Movie, Parameters, Segmentation, Series, Session
from nwbridge.model.lazy import lazy_arrays
from nwbridge.model.session import SOURCES
from nwbridge.report import images, localizations, movies, regions, series, tables  # noqa: F401 each registers its elements
from nwbridge.report.detail import Detail
from nwbridge.report.figures import HEIGHT, WIDTH, Figure, bounds_of, coarser, line_path, time_figure
from nwbridge.report.markup import clean, count, el, join
from nwbridge.report.sheet import Sheet, panels, tracks
from nwbridge.report.traces import said
from nwbridge.report.tracks import Line, Ticks, Track, extent
from nwbridge.results import summaries

MOST = 40  # figures of a recording
_ORDER = (Movie, Images, Localizations, Segmentation, Series)  # of what is drawn; anything else follows
TEXT = 2000  # characters of one text of the file


@dataclass(frozen=True)
class Drawn:
    """What a file says of itself, and its pictures: plain values that can be sent between processes."""

    trouble: str = ""  # why it cannot be read
    session_id: str = ""
    description: str = ""
    started: str = ""
    subject: tuple[str, ...] = ()
    elements: tuple[dict[str, Any], ...] = ()
    fields: tuple[dict[str, Any], ...] = ()
    findings: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)  # of the file itself
    file_bytes: int = 0
    array_bytes: int = 0
    figures: str = ""
    tables: str = ""
    tabled: int = 0  # how many tables there are
    thumb: str = ""


def draw(path: Path, detail: Detail, prefix: str, name: str, *, check: bool) -> Drawn:
    """Return what can be said and drawn of a file; one that cannot be read gives a sentence."""
    from nwbridge.nwb.read import read

    if path.is_dir() and path.name.endswith(".zarr"):
        words = "Pictures are drawn from HDF5 files only; this one is a Zarr store."
        return Drawn(figures=el("p", words, class_="note"), file_bytes=_size(path))
    try:
        session = read(path)
        return _drawn(session, path, detail, prefix, name, check=check)
    except NwbridgeError as error:
        return Drawn(trouble=str(error), file_bytes=_size(path))
    except Exception as error:  # noqa: BLE001  files of other programs may be damaged in any way
        return Drawn(trouble=f"{path.name} cannot be read: {_words(error)}", file_bytes=_size(path))


def _drawn(session: Session, path: Path, detail: Detail, prefix: str, name: str, *, check: bool) -> Drawn:
    sheet = Sheet(session, detail, prefix)
    figures, thumb, troubles = _figures(sheet)
    tabled = [one for one in figures if one.kind == "table"]
    figures = [one for one in figures if one.kind != "table"]
    shown = [figure.html(f"{prefix}-f{number}", name) for number, figure in enumerate(figures[:MOST])]
    listed = [figure.html(f"{prefix}-t{number}", name) for number, figure in enumerate(tabled[:MOST])]
    if more := max(0, len(figures) - MOST) + max(0, len(tabled) - MOST):
        troubles.append(f"{count(more, 'more figure')} {'is' if more == 1 else 'are'} left out")
    notes = [el("p", words + ".", class_="note") for words in troubles]
    found = list(session.findings)
    if check:
        from nwbridge.validation import validate

        found += validate(path)
    subject = session.subject
    return Drawn(
        session_id=session.id,
        description=session.description,
        started=session.start_time.isoformat(" ", "minutes") if session.start_time else "",
        subject=tuple(filter(None, (subject.subject_id, subject.species, _sex(subject.sex), subject.age)))
        if subject
        else (),
        elements=summaries(session),
        fields=tuple(vars(entry) for entry in metadata.fields(session, {})),
        findings=tuple(vars(finding) for finding in found),
        facts=_facts(path),
        file_bytes=_size(path),
        array_bytes=sum(array.nbytes for array in lazy_arrays(session.elements)),
        figures=join([*shown, *notes]),
        tables=join(listed),
        tabled=len(tabled),
        thumb=thumb,
    )


def _sex(letter: str | None) -> str | None:
    return {"M": "male", "F": "female", "O": "other sex", "U": None}.get(letter or "U", letter)


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[-200:] or type(error).__name__


def _figures(sheet: Sheet) -> tuple[list[Figure], str, list[str]]:
    """Return figures, the small picture that stands for the recording, and what could not be drawn."""
    troubles: list[str] = []
    elements = sorted(sheet.session.elements, key=_rank)
    pictures: list[Figure] = []
    for element in elements:
        pictures += _tried(panels, element, sheet, troubles)
    lines: list[Track] = []
    for element in elements:
        lines += _tried(tracks, element, sheet, troubles)
    over_time = _timeline(lines, sheet)
    first = 0 if sheet.of(Series) else next((n for n, one in enumerate(pictures) if one.kind == "table"), len(pictures))
    found = [*pictures[:first], *over_time, *pictures[first:]]
    found = [one for one in found if one.kind != "words"] + [one for one in found if one.kind == "words"]
    return _beside(found), _thumb(sheet, lines), troubles


def _beside(found: Sequence[Figure]) -> list[Figure]:
    """Return the figures; one that could stand beside another, but has none, gets the whole width."""
    placed: list[Figure] = []
    waiting = False  # for the right half
    for number, one in enumerate(found):
        follows = number + 1 < len(found) and found[number + 1].half
        half = one.half and (waiting or follows)
        placed.append(replace(one, half=half))
        waiting = half and not waiting
    return placed


def _rank(element: Any) -> tuple[int, bool]:
    kinds = [isinstance(element, kind) for kind in _ORDER]
    background = getattr(element, "role", "cells") == "background"
    return (kinds.index(True) if any(kinds) else len(_ORDER) + isinstance(element, Parameters), background)


def _tried(make: Callable[[Any, Sheet], Iterator[Any]], element: Any, sheet: Sheet, troubles: list[str]) -> list[Any]:
    """Return what a function makes of an element; what it cannot draw spoils nothing else."""
    found = []
    try:
        for one in make(element, sheet):
            found.append(one)  # noqa: PERF402  what was made before the trouble is kept
    except Exception as error:  # noqa: BLE001  a picture is no reason to fail
        words = f"{getattr(element, 'name', 'An element')} could not be drawn: {_words(error).rstrip('.')}"
        if words not in troubles:
            troubles.append(words)
    return found


def _timeline(found: Sequence[Track], sheet: Sheet) -> list[Figure]:
    shown = [track for track in found if track.span is not None]
    if not shown:
        return []
    words = "Everything on one clock." if len(shown) > 1 else ""
    words += said([track for track in shown if isinstance(track, Line)])
    if any(isinstance(track, Ticks) and sum(map(len, track.rows)) < track.total for track in shown):
        words += " Of many ticks, some are drawn, evenly chosen."
    return [time_figure("Over time", words.strip(), shown, sheet.detail.static)]


def _thumb(sheet: Sheet, found: Sequence[Track]) -> str:
    """Return a small picture: one that the page shows anyway, or the first line."""
    if sheet.thumb is not None:
        identity, shown = sheet.thumb
        box = f"0 0 {shown.shape[1]} {shown.shape[0]}"
        return el("svg", el("use", href=f"#{identity}"), viewBox=box, class_="thumb picture", aria_hidden="true")
    lines = [track for track in found if isinstance(track, Line)]
    if not lines:
        return ""
    axis = extent(lines[:1])
    times, low, high = coarser(lines[0], 120)
    path = line_path(low, high, (times - axis[0]) / (axis[1] - axis[0]) * WIDTH, bounds_of(low, high))
    curve = el("path", class_="ln", d=path)
    box = f"0 0 {WIDTH} {HEIGHT}"
    return el("svg", curve, viewBox=box, preserveAspectRatio="none", class_="thumb plot", aria_hidden="true")


def _facts(path: Path) -> dict[str, Any]:
    """Return what only the file itself says: how it came about, and from what. `read` has found it harmless."""
    if path.is_dir():
        return {}
    with h5py.File(path, "r") as file:
        found: dict[str, Any] = {"nwb_version": clean(file.attrs.get("nwb_version", ""))[:40]}
        for key, name in (("made_by", "general/was_generated_by"), ("created", "file_create_date")):
            if isinstance(stored := file.get(name), h5py.Dataset):
                values = stored.asstr()[()] if h5py.check_string_dtype(stored.dtype) else []
                found[key] = [clean(" ".join(row) if hasattr(row, "tolist") else row)[:TEXT] for row in values][:20]
        for key, name in (
            ("script", "general/source_script"),
            ("identifier", "identifier"),
            ("notes", "general/notes"),
        ):
            if isinstance(stored := file.get(name), h5py.Dataset) and stored.shape == ():
                found[key] = clean(stored.asstr()[()])[:TEXT]
        found["modules"] = _modules(file)
        found["sources"] = _sources(file)
        return found


def _modules(file: h5py.File) -> list[list[str]]:
    """Return name and description of every processing module: the history of what was made."""
    group = file.get("processing")
    if not isinstance(group, h5py.Group):
        return []
    pairs = [[name, clean(group[name].attrs.get("description", ""))[:TEXT]] for name in group]
    return [[clean(name), words] for name, words in pairs][:20]


def _sources(file: h5py.File) -> list[list[Any]]:
    """Return name, size and SHA-256 of the files that were read."""
    table = file.get(f"analysis/{SOURCES}")
    if not isinstance(table, h5py.Group) or not {"path", "size", "sha256"} <= set(table):
        return []
    names, digests = (table[name].asstr()[:1000] for name in ("path", "sha256"))
    sizes = table["size"][:1000]
    return [
        [clean(n), int(s) if math.isfinite(s) else 0, clean(d)] for n, s, d in zip(names, sizes, digests, strict=True)
    ]
