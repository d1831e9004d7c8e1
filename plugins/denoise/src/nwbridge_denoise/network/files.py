"""Files of float32 arrays with a header: NumPy's own .npz, read without pickles, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, CannotWrite

Arrays = dict[str, npt.NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]
HEADER = "header"
MOST_HEADER = 2**20  # bytes
LONG = 60  # letters of what a file says that are quoted


@dataclass(frozen=True)
class Kind:
    """What a file of ours holds, and the version of how."""

    name: str
    version: int
    words: str
    advice: str  # what to do about one that is damaged


def write(path: Path, kind: Kind, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a file beside its name first, so that one of that name is always whole."""
    text = json.dumps({"format": kind.name, "version": kind.version, **header}, allow_nan=False)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **{HEADER: np.array(text)}, **dict(arrays))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path}: {kind.words} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def read(path: Path, kind: Kind, expected: Callable[[dict[str, Any]], Shapes]) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a file; BadSource says in a line what is wrong with it.

    `expected` checks the header and returns the shapes that arrays must have: only what has them is read, so that
    no file makes this take more memory than its own arrays do.
    """
    try:
        with path.open("rb") as raw:
            if (magic := raw.read(2)) and magic != b"PK":  # NumPy's files are ZIP archives
                raise ValueError(magic)
            with zipfile.ZipFile(raw) as whole:
                header = _header(path, kind, whole)
                shapes = expected(header)
                _compare(path, kind, whole, shapes)
                return header, {name: _array(whole, name) for name in shapes}
    except FileNotFoundError:
        raise BadSource(f"{path}: no such file; expected {kind.words}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        raise BadSource(f"{path} is damaged or cut short ({error}); expected {kind.words}: {kind.advice}") from error
    except (ValueError, KeyError, RecursionError, NotImplementedError) as error:
        raise BadSource(f"{path} is not {kind.words}: nwbridge did not write it") from error
    except OSError as error:
        raise BadSource(f"{path}: it cannot be read: {error.strerror or error}") from error


def short(value: object) -> str:
    """Return what a file says as a few words, however long it is."""
    text = str(value) if isinstance(value, str | Exception) else repr(value)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _header(path: Path, kind: Kind, whole: zipfile.ZipFile) -> dict[str, Any]:
    shape, dtype = _described(whole, HEADER)
    if shape != () or dtype.kind != "U" or whole.getinfo(f"{HEADER}.npy").file_size > MOST_HEADER:
        raise ValueError(dtype)
    header = json.loads(str(_array(whole, HEADER)))
    name = header.get("format") if isinstance(header, dict) else None
    if name != kind.name:
        raise BadSource(f"{path} holds {short(name or 'something else')}; expected {kind.words}")
    if header.get("version") != kind.version:
        raise BadSource(
            f"{path} has version {short(header.get('version'))} of its format; this nwbridge-denoise reads version "
            f"{kind.version}: update it, or train again"
        )
    return dict(header)


def _compare(path: Path, kind: Kind, whole: zipfile.ZipFile, shapes: Shapes) -> None:
    """BadSource where names, shapes or types are others than expected; values are not looked at."""
    wanted_names, names = sorted(f"{name}.npy" for name in (HEADER, *shapes)), sorted(whole.namelist())
    if wanted_names != names:
        missing = [name for name in wanted_names if name not in names]
        what = f"{missing[0]} is missing" if missing else f"it holds more than {len(wanted_names)} arrays"
        raise BadSource(f"{path}: {what}, against what its header says: it has been changed, {kind.advice}")
    for name, wanted in shapes.items():
        shape, dtype = _described(whole, name)
        if shape != wanted or dtype != np.float32:
            raise BadSource(
                f"{path}: {name} is {short(shape)} {dtype}; expected {wanted} float32, as its header says: it has been "
                f"changed, {kind.advice}"
            )


def _described(whole: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array; ValueError unless it lies there uncompressed, with all of its values."""
    entry = whole.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(name)
    with whole.open(entry) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(name)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != entry.file_size:
            raise ValueError(name)
    return shape, dtype


def _array(whole: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with whole.open(f"{name}.npy") as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
