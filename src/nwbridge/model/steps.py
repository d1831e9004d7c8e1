"""The history of what a file holds: every step of processing, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nwbridge.errors import PluginFault

STEPS = "processing_steps"  # the table of them


@dataclass(frozen=True)
class Step:
    """One step of processing: what ran, with which parameters, on what, and what it made."""

    name: str  # of the processor
    plugin: str  # the distribution that brings it
    version: str
    made_from: tuple[str, ...]  # names of elements
    made: tuple[str, ...]  # names of elements
    parameters: Mapping[str, Any] = field(default_factory=dict)  # plain values: all options, also those not given
    host_version: str | None = None  # of nwbridge
    file: str | None = None  # name of the NWB file that was read
    identifier: str | None = None  # of that file
    sha256: str | None = None  # of that file, in hexadecimal; None: it is not known yet
    left_out: tuple[str, ...] = ()  # what that file holds and this one does not
    time: datetime | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "parameters", json.loads(json.dumps(dict(self.parameters), default=str)))
        except (TypeError, ValueError) as error:
            raise PluginFault(f"step {self.name}: a parameter is no plain value: {error}") from error
