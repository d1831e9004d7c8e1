"""Regions as the challenge has them, whole pixels without weights: out of JSON files, NWB files and any recording."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadOption, BadSource, Finding, LazyArray, Segmentation, Session, arrays

KEYS = ("regions", "sources")  # of a data set in a submission; the second is the older one
LONG = 1 << 31  # no row or column is
BLOCK = 64 << 20  # bytes of masks that are read at once
Pixels = npt.NDArray[np.int64]  # (n, 2): row, column


@dataclass(frozen=True)
class Choice:
    """What of a segmentation counts."""

    segmentation: str | None = None
    above: float = 0.0  # a pixel counts where its weight is more than this share of its region's largest
    rejected: bool = False  # whether regions that were rejected count too
    flag: str = "--segmentation"  # that names the segmentation

    def __post_init__(self) -> None:
        if not 0 <= self.above < 1:
            raise BadOption(f"--above {self.above:g}: expected a fraction of the largest weight, from 0 to less than 1")


@dataclass(frozen=True)
class Regions:
    """The regions of one data set."""

    name: str | None  # of the data set, if it has one
    pixels: tuple[Pixels, ...]
    image_shape: tuple[int, ...] | None = None
    pixel_um: tuple[float, ...] | None = None
    left_out: int = 0  # rejected regions
    findings: tuple[Finding, ...] = ()


def short(name: str) -> str:
    """Return the challenge's name of a data set: 00.00.test for neurofinder.00.00.test."""
    found = re.fullmatch(r"neurofinder\.(\d\d\.\d\d(?:\.test)?)", name)
    return found.group(1) if found else name


