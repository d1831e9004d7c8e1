"""What an HDF5 file from elsewhere may not do: read other files, or claim far more than it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import h5py

from nwbridge.errors import BadSource

MAX_CHUNK = 1 << 30  # bytes that reading one value may cost
MAX_RATIO = 1100  # deflate cannot exceed 1032:1
TEXTS = 64  # texts looked at together: each may be as long as the file
FREE = 64 << 20  # bytes that a data set may claim without storing any


def check_hdf5(path: Path) -> None:
    """Raise BadSource if an HDF5 file points to other files, loops, or claims impossible sizes.

    External storage made pynwb return the contents of a system file, and every validator passed it.
    """
    try:
        with h5py.File(path, "r") as file:
            for name, dataset in _datasets(file, path):
                _check_dataset(f"{path.name}: {name}", dataset)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # what h5py makes of HDF5's errors
        raise BadSource(f"{path.name} {unreadable(error)}") from error


def unreadable(error: Exception) -> str:
    """Return in words why h5py cannot read a file."""
    reason = " ".join(str(error).split())
    if cut := re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", reason):
        has, whole = map(int, cut.groups())
        return f"is cut off: it has {has:,} of {whole:,} bytes; copy or download it again"
    if "file signature not found" in reason:
        return "is no HDF5 file: it does not begin as one; copy or download it again, or give another"
    if isinstance(error, IsADirectoryError):
        return "is a folder; expected an HDF5 file"
    return f"cannot be read as HDF5 ({reason}): it is damaged or of another kind"


def _datasets(file: h5py.File, path: Path) -> Iterator[tuple[str, h5py.Dataset]]:
    """Walk every link once; a group reached twice is not entered again, so that loops end."""
    waiting = [("", file["/"])]
    seen = set()
    while waiting:
        prefix, group = waiting.pop()
        info = h5py.h5o.get_info(group.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        for key in group:
            name = f"{prefix}/{key}"
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise BadSource(f"{path.name}: {name} is a link into another file ({link.filename}); refused")
            if isinstance(link, h5py.SoftLink):
                continue  # what it points to is walked where it lies
            item = group[key]
            if isinstance(item, h5py.Group):
                waiting.append((name, item))
            elif isinstance(item, h5py.Dataset):
                yield name, item


def _check_dataset(where: str, dataset: h5py.Dataset) -> None:
    if dataset.external:
        raise BadSource(f"{where} keeps its values in another file ({dataset.external[0][0]}); refused")
    if dataset.is_virtual:
        raise BadSource(f"{where} is assembled from other files (a virtual data set); refused")
    itemsize = dataset.id.get_type().get_size()  # numpy has no name for some types
    stored = dataset.id.get_storage_size()
    chunk = math.prod(dataset.chunks or (0,)) * itemsize
    claimed = max(math.prod(dataset.shape or ()) * itemsize, chunk if stored else 0)
    if claimed > FREE and claimed > MAX_RATIO * stored:
        raise BadSource(f"{where} claims {claimed:,} bytes and stores {stored:,}; refused")
    if chunk > MAX_CHUNK:
        raise BadSource(
            f"{where} has chunks of {dataset.chunks}; reading one value would cost over {MAX_CHUNK:,} bytes; refused"
        )
    if dataset.shape and _is_of_any_length(dataset.id.get_type()):
        _check_texts(where, dataset)


def _is_of_any_length(kind: h5py.h5t.TypeID) -> bool:
    return bool(kind.get_class() == h5py.h5t.VLEN or (kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()))


def _check_texts(where: str, dataset: h5py.Dataset) -> None:
    """Raise BadSource where texts of any length point to more bytes than the file has: many to the same ones."""
    limit = max(FREE, 4 * dataset.file.id.get_filesize())
    claimed = 0
    step = max(1, TEXTS // max(1, math.prod(dataset.shape[1:])))
    for start in range(0, dataset.shape[0], step):
        claimed += sum(len(text) for text in dataset[start : start + step].ravel())
        if claimed > limit:
            raise BadSource(f"{where} claims more than {limit:,} bytes of text in a smaller file; refused")
