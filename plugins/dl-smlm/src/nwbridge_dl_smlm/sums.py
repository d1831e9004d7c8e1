"""Whether an image is the sum of the frames: the proof that both are of one cell."""

import numpy as np

from nwbridge import LazyArray

_BLOCK = 8 << 20  # bytes of frames read at a time
_EXACT = 1 << 24  # whole numbers up to here are exact in float32


def differs(frames: LazyArray, frames_name: str, image: LazyArray, image_name: str) -> str | None:
    """Return in words where an image, (1, row, column), is not the sum of the frames, or None.

    Sums of integers up to 2^24 have to be exact. Beyond, each addition in float32 may be off by half a unit in the
    last place: the number of frames times 2^-24 of the sum is allowed.
    """
    count = frames.shape[0]
    what = f"{image_name} is not the sum of the {count} frames of {frames_name}"
    if image.shape[1:] != frames.shape[1:]:
        sizes = [f"{array.shape[1]} × {array.shape[2]}" for array in (image, frames)]
        return f"{what}: it has {sizes[0]} pixels, they have {sizes[1]}"
    total = np.zeros(frames.shape[1:])
    step = max(1, _BLOCK * count // max(1, frames.nbytes))
    with frames.open() as reader:
        for start in range(0, count, step):
            total += reader[start : start + step].sum(axis=0, dtype=np.float64)
    with image.open() as reader:
        stored = reader[0:1][0].astype(np.float64)
    exact = (np.abs(total) <= _EXACT) & (frames.dtype.kind in "ui")
    allowed = np.where(exact, 0, count * 2.0**-24 * np.abs(total))
    wrong = ~(np.abs(stored - total) <= allowed)  # NaN is wrong
    if not wrong.any():
        return None
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"{what}: row {row}, column {column} holds {stored[row, column]:.9g}, the frames add up to "
        f"{total[row, column]:.9g} ({wrong.sum():,} of {wrong.size:,} pixels differ)"
    )
