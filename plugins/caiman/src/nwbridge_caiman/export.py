"""Export: a result of CaImAn in its own HDF5 layout, of the cells of one recording."""

import math
from io import BytesIO

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import BadOption, InvalidOutput, Session
from nwbridge_caiman.choosing import ExportOptions, result_of
from nwbridge_caiman.layout import session_in
from nwbridge_caiman.saving import content_of
from nwbridge_caiman.values import Values, dims_of, rate_of, values_of

TITLE = "what CaImAn's load_CNMF reads (HDF5, as since its version 1.9.9), of the cells of one FILE"
NAME = "caiman.hdf5"


def make(sessions: tuple[Session, ...], options: ExportOptions) -> bytes:
    """Return the file, after reading it back."""
    if len(sessions) != 1:
        names = ", ".join(session.id for session in sessions)
        raise BadOption(f"{len(sessions)} recordings were given, {names}; expected one: CaImAn's file holds one result")
    if options.rate is not None and not 0 < options.rate < math.inf:
        raise BadOption(f"--rate {options.rate}: expected frames a second, above 0")
    result = result_of(sessions[0], options)
    dims_of(result.cells)
    values = values_of(result)
    content = content_of(result, values, rate_of(result, options.rate))
    _compare(content, values)
    return content


def _compare(content: bytes, meant: Values) -> None:
    """Raise InvalidOutput unless our own source of such files reads what was meant."""
    with h5py.File(BytesIO(content), "r") as file:
        found = values_of(result_of(session_in(NAME, file, content), ExportOptions()))
    for key, value in meant.items():
        if key not in found and not value.size:
            continue  # of no component there is nothing to be read
        if key not in found or not _same(found[key], value, close=key.endswith("raw")):
            raise InvalidOutput(f"{key} does not read back as it was; nothing was kept")
    if extra := sorted(set(found) - set(meant)):
        raise InvalidOutput(f"{', '.join(extra)} reads back and was not there; nothing was kept")


def _same(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic], *, close: bool) -> bool:
    """Whether values are the same; of sums, but for the last digits and where they are not finite."""
    if one.shape != other.shape:
        return False
    if not close:
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    known = np.isfinite(other)
    most = float(np.abs(other[known]).max(initial=0))
    return bool(np.allclose(one[known], other[known], rtol=1e-9, atol=1e-9 * most))