def load(path: Path, choice: Choice) -> Regions | dict[str, Regions]:
    """Return the regions of a recording or of a file of regions alone; of a submission, those of each data set."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return of_session(nwbridge.describe(path), choice)
    content = arrays.files_in(path).json(path.name, list)
    if any(isinstance(entry, dict) and ("dataset" in entry or set(entry) & set(KEYS)) for entry in content):
        return of_submission(content, path.name)
    return _of_list(None, content, path.name)


def of_submission(content: Sequence[Any], label: str) -> dict[str, Regions]:
    """Return the regions of a submission by data set; BadSource where it has another form."""
    found: dict[str, Regions] = {}
    for number, entry in enumerate(content):
        key = next((key for key in KEYS if isinstance(entry, dict) and isinstance(entry.get(key), list)), None)
        name = entry.get("dataset") if isinstance(entry, dict) else None
        if key is None or not isinstance(name, str):
            expected = '{"dataset": "00.00.test", "regions": [{"coordinates": [[row, column], …]}, …]}'
            raise BadSource(f"{label}: entry {number} is no data set of a submission; expected {expected}")
        if name in found:
            raise BadSource(f"{label} has the data set {name} twice; expected every one once")
        found[name] = _of_list(name, entry[key], f"{label}: {name}")
    return found


def _of_list(name: str | None, entries: Sequence[Any], label: str) -> Regions:
    """Return the regions that JSON lists, each pixel once."""
    given = [_coordinates(entry, f"{label}: region {number}") for number, entry in enumerate(entries)]
    pixels = tuple(map(_once, given))
    repeated = sum(len(once) < len(all_) for once, all_ in zip(pixels, given, strict=True))
    text = f"{label}: {repeated} of {len(pixels)} regions list a pixel more than once; each was counted once"
    return Regions(name, pixels, findings=(Finding("warning", text, check="neurofinder"),) if repeated else ())


def _coordinates(entry: Any, label: str) -> Pixels:
    try:
        given = np.array(entry["coordinates"])
    except (TypeError, KeyError, ValueError):
        given = np.array("")
    if given.shape == (0,):
        return np.empty((0, 2), np.int64)
    numbers = given.dtype.kind in "iuf" and given.ndim == 2 and given.shape[1] == 2
    if not numbers or not ((given > -LONG) & (given < LONG)).all() or (given % 1).any():
        expected = '{"coordinates": [[row, column], …]} in whole numbers'
        raise BadSource(f"{label} is not of the form {expected}")
    return given.astype(np.int64)


def _once(pixels: Pixels) -> Pixels:
    """Return each pixel once, in order."""
    return unkeyed(np.unique(keyed(pixels)))


def keyed(pixels: Pixels) -> npt.NDArray[np.int64]:
    """Return a number for each pixel, in the order of rows and columns; neither is longer than 32 bits."""
    return (pixels[:, 0] << 32) + pixels[:, 1] + LONG


def unkeyed(keys: npt.NDArray[np.int64]) -> Pixels:
    """Return the pixels of such numbers."""
    return np.stack([keys >> 32, (keys & ((1 << 32) - 1)) - LONG], axis=1)


def of_session(session: Session, choice: Choice) -> Regions:
    """Return the regions of a recording; BadSource where it has none."""
    cells = _chosen(session, choice)
    if cells.image_shape is not None and len(cells.image_shape) != 2:
        raise BadSource(f"{cells.name} of {session.id} is of a volume; neurofinder has regions of one plane only")
    status = cells.status or ("accepted",) * len(cells)
    kept = [choice.rejected or one != "rejected" for one in status]
    pixels = tuple(one for one, keep in zip(_masks(cells, choice.above, session), kept, strict=True) if keep)
    left_out = len(kept) - sum(kept)
    doubts = tuple(one for one in session.findings if one.check == "masks" and f" {cells.name}," in one.message)
    return Regions(short(session.id), pixels, cells.image_shape, cells.plane.pixel_um, left_out, doubts)


def _chosen(session: Session, choice: Choice) -> Segmentation:
    """Return the segmentation that is named, or the only one; one of rejected regions alone only where they count."""
    name = choice.segmentation
    found: dict[str, Segmentation] = {one.name: one for one in session.of(Segmentation) if one.role == "cells"}
    if name is not None and name not in found:
        near = difflib.get_close_matches(name, found, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(found) or 'none'}"
        raise BadOption(f"{session.id} has no segmentation {name} of cells; {hint}")
    if not found:
        reason = next((f" ({one.message})" for one in session.findings if "egmentation" in one.message), "")
        raise BadSource(f"{session.id} has no regions of cells{reason}; expected a segmentation")
    if name is None and not choice.rejected:
        found = {key: one for key, one in found.items() if set(one.status or ()) != {"rejected"}} or found
    if name is None and len(found) > 1:
        raise BadOption(
            f"{session.id} has several segmentations ({', '.join(found)}): choose one with {choice.flag} NAME"
        )
    return found[name if name is not None else next(iter(found))]


def _masks(cells: Segmentation, above: float, session: Session) -> Iterator[Pixels]:
    """Yield the pixels of each region that count."""
    if isinstance(cells.regions, LazyArray):
        yield from _images(cells.regions, above)
        return
    for region in cells.regions:
        if region.pixels is None:
            raise BadSource(f"{cells.name} of {session.id} has no masks: they are not distributed with it")
        weights = np.ones(len(region.pixels)) if region.weights is None else np.asarray(region.weights, float)
        yield _once(region.pixels[_counts(weights, above)].astype(np.int64))


def _images(masks: LazyArray, above: float) -> Iterator[Pixels]:
    """Yield the pixels of each image that count, reading a few images at a time."""
    step = max(1, BLOCK * masks.shape[0] // max(1, masks.nbytes))
    with masks.open() as reader:
        for start in range(0, masks.shape[0], step):
            for image in np.asarray(reader[start : min(start + step, masks.shape[0])]):
                yield np.argwhere(_counts(np.asarray(image, float), above)).astype(np.int64)


def _counts(weights: npt.NDArray[np.floating[Any]], above: float) -> npt.NDArray[np.bool_]:
    """Whether each pixel counts; a weight of NaN does not."""
    known = np.nan_to_num(weights)  # infinity becomes the largest number
    return np.asarray((known > 0) & (known > above * known.max(initial=0)))
