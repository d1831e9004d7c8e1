"""Fourier ring correlation against its definition, written out pixel by pixel of numpy's full transform."""

import numpy as np
import pytest

from nwbridge import BadSource
from nwbridge_render_smlm.grid import Grid
from nwbridge_render_smlm.rings import Curve, correlate, fade, smooth


def defined(one, other, pixel):
    """Correlate ring by ring, as Saxton and Baumeister define it: images without their means, faded at the edges."""
    rows, columns = one.shape
    window = np.outer(fade(rows), fade(columns))
    first, second = (np.fft.fft2((image - image.mean()) * window) for image in (one, other))
    frequency = np.hypot(np.fft.fftfreq(rows, pixel[0])[:, None], np.fft.fftfreq(columns, pixel[1])[None])
    side = max(rows * pixel[0], columns * pixel[1])
    ring = np.rint(frequency * side).astype(int)
    found, counts = [], []
    for number in range(1, int(side / (2 * max(pixel)) + 1e-9) + 1):
        a, b = first[ring == number], second[ring == number]
        found.append((a * b.conj()).sum().real / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum()))
        counts.append(len(a))
    return np.array(found), counts


@pytest.mark.parametrize("shape", [(40, 60), (41, 59), (300, 32)])
@pytest.mark.parametrize("pixel", [(16.25, 16.25), (20.0, 10.0)])
def test_the_curve_is_that_of_the_definition(shape, pixel):
    rng = np.random.default_rng(0)
    shared = rng.poisson(3, shape)
    one, other = (np.asarray(shared + rng.poisson(2, shape), np.float32) for _ in range(2))
    curve = correlate(one, other, pixel)
    expected, counts = defined(one, other, pixel)
    np.testing.assert_allclose(curve.correlation, expected, atol=1e-5)
    assert curve.pixels.tolist() == counts
    side = max(shape[0] * pixel[0], shape[1] * pixel[1])
    np.testing.assert_allclose(curve.frequency, np.arange(1, len(counts) + 1) / side)


def test_the_window_is_scipys_but_for_half_a_pixel():
    tukey = pytest.importorskip("scipy.signal.windows").tukey
    np.testing.assert_allclose(fade(800), tukey(801, 0.25)[:-1], atol=0.02)
    assert fade(800)[100:700].min() == 1


@pytest.mark.filterwarnings("ignore")  # locan's own
def test_the_curve_is_that_of_locan_where_it_is_installed():
    locan = pytest.importorskip("locan.analysis.fourier_ring_correlation", reason="locan is not installed")
    rng, side = np.random.default_rng(0), 200
    points = rng.uniform(5, side - 5, (800, 2))
    drawn = [points[rng.integers(0, 800, 20_000)] + rng.normal(0, 1.5, (20_000, 2)) for _ in range(2)]
    images = [np.histogram2d(*of.T, [np.arange(side + 1)] * 2)[0].astype(np.float32) for of in drawn]
    window = np.outer(fade(side), fade(side))
    theirs = locan.compute_fourier_ring_correlation(*((image - image.mean()) * window for image in images), 10.0)
    ours = correlate(*images, (10.0, 10.0))
    between = np.asarray(theirs.frequency) + 0.5 / (side * 10)  # its rings begin where ours have their middle
    difference = np.interp(between, ours.frequency, ours.correlation) - theirs.correlation
    assert abs(difference).mean() < 0.04
    crossing = locan.get_frequency_at_threshold(theirs.frequency, theirs.correlation)
    assert ours.resolution_nm == pytest.approx(1 / crossing, rel=0.05)


def test_equal_images_correlate_fully_and_noise_does_not():
    rng = np.random.default_rng(1)
    image, noise = (np.asarray(rng.poisson(5, (90, 150)), np.float32) for _ in range(2))
    np.testing.assert_allclose(correlate(image, image, (10.0, 10.0)).correlation, 1, atol=1e-5)
    curve = correlate(image, noise, (10.0, 10.0))
    assert abs(curve.correlation[10:].mean()) < 0.05
    assert curve.resolution_nm is None or curve.resolution_nm > 200


