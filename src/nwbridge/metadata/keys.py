"""The keys of the metadata file, what they are called in the model, and which entries speak of what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nwbridge.model import Plane, Session

Metadata = Mapping[str, Any]

GROUPS = ("NWBFile", "Subject", "Ophys", "Icephys")  # what speaks of a recording itself
CHOOSING = (
    "Subjects",
    "Sessions",
    "Pattern",
    "source",
    "options",
)  # what chooses among recordings, and how to read one

# key in the metadata file -> field of the model, where the names differ
SESSION = {"session_id": "id", "session_description": "description", "session_start_time": "start_time"}
SUBJECT = {"age__reference": "age_reference"}
PLANE = {"excitation_lambda": "excitation_nm", "imaging_rate": "rate_hz", "grid_spacing": "pixel_um"}
CHANNEL = {"emission_lambda": "emission_nm"}
SERIES = {"rate": "rate_hz", "exposure_time": "exposure_s"}
REFERENCES = ("name", "device", "imaging_plane", "optical_channel")


def entries_on(ophys: Metadata, key: str, name: str) -> Iterator[Metadata]:
    """Yield the entries that speak of `name`; one without a name speaks of all."""
    for entry in ophys.get(key, []):
        if entry.get("name", name) == name:
            yield entry


def planes_of(session: Session) -> dict[str, Plane]:
    """Return the session's imaging planes by name."""
    planes = (getattr(element, "plane", None) for element in session.elements)
    return {plane.name: plane for plane in planes if isinstance(plane, Plane)}
