"""The grid, the units, what is left out, what is refused, and what goes into the file."""

import numpy as np
import pytest

from nwbridge import BadOption, BadSource, Image, Images, Plane, arrays

PIXEL = 16.25


def histogram(smlm, *elements, **options):
    return smlm.render(*elements, **({"method": "histogram"} | options))


def image_of(rows, columns, pixel_um, name="SR", group="SuperResolution"):
    return Images(group, (Image(name, arrays.from_numpy(np.zeros((rows, columns), np.float32)), None, pixel_um),))


def test_eightfold_magnification_lands_on_the_grid_of_the_data_sets_image(smlm):
    plane = Plane(pixel_um=(0.13, 0.13))
    values = {"x": [0.0, 16.24, 16.26, 33279.9], "y": [0.0, 0.0, 33279.9, 16.26]}
    done = histogram(smlm, smlm.table(values, plane=plane), smlm.movie(256, 256, plane))
    assert done.image.shape == (2048, 2048)
    assert {tuple(place) for place in np.argwhere(done.image)} == {(0, 0), (2047, 1), (1, 2047)}
    (images,) = done.images
    assert images.images[0].pixel_um == pytest.approx((0.01625, 0.01625))
    assert done.values["size_from"] == "field of view of OnePhotonSeries"


def test_the_movie_that_molecules_were_found_in_gives_the_field_of_view(smlm):
    other = Plane("Other", pixel_um=(0.1, 0.1))
    beside = (smlm.movie(5, 7, other, "Another"), smlm.movie(), smlm.movie(name="Third"))
    done = histogram(smlm, smlm.table(smlm.molecules(), found_in="OnePhotonSeries"), *beside)
    assert done.image.shape == (96, 160)


def test_the_movie_of_the_same_plane_comes_next(smlm):
    other = Plane("Other", pixel_um=(0.1, 0.1))
    beside = (smlm.movie(50, 70, other, "Another"), smlm.movie())
    assert histogram(smlm, smlm.table(smlm.molecules()), *beside).image.shape == (96, 160)


def test_a_super_resolution_image_gives_the_field_of_view_where_no_movie_does(smlm):
    image = image_of(96, 160, (0.01625, 0.01625))
    done = histogram(smlm, smlm.table(smlm.molecules(inside=0.4)), image, magnification=4)
    assert done.image.shape == (48, 80)
    assert "SuperResolution/SR" in done.values["size_from"]


def test_the_last_molecule_gives_it_where_nothing_does_and_that_is_said(smlm):
    values = smlm.molecules(3, x=[10.0, 700.0, 20.0], y=[0.0, 5.0, 400.0])
    done = histogram(smlm, smlm.table(values))
    assert done.image.shape == (4 * 8, 6 * 8)  # whole camera pixels
    assert done.image.sum() == 3
    assert "no movie or image" in done.messages


def test_rows_and_columns_can_be_given(smlm):
    done = histogram(smlm, smlm.table(smlm.molecules()), smlm.movie(), rows=100, columns=170)
    assert done.image.shape == (100, 170)


def test_a_pixel_in_nm_covers_the_whole_field(smlm):
    done = histogram(smlm, smlm.table(smlm.molecules()), smlm.movie(), pixel_nm=25)
    assert done.image.shape == (63, 104)  # 1560 / 25 = 62.4, 2600 / 25 = 104
    assert done.image.sum() == 400


@pytest.mark.parametrize(("unit", "size"), [("µm", 1e-3), ("um", 1e-3), ("pixel", 1 / 130), ("px", 1 / 130)])
def test_the_units_of_the_columns_are_respected(smlm, unit, size):
    values = smlm.molecules(300)
    other = {name: np.asarray(values[name]) * size for name in ("x", "y", "uncertainty")}
    units = smlm.units | dict.fromkeys(other, unit)
    plain = smlm.render(smlm.table(values), smlm.movie(), method="uncertainty")
    done = smlm.render(smlm.table(values | other, units), smlm.movie(), method="uncertainty")
    np.testing.assert_allclose(done.image, plain.image, rtol=1e-4, atol=1e-6)


