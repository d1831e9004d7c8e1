"""Validators of the NWB schema: the installed one's, and those of the schemas that HDF5 files carry, each made once."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from hdmf.build import BuildManager, TypeMap
from hdmf.validate import ValidatorMap
from pynwb import NWBHDF5IO, validate
from pynwb.validation import get_cached_namespaces_to_validate

from nwbridge.nwb import namespaces

KEPT = 8  # schemas of files whose validators are kept: those of a folder mostly carry the same
_CARRIED: dict[bytes, _Carried] = {}


@dataclass(frozen=True)
class _Carried:
    """The schema that some files carry."""

    types: TypeMap | None
    validators: tuple[ValidatorMap, ...]  # of the most specific namespaces
    said: tuple[warnings.WarningMessage, ...]  # while it was loaded: of each file that carries it


@functools.cache
def validators(namespace: str) -> ValidatorMap:
    """Return what validates each type of an installed namespace; to make it takes longer than to validate a file."""
    return ValidatorMap(namespaces.manager().namespace_catalog.get_namespace(name=namespace))


def errors_by_installed(path: Path) -> list[Any]:
    """Return what the installed schema has against an HDF5 file."""
    with NWBHDF5IO(str(path), "r", manager=namespaces.manager(), load_namespaces=False) as io:
        return list(validators("core").validate(io.read_builder()))


def errors_by_own(path: Path) -> list[Any]:
    """Return what the schema that an HDF5 file carries has against it, as pynwb.validate says it."""
    key = _digest(path)
    if key in _CARRIED:
        _say(_CARRIED[key].said)
    else:
        while len(_CARRIED) >= KEPT:
            del _CARRIED[next(iter(_CARRIED))]
        _CARRIED[key] = _loaded(path)
    schema = _CARRIED[key]
    if not schema.validators:
        return list(validate(path=str(path), use_cached_namespaces=True))
    with NWBHDF5IO(str(path), "r", manager=BuildManager(schema.types)) as io:
        return [wrong for one in schema.validators for wrong in one.validate(io.read_builder())]


def _loaded(path: Path) -> _Carried:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            names, manager, _ = get_cached_namespaces_to_validate(path=str(path))
    finally:
        _say(caught)
    types = None if manager is None else manager.type_map
    found = () if types is None else tuple(ValidatorMap(types.namespace_catalog.get_namespace(n)) for n in names)
    return _Carried(types, found, tuple(caught))


def _say(caught: Iterable[warnings.WarningMessage]) -> None:
    for told in caught:
        warnings.warn_explicit(told.message, told.category, told.filename, told.lineno)


def _digest(path: Path) -> bytes:
    """Return the checksum of every name and every byte of the schema in a file, found as pynwb finds it."""
    words = hashlib.sha256()
    with h5py.File(path, "r") as file:
        place = file.attrs.get(".specloc")
        for namespace, versions in file[place].items() if place is not None else ():
            for version, group in versions.items():
                for name, held in group.items():
                    text = held[()] if isinstance(held, h5py.Dataset) else list(held)
                    words.update(repr((namespace, version, name, text)).encode("utf-8", "surrogatepass"))
    return words.digest()
