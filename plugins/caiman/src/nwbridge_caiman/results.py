"""An open CaImAn file: its values by name, None where CaImAn had None, and lazy arrays with checked shapes."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Finding, LazyArray, Reader

NOTHING = "NoneType"  # what CaImAn stores for None
LISTED = 1 << 16  # values of a parameter that are listed; longer ones are arrays that belong elsewhere
DEEPEST = 8
Read = Callable[[h5py.File, int, int], npt.NDArray[Any]]


@dataclass(frozen=True)
class Results:
    """One file while it is described."""

    path: Path
    file: h5py.File
    findings: list[Finding] = field(default_factory=list)  # what was noticed on the way
    left: list[str] = field(default_factory=list)  # what is not carried: names and sizes
    content: bytes | None = field(default=None, repr=False)  # of a file that is still in memory

    def bad(self, name: str, words: str) -> BadSource:
        """Return the error that says what is wrong with a member."""
        return BadSource(f"{self.path.name}: {name} {words}")

    def note(self, severity: Any, message: str, advice: str = "") -> None:
        """Keep a finding."""
        self.findings.append(Finding(severity, message, advice, self.path.name, "caiman"))

    def group(self, name: str) -> h5py.Group | None:
        """Return a group, None where there is none of that name."""
        item = self.file.get(name)
        return item if isinstance(item, h5py.Group) else None

    def dataset(self, name: str) -> h5py.Dataset | None:
        """Return a data set, None where there is none or it stands for None; BadSource where it is a group."""
        item = self.file.get(name)
        if isinstance(item, h5py.Group):
            raise self.bad(name, f"is a group of {', '.join(sorted(item)) or 'nothing'}; expected a data set")
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return None
        return None if item.ndim == 0 and _plain(item[()]) is None else item

    def value(self, name: str) -> Any:
        """Return a value: a data set up to version 1.9.8 of CaImAn, for text an attribute since; None where absent."""
        item = self.dataset(name)
        if item is not None:
            return _plain(item[()])
        above, _, key = name.rpartition("/")
        holder = self.group(above or "/")
        return _plain(holder.attrs[key]) if holder is not None and key in holder.attrs else None

    def text(self, name: str) -> str | None:
        """Return a value that should be text."""
        value = self.value(name)
        return value if isinstance(value, str) else None

    def shape(self, name: str, axes: str, sizes: tuple[int | None, ...], why: str) -> tuple[int, ...] | None:
        """Return a data set's shape; BadSource where it is another than `sizes` (None: any), that `why` names."""
        item = self.dataset(name)
        if item is None:
            return None
        fits = item.ndim == len(sizes) and all(s in (None, n) for s, n in zip(sizes, item.shape or (), strict=False))
        if not fits:
            expected = ", ".join("any" if size is None else str(size) for size in sizes)
            raise self.bad(name, f"has the shape {item.shape}; expected ({expected}) as {axes}: {why}")
        self.check_numbers(name, item)
        return tuple(item.shape)

    def check_numbers(self, name: str, item: h5py.Dataset) -> None:
        """Refuse a data set of anything but numbers that NWB has a type for."""
        if item.dtype.kind not in "uif" or item.dtype.itemsize not in (1, 2, 4, 8) or item.dtype == np.float16:
            raise self.bad(name, f"holds {item.dtype}; expected numbers: whole, float32 or float64")

    def lazy(self, shape: tuple[int, ...], dtype: npt.DTypeLike, read: Read) -> LazyArray:
        """Return an array whose entries `start` to `stop` are ``read(file, start, stop)``."""
        path, content = self.path, self.content

        @contextmanager
        def open_results() -> Iterator[Reader]:
            with h5py.File(path if content is None else BytesIO(content), "r") as file:
                yield _Block(file, read, shape[0])

        return LazyArray(shape, np.dtype(dtype), open_results)

    def rows(self, name: str) -> LazyArray:
        """Return a data set as it is."""
        item = self.file[name]
        return self.lazy(item.shape, item.dtype, lambda file, start, stop: file[name][start:stop])

    def tree(self, name: str, skip: Callable[[str, Any], bool] | None = None, most: int = LISTED) -> dict[str, Any]:
        """Return what is below a group as plain values, but what is skipped; what cannot be listed is noted as left."""
        group, found = self.group(name), {}
        if group is None:
            return {}
        for key in group.attrs:
            if _can_be_listed(group.attrs.get_id(key), most):
                found[key] = _plain(group.attrs[key])
            else:
                self.left.append(f"{name}/{key}".lstrip("/"))
        for key in group:
            item, below = group.get(key), f"{name}/{key}".lstrip("/")
            if skip is not None and skip(key, item):
                continue
            if isinstance(item, h5py.Group) and most == LISTED and below.count("/") < DEEPEST:
                found[key] = self.tree(below)
            elif isinstance(item, h5py.Dataset) and _can_be_listed(item, most):
                found[key] = _plain(item[()])
            else:
                self.left.append(f"{below} {getattr(item, 'shape', '')}".strip())
        return found


@dataclass(frozen=True)
class _Block:
    """Blocks of an array in an open file."""

    file: h5py.File
    read: Read
    count: int

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self.count)
        return self.read(self.file, start, max(start, stop))


def _can_be_listed(item: Any, most: int) -> bool:
    """Whether a data set or attribute holds text, numbers or nothing, and not too many of them."""
    known = item.dtype.kind in "buifSU" and not (item.dtype.kind == "f" and item.dtype.itemsize > 8)
    known = known or (item.dtype.kind == "O" and h5py.check_string_dtype(item.dtype) is not None)
    return item.shape is None or (known and math.prod(item.shape) <= most)


def _plain(value: Any) -> Any:
    """Return text as str, None for what stands for it, one value as Python's, and arrays of numbers as they are."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return None if value == NOTHING else str(value)
    array = np.asarray(value)
    if array.dtype.kind in "SUO":
        return _decoded(array.tolist())
    return array.item() if array.ndim == 0 else array


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if value is None or isinstance(value, str | bytes):
        return None if value is None else _plain(value)
    return str(value) if not isinstance(value, int | float | bool) else value
