"""The bytes of cell sets and event sets: payload, footer, length of the footer; the layout that the readers have."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge_ideas.cellsets import STATUSES
from nwbridge_ideas.clock import Clock, as_ratio
from nwbridge_ideas.events import PACKET

WHITE = (1 << 32) - 1  # the colour that the vendor's library gives cells
_ONE = {"num": 1, "den": 1}
_ZERO = {"num": 0, "den": 1}


def cell_set(
    cells: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    shape: tuple[int, ...],
    clock: Clock,
    lists: dict[str, Any],
    footer: dict[str, Any],
    extra: Any,
) -> bytes:
    """Return a cell set of version 5: of each cell an image, then a trace."""
    payload = [part.astype("<f4").tobytes() for pair in cells for part in pair]
    spacing = footer.get("spacingInfo", {})
    place = {
        "numPixels": {"x": shape[1], "y": shape[0]},
        "pixelSize": spacing.get("pixelSize") or {"x": _ONE, "y": _ONE},
        "topLeft": spacing.get("topLeft") or {"x": _ZERO, "y": _ZERO},
    }
    nothing = {"CentroidDistances": [], "Matches": [], "PairScores": [], "SizeGlobalCS": 0, "cellMetrics": None}
    fixed = {"dataType": "float", "efocusValues": [0], "fileVersion": 5, "isRoiSet": False, "type": 1}
    said = {"extraProperties": extra, "producer": _producer(), "spacingInfo": place, "timingInfo": clock.as_json()}
    return _file(payload, {**lists, **nothing, **fixed, **said})


def event_set(traces: Iterable[npt.NDArray[Any]], names: list[str], clock: Clock, extra: Any) -> bytes:
    """Return an event set of version 2: a packet for each sample above 0, channel after channel."""
    offsets, payload, counts, starts = clock.offsets_us(), [], [], []
    for channel, trace in enumerate(traces):
        values = trace.astype("<f4")
        (samples,) = np.nonzero(values > 0)
        packets = np.empty(len(samples), PACKET)
        packets["offset"], packets["channel"], packets["value"] = offsets[samples], channel, values[samples]
        payload.append(packets.tobytes())
        counts.append(len(samples))
        starts.append(int(packets["offset"][0]) if len(samples) else 0)
    lists = {"channel list": names, "numSamples": counts, "startOffsets": starts, "signalTypes": [0] * len(names)}
    steps = {"signalSteps": [as_ratio(clock.period)] * len(names), "metrics": None}
    times = {"global times": [clock.time(0), clock.time(clock.count)]}
    said = {"extraProperties": extra, "fileType": 1, "fileVersion": 2, "producer": _producer(), "type": 5}
    return _file(payload, {**lists, **steps, **times, **said})


def lists_of(names: list[str], status: tuple[Any, ...] | None, columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the lists of a cell set's footer; who was not evaluated is undecided."""
    number = {word: number for number, word in enumerate(STATUSES)}
    evaluated = status or ("undecided",) * len(names)
    return {
        "CellNames": names,
        "CellStatuses": [number.get(word, number["undecided"]) for word in evaluated],
        "CellColors": columns.get("cell_color", [WHITE] * len(names)),
        "CellActivity": columns.get("cell_active", [True] * len(names)),
    }


def _producer() -> dict[str, Any]:
    numbers = [part for part in nwbridge.__version__.split(".")[:3] if part.isdecimal()]
    return {"name": "nwbridge", "version": [*map(int, numbers)]}


def _file(payload: list[bytes], footer: dict[str, Any]) -> bytes:
    text = json.dumps(dict(sorted(footer.items())), indent=4).encode()
    return b"".join([*payload, text, b"\x00", struct.pack("<Q", len(text))])