def test_a_unit_can_be_given_where_the_table_states_none(smlm):
    values = smlm.molecules(50)
    micrometres = values | {"x": values["x"] / 1e3, "y": values["y"] / 1e3}
    with pytest.raises(BadOption, match="column y states no unit; give --unit"):
        smlm.render(smlm.table(micrometres, units={}), smlm.movie())
    done = histogram(smlm, smlm.table(micrometres, units={}), smlm.movie(), unit="um")
    assert done.values["used"] == 50


def test_an_origin_in_the_centre_of_the_first_pixel_moves_by_half_a_camera_pixel(smlm):
    values = {"x": [0.0, 130.0], "y": [0.0, 260.0]}
    done = histogram(smlm, smlm.table(values), smlm.movie(), origin="centre")
    assert {tuple(place) for place in np.argwhere(done.image)} == {(4, 4), (20, 12)}


def test_molecules_outside_of_the_image_are_counted_and_said(smlm):
    values = smlm.molecules(6, x=[-0.1, 2600.0, 5.0, 5.0, 5.0, 1e12], y=[5.0, 5.0, -1e300, 1560.0, 5.0, 5.0])
    done = histogram(smlm, smlm.table(values), smlm.movie())
    assert (done.image.sum(), done.values["outside"], done.values["used"]) == (1, 5, 1)
    assert "5 of 6 localizations of Localizations lie outside" in done.messages


def test_values_that_are_not_finite_are_skipped_and_counted(smlm):
    values = smlm.molecules(6)
    values["x"][0], values["y"][1], values["uncertainty"][2] = np.nan, np.inf, np.nan
    assert histogram(smlm, smlm.table(values), smlm.movie()).values["not_finite"] == 2  # uncertainty is not looked at
    done = smlm.render(smlm.table(values), smlm.movie(), method="uncertainty")
    assert (done.values["not_finite"], done.values["used"]) == (3, 3)
    assert np.isfinite(done.image).all()
    assert "3 of 6 localizations of Localizations are NaN or infinite" in done.messages


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"max_uncertainty_nm": 18.0}, lambda v: v["uncertainty"] <= 18),
        ({"min_photons": 900.0}, lambda v: v["intensity"] >= 900),
        ({"first_frame": 20, "last_frame": 60}, lambda v: (v["frame"] >= 20) & (v["frame"] <= 60)),
        ({"last_frame": 30, "min_photons": 500.0}, lambda v: (v["frame"] <= 30) & (v["intensity"] >= 500)),
    ],
)
def test_limits_leave_molecules_out(smlm, options, chosen):
    values = smlm.molecules(2000)
    kept = chosen(values)
    done = histogram(smlm, smlm.table(values), smlm.movie(), **options)
    edges = [np.arange(size * 8 + 1) * PIXEL for size in (smlm.rows, smlm.columns)]
    np.testing.assert_array_equal(done.image, np.histogram2d(values["y"][kept], values["x"][kept], edges)[0])
    assert done.values["left_out_by_limits"] == (~kept).sum() > 0
    assert "left out by the limits" in done.messages


def test_thunderstorms_other_name_for_the_uncertainty_is_known(smlm):
    values = smlm.molecules(50)
    values["uncertainty_xy"] = values.pop("uncertainty")
    done = smlm.render(smlm.table(values, smlm.units | {"uncertainty_xy": "nm"}), smlm.movie(), method="uncertainty")
    assert done.values["used"] == 50


def test_the_image_says_what_it_was_made_from_and_how(smlm):
    done = smlm.render(smlm.table(smlm.molecules()), smlm.movie(), method="ash", shifts=4)
    (images,), (parameters,) = done.images, done.parameters
    assert images.made_from == "Localizations"
    assert images.name == "RenderedLocalizations"
    assert "average shifted histogram" in images.images[0].description
    assert (parameters.values["method"], parameters.values["shifts"]) == ("ash", 4)
    assert parameters.software == "nwbridge-render-smlm"


def without(smlm, *names):
    return {name: column for name, column in smlm.molecules().items() if name not in names}


