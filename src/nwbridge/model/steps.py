"""The history of what a file holds: every step of processing, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from nwbridge.errors import PluginFault

STEPS = "processing_steps"  # the table of them


FEW = 3  # of the others that are named in words


class Companion(NamedTuple):
    """Another movie that a step worked on at the same time."""

    file: str  # name of the NWB file that was read
    identifier: str | None  # of that file
    element: str  # name
    position: int  # in the series, from 1


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
    together_with: tuple[Companion, ...] = ()  # the others of a series that were worked on at once

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "parameters", json.loads(json.dumps(dict(self.parameters), default=str)))
        except (TypeError, ValueError) as error:
            raise PluginFault(f"step {self.name}: a parameter is no plain value: {error}") from error


def together(step: Step) -> str:
    """Return in words what else a step worked on; nothing where that is nothing."""
    named = [f"{one.element} of {one.file}" for one in step.together_with]
    more = f" and {len(named) - FEW} more" if len(named) > FEW else ""
    return f" together with {', '.join(named[:FEW])}{more}" if named else ""
