"""Which page is which channel, plane and time: what the tags state, what the user says, and whether it adds up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadOption, BadSource, Finding
from nwbridge_tiff.said import Said, hint

WORDS = {"C": "channels", "Z": "planes", "T": "time points"}
ASK = "say it: --planes N for volumes of N planes (1: all are frames in time), --channels N for N channels"
MOST_PAGES = 1 << 25


@dataclass(frozen=True)
class Asked:
    """What the user says of the pages."""

    channels: int | None = None
    planes: int | None = None
    order: str | None = None
    flyback: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("channels", self.channels, 1),
            ("planes", self.planes, 1),
            ("flyback", self.flyback, 0),
        ):
            if value is not None and value < least:
                raise BadOption(f"--{name} {value}: expected at least {least}")
        if self.channels and self.planes and min(self.channels, self.planes) > 1 and self.order is None:
            text = "CZT (of each plane all channels) or ZCT (of each channel all planes)"
            raise BadOption(f"--channels {self.channels} --planes {self.planes}: say how pages follow: --order {text}")


@dataclass(frozen=True)
class Order:
    """The page of each channel, plane and time."""

    pages: npt.NDArray[np.intp] | None  # (time, plane, channel); None: page after page in time
    entries: npt.NDArray[np.intp]  # the same as entries of the stated order
    times: int
    planes: int
    channels: int
    as_stated: bool  # so that rates and times of the tags hold
    findings: tuple[Finding, ...] = ()


def settle(name: str, counts: Sequence[int], said: Said, asked: Asked) -> Order:
    """Return the order of the pages of files with `counts` pages; BadSource where it cannot be told or not be true."""
    stated = {axis: size for axis, size in said.sizes.items() if size > 1}
    counts = (sum(counts),) if said.whole else counts
    count, findings = sum(counts), list[Finding]()
    free = asked.channels is None and asked.planes is None
    if free:
        _refuse_unsettled(name, counts, said)
    lone = free and len(stated) == 1 and said.sizes.get("T", 0) == 1
    if lone:
        findings += _taken_as_time(said)
    channels = 1 if lone else asked.channels or stated.get("C", 1)
    planes = 1 if lone else asked.planes or stated.get("Z", 1)
    flyback = _flyback(name, said, asked, planes)
    order = asked.order or _moved(said, channels, planes)
    parts = [count] if order[-1] == "T" else counts
    words = f"{channels} channel{'s' * (channels > 1)} × {planes} plane{'s' * (planes > 1)}"
    words += f" and {flyback} flyback" if flyback else ""
    _check_counts(name, counts, said, channels * (planes + flyback), words)
    times = count // (channels * (planes + flyback))
    stated_times = math.prod(stated.values()) if lone else stated.get("T")
    # a movie in several files states the length of one of them
    if free and stated_times and len(counts) == 1 and times != stated_times:
        raise BadSource(
            f"{name}: {said.program} says {_words(said)}; {count:,} pages make {times:,} time points of that"
        )
    if flyback:
        findings.append(hint(f"{flyback} flyback frames after each volume were left out"))
    as_stated = free or (channels, planes) == (stated.get("C", 1), stated.get("Z", 1)) or not said.sizes
    if channels == planes + flyback == 1 and said.places is None:
        plain = (
            np.broadcast_to(np.intp(0), (times, 1, 1)) if said.times is None else _grid(count, "CZT", {"C": 1, "Z": 1})
        )
        return Order(None, plain, times, 1, 1, as_stated, tuple(findings))
    if count > MOST_PAGES:
        raise BadSource(f"{name} has {count:,} pages; expected at most {MOST_PAGES:,} to be taken apart: split it")
    grids, begin = [], 0
    for part in parts:
        grids.append(begin + _grid(part, order, {"C": channels, "Z": planes + flyback}))
        begin += part
    entries = np.concatenate(grids)[:, :planes]
    pages = entries if said.places is None else said.places[entries]
    return Order(pages, entries, times, planes, channels, as_stated, tuple(findings))


def _taken_as_time(said: Said) -> list[Finding]:
    """Say where the one axis that is longer than 1 is called channels or planes."""
    ((axis, size),) = ((axis, size) for axis, size in said.sizes.items() if size > 1)
    if axis == "T":
        return []
    advice = f"if they are {WORDS[axis]} of one moment: --{WORDS[axis]} {size}"
    return [hint(f"{said.program} calls the {size} pages {WORDS[axis]}; one axis alone is taken as time", advice)]


def _grid(count: int, order: str, sizes: dict[str, int]) -> npt.NDArray[np.intp]:
    """Return the page of each (time, plane, channel)."""
    sizes = sizes | {"T": count // math.prod(sizes.values())}
    slowest_first = order[::-1]
    grid: npt.NDArray[Any] = np.arange(count, dtype=np.intp).reshape([sizes[axis] for axis in slowest_first])
    return grid.transpose([slowest_first.index(axis) for axis in "TZC"])


def _words(said: Said) -> str:
    return ", ".join(f"{size:,} {WORDS[axis]}" for axis, size in said.sizes.items())


def _refuse_unsettled(name: str, counts: Sequence[int], said: Said) -> None:
    """Raise BadSource where nothing tells planes, or channels, from time."""
    if said.unsettled:
        raise BadSource(f"{name}: {said.unsettled}; {ASK}")
    stated = {axis: size for axis, size in said.sizes.items() if size > 1}
    if {"C", "Z"} <= stated.keys() and said.sizes.get("T") == 1 and len(counts) == 1:
        raise BadSource(
            f"{name}: {said.program} says {_words(said)}: the planes may be time, as ImageJ often has it, "
            f"or one volume; say --planes 1 or --planes {stated['Z']}"
        )
    if len(counts) == 1 or max(counts) == 1 or len(set(counts)) > 1 or "T" in stated:
        return
    if said.sizes and "T" not in said.sizes:  # ScanImage: what is no channel or plane is time
        return
    raise BadSource(
        f"{name}: {len(counts)} files of {counts[0]} pages, and nothing says what the pages of one are; {ASK}"
    )


def _flyback(name: str, said: Said, asked: Asked, planes: int) -> int:
    """Return the pages after each volume that hold no plane."""
    if planes == 1 or asked.flyback is not None:
        return asked.flyback or 0
    if said.flyback:
        raise BadSource(
            f"{name}: {said.program} states {said.flyback} flyback frames after each volume of {planes} planes, "
            f"and not whether they were saved; say --flyback {said.flyback} if they were, or --flyback 0"
        )
    return 0


def _moved(said: Said, channels: int, planes: int) -> str:
    """Return the stated order, with time where the user says that what is called planes, or channels, is time."""
    order = said.order or "CZT"
    if said.sizes.get("T", 0) != 1:
        return order
    for axis, size in (("Z", planes), ("C", channels)):
        if size == 1 and said.sizes.get(axis, 1) > 1:
            return order.replace("T", "").replace(axis, f"{axis}T")
    return order


def _check_counts(name: str, counts: Sequence[int], said: Said, each: int, words: str) -> None:
    """Raise BadSource where pages are left over: a volume was cut off, or the sizes are not true."""
    count = sum(counts)
    if count % each:
        raise BadSource(
            f"{name} holds {count:,} pages; expected a multiple of {each} ({words}): {count % each} are left over, "
            "so that a volume is cut off or the sizes are not true"
        )
    odd = next((n for n in counts if n % each), None)
    whole = all(n == 1 for n in counts) or said.program.startswith("ScanImage")  # whose files end anywhere
    if odd is not None and not whole:
        raise BadSource(f"{name}: a file of {odd} pages; expected a multiple of {each} ({words}) in each file")
