"""Event sets of version 2: packets of 20 bytes {uint64 offset in µs, uint64 channel, float32 value}."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Column, Events, LazyArray, Table, arrays
from nwbridge_ideas.isxd import MAX_COUNT, Isxd, clock_time, read_rows, start_of

PACKET = np.dtype([("offset", "<u8"), ("channel", "<u8"), ("value", "<f4")])
ROW = np.dtype([("timestamp", "f8"), ("offset_us", "u8"), ("channel", "i8"), ("value", "f4")])
_BLOCK = 1 << 16  # packets read at a time while they are counted


@dataclass(frozen=True)
class EventSet:
    """The channels of one file, and how many packets it holds."""

    file: Isxd
    names: tuple[str, ...]
    counts: tuple[int, ...]  # packets of each channel
    last_us: int  # the greatest offset of a packet
    start: Fraction  # seconds since 1970
    start_time: datetime | None

    said_in: ClassVar[str] = "global times"  # of the footer

    def rows(self) -> LazyArray:
        """Return the packets in the file's order, with their time in seconds."""

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            packets = _packets(self.file, start, stop)
            rows = np.empty(len(packets), ROW)
            rows["timestamp"] = packets["offset"] / 1e6
            rows["offset_us"], rows["channel"], rows["value"] = packets["offset"], packets["channel"], packets["value"]
            return rows

        return arrays.from_function((sum(self.counts),), ROW, read)

    def channels(self) -> npt.NDArray[np.int64]:
        """Return every packet's channel."""
        count = sum(self.counts)
        found = np.empty(count, np.int64)
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            found[start:stop] = _packets(self.file, start, stop)["channel"]
        return found


def _packets(file: Isxd, start: int, stop: int) -> npt.NDArray[Any]:
    return read_rows(
        file.path, start * PACKET.itemsize, 1, (stop - start) * PACKET.itemsize, PACKET, stop - start
    ).reshape(-1)


def event_set_of(file: Isxd) -> EventSet:
    """Read an event set's footer and count its packets; BadSource where the two disagree."""
    if file.get("fileType", default=None) is None:
        raise BadSource(
            f"{file.path.name} is an event set of version 1; this source reads version 2: export it anew with the "
            "vendor's software"
        )
    for key, known in (("fileType", 1), ("fileVersion", 2)):
        if file.whole(key) != known:
            raise file.bad((key,), file.get(key), f"{known}, as event sets of version 2 have")
    names = file.listed("channel list")
    if not all(isinstance(name, str) for name in names):
        raise file.bad(("channel list",), names, "text only")
    counts = file.listed("numSamples", count=len(names))
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MAX_COUNT for n in counts):
        raise file.bad(("numSamples",), counts, "whole numbers from 0")
    words = f"{sum(counts):,} packets of {PACKET.itemsize} bytes in {len(names):,} channels"
    file.check_payload(sum(counts) * PACKET.itemsize, words)
    if len(file.listed("global times")) != 2:
        raise file.bad(("global times",), file.get("global times"), "a start and an end")
    last = _check_channels(file, counts)
    begin = Isxd(file.path, {"global times": {"start": file.get("global times")[0]}}, 0)
    start, offset_s = start_of(begin, "global times", "start")
    return EventSet(file, tuple(names), tuple(counts), last, start, clock_time(file, start, offset_s))


def _check_channels(file: Isxd, counts: list[int]) -> int:
    """Return the greatest offset; BadSource unless every channel has as many packets as the footer says."""
    found, last = np.zeros(len(counts), np.int64), 0
    for start in range(0, sum(counts), _BLOCK):
        packets = _packets(file, start, min(start + _BLOCK, sum(counts)))
        channels, last = packets["channel"], max(last, int(packets["offset"].max()))
        if channels.max() >= len(counts):
            place = start + int(np.argmax(channels >= len(counts)))
            raise BadSource(
                f"{file.path.name}: packet {place} names channel {channels[place - start]}; the footer lists "
                f"{len(counts)} channels, from 0"
            )
        found += np.bincount(channels.astype(np.int64), minlength=len(counts))
    if wrong := [n for n, count in enumerate(counts) if found[n] != count]:
        raise BadSource(
            f"{file.path.name}: channel {wrong[0]} has {found[wrong[0]]} packets; footer's numSamples says "
            f"{counts[wrong[0]]}"
        )
    return last


def elements_of(events: EventSet, rows_of: str | None = None) -> tuple[Any, ...]:
    """Return the events and their channels; with `rows_of` the channels are that segmentation's regions."""
    channel = "region" if rows_of else "row of the table event_channels"
    words = {
        "timestamp": "seconds from the start of the recording",
        "offset_us": "the same as the file holds it",
        "channel": f"{channel} that the event is of",
        "value": "size of the event",
    }
    units = {"timestamp": "seconds", "offset_us": "microseconds"}
    table: tuple[Any, ...] = ()
    if sum(events.counts):
        fields: dict[str, Any] = dict(events.rows().fields())
        if rows_of:  # NWB's references to rows are checked before anything is filled, so they cannot be lazy
            fields["channel"] = events.channels()
        columns = tuple(
            Column(name, values, words[name], units.get(name), rows_of=rows_of if name == "channel" else None)
            for name, values in fields.items()
        )
        table = (Events("neural_events", columns, f"the events of {events.file.path.name}, in its order"),)
    return (*table, *_channels(events))


def _channels(events: EventSet) -> tuple[Table, ...]:
    file, count = events.file, len(events.names)
    if not count:
        return ()
    starts = file.listed("startOffsets", count=count)
    steps = file.listed("signalSteps", count=count)
    kinds = file.listed("signalTypes", count=count)
    if not all(isinstance(n, int) and 0 <= n < 1 << 63 for n in starts):
        raise file.bad(("startOffsets",), starts, "microseconds, whole numbers from 0")
    if not all(isinstance(n, int) and 0 <= n < 256 for n in kinds):
        raise file.bad(("signalTypes",), kinds, "whole numbers from 0")
    step_s = [float(Isxd(file.path, {"signalSteps": step}, 0).ratio("signalSteps")) for step in steps]
    columns = (
        Column("channel_name", np.array(events.names, str), "name of the channel, a cell's"),
        Column("events", np.array(events.counts, np.int64), "number of its events"),
        Column("start_offset_us", np.array(starts, np.int64), "offset of its first event", "microseconds"),
        Column("step_s", np.array(step_s), "the least time between two of its samples", "seconds"),
        Column("signal_type", np.array(kinds, np.uint8), "kind of signal, as the file numbers them"),
    )
    return (Table("event_channels", columns, f"the channels of {file.path.name}, those without an event as well"),)
