"""One recording as it is drawn, in a process of its own: from a file to plain values and HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwbridge import metadata
from nwbridge.errors import MissingDependency, NwbridgeError
from nwbridge.model import Finding, Images, Localizations, Movie, Parameters, Segmentation, Series, Session
from nwbridge.model.lazy import lazy_arrays
from nwbridge.model.session import SOURCES
from nwbridge.report import localizations, movies, regions, rendered, series, tables  # noqa: F401 each registers its elements
from nwbridge.report.detail import Detail
from nwbridge.report.figures import Figure, time_figure
from nwbridge.report.markup import Markup, clean, count, el, join
from nwbridge.report.sheet import Sheet, panels, tracks
from nwbridge.report.thumbs import thumb
from nwbridge.report.traces import said
from nwbridge.report.tracks import Line, Ticks, Track
from nwbridge.results import reworded, summaries

UNSEEN = "Neither drawn nor checked"
MOST, TRACKS = 40, 60  # figures of a recording, and lines of the one over time
_INSTRUMENTS = ("(Device)", "(DeviceModel)", "(ImagingPlane)", "(IntracellularElectrode)", "(ElectrodeGroup)")
_ORDER = (Movie, Images, Localizations, Segmentation, Series)  # of what is drawn; anything else follows
TEXT = 2000  # characters of one text of the file


@dataclass(frozen=True)
class Drawn:
    """What a file says of itself, and its pictures: plain values that can be sent between processes."""

    trouble: str = ""  # why it cannot be read
    done: str = "Read"  # with a file that no batch speaks of
    session_id: str = ""
    description: str = ""
    started: str = ""
    subject: tuple[str, ...] = ()
    animal: str = ""  # the subject's id
    elements: tuple[dict[str, Any], ...] = ()
    fields: tuple[dict[str, Any], ...] = ()
    findings: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)  # of the file itself
    file_bytes: int = 0
    array_bytes: int = 0
    figures: str = ""
    steps: tuple[dict[str, Any], ...] = ()  # of processing, first to last
    tables: str = ""
    tabled: int = 0  # how many tables there are
    thumb: str = ""


def draw(path: Path, detail: Detail, prefix: str, name: str, *, check: bool) -> Drawn:
    """Return what can be said and drawn of a file; one that cannot be read gives a sentence."""
    from nwbridge.nwb.read import read

    try:
        if path.is_dir() and path.name.endswith(".zarr"):
            return _store(path, check=check)
        session = read(path)
        with np.errstate(all="ignore"):  # of values at the end of what numbers can hold
            return _drawn(session, path, detail, prefix, name, check=check)
    except NwbridgeError as error:
        return Drawn(trouble=str(error), file_bytes=_size(path))
    except Exception as error:  # noqa: BLE001  files of other programs may be damaged in any way
        return Drawn(trouble=f"{path.name} cannot be read: {_words(error)}", file_bytes=_size(path))


def _store(path: Path, *, check: bool) -> Drawn:
    """Return what is said of a Zarr store, whose values are not drawn."""
    words = "Pictures are drawn from HDF5 files only; this one is a Zarr store."
    found: list[Finding] = []
    if check:
        from nwbridge.validation import validate

        try:
            found = validate(path)
        except MissingDependency as error:
            found, check = [Finding("warning", str(error), "install it to have Zarr stores checked")], False
    return Drawn(
        findings=tuple(vars(finding) for finding in reworded(found)),
        figures=el("p", words, class_="note"),
        file_bytes=_size(path),
        done="Checked, not drawn" if check else UNSEEN,
    )


def _findings(session: Session, path: Path, *, check: bool) -> Iterator[Finding]:
    """Yield what is said of a file; of what only a conversion would leave out, what this page does not draw."""
    for finding in session.findings:
        what, sign, why = finding.message.partition(" is not carried over")
        if sign and (why or not what.endswith(_INSTRUMENTS)):
            words = f"{what} is not drawn{why or ': this page has no picture of such a thing'}"
            yield Finding("hint", words, "", finding.where, "report")
        elif not sign and "cannot be carried over" not in finding.message:
            yield finding
    if check:
        from nwbridge.validation import validate

        yield from validate(path)


def _drawn(session: Session, path: Path, detail: Detail, prefix: str, name: str, *, check: bool) -> Drawn:
    sheet = Sheet(session, detail, prefix)
    figures, small, troubles = _figures(sheet)
    tabled = [one for one in figures if one.kind == "table" and one.folded]
    figures = [one for one in figures if one not in tabled]
    shown = _html(figures[:MOST], f"{prefix}-f", name, troubles)
    listed = _html(tabled[:MOST], f"{prefix}-t", name, troubles)
    if more := max(0, len(figures) - MOST) + max(0, len(tabled) - MOST):
        troubles.append(f"{count(more, 'more figure')} {'is' if more == 1 else 'are'} left out")
    notes = [el("p", words + ".", class_="note") for words in troubles]
    subject = session.subject
    return Drawn(
        session_id=session.id,
        description=session.description,
        started=session.start_time.isoformat(" ", "minutes") if session.start_time else "",
        animal=subject.subject_id or "" if subject else "",
        subject=tuple(filter(None, (subject.subject_id, subject.species, _sex(subject.sex), subject.age)))
        if subject
        else (),
        elements=summaries(session.elements),
        fields=tuple(vars(entry) for entry in metadata.fields(session, {})),
        findings=tuple(vars(finding) for finding in reworded(_findings(session, path, check=check))),
        facts=_facts(path),
        file_bytes=_size(path),
        array_bytes=sum(array.nbytes for array in lazy_arrays(session.elements)),
        figures=join([*shown, *notes]),
        steps=tuple(vars(step) for step in session.steps),
        tables=join(listed),
        tabled=len(tabled),
        thumb=small,
    )


def _html(figures: Sequence[Figure], prefix: str, name: str, troubles: list[str]) -> list[Markup]:
    """Return the figures as HTML; one whose values no axis can hold spoils no other."""
    found = []
    for number, figure in enumerate(figures):
        try:
            found.append(figure.html(f"{prefix}{number}", name))
        except ValueError:
            troubles.append(f"{figure.title} {figure.name}".strip() + " could not be drawn: no axis holds its values")
    return found


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
    elements = sorted(sheet.session.elements, key=lambda one: _rank(one, sheet.session))
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
    return _beside(found), thumb(sheet, lines), troubles


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


def _rank(element: Any, session: Session) -> tuple[int, bool, int]:
    kinds = [isinstance(element, kind) for kind in _ORDER]
    background = getattr(element, "role", "cells") == "background"
    rank = kinds.index(True) if any(kinds) else len(_ORDER) + isinstance(element, Parameters)
    return rank, background, _age(element, session)


def _age(element: Any, session: Session) -> int:
    """Return which step made an element, or 0: what was there before comes first."""
    made = [number for number, step in enumerate(session.steps, 1) if getattr(element, "name", None) in step.made]
    return made[-1] if made else 0


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
    known = [track for track in found if track.span is not None]
    if not known:
        return []
    shown = known[:TRACKS]
    words = "Everything on one clock." if len(shown) > 1 else ""
    if len(shown) < len(known):
        words = f"The first {len(shown)} of {len(known)}, on one clock."
    words += said([track for track in shown if isinstance(track, Line)])
    if any(isinstance(track, Ticks) and sum(map(len, track.rows)) < track.total for track in shown):
        words += " Of many ticks, some are drawn, evenly chosen."
    return [time_figure("Over time", words.strip(), shown, sheet.detail.static)]


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
