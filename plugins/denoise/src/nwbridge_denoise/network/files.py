"""Files of arrays with a header: NumPy's own .npz, read without pickles, written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, CannotWrite

Arrays = dict[str, npt.NDArray[Any]]
HEADER = "header"


@dataclass(frozen=True)
class Kind:
    """What a file of ours holds, and the version of how."""

    name: str
    version: int
    words: str


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


def read(path: Path, kind: Kind) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a file; BadSource says in a line what is wrong with it."""
    try:
        with path.open("rb") as raw:
            if (magic := raw.read(2)) and magic != b"PK":  # NumPy's files are ZIP archives
                raise ValueError(magic)
            with zipfile.ZipFile(raw) as whole:
                if f"{HEADER}.npy" not in whole.namelist():
                    raise KeyError(HEADER)
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file[HEADER]))
            arrays = {name: file[name] for name in file.files if name != HEADER}
    except FileNotFoundError:
        raise BadSource(f"{path}: no such file; expected {kind.words}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadSource(f"{path} is damaged or cut short ({error}); expected {kind.words}: get it again") from error
    except (ValueError, KeyError) as error:
        raise BadSource(f"{path} is not {kind.words}: nwbridge did not write it") from error
    except OSError as error:
        raise BadSource(f"{path}: it cannot be read: {error.strerror or error}") from error
    name = header.get("format") if isinstance(header, dict) else None
    if name != kind.name:
        raise BadSource(f"{path} holds {name or 'something else'}; expected {kind.words}")
    if header.get("version") != kind.version:
        raise BadSource(
            f"{path} has version {header.get('version')} of its format; this nwbridge-denoise reads version "
            f"{kind.version}: update it, or train again"
        )
    return header, arrays
