"""What is wrong with a file that no source recognizes, where its name or first bytes say what it was meant to be."""

from __future__ import annotations

from pathlib import Path

import h5py

from nwbridge.arrays.blobs import readable
from nwbridge.arrays.files import files_in
from nwbridge.errors import BadSource
from nwbridge.safety import unreadable

SUFFIXES = (".h5", ".hdf5", ".nwb")  # of HDF5 files
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCKS = (0, *(1 << power for power in range(9, 20)))  # where the signature may stand


def refuse_damaged(path: Path) -> None:
    """Raise BadSource for an empty file, and for a zip or HDF5 file that is damaged; sources only pass those over."""
    if not path.is_file():
        return
    size = readable(path).stat().st_size
    if path.suffix.lower() == ".zip":
        files_in(path)
    elif not size:
        raise BadSource(f"{path.name} is empty (0 bytes): copy or download it again")
    elif path.suffix.lower() in SUFFIXES or _is_signed(path):
        _open(path)


def _is_signed(path: Path) -> bool:
    with path.open("rb") as file:
        for place in _BLOCKS:
            file.seek(place)
            found = file.read(len(_SIGNATURE))
            if found == _SIGNATURE:
                return True
            if len(found) < len(_SIGNATURE):
                return False
    return False


def _open(path: Path) -> None:
    try:
        with h5py.File(path, "r"):
            pass
    except (OSError, RuntimeError) as error:
        raise BadSource(f"{path.name} {unreadable(error)}") from error
