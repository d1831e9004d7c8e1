"""What labs often write is refused with what to write instead, and never turned into it."""

import pytest

from nwbridge import BadMetadata
from nwbridge.metadata import check

SUBJECT = [
    ("age", "30 days", "P30D"),
    ("age", "30", "P30D, if it is in days"),
    ("age", 30, "P30D, if it is in days"),
    ("age", "P30", "P30D, if it is in days"),
    ("age", "PND 30", "P30D, if it is in days"),
    ("age", "p30d", "P30D"),
    ("age", "3 months", "P3M"),
    ("age", "8-12 weeks", "P8W/P12W"),
    ("age", "1.5 years old", "P1.5Y"),
    ("sex", "male", "M"),
    ("sex", "Female", "F"),
    ("sex", "f", "F"),
    ("sex", "n/a", "U"),
    ("species", "mouse", "Mus musculus"),
    ("species", "M. musculus", "Mus musculus"),
    ("species", "mus musculus", "Mus musculus"),
    ("species", "rat", "Rattus norvegicus"),
    ("species", "octodon degus", "Octodon degus"),
    ("weight", "25 g", "0.025 kg"),
    ("weight", "25g", "0.025 kg"),
    ("weight", "250 mg", "0.00025 kg"),
    ("weight", 25, "0.025 kg, if it is in grams"),
    ("weight", 0.025, "0.025 kg, if it is in kilograms"),
    ("subject_id", "lab/m7", "lab-m7"),
]
PLANE = [
    ("excitation_lambda", "920 nm", "920"),
    ("excitation_lambda", 9.2e-7, "920, in nm"),
    ("excitation_lambda", 0.92, "920, in nm"),
    ("imaging_rate", "30 Hz", "30"),
]


@pytest.mark.parametrize(("key", "value", "other"), SUBJECT)
def test_an_animal_s_value_in_another_form_is_answered_with_the_right_one(key, value, other):
    with pytest.raises(BadMetadata) as caught:
        check({"Subject": {key: value}}, "lab.yaml")
    assert str(caught.value).startswith(f"lab.yaml: Subject.{key} is ")
    assert str(caught.value).endswith(f"; write {other}")
    right = other.split(",")[0]
    assert check({"Subject": {key: right}}) == {"Subject": {key: right}}  # what is advised is taken


@pytest.mark.parametrize(("key", "value", "other"), PLANE)
def test_a_plane_s_value_in_another_unit_is_answered_with_the_right_one(key, value, other):
    with pytest.raises(BadMetadata, match=f"Ophys.ImagingPlane.0.{key} is .*; write {other}$"):
        check({"Ophys": {"ImagingPlane": [{key: value}]}})


def test_pixels_in_metres_are_not_taken_for_micrometres():
    with pytest.raises(BadMetadata, match=r"grid_spacing\.0 is 8e-07; write 0\.8, in micrometres"):
        check({"Ophys": {"ImagingPlane": [{"grid_spacing": [8e-7, 8e-7]}]}})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("age", "adult", "text: ISO 8601 duration"),
        ("age", "30 minutes", "text: ISO 8601 duration"),
        ("species", "unicorn", "text: Latin name"),
        ("sex", "both", "M or F or O or U"),
        ("weight", "heavy", "text: in kilograms"),
    ],
)
def test_what_nobody_can_guess_is_answered_with_what_is_expected(key, value, expected):
    with pytest.raises(BadMetadata, match=f"Subject.{key} is '{value}'; expected {expected}"):
        check({"Subject": {key: value}})
