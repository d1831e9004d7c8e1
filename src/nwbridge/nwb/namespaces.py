"""NWB extension namespaces: our own and those that plugins bring."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import pynwb
from hdmf.build import BuildManager, TypeMap

from nwbridge.errors import PluginFault

SHIPPED = frozenset({"core", "hdmf-common", "hdmf-experimental"})  # those of pynwb itself
_loaded: set[Path] = set()


def load(paths: Iterable[Path]) -> None:
    """Make extension namespaces known to pynwb, each once; PluginFault names the file that cannot be loaded."""
    for path in paths:
        if path in _loaded:
            continue
        try:
            pynwb.load_namespaces(str(path))
        except Exception as error:
            raise PluginFault(
                f"the NWB namespace {path.name} cannot be loaded: {' '.join(str(error).split())}"
            ) from error
        _loaded.add(path)
        _types.cache_clear()


def manager() -> BuildManager:
    """Return what turns containers into files and back: for one file, but its knowledge of types is made only once."""
    return BuildManager(_types())


@functools.cache
def _types() -> TypeMap:
    return pynwb.get_type_map()
