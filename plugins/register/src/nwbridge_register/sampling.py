"""The picture that frames are laid on, made of a sample of them; and how alike they are before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from nwbridge import LazyArray
from nwbridge_register.matching import Floats, Matcher
from nwbridge_register.moving import inside, moved

SAMPLE = 256 << 20  # bytes of frames that are kept in memory
ALIKE = 20  # frames, a quarter of all at most, whose mean is the first picture
COARSE = 128  # pixels a side that are enough to find these
ROUNDS = 2
SMOOTHED = 1.0  # pixels of the Gaussian that frames are compared after
Shifts = npt.NDArray[np.float64]
Area = tuple[tuple[int, int], tuple[int, int]]


def as_picture(frame: npt.NDArray[Any]) -> Floats | None:
    """Return a frame, or the mean over a volume's planes; without its NaN, and None where there is nothing else."""
    values = np.asarray(frame, np.float32)
    known = np.isfinite(values)
    if not known.all():
        if not known.any():
            return None
        values = np.where(known, values, values[known].mean(dtype=np.float64).astype(np.float32))
    return values if values.ndim == 2 else values.mean(axis=2, dtype=np.float64).astype(np.float32)


def sample(frames: LazyArray, count: int) -> dict[int, Floats]:
    """Return up to `count` frames from all over a movie, by their numbers."""
    rows, columns = frames.shape[1:3]
    count = max(2, min(count, frames.shape[0], SAMPLE // (4 * rows * columns)))
    with frames.open() as reader:
        places = np.unique(np.linspace(0, frames.shape[0] - 1, count).astype(int))
        found = {int(at): as_picture(np.asarray(reader[at : at + 1])[0]) for at in places}
    return {at: frame for at, frame in found.items() if frame is not None}


def first_picture(frames: Sequence[Floats]) -> Floats:
    """Return the mean of the frames that are most alike as they are: these lie on each other."""
    step = max(1, max(frames[0].shape) // COARSE)
    flat = np.stack([_binned(frame, step).ravel() for frame in frames])
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    alike = flat @ flat.T
    few = min(ALIKE, max(1, len(frames) // 4))
    nearest = np.argsort(-alike, axis=1)[:, :few]
    best = int(np.take_along_axis(alike, nearest, axis=1).mean(axis=1).argmax())
    return mean_of([frames[at] for at in nearest[best]])


def _binned(frame: Floats, step: int) -> Floats:
    rows, columns = (size // step * step for size in frame.shape)
    blocks = frame[:rows, :columns].reshape(rows // step, step, columns // step, step)
    means: Floats = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def mean_of(frames: Sequence[Floats]) -> Floats:
    """Return the mean of frames, summed precisely."""
    total = np.zeros(frames[0].shape)
    for frame in frames:
        total += frame
    return (total / len(frames)).astype(np.float32)


def picture_of(frames: Sequence[Floats], matcher_of: Callable[[Floats], Matcher], pool: ThreadPoolExecutor) -> Floats:
    """Return the mean of a sample laid on itself, refined in rounds.

    Frames that match nothing are left out. The picture lies where half of the frames are above and half below, to a
    whole pixel, so that frames are moved as little as they can be.
    """
    picture = first_picture(frames)
    for _ in range(ROUNDS):
        matches = list(pool.map(matcher_of(picture).match, frames))
        kept = [at for at, match in enumerate(matches) if match.found]
        if len(kept) < 2:
            break
        shifts = np.array([(matches[at].rows, matches[at].columns) for at in kept])
        shifts -= np.rint(np.median(shifts, axis=0))
        laid = pool.map(lambda at, shift: moved(frames[at], shift, "linear"), kept, shifts)
        picture = mean_of(list(laid))
    return picture


@dataclass(frozen=True)
class Likeness:
    """How alike frames are: each one's correlation with their mean, on average, and the mean's sharpness."""

    correlation: float
    crispness: float  # the mean's root mean square gradient, a pixel

    def rounded(self) -> dict[str, float]:
        """Return plain values."""
        return {"correlation": round(self.correlation, 5), "crispness": float(f"{self.crispness:.5g}")}


def likeness(frames: Sequence[Floats], shifts: Shifts, area: Area, pool: ThreadPoolExecutor) -> Likeness:
    """Return how alike frames are inside of an area once they are moved, between pixels where a shift lies there.

    Interpolation takes noise of high frequencies away, and so would make any frames more alike: frames are smoothed
    first, moved or not, so that little of such noise is left in any of them.
    """
    rows, columns = (slice(*span) for span in area)

    def laid(frame: Floats, shift: npt.NDArray[np.float64]) -> Floats:
        whole: Floats = moved(ndimage.gaussian_filter(frame, SMOOTHED), shift, "cubic")[rows, columns]
        return whole.copy()

    found = list(pool.map(laid, frames, shifts))
    mean = sum((frame.astype(np.float64) for frame in found), np.float64(0)) / len(frames)
    level = mean - mean.mean()
    alike = []
    for frame in found:
        around = frame - frame.mean(dtype=np.float64)
        size = float(np.linalg.norm(around) * np.linalg.norm(level))
        alike.append(float(np.vdot(around, level)) / size if size > 0 else 0.0)
    slopes = np.gradient(mean) if min(mean.shape) > 1 else [np.zeros_like(mean)]
    return Likeness(float(np.mean(alike)), float(np.sqrt(sum(np.mean(slope**2) for slope in slopes))))


def true_area(shifts: Shifts, shape: Sequence[int]) -> Area:
    """Return the rows and the columns, first and one after the last, that every frame has true pixels in."""
    least, most = shifts.min(axis=0), shifts.max(axis=0)
    rows, columns = (inside(float(low), float(high), n) for low, high, n in zip(least, most, shape, strict=True))
    return rows, columns
