"""Who made an NWB file, and when: read from the file itself, whatever its name or date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import h5py


@dataclass(frozen=True)
class Made:
    """What a file says of its making."""

    identifier: str  # of this very file: nwbridge gives a new one to each
    time: datetime | None  # when it was last written
    software: tuple[str, ...]


def made(path: Path) -> Made | None:
    """Return what an NWB file in HDF5 says of its making, or None where it cannot be read or is none."""
    try:
        with h5py.File(path, "r") as file:
            identifier = file["identifier"].asstr()[()]
            dates = [datetime.fromisoformat(text) for text in file["file_create_date"].asstr()[:]]
            pairs = file["general/was_generated_by"].asstr()[:] if "general/was_generated_by" in file else []
            software = tuple(str(pair[0]) for pair in pairs)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None
    aware = [date if date.tzinfo else date.replace(tzinfo=UTC) for date in dates]
    return Made(str(identifier), max(aware, default=None), software)


def made_since(path: Path, time: datetime) -> bool:
    """Whether nwbridge wrote a file after a moment: whoever began to write then may take it for its own."""
    found = made(path)
    return found is not None and "nwbridge" in found.software and found.time is not None and found.time >= time
