"""Series and images refuse what cannot be, by name."""

from dataclasses import replace

import numpy as np
import pytest

from nwbridge import BadSource, Electrode, Image, Images, Movie, Plane, Series, Session, arrays


def lazy(*shape, dtype=np.float64):
    return arrays.from_numpy(np.zeros(shape, dtype))


CLAMP = Series("v", lazy(9), "volts", "current clamp", rate_hz=10.0, electrode=Electrode())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Series("v", lazy(0)), r"series v: \(0,\) float64; expected numbers, at least one"),
        (lambda: Series("v", lazy(3, dtype=complex)), "series v: .*complex128"),
        (lambda: Series("v", lazy(3), conversion=np.nan), "series v: conversion or offset"),
        (lambda: replace(CLAMP, electrode=None), "a current clamp goes with an electrode"),
        (lambda: replace(CLAMP, kind="plain"), "a current clamp goes with an electrode"),
        (lambda: replace(CLAMP, unit="mV"), "in mV of an electrode; expected .* in volts"),
        (lambda: replace(CLAMP, data=lazy(9, 2)), r"\(9, 2\) in volts of an electrode"),
        (lambda: replace(CLAMP, rate_hz=0), "series v: a rate of 0 Hz"),
        (lambda: Image("i", lazy(3)), r"image i was described as \(3,\)"),
        (lambda: Image("i", lazy(3, 4, 2)), r"\(3, 4, 2\); expected \(row, column\) or \(row, column, 3 or 4\)"),
        (lambda: Image("i", lazy(3, 4, dtype=bool)), "image i: values are bool"),
        (lambda: Image("i", lazy(3, 4), pixel_um=(1, 0)), r"image i: a pixel of \(1, 0\) µm"),
        (lambda: Images("a", ()), r"a has the images \[\]"),
        (lambda: Images("a", (Image("i", lazy(3, 4)),) * 2), "each name once"),
        (lambda: Movie("m", lazy(3, 4, 5), Plane(), exposure_s=0), "movie m: exposure is 0"),
        (lambda: Movie("m", lazy(3, 4, 5), Plane(), binning=-2), "movie m: binning is -2"),
        (lambda: Plane(pixel_um=(1.0,)), "a pixel of .* expected .row, column"),
        (
            lambda: Session("s", "S.", (CLAMP, replace(CLAMP, name="w", electrode=Electrode(location="VISp")))),
            "session s: two electrodes are named electrode",
        ),
    ],
)
def test_series_and_images_say_what_is_wrong_with_them(make, words):
    with pytest.raises(BadSource, match=words):
        make()
