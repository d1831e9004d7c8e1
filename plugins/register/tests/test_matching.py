"""A frame is laid on a picture by whole pixels and fractions of them, and one that shows something else is not."""

import numpy as np
import pytest
from scipy import fft, ndimage

from nwbridge_register.matching import Matcher

ROWS, COLUMNS = 72, 101
RNG = np.random.default_rng(1)
WIDE = ndimage.gaussian_filter(RNG.random((ROWS + 40, COLUMNS + 40)), 1.2)
WIDE = ((WIDE - WIDE.min()) * 1000).astype(np.float32)
PICTURE = WIDE[20:-20, 20:-20]


def matcher(picture=PICTURE, limit=9, upsample=10, smoothing=1.5, high_pass=0.0):
    return Matcher(np.ascontiguousarray(picture), limit, upsample, smoothing, high_pass)


def seen(rows, columns):
    """What is seen when the scene moved by whole pixels: new parts of it come in at the edges."""
    return WIDE[20 - rows : 20 - rows + ROWS, 20 - columns : 20 - columns + COLUMNS]


@pytest.mark.parametrize("shift", [(0, 0), (3, -7), (-9, 9), (8, 1)])
@pytest.mark.parametrize("high_pass", [0.0, 20.0])
def test_whole_pixels_are_found_exactly(shift, high_pass):
    found = matcher(high_pass=high_pass).match(seen(*shift))
    assert (found.rows, found.columns) == (-shift[0], -shift[1])
    assert (found.found, found.beyond) == (True, False)


@pytest.mark.parametrize("shift", [(0.3, -0.6), (-4.75, 6.25), (0.5, 0.5)])
def test_fractions_of_a_pixel_are_found_to_a_step(shift):
    spectrum = ndimage.fourier_shift(fft.fft2(WIDE.astype(float)), shift)  # exact where the picture repeats itself
    frame = fft.ifft2(spectrum).real[20:-20, 20:-20].astype(np.float32)
    found = matcher(upsample=20).match(frame)
    assert abs(found.rows + shift[0]) <= 0.1
    assert abs(found.columns + shift[1]) <= 0.1
    assert (found.rows * 20) % 1 == pytest.approx(0, abs=1e-9)


def soft(rows, columns, shape):
    """Wide cells written out, so that any fraction of a pixel is exact; brightest about 1,500."""
    random = np.random.default_rng(7)
    y, x = random.uniform(-20, shape[0] + 20, 90), random.uniform(-20, shape[1] + 20, 90)
    bright, width = random.uniform(200, 1000, 90), random.uniform(2, 4, 90)
    down, across = np.mgrid[: shape[0], : shape[1]].astype(float)
    scene = np.full(shape, 50.0)
    for r, c, b, w in zip(y, x, bright, width, strict=True):
        scene += b * np.exp(-((down - rows - r) ** 2 + (across - columns - c) ** 2) / 2 / w**2)
    return scene


@pytest.mark.parametrize("shift", [(0.05, -0.12), (0.3, -0.3), (0.6, 0.9), (1.4, -1.4), (-1.7, 0.2), (3.3, -2.6)])
@pytest.mark.parametrize("photons", [0, 100])
@pytest.mark.parametrize("shape", [(50, 70), (72, 101)])
def test_edges_that_fade_do_not_draw_a_shift_towards_0(shift, photons, shape):
    own = matcher(soft(0, 0, shape).astype(np.float32), upsample=50, smoothing=1.0)
    seen = soft(*shift, shape)
    if photons:
        seen = np.random.default_rng(2).poisson(seen * photons) / photons
    found = own.match(seen.astype(np.float32))
    assert found.found
    assert np.hypot(found.rows + shift[0], found.columns + shift[1]) < 0.1


def test_without_steps_between_pixels_the_nearest_pixel_is_found():
    frame = ndimage.shift(WIDE, (2.3, -1.2), order=3)[20:-20, 20:-20]
    found = matcher(upsample=1).match(frame)
    assert (found.rows, found.columns) == (-2.0, 1.0)


def test_brightness_and_its_trends_do_not_count():
    slope = np.linspace(0, 300, COLUMNS, dtype=np.float32)
    found = matcher().match(seen(4, -2) * 3 + 500 + slope)
    assert (found.rows, found.columns) == pytest.approx((-4, 2), abs=0.1)


def test_the_same_peak_as_the_definition_written_out():
    frame = seen(5, -3) + RNG.normal(0, 20, PICTURE.shape).astype(np.float32)
    own = matcher(upsample=1)
    taper = own._taper.astype(float)
    one, other = (
        fft.fft2((image - np.average(image, weights=taper)) * taper)
        for image in (PICTURE.astype(float), frame.astype(float))
    )
    product = one * other.conj()
    rows, columns = np.meshgrid(np.fft.fftfreq(ROWS), np.fft.fftfreq(COLUMNS), indexing="ij")
    weights = np.exp(-2 * np.pi**2 * 1.5**2 * (rows**2 + columns**2))
    correlation = fft.ifft2(product / np.abs(product) * weights).real
    row, column = np.unravel_index(correlation.argmax(), correlation.shape)
    expected = ((row + ROWS // 2) % ROWS - ROWS // 2, (column + COLUMNS // 2) % COLUMNS - COLUMNS // 2)
    found = own.match(frame)
    assert (found.rows, found.columns) == expected == (-5, 3)


@pytest.mark.parametrize("seed", range(20))
def test_noise_matches_nothing(seed):
    noise = np.random.default_rng(seed).normal(0, 1, PICTURE.shape).astype(np.float32)
    assert not matcher().match(noise).found


@pytest.mark.parametrize("value", [0.0, 65535.0])
def test_an_empty_frame_matches_nothing(value):
    assert not matcher().match(np.full(PICTURE.shape, value, np.float32)).found


def test_what_moved_further_than_the_limit_is_told_from_what_matches_nothing():
    found = matcher(limit=6).match(seen(12, -3))
    assert (found.rows, found.columns) == (0.0, 0.0)
    assert (found.found, found.beyond) == (False, True)


@pytest.mark.parametrize(("limit", "high_pass"), [(9, 0.0), (5, 0.0), (9, 10.0)])
def test_a_frame_is_not_put_where_it_is_clearly_less_like_the_picture(limit, high_pass):
    light = 500 + 400 * np.sin(np.arange(COLUMNS) / 6).astype(np.float32)  # which does not move along
    found = matcher(PICTURE / 3 + light, limit=limit, high_pass=high_pass).match(seen(0, 8) / 3 + light)
    assert not found.beyond
    assert found.found == (high_pass > 0)
    if found.found:
        assert (round(found.rows), round(found.columns)) == (0, -8)
