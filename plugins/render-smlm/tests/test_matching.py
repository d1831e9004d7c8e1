"""Which renderer made an image: told again for images that NumPy and SciPy rendered, and for turned and moved ones."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.stats import norm

from nwbridge import BadOption, BadSource, Image, Images, arrays


def stored(picture, name="SR", pixel_um=(0.01625, 0.01625)):
    return Images("SuperResolution", (Image(name, arrays.from_numpy(np.asarray(picture)), None, pixel_um),))


def clusters(smlm, count=3000):
    """Return molecules on some curves, so that the image is like none of its mirror images."""
    rng = np.random.default_rng(8)
    along = rng.random(count)
    x = 300 + 1900 * along + rng.normal(0, 12, count)
    y = 300 + 800 * along**3 + rng.integers(0, 2, count) * 150 + rng.normal(0, 12, count)
    return smlm.molecules(count, x=x, y=y, uncertainty=rng.gamma(9, 1.5, count))


def edges(smlm):
    return [np.arange(size * 8 + 1) * smlm.pixel_nm / 8 for size in (smlm.rows, smlm.columns)]


def counted(smlm, values, moved=0.0, weights=None):
    return np.histogram2d(values["y"] + moved, values["x"] + moved, edges(smlm), weights=weights)[0]


def gaussians(smlm, values, radii):
    down, across = edges(smlm)
    return sum(
        np.outer(np.diff(norm.cdf(down, y, r)), np.diff(norm.cdf(across, x, r)))
        for y, x, r in zip(values["y"], values["x"], np.broadcast_to(radii, len(values["x"])), strict=True)
    )


def match(smlm, values, picture, **options):
    return smlm.render(smlm.table(values), smlm.movie(), stored(picture), match="SR", **options)


def test_a_histogram_is_told_from_the_others(smlm):
    values = clusters(smlm)
    done = match(smlm, values, counted(smlm, values))
    assert "SuperResolution/SR is most like: histogram, counts; correlation 1.0000" in done.messages
    np.testing.assert_array_equal(done.image, counted(smlm, values))
    (trials,) = done.tables
    assert trials["correlation"].values.tolist() == sorted(trials["correlation"].values, reverse=True)
    first = np.corrcoef(done.image.ravel(), counted(smlm, values).ravel())[0, 1]
    assert trials["correlation"].values[0] == pytest.approx(first, abs=1e-9)


def test_weights_are_told_from_counts(smlm):
    values = clusters(smlm)
    done = match(smlm, values, counted(smlm, values, weights=values["intensity"]))
    assert "most like: histogram, intensity; correlation 1.0000" in done.messages
    assert done.values["weight"] == "intensity"


def test_an_average_shifted_histogram_is_told_with_its_shifts(smlm):
    values = clusters(smlm)
    triangle = np.array([1, 2, 3, 2, 1]) / 9
    picture = convolve1d(convolve1d(counted(smlm, values), triangle, 0), triangle, 1)
    assert "most like: ash of 3 shifts, counts; correlation 1.0000" in match(smlm, values, picture).messages


@pytest.mark.parametrize("radius", [8.0, 21.0])
def test_the_radius_of_a_gaussian_is_found(smlm, radius):
    values = clusters(smlm)
    done = match(smlm, values, gaussians(smlm, values, radius))
    assert done.values["method"] == "gaussian"
    assert done.values["radius_nm"] == pytest.approx(radius, rel=0.03)
    assert "correlation 1.0000" in done.messages


def test_gaussians_by_uncertainty_are_told_from_those_of_one_radius(smlm):
    values = clusters(smlm)
    done = match(smlm, values, gaussians(smlm, values, values["uncertainty"].clip(1)), floor_nm=1.0)
    assert "most like: uncertainty, counts; correlation 1.0000" in done.messages
    assert "next method: gaussian of" in done.messages


@pytest.mark.parametrize("moved", [8.125, -8.125, 65.0, -65.0])
def test_half_a_pixel_between_origins_is_found(smlm, moved):
    values = clusters(smlm)
    done = match(smlm, values, counted(smlm, values, moved))
    assert done.values["moved_nm"] == [moved, moved]
    np.testing.assert_array_equal(done.image, counted(smlm, values, moved))


@pytest.mark.parametrize(
    ("turned", "words"),
    [
        (np.flipud, "its rows run backwards"),
        (np.fliplr, "its columns run backwards"),
        (lambda image: image[::-1, ::-1], "its rows and columns run backwards"),
    ],
)
def test_a_mirrored_image_is_recognized_and_not_imitated(smlm, turned, words):
    values = clusters(smlm)
    done = match(smlm, values, turned(counted(smlm, values)).copy())
    assert words in done.messages
    np.testing.assert_array_equal(done.image, counted(smlm, values))


def test_an_image_without_a_pixel_size_has_that_of_the_field_of_view(smlm):
    values = clusters(smlm)
    image = stored(counted(smlm, values), pixel_um=None)
    done = smlm.render(smlm.table(values), smlm.movie(), image, match="SuperResolution")
    assert done.values["pixel_nm"] == [16.25, 16.25]
    with pytest.raises(BadSource, match="has no pixel size, and no movie gives a field of view"):
        smlm.render(smlm.table(values), image, match="SR")


def test_an_image_that_cannot_be_matched_is_refused(smlm):
    values = clusters(smlm)
    picture = counted(smlm, values)
    with pytest.raises(BadSource, match="is 4 everywhere; expected a picture"):
        match(smlm, values, np.full_like(picture, 4))
    picture[3, 4] = np.nan
    with pytest.raises(BadSource, match="holds NaN or infinite values"):
        match(smlm, values, picture)
    with pytest.raises(BadSource, match="expected a grey one"):
        match(smlm, values, np.zeros((6, 8, 3), np.uint8))
    beside = (stored(picture), stored(picture, "WF").__class__("Widefield", stored(picture, "WF").images))
    with pytest.raises(BadOption, match="--match XX is the name of 0 images; the file has SuperResolution/SR, Wide"):
        smlm.render(smlm.table(values), smlm.movie(), *beside, match="XX")
