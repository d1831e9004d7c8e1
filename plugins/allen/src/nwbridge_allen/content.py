"""What one file of Dataset II holds, read and checked: keys, scalars, small arrays, and views of the large ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, LazyArray, arrays

RAW, SUBTRACTED = "ephys_raw", "ephys_baseline_subtracted"
REQUIRED = ("dff", "dte", "dto", RAW, SUBTRACTED, "sptimes")
THRESHOLDS = ("quiroga", "quiroma")  # on disk; in the description
KNOWN = {*REQUIRED, *THRESHOLDS, "genotype"}
OTHER_SET = {"Vmfd", "Voltage", "spk", "pixel_list"}  # Dataset I, which has dte and dto as well
MOST = 10_000_000  # values of dff and spike times, which are held in memory; the longest recordings have thousands
LOOKED_AT = 1 << 16  # first samples of the voltage that tell its unit
TEXT = 4096  # bytes
TROUBLES = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py makes of HDF5's errors


@dataclass(frozen=True, eq=False)
class Content:
    """The values of one file, by its own keys."""

    dff: npt.NDArray[np.floating[Any]]  # (time,)
    dto: float  # seconds
    raw: LazyArray  # (time,), volts
    subtracted: LazyArray  # (time,), volts
    dte: float  # seconds
    spikes: npt.NDArray[np.float64]  # (spike,), seconds
    noise: float  # the median size of the first samples of the subtracted voltage
    threshold: float | None  # volts
    threshold_key: str | None
    genotype: str | None
    others: tuple[str, ...]  # keys that belong to no recording of the data set

    @property
    def duration_s(self) -> float:
        """How long the voltage was recorded."""
        return self.raw.shape[0] * self.dte


def keys_of(path: Path) -> set[str]:
    """Return the names at the top of an HDF5 file, following none of them; BadSource where there is no such file."""
    try:
        if not path.is_file():
            raise BadSource(f"{path.name} is not a file; expected an HDF5 file of Dataset II, such as 103991.h5")
        if not h5py.is_hdf5(path):
            raise BadSource(f"{path.name} does not begin as an HDF5 file does: it is damaged or of another kind")
        with h5py.File(path, "r") as file:
            return {key if isinstance(key, str) else key.decode("utf-8", "replace") for key in file}
    except TROUBLES as error:
        arrays.check_hdf5(path)  # which has plainer words for a file that is cut off
        reason = " ".join(str(error).split())
        raise BadSource(f"{path.name} cannot be read as HDF5 ({reason}): download it again") from error


def is_other_set(keys: set[str]) -> bool:
    """Whether these are the keys of Dataset I."""
    return len(keys & OTHER_SET) > 1 or bool(keys & OTHER_SET and keys & {"dte", "dto"})


def read(path: Path) -> Content:
    """Read what is small and describe what is large; BadSource where the file is no whole recording of Dataset II."""
    keys = keys_of(path)
    if is_other_set(keys):
        raise BadSource(
            f"{path.name} is of Dataset I (it has {', '.join(sorted(keys & OTHER_SET))}), which is not read; "
            "expected a file of Dataset II of the same site"
        )
    if missing := [key for key in REQUIRED if key not in keys]:
        have = ", ".join(_printable(key) for key in sorted(keys)[:12]) or "nothing"
        raise BadSource(f"{path.name} lacks {', '.join(missing)}; it has {have}: expected a whole file of Dataset II")
    raw, subtracted = _voltage(path, RAW), _voltage(path, SUBTRACTED)
    try:
        with h5py.File(path, "r") as file:  # which `_voltage` has found harmless
            threshold_key, threshold = _threshold(file, path.name)
            content = Content(
                dff=_values(file, "dff", path.name),
                dto=_period(file, "dto", path.name),
                raw=raw,
                subtracted=subtracted,
                dte=_period(file, "dte", path.name),
                spikes=_values(file, "sptimes", path.name).astype(np.float64),
                noise=_noise(subtracted),
                threshold=threshold,
                threshold_key=threshold_key,
                genotype=_text(file, "genotype", path.name) if "genotype" in keys else None,
                others=tuple(sorted(_printable(key) for key in keys - KNOWN)),
            )
    except TROUBLES as error:
        reason = " ".join(str(error).split())
        raise BadSource(f"{path.name} cannot be read as HDF5 ({reason}): download it again") from error
    _check(content, path.name)
    return content


def _check(content: Content, name: str) -> None:
    """Refuse what cannot be true together."""
    samples = content.raw.shape[0]
    if not content.dff.size:
        raise BadSource(f"{name}: dff is empty; expected a value for each frame")
    if content.dte >= content.dto:
        raise BadSource(
            f"{name}: dte is {content.dte} s and dto {content.dto} s; expected periods in seconds, the voltage's the "
            "shorter one: are they exchanged, or rates?"
        )
    if content.spikes.size > samples:
        raise BadSource(f"{name}: {content.spikes.size:,} spike times in {samples:,} samples of {RAW}; expected fewer")
    wrong = np.flatnonzero(~np.isfinite(content.spikes))
    if wrong.size:
        raise BadSource(
            f"{name}: sptimes holds {wrong.size} of {content.spikes.size} values that are no time, the first "
            f"({content.spikes[wrong[0]]}) at {wrong[0]}; expected seconds"
        )


def _voltage(path: Path, key: str) -> LazyArray:
    """Return (time,) of a long data set, which is read only while it is written."""
    array = arrays.from_hdf5(path, key)  # refuses files that reach out of themselves
    axis = _time_axis(array.shape, key, path.name)
    if len(array.shape) > 1:
        array = arrays.from_hdf5(path, key, axes=(axis,))
    if not array.shape[0]:
        raise BadSource(f"{path.name}: {key} is empty; expected the recorded voltage")
    _check_floats(array.dtype, key, path.name, "volts")
    return array


def _time_axis(shape: tuple[int, ...], key: str, name: str) -> int:
    """Return which axis is time: the only one that is not of size 1."""
    long = [axis for axis, size in enumerate(shape) if size != 1]
    if len(shape) not in (1, 2) or len(long) > 1:
        raise BadSource(f"{name}: {key} has the shape {shape}; expected (N,), (1, N) or (N, 1)")
    return long[0] if long else 0


def _check_floats(dtype: np.dtype[Any], key: str, name: str, unit: str) -> None:
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise BadSource(f"{name}: {key} holds {dtype}; expected {unit} as float64 or float32")


def _dataset(file: h5py.File, key: str, name: str) -> h5py.Dataset:
    dataset = file.get(key)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise BadSource(f"{name}: {key} holds no values; expected a data set")
    return dataset


def _values(file: h5py.File, key: str, name: str) -> npt.NDArray[np.floating[Any]]:
    """Return (time,) of a short data set."""
    dataset = _dataset(file, key, name)
    _time_axis(dataset.shape, key, name)
    _check_floats(dataset.dtype, key, name, "seconds" if key == "sptimes" else "ΔF/F")
    if dataset.size > MOST:
        raise BadSource(f"{name}: {key} has {dataset.size:,} values; expected at most {MOST:,}")
    values = np.ravel(dataset[()])
    return values.astype(values.dtype.newbyteorder("="))


def _noise(voltage: LazyArray) -> float:
    with voltage.open() as reader:
        return float(np.median(np.abs(reader[0 : min(LOOKED_AT, voltage.shape[0])])))


def _single(file: h5py.File, key: str, name: str, expected: str) -> Any:
    dataset = _dataset(file, key, name)
    if dataset.size != 1:
        raise BadSource(f"{name}: {key} has the shape {dataset.shape}; expected {expected}")
    if dataset.dtype.itemsize > TEXT:
        raise BadSource(f"{name}: {key} is {dataset.dtype.itemsize:,} bytes long; expected {expected}")
    return np.ravel(dataset[()])[0]


def _number(file: h5py.File, key: str, name: str, unit: str) -> float:
    value = _single(file, key, name, f"one number, in {unit}")
    if not isinstance(value, np.integer | np.floating):
        shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        raise BadSource(f"{name}: {key} is {shown[:40]!r}; expected one number, in {unit}")
    return float(value)


def _period(file: h5py.File, key: str, name: str) -> float:
    value = _number(file, key, name, "seconds")
    if not 0 < value < np.inf:
        raise BadSource(f"{name}: {key} is {value}; expected a sampling period in seconds, more than 0")
    return value


def _threshold(file: h5py.File, name: str) -> tuple[str | None, float | None]:
    """Return the spike threshold and its key; None where the file has none."""
    found = {key: _number(file, key, name, "volts") for key in THRESHOLDS if key in file}
    if len(set(map(str, found.values()))) > 1:  # as text NaN is NaN
        both = " and ".join(f"{key} {value}" for key, value in found.items())
        raise BadSource(f"{name} has two spike thresholds, {both}; expected one")
    return next(iter(found.items()), (None, None))


def _text(file: h5py.File, key: str, name: str) -> str:
    value = _single(file, key, name, "one text")
    try:
        text = value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise BadSource(f"{name}: {key} is {bytes(value[:40])!r}; expected text in UTF-8") from None
    if not isinstance(text, str) or len(text) > TEXT:
        raise BadSource(f"{name}: {key} is {str(text)[:40]!r}; expected one text")
    return text.strip().rstrip("\0")


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode("utf-8")


def is_recording(keys: set[str]) -> bool:
    """Whether these are keys of Dataset II, one or two of which may be missing."""
    return {"dff", "sptimes"} <= keys or len(keys.intersection(REQUIRED)) >= len(REQUIRED) - 2
