"""Sums of frames: integers exactly, what float32 cannot hold within its rounding."""

import numpy as np
import pytest

from nwbridge import arrays
from nwbridge_dl_smlm.sums import differs


def verdict(frames, image):
    return differs(arrays.from_numpy(frames), "WF_raw.tif", arrays.from_numpy(image[np.newaxis]), "WF1.tif")


def added_in_float32(frames):
    total = np.zeros(frames.shape[1:], np.float32)
    for frame in frames:
        total += frame.astype(np.float32)
    return total


def test_notices_one_count_in_the_largest_sum_of_the_camera():
    frames = np.full((100, 5, 7), 65535, np.uint16)
    image = frames.sum(axis=0, dtype=np.float32)
    assert verdict(frames, image) is None
    image[3, 6] -= 1
    assert "row 3, column 6 holds 6553499, the frames add up to 6553500 (1 of 35 pixels differ)" in verdict(
        frames, image
    )


@pytest.mark.parametrize("dtype", [np.uint32, np.float32])
def test_allows_for_the_rounding_of_float32_and_no_more(dtype):
    scale = 1 if dtype == np.float32 else 2**32 - 1
    frames = (np.random.default_rng(5).random((100, 50, 70)) * scale).astype(dtype)
    total = frames.sum(axis=0, dtype=np.float64)
    image = added_in_float32(frames)
    assert (image != total).any()
    assert verdict(frames, image) is None
    off = image.astype(np.float64)
    off[7, 9] += total[7, 9] * 300 * 2.0**-24  # each addition may be off by 2^-24
    assert "row 7, column 9 " in verdict(frames, off)
    assert "(1 of 3,500 pixels differ)" in verdict(frames, off)
