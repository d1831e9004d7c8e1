"""How CaImAn saves a result (since version 1.9.9): the groups, what is text, what stands for None."""

import json
from io import BytesIO
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import Parameters
from nwbridge_caiman.cells import KINDS, QUALITIES
from nwbridge_caiman.choosing import GROUPS, Result
from nwbridge_caiman.values import Values, dims_of, frames_of

# what CaImAn's estimates have besides, None unless its online algorithm ran
_ONLINE = ("A_thr", "Ab", "Ab_dense", "AtA", "AtY_buf", "CC", "CY", "C_on", "Cf", "OASISinstances", "Yr_buf")
WORKING = (*_ONLINE, "ind_new", "mn", "noisyC", "rho_buf", "sv", "vr", "discarded_components")
_TRACES = ("C", "S", "YrA", "R", "F_dff")
OF_COMPONENTS = (*_TRACES, *QUALITIES, *KINDS.values())
BACKGROUND = ("W", "b", "b0", "f", "sn")
LONGEST = 60_000  # bytes of text that an attribute can hold
Tree = dict[str, Any]


def content_of(result: Result, values: Values, rate_hz: float | None) -> bytes:
    """Return the file."""
    memory = BytesIO()
    with h5py.File(memory, "w") as file:
        _fill(file, tree_of(result, values, rate_hz))
    return memory.getvalue()


def tree_of(result: Result, values: Values, rate_hz: float | None) -> Tree:
    """Return everything in the file, nested as its groups are."""
    dims = np.array(dims_of(result.cells), np.int64)
    stated = _stated(result.parameters)
    found: Tree = {"mmap_file": None, "dview": None} | stated | {"dims": dims}
    said = found.pop("estimates", {})
    found["estimates"] = _estimates(result, values, said if isinstance(said, dict) else {}) | {"dims": dims}
    params = {group: below for group in GROUPS if isinstance(below := found.pop(group, None), dict)}
    data = params.setdefault("data", {})
    data["dims"] = dims
    if rate_hz is not None and not _close(data.get("fr"), rate_hz):
        data["fr"] = float(rate_hz)
    found["params"] = params
    if result.footer is not None:
        found[result.footer.name] = nested(result.footer.values)
    return found


def _estimates(result: Result, values: Values, said: Tree) -> Tree:
    found: Tree = dict.fromkeys((*WORKING, *OF_COMPONENTS, *BACKGROUND)) | {"shifts": np.zeros(0)}
    found |= {key: value for key, value in said.items() if key != "discarded_components"}
    own = {key: value for key, value in values.items() if not key.startswith("discarded/")}
    found |= _components(own) | {"nr": len(result.cells)}
    if not len(result.cells):
        nothing = np.zeros((0, frames_of(result, values)), np.float32)
        found |= {"C": nothing, "S": nothing, "YrA": nothing}
    for key in ("sn", "b0"):
        if key in values:
            found[key] = values[key].ravel(order="F")
    if result.discarded is not None:
        lost = {key.partition("/")[2]: value for key, value in values.items() if key.startswith("discarded/")}
        below = said.get("discarded_components")
        found["discarded_components"] = (
            dict.fromkeys(OF_COMPONENTS)
            | (below if isinstance(below, dict) else {})
            | _components(lost)
            | {"nr": len(result.discarded)}
        )
    return found


def _components(values: Values) -> Tree:
    """Return members of estimates, with YrA for the raw traces: exactly what is to be added to C."""
    found = nested(values)
    raw = found.pop("raw", None)
    if raw is not None and "C" in found:
        with np.errstate(all="ignore"):  # what is not finite stays so
            found["YrA"] = raw.astype(np.float64) - found["C"]
    return found


def _stated(parameters: Parameters | None) -> Tree:
    return nested(parameters.values) if parameters is not None else {}


def _close(stated: Any, rate_hz: float) -> bool:
    known = isinstance(stated, int | float) and not isinstance(stated, bool)
    return known and bool(np.isclose(stated, rate_hz, rtol=1e-3, atol=0))


def nested(values: Any) -> Tree:
    """Return values by keys such as ``init/K`` as nested mappings."""
    found: Tree = {}
    for key, value in values.items():
        *above, last = key.split("/")
        place = found
        for name in above:
            below = place.get(name)
            place[name] = below if isinstance(below, dict) else {}
            place = place[name]
        place[last] = value
    return found


def _fill(group: h5py.Group, tree: Tree) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            _fill(group.create_group(name), value)
        else:
            put(group, name, value)


def put(group: h5py.Group, name: str, value: Any) -> None:
    """Store a value as CaImAn does: None as a word, text as an attribute, anything else as a data set."""
    if value is None:
        group[name] = b"NoneType"
    elif isinstance(value, str) and len(value.encode()) < LONGEST:
        group.attrs[name] = value
    elif isinstance(value, list | tuple):
        group[name] = _listed(value)
    else:
        group[name] = value


def _listed(value: list[Any] | tuple[Any, ...]) -> npt.NDArray[Any]:
    """Return a list as an array; what is no array of numbers as texts."""
    kinds = {type(inner) for inner in _leaves(value)}
    if kinds <= {int, float} or kinds == {bool}:
        try:
            array = np.array(value)
        except ValueError:  # rows of several lengths
            array = np.zeros(0, object)
        if array.dtype.kind in "biuf":
            return array
    texts = [one if isinstance(one, bytes) else _text(one).encode() for one in value]
    return np.array(texts, dtype="S")


def _leaves(value: Any) -> list[Any]:
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
