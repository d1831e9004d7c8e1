"""The names that the lab's entries speak of, and those that a recording has."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.metadata.keys import Metadata, planes_of
from nwbridge.model import Electrode, Finding, Movie, Plane, Session

_MISSPELT = 0.85  # names that are as near as this are one name, misspelt


def named_by(session: Session, metadata: Metadata) -> Session:
    """Return the session with its only device, plane, channel or electrode named as the lab names it.

    Sources seldom know a name: theirs is a default. A name as near as a misspelling is left to `check_names`.
    """
    new = {}
    given = [*_given(metadata.get("Ophys", {})), *_given(metadata.get("Icephys", {}))]
    for kind in ("Device", "ImagingPlane", "optical_channel", "Electrodes"):
        have = _names(session)[kind]
        wanted = {name for where, name in given if where == kind}
        if len(have) == len(wanted) == 1 and not have & wanted:
            (old,), (name,) = have, wanted
            if not difflib.get_close_matches(name, have, 1, _MISSPELT):
                new[kind] = (old, name)
    if not new:
        return session
    return replace(session, elements=tuple(_element(element, new) for element in session.elements))


def without_defaults(session: Session, ophys: Metadata) -> Metadata:
    """Return Ophys without the names that NeuroConv gives to series by itself, their kinds', if they fit none."""
    have = _names(session)
    found = dict(ophys)
    for kind in ("TwoPhotonSeries", "OnePhotonSeries", "MicroscopySeries"):
        if kind in found and kind not in have[kind]:
            found[kind] = [{k: v for k, v in e.items() if k != "name" or v != kind} for e in found[kind]]
    return found


def check_names(session: Session, metadata: Metadata) -> list[Finding]:
    """Raise BadMetadata for a name that the recording does not have; return a finding for each kind it has none of."""
    have = _names(session)
    ophys, told = metadata.get("Ophys", {}), []
    for group in ("Ophys", "Icephys"):
        for kind, entries in metadata.get(group, {}).items():
            if entries and not have[kind]:
                message = f"{group}.{kind} of the metadata is not used: this recording has no {kind}"
                advice = _instead(kind, have)
                told.append(Finding("warning", message, advice, check="metadata"))
                continue
            for word, name in _given({kind: entries}, references=True):
                refers = word in ("Device", "ImagingPlane") and word != kind
                known = have[word] | ({n for k, n in _given(ophys) if k == word} if refers else set())
                if name not in known:
                    raise BadMetadata(
                        f"{group}.{kind}: this recording has no {word} named {name}; {_hint(name, have[word])}"
                    )
    return told


def _instead(kind: str, have: dict[str, set[str]]) -> str:
    """Return what the recording has in place of a kind that it has none of."""
    movies = [name for name in ("TwoPhotonSeries", "OnePhotonSeries") if have[name]]
    if kind.endswith("Series") and movies:
        return f"its movies are {movies[0]}: write Ophys.{movies[0]} instead"
    present = [name for name, names in have.items() if names and name != "MicroscopySeries"]
    return f"it has: {', '.join(present) or 'none of them'}"


def _hint(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1, 0.8)
    return f"did you mean {near[0]}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}"


def _names(session: Session) -> dict[str, set[str]]:
    planes = planes_of(session).values()
    movies = session.of(Movie)
    electrodes = (getattr(element, "electrode", None) for element in session.elements)
    return {
        "Device": {plane.device.name for plane in planes},
        "ImagingPlane": {plane.name for plane in planes},
        "TwoPhotonSeries": {movie.name for movie in movies if movie.kind == "two-photon"},
        "OnePhotonSeries": {movie.name for movie in movies if movie.kind == "one-photon"},
        "MicroscopySeries": {movie.name for movie in movies},
        "optical_channel": {channel.name for plane in planes for channel in plane.channels},
        "Electrodes": {electrode.name for electrode in electrodes if isinstance(electrode, Electrode)},
    }


def _given(groups: Metadata, *, references: bool = False) -> Iterator[tuple[str, str]]:
    """Yield every name that entries give, with what it is the name of; also of what they refer to."""
    for kind, entries in groups.items():
        for entry in entries:
            if "name" in entry:
                yield kind, entry["name"]
            for channel in entry.get("optical_channel", []):
                if "name" in channel:
                    yield "optical_channel", channel["name"]
            for word, what in (("device", "Device"), ("imaging_plane", "ImagingPlane")):
                if references and word in entry:
                    yield what, entry[word]


def _element(element: Any, new: dict[str, tuple[str, str]]) -> Any:
    if isinstance(plane := getattr(element, "plane", None), Plane):
        element = replace(element, plane=_renamed(plane, new))
    if "Electrodes" in new and isinstance(electrode := getattr(element, "electrode", None), Electrode):
        element = replace(element, electrode=replace(electrode, name=new["Electrodes"][1]))
    return element


def _renamed(plane: Plane, new: dict[str, tuple[str, str]]) -> Plane:
    def name(kind: str, now: str) -> str:
        old, wanted = new.get(kind, (now, now))
        return wanted if now == old else now

    return replace(
        plane,
        name=name("ImagingPlane", plane.name),
        device=replace(plane.device, name=name("Device", plane.device.name)),
        channels=tuple(replace(c, name=name("optical_channel", c.name)) for c in plane.channels),
    )
