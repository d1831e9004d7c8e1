"""An NWB file copied as it is, object by object: chunks are not recompressed, and every object gets a new id.

DANDI refuses two files that share object ids, and links between files at upload; so a processed file is a whole new
one. What pynwb does not know is copied as well.
"""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource, InvalidOutput

ID = "object_id"  # the attribute
_EMPTIED = ("data", "timestamps")  # of a series that is left out, but that others refer to
_TEXT = h5py.string_dtype()
_MOVIES = ("TwoPhotonSeries", "OnePhotonSeries")


@dataclass
class _Copying:
    """What is known while a file is copied."""

    out: h5py.File
    without: frozenset[str]
    places: dict[tuple[int, int], str] = field(default_factory=dict)  # of an object read -> where it was copied to
    referring: list[tuple[h5py.HLObject, str]] = field(default_factory=list)  # objects whose references are to be set
    wanted: set[str] = field(default_factory=set)  # what was left out and links lead to
    left: dict[tuple[int, int], str] = field(default_factory=dict)  # objects that were left out


def copy(path: Path, part: Path, without: Collection[str] = ()) -> tuple[str, ...]:
    """Copy an NWB file to `part` with new object ids.

    `without` names groups that are left out, as ``/acquisition/TwoPhotonSeries``. One that other objects link or
    refer to stays, but without its values and times; of values and times that others share by a link, these keep a
    copy. Returns the names of the groups that stay.
    """
    try:
        with h5py.File(path, "r") as source, h5py.File(part, "x") as out:
            copying = _Copying(out, frozenset(place for place in without if place in source))
            for place in copying.without:
                copying.left |= {_address(one): place for one in _within(source[place])}
            _copy_group(source, source, out, copying)
            emptied = tuple(_keep_empty(source, copying))
            for found, place in copying.referring:
                _refer(found, place, source, copying)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:  # what h5py makes of HDF5's errors
        if "errno" in str(error):  # a full disk
            raise
        raise BadSource(f"{path.name} cannot be copied ({' '.join(str(error).split())}): it is damaged") from error
    return emptied


def _copy_group(group: h5py.Group, source: h5py.File, made: h5py.Group, copying: _Copying) -> None:
    """Copy what a group holds, and its attributes."""
    copying.places[_address(group)] = made.name
    _copy_attributes(group, made, copying)
    for name in group:
        place = posixpath.join(group.name, name)
        link = group.get(name, getlink=True)
        found = group.get(name)  # None: a link that leads nowhere
        left = None if found is None else copying.left.get(_address(found))
        if isinstance(link, h5py.SoftLink) and (left is None or isinstance(found, h5py.Group)):
            made[name] = h5py.SoftLink(link.path)
            copying.wanted |= set() if left is None else {left}
            continue
        if place in copying.without:
            continue
        if known := copying.places.get(_address(found)):
            made[name] = copying.out[known]  # a second name of the same object
        elif isinstance(found, h5py.Group):
            _copy_group(found, source, made.create_group(name), copying)
        else:
            _copy_dataset(found, made, name, copying)


def _copy_dataset(found: h5py.HLObject, made: h5py.Group, name: str, copying: _Copying) -> None:
    """Copy a data set, or a named type, with its chunks as they are stored."""
    made.file.copy(found, made, name=name)
    new = made[name]
    copying.places[_address(found)] = new.name
    if ID in found.attrs:
        new.attrs.create(ID, str(uuid.uuid4()), dtype=_TEXT)
    kinds = [found.attrs.get_id(key).dtype for key in found.attrs]
    if any(map(_refers, [*kinds, getattr(found, "dtype", None)])):
        copying.referring.append((found, new.name))
    elif _is_smaller(found, new):
        raise InvalidOutput(f"{found.name} was not copied whole; nothing was kept. Check the disk, and report it")


def _is_smaller(found: h5py.HLObject, new: h5py.HLObject) -> bool:
    """Whether not all stored bytes came; of texts and references only their places are stored, which change."""
    if not isinstance(found, h5py.Dataset) or found.dtype.hasobject:
        return False
    return bool(found.id.get_storage_size() != new.id.get_storage_size())