@pytest.mark.parametrize(
    ("missing", "options", "words"),
    [
        ("uncertainty", {"method": "uncertainty"}, "has no column uncertainty, which a radius or limit by uncertainty"),
        ("uncertainty", {"max_uncertainty_nm": 5.0}, "has no column uncertainty"),
        ("intensity", {"weight": "intensity"}, "has no column intensity"),
        ("intensity", {"min_photons": 5.0}, "has no column intensity"),
        ("frame", {"last_frame": 5}, "has no column frame"),
        ("frame", {"frc": True}, "has no column frame"),
    ],
)
def test_a_missing_column_is_named(smlm, missing, options, words):
    with pytest.raises(BadSource, match=words) as caught:
        smlm.render(smlm.table(without(smlm, missing)), smlm.movie(), **options)
    assert "\n" not in str(caught.value)


def test_a_table_without_rows_is_refused(smlm):
    empty = {name: column[:0] for name, column in smlm.molecules().items()}
    with pytest.raises(BadSource, match="Localizations has no rows; expected localizations"):
        smlm.render(smlm.table(empty), smlm.movie())


def test_a_table_of_which_nothing_can_be_drawn_is_refused(smlm):
    values = smlm.molecules(5, x=[np.nan, 1.0, 1e9, 1.0, 1.0], intensity=[9.0, 1.0, 9.0, 1.0, 1.0])
    with pytest.raises(BadSource, match=r"none of 5 .* \(1 outside, 3 left out by limits, 1 not finite\)"):
        smlm.render(smlm.table(values), smlm.movie(), min_photons=5.0)


def test_a_magnification_without_the_cameras_pixel_is_refused(smlm):
    located = smlm.table(smlm.molecules(), plane=Plane())
    with pytest.raises(BadSource, match="give --pixel-nm"):
        smlm.render(located)
    with pytest.raises(BadSource, match="--origin centre needs the size of the camera's pixels"):
        smlm.render(located, pixel_nm=20, origin="centre")
    with pytest.raises(BadSource, match="y is in pixels, whose size is not known"):
        smlm.render(smlm.table(smlm.molecules(), {"x": "pixel", "y": "pixel"}, plane=None), pixel_nm=20)
    assert histogram(smlm, located, pixel_nm=20).image.sum() == 400


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pixel_nm": 0.0}, "--pixel-nm 0: expected a number above 0"),
        ({"magnification": -8.0}, "--magnification -8: expected a number above 0"),
        ({"radius_nm": float("nan")}, "--radius-nm nan: expected"),
        ({"rows": 5}, "--rows and --columns: one of them"),
        ({"rows": 0, "columns": 4}, "--rows 0: expected 1 or more"),
        ({"shifts": 0}, "--shifts 0: expected 1 or more"),
        ({"shifts": 65}, "--shifts 65: expected at most 64"),
        ({"floor_nm": 50.0, "cap_nm": 40.0}, "--cap-nm 40 is below --floor-nm 50"),
        ({"first_frame": 9, "last_frame": 3}, "--first-frame 9 is after --last-frame 3"),
        ({"frc_blocks": 1}, "--frc-blocks 1: expected 2 or more"),
        ({"match": "SR"}, "--match SR is the name of 0 images; the file has no image"),
    ],
)
def test_an_option_that_cannot_be_is_refused(smlm, options, words):
    with pytest.raises(BadOption, match=words):
        smlm.render(smlm.table(smlm.molecules()), smlm.movie(), **options)


def test_an_outlier_does_not_ask_for_an_endless_image(smlm):
    values = smlm.molecules(3, x=[1.0, 1e12, 2.0])
    with pytest.raises(BadSource, match="pixels would be needed; expected at most"):
        smlm.render(smlm.table(values))
    assert histogram(smlm, smlm.table(values), rows=96, columns=160).values["outside"] == 1


def test_a_unit_of_something_else_is_refused(smlm):
    with pytest.raises(BadSource, match="y is in photon; expected nm, µm or pixel"):
        smlm.render(smlm.table(smlm.molecules(), {"x": "nm", "y": "photon"}), smlm.movie())
