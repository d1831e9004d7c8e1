"""What the lab says fits the list of keys, or one line says what would."""

import math
from datetime import UTC, datetime

import pytest
from recordings import silent as recording

from nwbridge import BadMetadata
from nwbridge.metadata import check, overlay


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Subject": {"age": "30 days"}}, "Subject.age is '30 days'; write P30D"),
        ({"Subject": {"age": "P"}}, "Subject.age is 'P'; expected text: ISO 8601"),
        ({"Subject": {"age": 30}}, "Subject.age is '30'; write P30D, if it is in days"),
        (
            {"Subject": {"species": "mouse"}},
            "Subject.species is 'mouse'; write Mus musculus",
        ),
        ({"Subject": {"sex": "male"}}, "Subject.sex is 'male'; write M"),
        ({"Subject": {"weight": 0.025}}, "Subject.weight is 0.025; write 0.025 kg, if it is in kilograms"),
        ({"Subject": {"weight": "25 g"}}, "Subject.weight is '25 g'; write 0.025 kg"),
        ({"Subject": {"subject_id": "a/b"}}, "Subject.subject_id is 'a/b'; write a-b"),
        ({"Subject": {"subject_id": ""}}, "Subject.subject_id is ''; expected text"),
        ({"Subject": {"subject_id": True}}, "Subject.subject_id is True; expected text"),
        ({"Subject": {"subject_id": 1.5}}, "Subject.subject_id is 1.5; expected text"),
        ({"Subject": 7}, "Subject is 7; expected keys such as subject_id, species, sex"),
        ({"Subject": {"specie": None}}, "Subject has an unknown key specie; did you mean species?"),
        ({"Subject": {"age_reference": "death"}}, "Subject.age_reference is 'death'; expected birth or gestational"),
        (
            {"NWBFile": {"session_start_time": "2020-01-31T12:00:00"}},
            r"NWBFile.session_start_time is '2020-01-31T12:00:00', without a time zone; .*2020-01-31T12:00:00\+01:00",
        ),
        (
            {"NWBFile": {"session_start_time": "2020-01-31"}},
            r"NWBFile.session_start_time is '2020-01-31', .*example 2020-01-31T00:00:00\+01:00",
        ),
        (
            {"NWBFile": {"session_start_time": "yesterday"}},
            "NWBFile.session_start_time is 'yesterday'; expected a date and time",
        ),
        ({"Subject": {"date_of_birth": datetime(2020, 1, 31)}}, "Subject.date_of_birth is '2020.*without a time zone"),
        ({"NWBFile": {"session_id": "a/b"}}, "NWBFile.session_id is 'a/b'; write a-b"),
        ({"NWBFile": {"keywords": [1.5]}}, "NWBFile.keywords.0 is 1.5; expected text"),
        ({"NWBFile": {"lab": ["a"]}}, r"NWBFile.lab is \['a'\]; expected text"),
        ({"Ophys": {"Device": {"name": "a"}}}, "Ophys.Device is {'name': 'a'}; expected a list"),
        (
            {"Ophys": {"ImagingPlane": [{"excitation_lambda": "blue"}]}},
            "Ophys.ImagingPlane.0.excitation_lambda is 'blue'; expected a number from 1: nm",
        ),
        (
            {"Ophys": {"ImagingPlane": [{"excitation_lambda": 0}]}},
            "Ophys.ImagingPlane.0.excitation_lambda is 0; expected a number from 1: nm",
        ),
        (
            {"Ophys": {"ImagingPlane": [{"grid_spacing": [1.0]}]}},
            r"Ophys.ImagingPlane.0.grid_spacing is \[1.0\]; expected a list: micrometres along x",
        ),
        (
            {"Ophys": {"TwoPhotonSeries": [{"rate": math.nan}]}},
            "Ophys.TwoPhotonSeries.0.rate is 'nan'; expected a number above 0: Hz",
        ),
        ({"Ophys": {"TwoPhotonSeries": [{"rate": math.inf}]}}, "Ophys.TwoPhotonSeries.0.rate is 'inf'; expected"),
        ({"Subjekt": {}}, "the file has an unknown key Subjekt; did you mean Subject?"),
        ({"zzz": {}}, "the file has an unknown key zzz; expected NWBFile, Subject, Ophys, Icephys, Subjects"),
        ({"Subject": {"specie": "a"}}, "Subject has an unknown key specie; did you mean species?"),
        ({"NWBFile": {"keyword": []}}, "NWBFile has an unknown key keyword; did you mean keywords?"),
        ({"Ophys": {"ImagingPlan": []}}, "Ophys has an unknown key ImagingPlan; did you mean ImagingPlane?"),
        (
            {"Ophys": {"ImagingPlane": [{"excitation": 920}]}},
            "Ophys.ImagingPlane.0 has an unknown key excitation; did you mean excitation_lambda?",
        ),
        (
            {"Ophys": {"ImagingPlane": [{"optical_channel": [{"emission": 520}]}]}},
            "Ophys.ImagingPlane.0.optical_channel.0 has an unknown key emission; did you mean emission_lambda?",
        ),
    ],
)
def test_a_wrong_form_is_refused_with_key_and_expectation(content, words):
    with pytest.raises(BadMetadata, match="lab.yaml: " + words) as caught:
        check(content, "lab.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("age", ["P90D", "P3M", "P1Y2M", "P60D/P90D", "P60D/", "PT36H", "P1.5W"])
def test_iso_durations_and_their_ranges_are_ages(age):
    assert check({"Subject": {"age": age}}) == {"Subject": {"age": age}}


def test_dates_and_tuples_of_python_are_taken():
    content = {
        "NWBFile": {"session_start_time": datetime(2020, 1, 31, tzinfo=UTC)},
        "Ophys": {"ImagingPlane": ({"grid_spacing": (1.0, 2.0)},)},
    }
    checked = check(content)
    assert checked["NWBFile"]["session_start_time"] == "2020-01-31T00:00:00+00:00"
    assert checked["Ophys"]["ImagingPlane"] == [{"grid_spacing": [1.0, 2.0]}]


@pytest.mark.parametrize(
    "content",
    [
        {"Subject": None},
        {"Subject": {"species": None}, "Ophys": None, "Sessions": None},
        {"Ophys": {"ImagingPlane": [None], "Device": None}},
        {"Ophys": {"ImagingPlane": [{"optical_channel": [None], "location": None}]}},
    ],
)
def test_a_key_without_a_value_says_nothing(content):
    """As in a template whose lines are all comments."""
    session = recording()
    assert overlay(session, check(content)) == session


def test_an_animal_without_keys_is_an_animal():
    assert check({"Subjects": {7: None, "m2": {"sex": None}}}) == {"Subjects": {"7": {}, "m2": {}}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Subjects": {"m1": {"age": "30 days"}}}, "Subjects.m1.age is '30 days'; write P30D"),
        ({"Subjects": {"m1": {"sexe": "F"}}}, "Subjects.m1 has an unknown key sexe; did you mean sex?"),
        ({"Subjects": {"m1": {"subject_id": "m2"}}}, "Subjects.m1.subject_id is 'm2'; leave it out: m1 is the id"),
        ({"Subjects": {"m1": {"date_of_birth": "2020-01-31"}}}, "Subjects.m1.date_of_birth is .*without a time zone"),
        ({"Subjects": {"a/b": {}}}, "Subjects is 'a/b'; expected text: each animal's subject_id"),
        ({"Sessions": [{"Subject": {}}]}, "entry 1 of Sessions lacks path"),
        (
            {"Sessions": [{"path": "a", "subject": "m1"}]},
            "the entry a of Sessions has an unknown key subject; did you mean Subj",
        ),
        (
            {"Sessions": [{"path": "a", "NWBFile": {"session_start_time": "2020-01-31T12:00:00"}}]},
            "the entry a of Sessions: NWBFile.session_start_time is .*without a time zone",
        ),
        (
            {"Pattern": "{subject}/x"},
            "Pattern {subject}/x has {subject}; expected {subject_id}, {session_id}, or",
        ),
        ({"Pattern": "{Subject.genotyp}"}, "Pattern {Subject.genotyp}: .*Subject.genotyp; did you mean genotype?"),
        ({"Pattern": "{NWBFile.keywords}"}, "Pattern {NWBFile.keywords}: NWBFile.keywords is a list; expected"),
        ({"Pattern": ["{session_id}", "a/b"]}, "Pattern is 'a/b'; expected names in braces"),
        ({"Pattern": "{session_id"}, "Pattern is '{session_id'; expected names in braces"),
    ],
)
def test_what_chooses_among_recordings_is_checked_too(content, words):
    with pytest.raises(BadMetadata, match="lab.yaml: " + words) as caught:
        check(content, "lab.yaml")
    assert "\n" not in str(caught.value)