def _copy_attributes(found: h5py.HLObject, made: h5py.HLObject, copying: _Copying) -> None:
    for key in found.attrs:
        stored = found.attrs.get_id(key)
        if _refers(stored.dtype):
            copying.referring.append((found, made.name))
        elif key == ID:
            made.attrs.create(ID, str(uuid.uuid4()), dtype=_TEXT)
        else:
            _store_attribute(made, key, stored, _stored(stored))


def _stored(found: h5py.h5a.AttrID | h5py.h5d.DatasetID) -> npt.NDArray[Any] | None:
    """Return values as they are stored, whatever their type; None where there is nothing."""
    if found.shape is None:
        return None
    kind = found.dtype
    values: npt.NDArray[Any] = np.empty(found.shape, kind)  # of arrays in each value numpy makes more axes
    memory = h5py.h5t.py_create(kind)
    if isinstance(found, h5py.h5a.AttrID):
        found.read(values, mtype=memory)
    elif values.size:
        found.read(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=memory)
    return values


def _store_attribute(made: h5py.HLObject, key: str, like: h5py.h5a.AttrID, values: npt.NDArray[Any] | None) -> None:
    """Write an attribute of the same type and extent as another."""
    name = key.encode()
    if h5py.h5a.exists(made.id, name):
        h5py.h5a.delete(made.id, name)
    new = h5py.h5a.create(made.id, name, like.get_type().copy(), like.get_space())
    if values is not None:
        new.write(values, mtype=h5py.h5t.py_create(like.dtype))


def _keep_empty(source: h5py.File, copying: _Copying) -> Iterator[str]:
    """Keep what was left out, without its values, where a link or a reference leads to it; yield its name."""
    wanted = set(copying.wanted)
    for found, _ in copying.referring:
        targets = map(_address, _targets(found, source))
        wanted |= {copying.left[at] for at in targets if at in copying.left and at not in copying.places}
    for place in sorted(wanted):
        group = source[place]
        made = copying.out.require_group(posixpath.dirname(place)).create_group(posixpath.basename(place))
        copying.places[_address(group)] = made.name
        _copy_attributes(group, made, copying)
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink) and name not in _EMPTIED:
                made[name] = h5py.SoftLink(link.path)
            elif name in _EMPTIED:
                shape = (0,) * group[name].ndim
                copying.places.setdefault(_address(group[name]), posixpath.join(place, name))
                _copy_attributes(group[name], made.create_dataset(name, shape, group[name].dtype), copying)
            elif isinstance(group[name], h5py.Group):
                _copy_group(group[name], source, made.create_group(name), copying)
            else:
                _copy_dataset(group[name], made, name, copying)
        yield posixpath.basename(place)


def _within(found: h5py.HLObject) -> Iterator[h5py.HLObject]:
    yield found
    if isinstance(found, h5py.Group):
        inner: list[h5py.HLObject] = []
        found.visititems(lambda _, one: inner.append(one))
        yield from inner


def _address(found: h5py.HLObject) -> tuple[int, int]:
    info = h5py.h5o.get_info(found.id)
    return info.fileno, info.addr


def _refers(dtype: np.dtype[Any] | None) -> bool:
    """Whether values are references to objects, or hold some."""
    if dtype is None:
        return False
    if dtype.names:
        return any(_refers(dtype[name]) for name in dtype.names)
    inner = h5py.check_vlen_dtype(dtype)
    return h5py.check_ref_dtype(dtype) is not None or (isinstance(inner, np.dtype) and _refers(inner))


def _references_in(values: Any) -> Iterator[h5py.Reference]:
    if isinstance(values, h5py.Reference):
        yield values
    elif isinstance(values, np.ndarray | np.void) and values.dtype.names:
        for name in values.dtype.names:
            yield from _references_in(values[name])
    elif isinstance(values, np.ndarray) and values.dtype.kind == "O":
        for value in values.flat:
            yield from _references_in(value)


def _targets(found: h5py.HLObject, source: h5py.File) -> Iterator[h5py.HLObject]:
    """Yield every object that a data set or its attributes refer to."""
    ids = [found.attrs.get_id(key) for key in found.attrs] + [found.id] * isinstance(found, h5py.Dataset)
    for values in (_stored(one) for one in ids if _refers(one.dtype)):
        yield from (source[reference] for reference in _references_in(values) if reference)


