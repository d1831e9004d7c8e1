"""The backend Zarr: a folder in Zarr's format 2 with a file for each chunk, laid out by hdmf-zarr.

Only this module imports hdmf-zarr and zarr, and it is imported only for files whose name says Zarr.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numcodecs
import numpy as np
import numpy.typing as npt
import pynwb
import zarr
from hdmf.data_utils import AbstractDataChunkIterator
from hdmf_zarr import NWBZarrIO, ZarrDataIO
from numcodecs import Blosc

from nwbridge.errors import BadSource, CannotWrite, InvalidOutput
from nwbridge.nwb import namespaces
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.endings import ZARR
from nwbridge.nwb.places import Buffers, Grid, Pack, hash_of, place, slab_of

_LEVELS = {"fast": 1, "small": 5}  # of Zstandard; higher ones take ten times as long for 2 % (docs/zarr.md)
_METADATA = (".zarray", ".zattrs")
_PICKLE = "pickle"


class _Empty(AbstractDataChunkIterator):  # type: ignore[misc]  # hdmf has no types
    """What hdmf-zarr makes an array for, and finds nothing in to fill it with."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype

    @property
    def maxshape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        raise StopIteration

    def recommended_chunk_shape(self) -> None:
        return None

    def recommended_data_shape(self) -> tuple[int, ...]:
        return self._shape


