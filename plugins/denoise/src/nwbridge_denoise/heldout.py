"""How well a method predicts frames that it has not seen: the same frames for every method, so that errors compare.

The movie is taken apart into even and odd frames, two noisy views of one scene. A method denoises the even ones; its
k-th frame predicts the k-th odd one. The error is the mean squared difference over the last part of the movie, in
stored units squared. Most of it is the noise of the odd frames, which no method can predict and which is the same for
all: a difference between two errors is a difference in what can be predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Read

LAST = 4  # the error is measured over the last 1 / LAST of the movie
PAIRS = 1024  # at most this many pairs are denoised, of which the last quarter at most is compared
WINDOW = 192  # rows and columns at most, from the middle of the field of view
BLOCK = 64  # pairs compared at a time
LEAST = 8  # frames that a movie must have


@dataclass(frozen=True)
class HeldOut:
    """Even and odd frames of the end of a movie."""

    even: Frames  # what a method denoises, at half the frame rate
    odd: Frames  # what it has to predict: odd[k] from even[k] and the even frames around it
    first: int  # the first pair that is compared
    training: int  # frames of the movie before this one may be learnt from

    def error(self, read: Read) -> float:
        """Return the mean squared error of predictions; ``read(start, stop)`` is the denoised `even`."""
        total, count = 0.0, 0
        for start in range(self.first, len(self.odd), BLOCK):
            stop = min(start + BLOCK, len(self.odd))
            difference = self.odd.read(start, stop) - read(start, stop)
            total += float(np.sum(np.square(difference), dtype=np.float64))
            count += difference.size
        return total / count


def _middle(size: int) -> slice:
    start = max(0, (size - WINDOW) // 2)
    return slice(start, min(size, start + WINDOW))


def middle(frames: Frames) -> Frames:
    """Return the middle of a large field of view, over all frames."""
    return frames.view(0, len(frames), 1, (_middle(frames.shape[1]), _middle(frames.shape[2])))


def split(frames: Frames) -> HeldOut:
    """Return the even and the odd frames of the last part of a movie, in the middle of its field of view."""
    count = len(frames) // 2 * 2
    pairs = min(PAIRS, count // 2)
    compared = max(1, min(pairs, count // 2 // LAST, PAIRS // LAST))
    begin = count - 2 * pairs
    window = (_middle(frames.shape[1]), _middle(frames.shape[2]))
    even = frames.view(begin, count, 2, window)
    odd = frames.view(begin + 1, count, 2, window)
    return HeldOut(even, odd, pairs - compared, count - 2 * compared)
