"""What the tags of a TIFF say about the recording, whichever program wrote them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbridge import Channel, Device, Finding

MICROMETRES = {"µm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0}
MICROMETRES |= {"nm": 1e-3, "mm": 1e3, "m": 1e6, "pm": 1e-6, "å": 1e-4}
SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "µs": 1e-6, "us": 1e-6}
SECONDS |= {"usec": 1e-6, "ns": 1e-9, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hour": 3600.0}


def label(name: str) -> str:
    """Return a channel's name as an object of a file can have it."""
    return re.sub(r"[/:\s]+", " ", name).strip(" .") or "-"


@dataclass(frozen=True)
class Said:
    """What one program wrote; empty or None where it does not say."""

    program: str = ""  # "ImageJ 1.52n"
    sizes: Mapping[str, int] = field(default_factory=dict)  # of C (channels), Z (planes), T (times), where stated
    order: str | None = None  # of pages, the axis that changes fastest first: "CZT"
    places: npt.NDArray[np.intp] | None = None  # page of each entry of that order, where pages lie otherwise
    whole: bool = False  # sizes and order are those of all files together
    flyback: int = 0  # pages of each channel after a volume's last plane
    unsettled: str = ""  # what only the user can tell about planes
    rate_hz: float | None = None  # time points a second
    frame_hz: float | None = None  # pages of one channel a second, where a volume has several
    rate_origin: str = ""
    times: npt.NDArray[np.float64] | None = None  # of each entry of `order`, seconds
    pixel_um: tuple[float, float] | None = None  # (row spacing, column spacing)
    pixel_origin: str = ""
    spacing_um: float | None = None  # between planes
    channels: tuple[Channel, ...] = ()
    channel_origin: str = ""
    indicator: str | None = None
    excitation_nm: float | None = None
    kind: Literal["two-photon", "one-photon"] | None = None
    device: Device = field(default_factory=Device)
    start_time: datetime | None = None
    start_origin: str = ""
    description: str = ""
    offset: float = 0.0
    conversion: float = 1.0
    unit: str | None = None
    header: Mapping[str, Any] = field(default_factory=dict)  # settings of the microscope, as it wrote them
    findings: tuple[Finding, ...] = ()


def number(text: object) -> float | None:
    """Return a finite number, or None."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def positive(text: object) -> float | None:
    """Return a finite number above 0, and not so close to it that it has no inverse, or None."""
    value = number(text)
    return value if value is not None and value > 1e-300 else None


def micrometres(unit: str) -> float | None:
    """Return how many µm a unit of length has, or None for what is no length that a microscope is set in."""
    unit = unit.strip().replace("\\u00B5", "µ").replace("μ", "µ").lower()
    return MICROMETRES.get(unit)


def seconds(unit: str) -> float | None:
    """Return how many seconds a unit of time has, or None."""
    return SECONDS.get(unit.strip().replace("\\u00B5", "µ").replace("μ", "µ").lower())


def hint(message: str, advice: str = "") -> Finding:
    """Something to know."""
    return Finding("hint", message, advice, check="tiff")


def warning(message: str, advice: str = "") -> Finding:
    """Something to look at."""
    return Finding("warning", message, advice, check="tiff")


def local_start(program: str, moment: str) -> Finding:
    """Say when a recording began by a clock without a time zone."""
    moment = moment.replace(" ", "T")
    advice = f"if you know the zone: --set NWBFile.session_start_time={moment}+HH:MM"
    return hint(f"{program} says that the recording began at {moment}, without a time zone", advice)
