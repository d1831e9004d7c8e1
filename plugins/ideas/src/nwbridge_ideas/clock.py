"""When the samples of traces were taken, as an .isxd file says it: start, period, and numbers of missing samples."""

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Column, Intervals, LazyArray, Parameters, Segmentation, Session, Traces
from nwbridge_ideas.timing import REASONS

EVEN = 0.1  # of a period: how far a time may lie from an even grid
MICRO, NANO = 1_000_000, 1_000_000_000
SMALL = 4000  # the vendor's library adds quotients of 64 bits: a start in µs and a period have to have one denominator
MOST = 1 << 40  # periods between two samples; no recording has such a gap
Spans = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True)
class Clock:
    """`count` samples a `period` apart from `start` on; value n of the traces is sample ``index[n]``."""

    count: int
    period: Fraction  # seconds
    start: Fraction  # seconds since 1970
    utc_offset_s: int
    index: npt.NDArray[np.int64]
    spans: Spans

    def as_json(self) -> dict[str, Any]:
        """Return a footer's ``timingInfo``."""
        ranges = {reason: self.spans.get(reason, []) for reason in REASONS}
        single = {reason: [n for low, high in ranges[reason] for n in range(low, high + 1)] for reason in REASONS}
        return {
            "numTimes": self.count,
            "period": as_ratio(self.period),
            "start": self.time(0),
            "dropped": single["dropped"],
            "cropped": [f"{low} - {high}" for low, high in ranges["cropped"]],
            "blank": single["blank"],
        }

    def time(self, sample: int) -> dict[str, Any]:
        """Return the time of a sample as footers have it."""
        return {"secsSinceEpoch": as_ratio(self.start + sample * self.period), "utcOffset": self.utc_offset_s}

    @property
    def present(self) -> int:
        """How many samples are not listed as missing."""
        return self.count - len(
            {n for spans in self.spans.values() for low, high in spans for n in range(low, high + 1)}
        )

    def offsets_us(self) -> npt.NDArray[np.int64]:
        """Return whole microseconds from the start to each value of the traces."""
        over, under = (self.period * MICRO).as_integer_ratio()
        if self.count * over < 1 << 62:
            return (self.index * over + under // 2) // under
        return np.array([round(int(n) * self.period * MICRO) for n in self.index], np.int64)


def as_ratio(value: Fraction) -> dict[str, int]:
    """Return {num, den}; thousandths where that is exact, as the vendor's files have them."""
    den = 1000 if 1000 % value.denominator == 0 else value.denominator
    return {"num": value.numerator * (den // value.denominator), "den": den}


def clock_of(session: Session, cells: Segmentation, traces: Traces, footer: dict[str, Any]) -> Clock:
    """Return the clock of traces; BadSource where they have no rate, or uneven times."""
    label = f"{session.id}: {traces.name}"
    start, offset_s = _start(session, footer)
    missing = _missing(session)
    count = traces.data.shape[1]
    if traces.timestamps is None:
        rate = traces.rate_hz or cells.plane.rate_hz
        if rate is None:
            raise BadSource(f"{label} has no rate and no times; an .isxd file needs the time of every sample")
        start += Fraction(round(traces.start_s * MICRO), MICRO)
        listed = any(high >= count for spans in missing.values() for _, high in spans)
        spans = {} if listed else missing  # of another series
        return Clock(count, _period(rate, footer), start, offset_s, np.arange(count), spans)
    times = _read(traces.timestamps).astype(np.float64)
    period, index = _grid(label, times, cells.plane.rate_hz, footer)
    first = round(times[0] / period) if missing else 0  # missing samples are numbered from the session's start
    if missing and abs(times[0] - first * period) > EVEN * period:
        missing, first = {}, 0
    if not missing:
        start += Fraction(round(times[0] * MICRO), MICRO)
    index = index + first
    total = max(int(index[-1]), *(high for spans in missing.values() for _, high in spans), 0) + 1
    return Clock(total, period, start, offset_s, index, _spans(label, total, index, missing))


def footer_of(session: Session, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the footer of an .isxd file that the recording came from, a cell set's first; empty if there is none."""
    found: list[tuple[bool, dict[str, Any]]] = []
    for table in session.of(Parameters):
        if "timingInfo/period/num" in table.values:
            footer = _nested(table.values)
            pixels = footer.get("spacingInfo", {}).get("numPixels", {})
            if (pixels.get("y"), pixels.get("x")) == shape:
                found.append((footer.get("type") != 1, footer))
    return min(found, key=lambda one: one[0])[1] if found else {}


def _nested(values: Any) -> Any:
    """Return values by keys such as ``timingInfo/numTimes`` as nested mappings, and lists."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split("/")
        place = found
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return {key: _listed(value) for key, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(below) for key, below in value.items()}
    return list(inner.values()) if inner and list(inner) == [str(n) for n in range(len(inner))] else inner


def _quotient(value: Any) -> Fraction | None:
    parts = [value.get(name) for name in ("num", "den")] if isinstance(value, dict) else [None, None]
    return Fraction(*parts) if all(type(n) is int for n in parts) and parts[1] else None


def _period(rate_hz: float, footer: dict[str, Any]) -> Fraction:
    """Return the footer's period where it is the rate's, else a quotient near by: within 0.5 ns."""
    known = _quotient(footer.get("timingInfo", {}).get("period"))
    if known is not None and known > 0 and abs(rate_hz * float(known) - 1) < 1e-9:
        return known
    for near in (Fraction(1 / rate_hz).limit_denominator(SMALL), Fraction(round(MICRO / rate_hz), MICRO)):
        if abs(rate_hz * float(near) - 1) < 1e-9:
            return near
    return Fraction(max(1, round(NANO / rate_hz)), NANO)


def _start(session: Session, footer: dict[str, Any]) -> tuple[Fraction, int]:
    """Return seconds since 1970, and the local clock's offset; 0 where nobody knows the start."""
    said = footer.get("timingInfo", {}).get("start", {})
    known, offset = _quotient(said.get("secsSinceEpoch")), said.get("utcOffset")
    if session.start_time is None:
        return known or Fraction(0), offset if type(offset) is int else 0
    since = session.start_time - datetime(1970, 1, 1, tzinfo=UTC)
    exact = Fraction((since.days * 86_400 + since.seconds) * MICRO + since.microseconds, MICRO)
    if known is not None and abs(known - exact) <= Fraction(1, MICRO):
        exact = known
    zone = session.start_time.utcoffset()
    return exact, round(zone.total_seconds()) if zone else 0


def _missing(session: Session) -> Spans:
    """Return the missing samples that the source of .isxd files lists."""
    found: Spans = {}
    for table in session.of(Intervals):
        if table.name == "missing_frames" and all(key in table for key in ("first_frame", "last_frame", "reason")):
            first, last, why = (_values(table[key]).tolist() for key in ("first_frame", "last_frame", "reason"))
            for low, high, reason in zip(first, last, why, strict=True):
                if reason in REASONS:
                    found.setdefault(reason, []).append((int(low), int(high)))
    return found


def _values(column: Column) -> npt.NDArray[Any]:
    return _read(column.values) if isinstance(column.values, LazyArray) else column.values


def _read(array: LazyArray) -> npt.NDArray[Any]:
    with array.open() as reader:
        return np.asarray(reader[0 : array.shape[0]])


def _grid(
    label: str, times: npt.NDArray[np.float64], rate_hz: float | None, footer: dict[str, Any]
) -> tuple[Fraction, npt.NDArray[np.int64]]:
    """Return the period, and the number of each time on an even grid from the first on."""
    finite = bool(np.isfinite(times).all())
    steps = np.diff(times) if finite else np.zeros(1)
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not len(steps) and finite and rate_hz:
        return _period(rate_hz, footer), np.zeros(1, np.int64)
    if not (usual > 0 and np.abs(steps).max() / usual < MOST):
        raise BadSource(f"{label} has times that do not grow; an .isxd file has an even rate, with gaps")
    index = np.concatenate([[0], np.cumsum(np.rint(steps / usual))]).astype(np.int64)
    stated = _period(rate_hz, footer) if rate_hz else None
    fitted = _period(float(index[-1] / (times[-1] - times[0])), footer)
    for period in filter(None, (stated, fitted)):
        strays = np.abs(times - times[0] - index * float(period))
        if strays.max() <= EVEN * period and (np.diff(index) > 0).all():
            return period, index
    raise BadSource(
        f"{label} has uneven times, sample {int(strays.argmax())} lies {strays.max():.3g} s off a grid of "
        f"{float(fitted):.6g} s; an .isxd file has an even rate, with gaps of whole samples"
    )


def _spans(label: str, total: int, index: npt.NDArray[np.int64], missing: Spans) -> Spans:
    """Return the samples that have no value: for the reason that is known, else as dropped."""
    absent = np.ones(total, bool)
    absent[index] = False
    known = {reason: [one for one in spans if absent[one[0] : one[1] + 1].all()] for reason, spans in missing.items()}
    for low, high in (one for spans in known.values() for one in spans):
        absent[low : high + 1] = False
    (rest,) = np.nonzero(absent)
    if len(rest) > len(index):
        raise BadSource(f"{label}: {len(rest):,} samples would be missing between {len(index):,}; expected fewer gaps")
    runs = np.split(rest, np.flatnonzero(np.diff(rest) > 1) + 1) if len(rest) else []
    dropped = [*known.get("dropped", []), *((int(run[0]), int(run[-1])) for run in runs)]
    return {**known, "dropped": sorted(dropped)}
