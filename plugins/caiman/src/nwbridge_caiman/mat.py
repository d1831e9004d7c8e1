"""Older results of CaImAn in MATLAB files: the names of their variables, from the headers alone."""

import struct
import zlib
from pathlib import Path

import h5py

MAGIC = b"MATLAB"
HEADER, COMPRESSED, MATRIX = 128, 15, 14
FOOTPRINTS = {"A", "A_or", "A_keep", "A2", "A_in", "A_neuron"}
ACTIVITY = {"C", "C_or", "C_keep", "C2", "C_in", "C_df"}
BESIDE = {"b", "f", "b2", "f2", "YrA", "S", "S_or", "S_dec", "P", "P_or", "Cn", "F_dff", "options", "Coor"}


def is_mat(path: Path) -> bool:
    """Whether a file begins as MATLAB's do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def of_caiman(path: Path) -> list[str]:
    """Return the names by which the variables look like CaImAn's; none where they do not."""
    names = set(_names(path))
    found = [sorted(names & family) for family in (FOOTPRINTS, ACTIVITY, BESIDE)]
    return [family[0] for family in found] if all(found) else []


def _names(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(HEADER)
    if head.startswith(b"MATLAB 7.3"):
        with h5py.File(path, "r") as file:
            return list(file)
    order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
    return [] if order is None else _names_in(path, order)


def _names_in(path: Path, order: str) -> list[str]:
    """Walk the elements of a version 5 file; each is a matrix, most often compressed."""
    names: list[str] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        place = HEADER
        while place + 8 <= size and len(names) < 1000:
            file.seek(place)
            kind, length = struct.unpack(f"{order}2I", file.read(8))
            start = file.read(min(length, 512))
            if kind == COMPRESSED:
                start = zlib.decompressobj().decompress(start, 512)[8:]
            if kind in (COMPRESSED, MATRIX):
                names.append(_name(start, order))
            place += 8 + length
    return names


def _name(matrix: bytes, order: str) -> str:
    """Return the name of a matrix: after its flags (16 bytes) and its dimensions."""
    (length,) = struct.unpack_from(f"{order}I", matrix, 20)
    place = 24 + -(-length // 8) * 8
    kind, length = struct.unpack_from(f"{order}2I", matrix, place)
    place += 8
    if kind >> 16:  # a short name stands in the tag itself
        length, place = kind >> 16, place - 4
    return matrix[place : place + length].decode("ascii", "replace")