def _refer(found: h5py.HLObject, place: str, source: h5py.File, copying: _Copying) -> None:
    """Let the references of a copied object lead to the copies of what they led to."""
    made = copying.out[place]
    for key in found.attrs:
        stored = found.attrs.get_id(key)
        if _refers(stored.dtype):
            _store_attribute(made, key, stored, _moved(_stored(stored), source, copying))
    if isinstance(found, h5py.Dataset) and _refers(found.dtype):
        values = _moved(_stored(found.id), source, copying)
        if values is not None and values.size:
            made.id.write(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=h5py.h5t.py_create(found.dtype))


def _moved(values: Any, source: h5py.File, copying: _Copying) -> Any:
    """Return values with references into the new file; arrays are changed in place."""
    if isinstance(values, h5py.Reference):
        return _reference(values, source, copying) if values else values
    if isinstance(values, np.ndarray) and values.dtype.names:
        for name in values.dtype.names:
            if _refers(values.dtype[name]):
                values[name] = _moved(values[name].copy(), source, copying)
    elif isinstance(values, np.ndarray) and values.dtype.kind == "O":
        for place in np.ndindex(values.shape):
            values[place] = _moved(values[place], source, copying)
    return values


def _reference(reference: h5py.Reference, source: h5py.File, copying: _Copying) -> h5py.Reference:
    """Return the reference to the copy of what a reference leads to, or to the same part of it."""
    place = copying.places[_address(source[reference])]
    if not isinstance(reference, h5py.RegionReference):
        return copying.out[place].ref
    part = h5py.h5r.get_region(reference, source.id)
    return h5py.h5r.create(copying.out.id, place.encode(), h5py.h5r.DATASET_REGION, part)


def renew(part: Path, made_by: Sequence[tuple[str, str]], script: str) -> None:
    """Make a copy a file of its own: another identifier, the time, the software and the command of this run added."""
    with h5py.File(part, "r+") as file:
        _put(file, "identifier", str(uuid.uuid4()))
        _put(file, "file_create_date", [*_texts(file, "file_create_date"), datetime.now(UTC).isoformat()], grows=True)
        pairs = [tuple(pair) for pair in _pairs(file)]
        _put(file, "general/was_generated_by", list(dict.fromkeys([*pairs, *made_by])))
        scripts = [*_texts(file, "general/source_script"), script]
        name = file["general/source_script"].attrs.get("file_name") if "general/source_script" in file else None
        _put(file, "general/source_script", " && ".join(scripts))
        file["general/source_script"].attrs["file_name"] = name or "nwbridge"


def _texts(file: h5py.File, name: str) -> list[str]:
    return [str(text) for text in np.atleast_1d(file[name].asstr()[()])] if name in file else []


def _pairs(file: h5py.File) -> Iterable[Sequence[str]]:
    stored = file["general/was_generated_by"].asstr()[()] if "general/was_generated_by" in file else np.empty((0, 2))
    return [[str(text) for text in row] for row in np.asarray(stored) if np.ndim(row) == 1 and len(row) == 2]


def _put(file: h5py.File, name: str, value: Any, *, grows: bool = False) -> None:
    """Replace a data set of text, keeping its attributes."""
    attributes = dict(file[name].attrs) if name in file else {}
    if name in file:
        del file[name]
    data = value if isinstance(value, str) else np.array(value, dtype=object)
    more = {"maxshape": (None,), "chunks": (max(1, len(value)),)} if grows else {}
    made = file.create_dataset(name, data=data, dtype=_TEXT, **more)
    for key, attribute in attributes.items():
        made.attrs[key] = attribute


def names_in(path: Path) -> set[str]:
    """Return the name of everything in a file, links included: new objects get others."""
    names: set[str] = set()
    with h5py.File(path, "r") as file:
        file.visit_links(lambda place: names.add(posixpath.basename(place)))
    return names


def acquired_movies(path: Path) -> dict[str, str]:
    """Return the names of the movies that were acquired and have values, and where they are in a file."""
    with h5py.File(path, "r") as file:
        acquired = file.get("acquisition", {})
        return {name: f"/acquisition/{name}" for name in acquired if _is_filled_movie(acquired.get(name))}


def _is_filled_movie(found: Any) -> bool:
    known = isinstance(found, h5py.Group) and found.attrs.get("neurodata_type") in _MOVIES
    data = found.get("data") if known else None
    return isinstance(data, h5py.Dataset) and bool(data.size)