class _PartStore(zarr.DirectoryStore):  # type: ignore[misc]  # zarr has no types
    """A folder that gets its name when it is whole, so that no file of it has to be replaced in one go.

    Zarr does so by a rename, for which file systems may wait until the disk has the new content: at every attribute.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        place, content = Path(self.path, key), numcodecs.compat.ensure_contiguous_ndarray_like(value)
        place.unlink(missing_ok=True)  # to shorten it would be as slow
        try:
            place.write_bytes(content)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def _compressor(compression: Compression) -> Blosc | None:
    """Return what Zarr itself compresses with, so every reader has it; bits are shuffled, which suits camera counts."""
    return None if compression == "none" else Blosc("zstd", _LEVELS[compression], Blosc.BITSHUFFLE)


@place.register(zarr.Array)
class _ZarrPlace:
    """Chunks are files; a worker reads a slab back through zarr, which knows nothing of how it was written."""

    def __init__(self, array: zarr.Array) -> None:
        self._array = array
        self.chunks = tuple(array.chunks)

    def packer(self, compression: Compression) -> Pack:
        if self._array.compressor is None:
            return lambda values, _: values.tobytes()
        encode = self._array.compressor.encode
        return lambda values, _: encode(values)

    def put(self, corner: tuple[int, ...], data: bytes) -> None:
        numbers = (str(low // size) for low, size in zip(corner, self.chunks, strict=True))
        self._array.chunk_store[f"{self._array.path}/{'.'.join(numbers)}"] = data

    def digest(self, workers: ThreadPoolExecutor, grid: Grid, start: int, stop: int, buffers: Buffers) -> Future[int]:
        return workers.submit(self._digest, grid, start, stop)

    def _digest(self, grid: Grid, start: int, stop: int) -> int:
        try:
            return hash_of(slab_of(self._array, grid, start, stop))
        except (RuntimeError, ValueError) as error:  # Blosc's words for a damaged chunk, and numpy's for a short one
            name = self._array.path
            raise InvalidOutput(f"a chunk of {name} cannot be read any more ({error}); nothing was kept") from error


class Zarr:
    """A folder; what it is called and when it is whole is as with a file."""

    name = "Zarr"
    suffix = ZARR
    form: Literal["file", "folder"] = "folder"
    unchecked = frozenset({"check_units_table_duration"})  # it indexes with unsigned numbers, which zarr does not take
    row_references = False  # zarr could keep them as Python's pickles only, which no reader should open

    def place(self, shape: tuple[int, ...], dtype: np.dtype[Any], chunks: Any, compression: Compression) -> ZarrDataIO:
        compressor = _compressor(compression) or False
        made = ZarrDataIO(data=_Empty(shape, dtype), chunks=chunks, compressor=compressor, fillvalue=0)
        made.io_settings["dtype"] = dtype  # hdmf-zarr would forget the order of bytes
        return made

    def bare(self, values: npt.NDArray[Any]) -> ZarrDataIO:
        return ZarrDataIO(data=values)

    def writer(self, part: Path) -> Any:
        # hdmf-zarr's own choice for references is pickles: these run code where they are read
        return NWBZarrIO(
            _PartStore(str(part)), mode="w-", manager=namespaces.manager(), object_codec_class=numcodecs.JSON
        )

    def lay_out(self, io: Any, file: Any) -> None:
        try:
            io.write(file, consolidate_metadata=False)
        except Exception as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            if cause is None or cause is error:
                raise
            raise cause from error  # a full disk, which hdmf-zarr packs in an error of its own

    def names(self, io: Any, file: Any, places: Sequence[Any]) -> list[str]:
        found = dict(_placed(io.manager.get_builder(file), ""))
        return [found[id(one)] for one in places]

    @contextmanager
    def filling(self, part: Path) -> Iterator[zarr.Group]:
        yield zarr.open_group(_PartStore(str(part)), mode="r+")
        zarr.consolidate_metadata(str(part))  # all of it in one file: who reads over a network asks once

    @contextmanager
    def open(self, path: Path, mode: str = "r") -> Iterator[zarr.Group]:
        whole = mode == "r" and (path / ".zmetadata").is_file()
        yield zarr.open_consolidated(str(path), mode="r") if whole else zarr.open_group(str(path), mode=mode)

    def recreate(self, file: zarr.Group, name: str, slot: Any, compression: Compression) -> None:
        attributes = file[name].attrs.asdict()
        dtype = slot.array.dtype
        made = file.create_dataset(
            name,
            shape=slot.array.shape,
            dtype=dtype,
            chunks=slot.chunks,
            compressor=_compressor(compression),
            overwrite=True,
        )
        fields = [{"name": field, "dtype": dtype[field].name} for field in dtype.names or ()]
        made.attrs.put(attributes | {"zarr_dtype": fields or dtype.name})

    def order_columns(self, table: zarr.Group, names: Sequence[str]) -> None:
        table.attrs["colnames"] = list(names)

    def values(self, dataset: zarr.Array) -> npt.NDArray[Any]:
        return np.asarray(dataset[:])

    def is_dataset(self, found: object) -> bool:
        return isinstance(found, zarr.Array)

    def refuse(self, out: Path) -> None:
        if not os.path.lexists(out):
            return
        if out.is_symlink() or not out.is_dir():
            raise CannotWrite(
                f"{out} is a {'link' if out.is_symlink() else 'file'}, and Zarr is a folder: choose another"
            )
        if not (out / ".zgroup").is_file():
            raise CannotWrite(f"{out} is a folder that holds no Zarr; it is left alone: choose another name")

    def remove(self, path: Path) -> None:
        if path.exists():
            shutil.rmtree(path)

    def sync(self, path: Path) -> None:
        files = [found for found in path.rglob("*") if os.name == "posix" or found.is_file()]  # folders too, on POSIX
        with ThreadPoolExecutor(8, "nwbridge-sync") as pool:  # a disk takes many at once
            list(pool.map(_sync, files))

    def publish(self, part: Path, out: Path, *, overwrite: bool) -> bool:
        """Rename the folder; one that is replaced is moved aside first, and put back where that fails."""
        if os.path.lexists(out) and not overwrite:
            return False
        old = part.with_name(part.name.removesuffix(f".part{ZARR}") + f".old{ZARR}")
        replaced = out.exists()
        if replaced:
            out.rename(old)
        try:
            part.rename(out)  # fails where another folder has taken the name meanwhile
        except BaseException:
            if replaced:
                old.rename(out)
            raise
        if replaced:
            shutil.rmtree(old, ignore_errors=True)  # what stays is removed by the next run
        return True

    def size(self, path: Path) -> int:
        return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())

    def check_safe(self, path: Path) -> None:
        try:
            for where, document in _documents(path):
                if any(one.get("id") == _PICKLE for one in document.get("filters") or ()):
                    raise BadSource(f"{path.name}: {where} is stored as Python's pickles, which can run code; refused")
                if outside := next(_sources_outside(document), None):
                    raise BadSource(f"{path.name}: {where} refers to another file ({outside:.80}); refused")
        except (OSError, ValueError, AttributeError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise BadSource(
                f"{path.name} cannot be read as Zarr ({reason}): it is damaged or of another kind"
            ) from error

    def reader(self, path: Path, **arguments: Any) -> Any:
        return NWBZarrIO(str(path), mode="r", **arguments)

    def schema_errors(self, path: Path, *, own: bool) -> Iterable[Any]:
        with self.reader(path, load_namespaces=own) as io:  # pynwb's validator opens only HDF5 by its name
            return list(pynwb.validate(io=io, use_cached_namespaces=own))

    def counts(self, error: Any) -> bool:
        """Attributes are JSON, whose whole numbers have no sign or width to speak of."""
        attribute = "." in str(error.location or "").rsplit("/", 1)[-1]
        return not (attribute and re.fullmatch(r"incorrect type - expected 'uint\d+', got 'int64'", error.reason))


def _placed(group: Any, name: str) -> Iterator[tuple[int, str]]:
    """Yield which data is where, of a group and those within it."""
    for key, dataset in group.datasets.items():
        yield id(dataset.data), f"{name}/{key}"
    for key, inner in group.groups.items():
        yield from _placed(inner, f"{name}/{key}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _documents(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a folder says of its arrays and groups, one by one and all together."""
    for folder, inner, files in os.walk(path):
        for name in (*inner, *files):
            found = Path(folder, name)
            if found.is_symlink():
                raise BadSource(f"{path.name}: {found.relative_to(path)} is a link to another file; refused")
            if name in _METADATA:
                yield found.relative_to(path).as_posix(), json.loads(found.read_bytes())
    if (whole := path / ".zmetadata").is_file():
        yield from json.loads(whole.read_bytes())["metadata"].items()


def _sources_outside(value: Any) -> Iterator[str]:
    """Yield the other files that references and links lead to."""
    if isinstance(value, dict):
        if "path" in value and value.get("source", ".") != ".":
            yield str(value["source"])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _sources_outside(inner)
