"""One look at the whole movie before anything is computed: what cannot be denoised is refused, what is odd is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadSource, Finding
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.heldout import LEAST

BLOCK = 16 << 20  # bytes of float32 read at a time
CAMERA_BITS = 8  # the fewest that a camera's values have


@dataclass(frozen=True)
class Survey:
    """What was seen."""

    sums: npt.NDArray[np.float64]  # of each frame
    constant: bool
    findings: tuple[Finding, ...]


def blocks(frames: Frames) -> range:
    """Return starts of blocks of bounded size; their step is the number of frames in one."""
    return range(0, len(frames), max(1, BLOCK // (4 * frames.shape[1] * frames.shape[2])))


def survey(frames: Frames, name: str) -> Survey:
    """Read every frame once; BadSource where one has no finite values or there are too few."""
    count = len(frames)
    if count < LEAST:
        raise BadSource(
            f"movie {name} has {count} frame{'' if count == 1 else 's'}; denoising learns from how pixels change, "
            f"and needs at least {LEAST}"
        )
    most = np.iinfo(frames.dtype).max if frames.dtype.kind in "ui" else None
    sums = np.empty(count)
    low, high, at_most = np.inf, -np.inf, 0  # and how many values are the highest
    starts = blocks(frames)
    for start in starts:
        nwbridge.progress("looking at the movie", start, count)
        block = frames.read(start, start + starts.step)
        sums[start : start + len(block)] = block.reshape(len(block), -1).sum(axis=1, dtype=np.float64)
        bad = ~np.isfinite(sums[start : start + len(block)])
        if bad.any():
            raise BadSource(
                f"movie {name}: frame {start + int(bad.argmax())} holds values that are not finite numbers (NaN or "
                "infinite), and every method would spread them; cut such frames or the border away, or fill them, first"
            )
        low, top = min(low, float(block.min())), float(block.max())
        if top >= high:
            at_most = int(np.count_nonzero(block == top)) + (at_most if top == high else 0)
            high = top
    limit = _limit(high, most, at_most)
    share = at_most / (count * frames.shape[1] * frames.shape[2])
    return Survey(sums, low == high, _findings(name, low, high, share, limit))


def _limit(high: float, most: int | None, count: int) -> str | None:
    """Return what lets no value be above the highest of whole numbers, or None: their type, or a camera's bits."""
    if most is None:
        return None
    if high >= np.float32(most):
        return "their type holds"
    bits = int(high + 1).bit_length() - 1 if high > 0 else 0
    if bits >= CAMERA_BITS and high == 2**bits - 1 and count > 1:  # once may be chance
        return f"{bits} bits hold"
    return None


def _findings(name: str, low: float, high: float, share: float, limit: str | None) -> tuple[Finding, ...]:
    if low == high:
        text = f"movie {name}: every value is {low:g}; there is nothing to denoise, and the result equals the input"
        return (Finding("warning", text, "check that the right movie was taken", check="denoise"),)
    if limit:
        text = f"movie {name}: {share:.2%} of all values are {high:g}, the most that {limit}: saturated"
        advice = "what was clipped stays too dark, also in the result; leave saturated cells out of the analysis"
        return (Finding("warning", text, advice, check="denoise"),)
    return ()