def test_the_resolution_is_where_the_smoothed_curve_crosses_one_seventh():
    frequency = np.arange(1, 101) / 1000.0
    line = 1 - 10 * frequency  # 1/7 at 0.6/7 1/nm
    curve = Curve(frequency, line, line, np.ones(100, int))
    assert curve.resolution_nm == pytest.approx(1 / (6 / 7 / 10), rel=1e-9)
    assert Curve(frequency, line, line + 1, np.ones(100, int)).resolution_nm is None
    assert Curve(frequency, line, line - 1, np.ones(100, int)).resolution_nm is None


def test_the_curve_is_smoothed_by_a_mean_of_what_is_there():
    values = np.random.default_rng(2).random(200)
    expected = [values[max(0, i - 2) : i + 3].mean() for i in range(200)]
    np.testing.assert_allclose(smooth(values), expected)


def pairs(smlm, blur_nm, count=20_000):
    """Return molecules on lines that are far finer than `blur_nm`, which each is off by."""
    rng = np.random.default_rng(4)
    x, y = rng.uniform(200, 2400, (2, 900))
    which = rng.integers(0, 900, count)
    values = smlm.molecules(count, x=x[which] + rng.normal(0, blur_nm, count))
    return values | {"y": y[which] * 0.55 + rng.normal(0, blur_nm, count)}


def test_a_blurred_structure_is_resolved_less(smlm):
    found = []
    for blur in (10, 20, 40):
        done = smlm.render(smlm.table(pairs(smlm, blur)), smlm.movie(), frc=True, magnification=16)
        found.append(done.values["frc_resolution_nm"])
        assert f"falls below 1/7 at {found[-1]:.1f} nm" in done.messages
        (curve,) = done.tables
        assert (curve.name, [c.name for c in curve.columns][:2]) == (
            "LocalizationsFRC",
            ["frequency", "correlation"],
        )
    assert found[0] < found[1] < found[2]
    # points blurred by s: the spectrum of the signal falls as exp(-(2πfs)²), that of the noise is flat
    each, points = 10_000, 900  # molecules in each half
    for blur, resolution in zip((10, 20, 40), found, strict=True):
        signal = each / points * np.exp(-((2 * np.pi * blur / resolution) ** 2))
        assert signal / (1 + signal) == pytest.approx(1 / 7, abs=0.05)


def test_halves_are_blocks_of_frames_in_turn(smlm):
    values = smlm.molecules(4000)
    done = smlm.render(smlm.table(values), smlm.movie(), frc=True, frc_blocks=10, last_frame=90)
    kept = values["frame"][values["frame"] <= 90]
    first = ((kept - 1) // 9 % 2 == 0).sum()
    assert done.values["frc_localizations"] == [first, len(kept) - first]


def test_pixels_too_coarse_for_a_resolution_are_said(smlm):
    done = smlm.render(smlm.table(pairs(smlm, 10)), smlm.movie(), frc=True, magnification=3)
    assert done.values["frc_resolution_nm"] is None
    assert "stays above 1/7 up to 86.6667 nm" in done.messages


def test_one_frame_cannot_be_halved(smlm):
    values = smlm.molecules(10, frame=np.full(10, 7))
    with pytest.raises(BadSource, match="has localizations in frame 7 only; expected several"):
        smlm.render(smlm.table(values), smlm.movie(), frc=True)


def test_an_image_too_large_to_transform_is_refused(smlm):
    with pytest.raises(BadSource, match="give a larger --pixel-nm"):
        smlm.render(smlm.table(smlm.molecules()), smlm.movie(), frc=True, rows=1 << 14, columns=1 << 13)
    assert Grid((1.0, 1.0), (1 << 14, 1 << 13), "here").shape == (16384, 8192)
