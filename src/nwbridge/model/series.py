"""Recordings that are not images: voltages and other values over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from nwbridge.errors import BadSource
from nwbridge.model.lazy import LazyArray, check_clock, is_number
from nwbridge.model.names import check_name
from nwbridge.model.optics import Device


@dataclass(frozen=True)
class Electrode:
    """A pipette at or in one cell."""

    name: str = "electrode"
    description: str | None = None
    device: Device = field(default_factory=lambda: Device("Amplifier"))
    cell_id: str | None = None
    location: str | None = None  # Allen CCF name where it is mouse brain

    def __post_init__(self) -> None:
        check_name("an electrode", self.name, ("intracellular_recordings",))


@dataclass(frozen=True)
class Series:
    """Values over time; becomes a TimeSeries, or with an electrode a CurrentClampSeries in volts.

    It belongs to what was acquired, unless `made_from` names what it was computed from.
    """

    name: str
    data: LazyArray  # (time,) or (time, channel)
    unit: str | None = None  # of the values after conversion and offset
    kind: Literal["plain", "current clamp"] = "plain"
    description: str | None = None
    rate_hz: float | None = None
    timestamps: LazyArray | None = None  # (time,), seconds; where given, the rate is not written
    start_s: float = 0.0
    conversion: float = 1.0
    offset: float = 0.0
    electrode: Electrode | None = None
    made_from: str | None = None  # an element's name, or words

    def __post_init__(self) -> None:
        kind, axes = self.data.dtype, len(self.data.shape)
        if not (is_number(kind) or kind.kind == "b") or not self.data.shape[0] or axes > 4:
            raise BadSource(
                f"series {self.name}: {self.data.shape} {kind}; expected numbers, at least one, along 1 to 4 axes"
            )
        if not (math.isfinite(self.conversion) and math.isfinite(self.offset)):
            raise BadSource(f"series {self.name}: conversion or offset is not a finite number")
        if (self.kind == "current clamp") != (self.electrode is not None):
            raise BadSource(f"series {self.name}: a current clamp goes with an electrode; expected both or neither")
        if self.electrode is not None and (self.unit != "volts" or len(self.data.shape) != 1):
            raise BadSource(
                f"series {self.name}: {self.data.shape} in {self.unit} of an electrode; expected (time,) in volts"
            )
        check_clock(f"series {self.name}", self.data.shape[0], self.rate_hz, self.timestamps, self.start_s)
