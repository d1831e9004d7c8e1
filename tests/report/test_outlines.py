import re

import numpy as np
import pytest

from nwbridge.report.outlines import path_of, strong


def inside(path, rows, columns):
    """The pixels whose centre a path encloses, by the even-odd rule, worked out edge by edge."""
    mask = np.zeros((rows, columns), bool)
    x = y = 0
    start = (0, 0)
    for command, words in re.findall(r"([Mhvz])([^Mhvz]*)", path):
        old = y
        if command == "M":
            x, y = map(int, words.split())
            start = (x, y)
            continue
        if command == "h":
            x += int(words)
            continue
        if command == "v":
            y += int(words)
        else:
            assert x == start[0] or y == start[1]
            x, y = start
        mask[min(old, y) : max(old, y), x if command == "v" else start[0] :] ^= True
    return mask


MASKS = {
    "an L": np.array([(3, 5), (4, 5), (5, 5), (6, 5), (6, 6), (6, 7)]),
    "one pixel in the corner": np.array([(0, 0)]),
    "two that touch at a corner": np.array([(2, 2), (3, 3)]),
    "a ring": np.array([(r, c) for r in range(4, 9) for c in range(2, 8) if not (5 <= r < 8 and 4 <= c < 6)]),
    "noise": np.argwhere(np.random.default_rng(1).random((17, 29)) < 0.5),
}


@pytest.mark.parametrize("name", MASKS)
def test_an_outline_runs_along_the_edges_of_the_pixels(name):
    pixels = MASKS[name]
    expected = np.zeros((17, 29), bool)
    expected[tuple(pixels.T)] = True
    assert (inside(path_of(pixels), 17, 29) == expected).all()


def test_pixels_that_touch_at_a_corner_have_an_outline_each():
    assert path_of(MASKS["two that touch at a corner"]).count("M") == 2


def test_the_x_of_an_outline_is_the_column():
    assert path_of(np.array([(3, 8), (3, 9)])) in ("M8 3h2v1h-2z",)


def test_faint_pixels_and_planes_are_left_out():
    pixels = np.array([(1, 2, 0), (1, 2, 1), (5, 6, 0), (7, 7, 0)])
    assert strong(pixels, np.array([1.0, 0.9, 0.19, 0.2])).tolist() == [[1, 2], [7, 7]]
    assert strong(pixels, None).tolist() == [[1, 2], [5, 6], [7, 7]]


def test_no_pixel_has_no_outline():
    assert path_of(np.empty((0, 2), np.int64)) == ""
