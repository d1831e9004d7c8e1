"""When the samples of a movie or a cell set were taken, and which of them are missing."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Column, Intervals, LazyArray, arrays
from nwbridge_ideas.isxd import Isxd, clock_time, start_of

REASONS = ("dropped", "cropped", "blank")


@dataclass(frozen=True)
class Span:
    """Consecutive samples that are missing, first and last included."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True)
class Timing:
    """The samples of one file: `count` of them, a `period` apart, without those of the spans."""

    count: int
    period: Fraction  # seconds
    start: Fraction  # seconds since 1970
    utc_offset_s: int
    spans: tuple[Span, ...] = field(repr=False)
    start_time: datetime | None

    said_in: ClassVar[str] = "timingInfo/start"  # of the footer

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return float(1 / self.period)

    @property
    def present(self) -> int:
        """How many samples are not missing."""
        return self.count - sum(last - first + 1 for first, last in self._gaps())

    def _gaps(self) -> list[tuple[int, int]]:
        """Return the missing samples as spans that neither touch nor overlap, in order."""
        gaps: list[tuple[int, int]] = []
        for span in sorted(self.spans, key=lambda span: span.first):
            if gaps and span.first <= gaps[-1][1] + 1:
                gaps[-1] = (gaps[-1][0], max(gaps[-1][1], span.last))
            else:
                gaps.append((span.first, span.last))
        return gaps

    def timestamps(self) -> LazyArray:
        """Return the seconds from the start to each sample that is present."""
        gaps = np.array(self._gaps(), np.int64).reshape(-1, 2)
        missing = np.concatenate([[0], np.cumsum(gaps[:, 1] - gaps[:, 0] + 1)])  # before the first gap, the second, …
        ranks = gaps[:, 0] - missing[:-1]  # how many are present before each gap

        def read(start: int, stop: int) -> npt.NDArray[np.float64]:
            rank = np.arange(start, stop, dtype=np.int64)
            index = rank + missing[np.searchsorted(ranks, rank, side="right")]
            return self.seconds(index)

        return arrays.from_function((self.present,), np.float64, read)

    def seconds(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the seconds from the start to samples by their number: number × period."""
        exact = np.asarray(index, np.float64) * self.period.numerator / self.period.denominator
        return np.asarray(exact, np.float64)

    def missing(self) -> Intervals | None:
        """Return the missing samples as intervals, in order; None where all are there."""
        if not self.spans:
            return None
        spans = sorted(self.spans, key=lambda span: (span.first, span.last))
        firsts, lasts = (np.array([getattr(span, name) for span in spans], np.int64) for name in ("first", "last"))
        columns = (
            Column("start_time", self.seconds(firsts), "start of the first missing sample"),
            Column("stop_time", self.seconds(lasts + 1), "end of the last missing sample"),
            Column("reason", np.array([span.reason for span in spans]), "dropped, cropped or blank"),
            Column("first_frame", firsts, "number of the first missing sample, from 0, missing ones counted"),
            Column("last_frame", lasts, "number of the last missing sample"),
        )
        words = "samples that were dropped at acquisition, cropped away, or blank: they are not in the file"
        return Intervals("missing_frames", columns, words)


def timing_of(file: Isxd) -> Timing:
    """Read a footer's ``timingInfo``."""
    count = file.whole("timingInfo", "numTimes")
    start, offset_s = start_of(file, "timingInfo", "start")
    spans = tuple(span for reason in REASONS for span in _spans(file, reason, count))
    period = file.ratio("timingInfo", "period", above=0)
    return Timing(count, period, start, offset_s, spans, clock_time(file, start, offset_s))


def _spans(file: Isxd, reason: str, count: int) -> list[Span]:
    keys = ("timingInfo", reason)
    spans: list[Span] = []
    for first, last in sorted(_range(file, reason, entry) for entry in file.listed(*keys, optional=True)):
        if not 0 <= first <= last < count:
            raise file.bad(keys, f"{first} - {last}", f"samples from 0 to {count - 1}")
        if spans and first <= spans[-1].last:
            raise BadSource(f"{file.path.name}: footer's {'/'.join(keys)} names sample {first} twice; expected once")
        if spans and first == spans[-1].last + 1:
            spans[-1] = Span(spans[-1].first, last, reason)
        else:
            spans.append(Span(first, last, reason))
    return spans


def _range(file: Isxd, reason: str, entry: Any) -> tuple[int, int]:
    if isinstance(entry, int) and not isinstance(entry, bool):
        return entry, entry
    found = re.fullmatch(r"(\d{1,18})(?: - (\d{1,18}))?", entry) if isinstance(entry, str) else None
    if not found:
        raise file.bad(("timingInfo", reason), entry, 'numbers of samples, or ranges such as "8 - 10"')
    return int(found[1]), int(found[2] or found[1])
