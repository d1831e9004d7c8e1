"""Pixels against NumPy and SciPy: every method, by brute force from its definition."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.stats import truncnorm

import nwbridge
from nwbridge import arrays
from nwbridge_render_smlm import picture as pictures


def edges(smlm, magnification=8):
    return [np.arange(size * magnification + 1) * smlm.pixel_nm / magnification for size in (smlm.rows, smlm.columns)]


def counted(smlm, values, weights=None, magnification=8):
    return np.histogram2d(values["y"], values["x"], edges(smlm, magnification), weights=weights)[0]


def integrated(smlm, values, radii, weights=None, magnification=8):
    """Sum Gaussians, cut at 4 standard deviations and integrated over each pixel."""
    down, across = edges(smlm, magnification)
    image = np.zeros((len(down) - 1, len(across) - 1))
    count = len(values["x"])
    weights = np.ones(count) if weights is None else weights
    for y, x, radius, weight in zip(values["y"], values["x"], np.broadcast_to(radii, count), weights, strict=True):
        parts = [np.diff(truncnorm(-4, 4, centre, radius).cdf(e)) for centre, e in ((y, down), (x, across))]
        image += weight * np.outer(*parts)
    return image


@pytest.mark.parametrize("weight", ["counts", "intensity"])
@pytest.mark.parametrize("magnification", [1, 3, 8])
def test_a_histogram_is_that_of_numpy(smlm, weight, magnification):
    values = smlm.molecules(5000)
    done = smlm.render(smlm.table(values), smlm.movie(), method="histogram", weight=weight, magnification=magnification)
    expected = counted(smlm, values, values["intensity"] if weight == "intensity" else None, magnification)
    np.testing.assert_allclose(done.image, expected, rtol=1e-6)
    assert done.image.shape == (smlm.rows * magnification, smlm.columns * magnification)


@pytest.mark.parametrize("shifts", [1, 2, 5])
def test_an_average_shifted_histogram_is_the_mean_of_shifted_histograms(smlm, shifts):
    values = smlm.molecules(3000)
    done = smlm.render(smlm.table(values), smlm.movie(), method="ash", shifts=shifts)
    fine = counted(smlm, values)
    triangle = (shifts - abs(np.arange(1 - shifts, shifts))) / shifts**2
    expected = convolve1d(convolve1d(fine, triangle, 0, mode="constant"), triangle, 1, mode="constant")
    np.testing.assert_allclose(done.image, expected, rtol=1e-5, atol=1e-6)
    wide = np.zeros_like(fine)  # the definition itself: bins of `shifts` pixels, moved by one pixel at a time
    padded = np.pad(fine, shifts)
    for down in range(shifts):
        for across in range(shifts):
            bins = padded[down:, across:]
            bins = bins[: len(bins) // shifts * shifts, : bins.shape[1] // shifts * shifts]
            sums = bins.reshape(len(bins) // shifts, shifts, -1, shifts).sum(axis=(1, 3)).repeat(shifts, 0)
            sums = sums.repeat(shifts, 1)[shifts - down :, shifts - across :]
            wide += sums[: fine.shape[0], : fine.shape[1]] / shifts**4
    np.testing.assert_allclose(done.image, wide, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", ["counts", "intensity"])
@pytest.mark.parametrize("radius", [2.0, 20.0, 130.0])
def test_a_gaussian_of_one_radius_is_integrated_over_each_pixel(smlm, radius, weight):
    values = smlm.molecules(60)
    weights = values["intensity"] if weight == "intensity" else None
    done = smlm.render(smlm.table(values), smlm.movie(), radius_nm=radius, weight=weight)
    expected = integrated(smlm, values, radius, weights)
    np.testing.assert_allclose(done.image, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_a_gaussian_by_uncertainty_has_that_radius_between_floor_and_cap(smlm):
    values = smlm.molecules(80)
    done = smlm.render(smlm.table(values), smlm.movie(), method="uncertainty", floor_nm=12, cap_nm=30)
    radii = values["uncertainty"].clip(12, 30)
    expected = integrated(smlm, values, radii)
    np.testing.assert_allclose(done.image, expected, rtol=1e-4, atol=1e-6 * expected.max())
    assert done.values["drawn_as_floor"] == (values["uncertainty"] < 12).sum() > 0
    assert done.values["drawn_as_cap"] == (values["uncertainty"] > 30).sum() > 0
    assert "drawn as --floor-nm" in done.messages


def test_pixels_need_not_be_square(smlm):
    plane = nwbridge.Plane(pixel_um=(0.26, 0.13))
    values = smlm.molecules(40, inside=0.5)
    done = smlm.render(smlm.table(values, plane=plane), smlm.movie(plane=plane), radius_nm=30.0)
    down, across = (np.arange(n * 8 + 1) * size / 8 for n, size in ((smlm.rows, 260.0), (smlm.columns, 130.0)))
    expected = sum(
        np.outer(np.diff(truncnorm(-4, 4, y, 30).cdf(down)), np.diff(truncnorm(-4, 4, x, 30).cdf(across)))
        for y, x in zip(values["y"], values["x"], strict=True)
    )
    np.testing.assert_allclose(done.image, expected, rtol=1e-4, atol=1e-6 * expected.max())
    (images,) = done.images
    assert images.images[0].pixel_um == pytest.approx((0.0325, 0.01625))


@pytest.mark.parametrize("method", ["gaussian", "uncertainty", "ash", "histogram"])
def test_an_image_adds_up_to_the_number_of_molecules(smlm, method):
    far = {"x": np.linspace(800, 1700, 300), "y": np.linspace(1000, 600, 300)}  # none reaches the edge
    values = smlm.molecules(300, **far)
    done = smlm.render(smlm.table(values), smlm.movie(), method=method)
    assert done.image.sum(dtype=float) == pytest.approx(300, rel=1e-6)
    assert done.values["sum_of_image"] == pytest.approx(300, rel=1e-6)
    assert (done.values["used"], done.values["sum_of_weights"]) == (300, 300)
    weighed = smlm.render(smlm.table(values), smlm.movie(), method=method, weight="intensity")
    assert weighed.values["sum_of_image"] == pytest.approx(values["intensity"].sum(), rel=1e-5)


@pytest.mark.parametrize("method", ["gaussian", "uncertainty", "ash", "histogram"])
def test_threads_bands_chunks_and_blocks_do_not_change_a_bit(smlm, method, monkeypatch):
    values = smlm.molecules(3000)
    located = smlm.table(values)
    images = []
    for threads, band, chunk in ((1, 1 << 26, 1 << 18), (5, 1 << 26, 700), (3, 13 * 160, 1 << 18)):
        monkeypatch.setattr(nwbridge, "threads", lambda threads=threads: threads)
        monkeypatch.setattr(pictures, "BAND", band)
        monkeypatch.setattr("nwbridge_render_smlm.molecules.ROWS", chunk)
        (element,) = smlm.render(located, smlm.movie(), method=method, shifts=3).images
        images += [smlm.pixels(element.images[0].data), smlm.pixels(element.images[0].data, 7)]
    assert images[0].any()
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


def test_columns_are_read_in_chunks_whose_size_does_not_grow(smlm):
    values, asked = smlm.molecules(600_000), []

    def watched(column):
        def read(start, stop):
            asked.append(stop - start)
            return column[start:stop]

        return arrays.from_function(column.shape, column.dtype, read, parallel=False)

    columns = tuple(
        nwbridge.Column(name, watched(column), unit=smlm.units.get(name)) for name, column in values.items()
    )
    located = nwbridge.Localizations("Localizations", columns, plane=smlm.plane)
    done = smlm.render(located, smlm.movie(), method="histogram")
    np.testing.assert_array_equal(done.image, counted(smlm, values))
    assert max(asked) < 300_000
