"""What goes into the network beside the frames: the movie smoothed a little, more, and over seconds.

A filter that averages many frames is slow to learn from noise; as guides, the averages are there from the first step.
Widths are real times: in training, where frames are taken apart into pairs, a width of 4 is 4 frames of every other;
for the whole movie it is 8 frames, so that guides hold less noise than they had when the network learnt to trust them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Block

# widths in time (pairs of frames) and in rows and columns (pixels)
GUIDES = ((1.5, 1.0), (6.0, 0.7), (24.0, 0.5), (96.0, 0.4))
TRUNCATE = 3.0
SLOW = 12.0  # frames; wider guides are made of means of several frames
FINE = 4  # of which there are this many in a width
AT_ONCE = 64 * 2**20  # bytes read at a time


class Guided:
    """Normalised frames with their guides: (movie, time, row, column), the same whatever frames are asked for."""

    def __init__(
        self, frames: Frames, guides: Sequence[tuple[float, float]], normalisation: tuple[float, float], per_pair: int
    ) -> None:
        self.frames, (self.mean, self.scale) = frames, normalisation
        self.fast = [(number, time * per_pair, space) for number, (time, space) in enumerate(guides, 1)]
        self.slow = [guide for guide in self.fast if guide[1] > SLOW]
        self.fast = [guide for guide in self.fast if guide[1] <= SLOW]
        self.count = 1 + len(guides)
        self._means: dict[tuple[int, int], Block] = {}  # by frames in a mean, and number of the mean

    def read(self, start: int, stop: int) -> Block:
        """Return frames and guides."""
        reach = max((math.ceil(TRUNCATE * time) + 1 for _, time, _ in self.fast), default=0)
        low, high = max(0, start - reach), min(len(self.frames), stop + reach)
        block = self._normalised(low, high)
        own = slice(start - low, stop - low)
        out = np.empty((self.count, stop - start, *self.frames.shape[1:]), np.float32)
        out[0] = block[own]
        for number, time, space in self.fast:
            smooth = gaussian_filter1d(block, time, axis=0, mode="reflect", truncate=TRUNCATE)[own]
            out[number] = gaussian_filter(smooth, (0, space, space), mode="reflect", truncate=TRUNCATE)
        wanted: set[tuple[int, int]] = set()
        for number, time, space in self.slow:
            out[number] = self._slowly(start, stop, time, space, wanted)
        self._means = {key: mean for key, mean in self._means.items() if key in wanted}
        return out

    def _normalised(self, low: int, high: int) -> Block:
        block = self.frames.read(low, high)
        block -= np.float32(self.mean)
        block /= np.float32(self.scale)
        return block

    def _slowly(self, start: int, stop: int, time: float, space: float, wanted: set[tuple[int, int]]) -> Block:
        """Smooth means of several frames, and take a straight line between their middles."""
        size = int(2 ** int(math.log2(time / FINE)))
        total = -(-len(self.frames) // size)
        reach = math.ceil(TRUNCATE * time / size)
        places = np.clip((np.arange(start, stop) + 0.5) / size - 0.5, 0, total - 1)
        first, last = int(places[0]), min(total - 1, int(places[-1]) + 1)
        low, high = max(0, first - reach), min(total, last + reach + 1)
        wanted |= {(size, number) for number in range(low, high)}
        self._average(size, [number for number in range(low, high) if (size, number) not in self._means])
        means = np.stack([self._means[size, number] for number in range(low, high)])
        smooth = gaussian_filter1d(means, time / size, axis=0, mode="reflect", truncate=TRUNCATE)[first - low :]
        smooth = gaussian_filter(smooth[: last - first + 1], (0, space, space), mode="reflect", truncate=TRUNCATE)
        before = np.minimum(places.astype(int), max(first, last - 1)) - first
        after = np.minimum(before + 1, last - first)
        share = (places - first - before).astype(np.float32)[:, None, None]
        return np.asarray(smooth[before] * (1 - share) + smooth[after] * share, np.float32)

    def _average(self, size: int, numbers: list[int]) -> None:
        _, rows, columns = self.frames.shape
        step = max(1, AT_ONCE // (4 * size * rows * columns))
        for at in range(0, len(numbers), step):
            some = numbers[at : at + step]
            if some[-1] - some[0] + 1 != len(some):  # frames that lie between were averaged before
                for number in some:
                    self._average(size, [number])
                continue
            block = self._normalised(some[0] * size, min((some[-1] + 1) * size, len(self.frames)))
            for number in some:
                begin = (number - some[0]) * size
                self._means[size, number] = block[begin : begin + size].mean(axis=0)
