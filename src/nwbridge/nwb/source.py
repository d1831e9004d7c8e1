"""The built-in source: NWB files themselves, so that processing steps and other tools can work on any of them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py

from nwbridge.errors import BadSource
from nwbridge.hookspecs import Source, hookimpl
from nwbridge.model import Session

_MAGIC = b"\x89HDF\r\n\x1a\n"


@hookimpl
def register_sources() -> list[Source]:
    """Offer the one source."""
    return [Source("nwb", "NWB files (HDF5)", detect, describe, example)]


def detect(path: Path) -> str | None:
    """Look for the version that every NWB file states."""
    if path.is_dir():
        return _in_zarr(path)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
        with h5py.File(path, "r") as file:
            version = file.attrs.get("nwb_version")
    except (OSError, RuntimeError):
        return None
    return None if version is None else f"HDF5 that states NWB version {version!s:.20}"


def _in_zarr(path: Path) -> str | None:
    try:
        version = json.loads((path / ".zattrs").read_bytes()).get("nwb_version")
    except (OSError, ValueError, AttributeError):
        return None
    return None if version is None else f"Zarr that states NWB version {version!s:.20}"


def describe(path: Path, options: object) -> Session:
    """Describe what an NWB file holds."""
    if path.is_dir() and _in_zarr(path) is None:
        raise BadSource(f"nwb reads a file; {path} is a folder")
    if path.is_dir():
        raise BadSource(f"{path.name} is NWB in Zarr, which can be validated but not read: give NWB in HDF5")
    from nwbridge.nwb.read import read  # pynwb takes a second to load

    return read(path)


def example(folder: Path) -> Path:
    """Write a small NWB file with a movie and return its path."""
    from nwbridge.nwb.sample_file import write_sample

    return write_sample(folder / "example.nwb")
