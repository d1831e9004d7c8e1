"""What the user says otherwise than the source: of what an instrument measured, that is said, and both values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from nwbridge.metadata.keys import planes_of
from nwbridge.metadata.origins import OPTION
from nwbridge.model import Finding, Movie, Plane, Session

# field of the model -> key in the metadata file
_SERIES = {
    "rate_hz": "rate",
    "exposure_s": "exposure_time",
    "binning": "binning",
    "conversion": "conversion",
    "offset": "offset",
}
_PLANE = {"rate_hz": "imaging_rate", "excitation_nm": "excitation_lambda", "pixel_um": "grid_spacing"}
_NOT_STATED: Mapping[str, tuple[Any, ...]] = {"conversion": (None, 1.0), "offset": (None, 0.0)}
_ENOUGH = 1e-6  # relative: what is nearer is the same number, written with fewer digits
_ADVICE = (
    "leave it out if the source is right; if it is meant of other recordings, say it of them alone: "
    "in entries of Sessions (- path: theirs) or a table's column"
)


def contradicted(source: Session, session: Session) -> list[Finding]:
    """Return a warning for each measured value of the source that the user's replaces; names are the user's affair.

    `session` is `source` with the user's values laid over it.
    """
    lines = dict.fromkeys(line for key, line in _lines(source, session) if not _chosen(source, key))
    return [Finding("warning", line, _ADVICE, check="metadata") for line in lines]


def _chosen(source: Session, key: str) -> bool:
    """Whether an option of the user's gave the value; that both were given is said elsewhere."""
    return source.origins.get(key, "").startswith(OPTION)


def _lines(source: Session, session: Session) -> Iterator[tuple[str, str]]:
    """Yield the key and the words for each value that differs."""
    followed = set()  # planes whose rate is their movie's
    for before, after in zip(source.elements, session.elements, strict=True):
        if isinstance(before, Movie) and isinstance(after, Movie):
            if before.rate_hz != after.rate_hz:
                followed.add(before.plane.name)
            for field, key in _SERIES.items():
                full = f"Ophys.{before.series_type}.{key}"
                yield from _line(source, full, before.name, field, getattr(before, field), getattr(after, field))
    old, new = planes_of(source), planes_of(session)
    for before_, after_ in zip(old.values(), new.values(), strict=True):
        yield from _of_plane(source, before_, after_, before_.name in followed)


def _of_plane(source: Session, before: Plane, after: Plane, followed: bool) -> Iterator[tuple[str, str]]:
    for field, key in _PLANE.items():
        if field != "rate_hz" or not followed:
            values = [getattr(plane, field) for plane in (before, after)]
            if field == "pixel_um":  # the metadata name columns first
                values = [list(reversed(value)) if value else None for value in values]
            yield from _line(source, f"Ophys.ImagingPlane.{key}", after.name, field, *values)
    full = "Ophys.ImagingPlane.optical_channel.emission_lambda"
    for one, other in zip(before.channels, after.channels, strict=True):
        yield from _line(source, full, other.name, "", one.emission_nm, other.emission_nm)


def _line(source: Session, key: str, name: str, field: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    if before in _NOT_STATED.get(field, (None,)) or _same(before, after):
        return
    note = source.origins.get(key, "")
    where = f" ({note})" if note else ""
    told = f"the metadata say {_word(after)}, the source {_word(before)}{where}: {_word(after)} is written"
    yield key, f"{key} of {name}: {told}"


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return math.isclose(before, after, rel_tol=_ENOUGH)


def _word(value: Any) -> str:
    return ", ".join(map(_word, value)) if isinstance(value, list) else f"{value:.10g}"
