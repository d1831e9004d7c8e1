"""What is only known once the movie has been computed: kept while it is written, and computed anew where it was not."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbridge import Column, Table, arrays
from nwbridge_denoise.agreement import Agreement, Scale, mean
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Read
from nwbridge_denoise.survey import blocks

Mask = npt.NDArray[np.bool_]
Borders = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Measure:
    """One measure: its name, what it means, and how it is taken."""

    name: str
    description: str
    take: Callable[[], float]


class Meter:
    """Watches frames go by. Each frame's sums are kept apart, so that nothing depends on the order or on blocks."""

    def __init__(self, frames: Frames, sums: npt.NDArray[np.float64], read: Read, borders: Borders) -> None:
        self.frames, self.sums, self.read, self.borders = frames, sums, read, borders
        self._lock = threading.Lock()
        self._totals = np.full(len(frames), np.nan)  # of each denoised frame
        # mean change of each denoised frame at borders of rows, and beside them; of columns as well
        self._steps = np.full((len(frames), 4), np.nan)
        self._pair: tuple[Frames, Agreement, Agreement] | None = None
        self._lines = [_lines(size, border) for size, border in zip(frames.shape[1:], borders[1:], strict=True)]

    def compare(self, reference: Frames) -> None:
        """Measure against a reference as well, before and after."""
        self._pair = (reference, Agreement(self.frames.shape), Agreement(self.frames.shape))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep open what is read."""
        with ExitStack() as stack:
            stack.enter_context(self.frames)
            if self._pair is not None:
                stack.enter_context(self._pair[0])
            yield

    def watch(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return denoised frames, and note what they are like."""
        block = self.read(start, stop)
        with self._lock:
            new = np.isnan(self._totals[start:stop])
            self._totals[start:stop] = block.reshape(len(block), -1).sum(axis=1, dtype=np.float64)
            for axis in (1, 2):
                change = np.abs(np.diff(block, axis=axis)).mean(axis=3 - axis)  # (time, line)
                for place, lines in enumerate(self._lines[axis - 1], 2 * axis - 2):
                    if lines.any():
                        self._steps[start:stop, place] = change[:, lines].mean(axis=1, dtype=np.float64)
        if self._pair is not None and new.any():
            reference, before, after = self._pair
            wanted, source = reference.read(start, stop)[new], self.frames.read(start, stop)[new]
            numbers = start + np.flatnonzero(new)
            with self._lock:
                before.add(numbers, wanted, source)
                after.add(numbers, wanted, block[new])
        return block

    def _complete(self) -> None:
        """Compute what nobody has asked for."""
        starts = blocks(self.frames)
        with self.opened():
            for start in starts:
                stop = min(start + starts.step, len(self.frames))
                if np.isnan(self._totals[start:stop]).any():
                    self.watch(start, stop)

    def _ratio(self) -> float:
        total = float(self.sums.sum())
        return float(self._totals.sum()) / total if total else math.nan

    def _seam(self, axis: int) -> float:
        """Return how large changes are where pieces meet, over those beside it: 1 where nothing can be seen."""
        at, beside = (self._steps[:, 2 * axis - 2 + place].mean() for place in (0, 1))
        return float(at / beside) if beside else 1.0

    def _jump(self) -> float:
        """Return how much the brightness of a frame changes where pieces of time meet, over that elsewhere."""
        change = np.abs(np.diff(self._totals))
        at = np.isin(np.arange(1, len(self._totals)), self.borders[0])
        elsewhere = change[~at].mean()
        return float(change[at].mean() / elsewhere) if elsewhere else 1.0

    def measures(self) -> list[Measure]:
        """Return what is measured."""
        found = [Measure("ratio_of_means", "mean of the result over mean of its source", self._ratio)]
        if self.borders[0]:
            words = "mean change of a frame's brightness where pieces of time meet, over that elsewhere; 1: no seam"
            found.append(Measure("seam_frames", words, self._jump))
        for axis, name in ((1, "rows"), (2, "columns")):
            if all(lines.any() for lines in self._lines[axis - 1]):
                words = (
                    f"mean change between {name} where patches meet, over that between the {name} beside; 1: no seam"
                )
                found.append(Measure(f"seam_{name}", words, functools.partial(self._seam, axis)))
        if self._pair is not None:
            for when, agreement in zip(("before", "after"), self._pair[1:], strict=True):
                found += _gains(when, agreement)
        return found

    def table(self, name: str) -> Table:
        """Return the measures as a table of one row, whose values are taken when it is written."""

        def column(measure: Measure) -> Column:
            def read(start: int, stop: int) -> npt.NDArray[np.float64]:
                self._complete()
                return np.array([measure.take()])[start:stop]

            value = arrays.from_function((1,), np.float64, read, parallel=False)
            return Column(measure.name, value, measure.description)

        words = "What the denoised movie is like, measured while it was written."
        return Table(name, tuple(map(column, self.measures())), words)


def _lines(size: int, border: tuple[int, ...]) -> tuple[Mask, Mask]:
    """Return where pieces meet, of the places between neighbouring lines, and the places beside these."""
    at = np.isin(np.arange(1, size), border)
    beside = np.zeros_like(at)
    beside[:-1] |= at[1:]
    beside[1:] |= at[:-1]
    return at, beside & ~at


def _gains(when: str, agreement: Agreement) -> list[Measure]:
    fit = "; one gain and offset for the whole movie are fitted first"
    return [
        Measure(f"snr_{when}", f"mean SNR of frames against the reference in dB{fit}", lambda: _snr(agreement)),
        Measure(f"tsnr_{when}", f"the same of what changes over time, in dB{fit}", lambda: _tsnr(agreement)),
        Measure(f"pearson_{when}", "correlation of all values with the reference", agreement.pearson),
    ]


def _snr(agreement: Agreement) -> float:
    return mean(agreement.snr_frames(agreement.fitted()))


def _tsnr(agreement: Agreement) -> float:
    return agreement.tsnr(Scale(agreement.fitted().gain))
