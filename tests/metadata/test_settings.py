"""Values given one at a time become the content of a metadata file."""

import json

import pytest
from recordings import silent as recording

from nwbridge import BadMetadata, Movie
from nwbridge.metadata import from_settings, merge, overlay


@pytest.mark.parametrize(
    ("settings", "content"),
    [
        ([], {}),
        (["Subject.species=Mus musculus"], {"Subject": {"species": "Mus musculus"}}),
        (["Subject.subject_id=007"], {"Subject": {"subject_id": "007"}}),
        (["NWBFile.notes=a=b, c"], {"NWBFile": {"notes": "a=b, c"}}),
        (["NWBFile.experimenter=Doe, Jane"], {"NWBFile": {"experimenter": ["Doe, Jane"]}}),
        (
            ["NWBFile.experimenter=Doe, Jane", "NWBFile.experimenter=Roe, Rick"],
            {"NWBFile": {"experimenter": ["Doe, Jane", "Roe, Rick"]}},
        ),
        (["NWBFile.keywords=mouse, vision"], {"NWBFile": {"keywords": ["mouse", "vision"]}}),
        (["Ophys.TwoPhotonSeries.rate=30"], {"Ophys": {"TwoPhotonSeries": [{"rate": 30.0}]}}),
        (["Ophys.ImagingPlane.grid_spacing=0.8,1.25"], {"Ophys": {"ImagingPlane": [{"grid_spacing": [0.8, 1.25]}]}}),
        (
            ["Ophys.ImagingPlane.grid_spacing=1,1", "Ophys.ImagingPlane.grid_spacing=2,3"],
            {"Ophys": {"ImagingPlane": [{"grid_spacing": [2.0, 3.0]}]}},
        ),
        (
            ["Ophys.ImagingPlane.optical_channel.emission_lambda=520", "Ophys.ImagingPlane.location=VISp"],
            {"Ophys": {"ImagingPlane": [{"optical_channel": [{"emission_lambda": 520.0}], "location": "VISp"}]}},
        ),
    ],
)
def test_settings_become_the_content_of_a_metadata_file(settings, content):
    assert from_settings(settings) == content


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("Subject.species", "--set Subject.species: expected KEY=VALUE"),
        ("species=Mus musculus", "--set species: there is no key species"),
        ("Subject.specis=x", "--set Subject.specis: there is no key specis; did you mean species?"),
        ("Subject=x", "--set Subject: expected one more word after it: subject_id, species"),
        ("Subject.=x", "--set Subject.: there is no key ; expected subject_id"),
        ("=x", "--set : there is no key ; expected NWBFile"),
        ("Ophys.ImagingPlane=x", "--set Ophys.ImagingPlane: expected one more word after it: name, description"),
        ("Subject.sex.x=M", "--set Subject.sex.x: there is nothing below a single value; leave out .x"),
        ("Ophys.TwoPhotonSeries.rate=fast", "--set Ophys.TwoPhotonSeries.rate is 'fast'; expected a number"),
        ("Ophys.TwoPhotonSeries.rate=nan", "--set: Ophys.TwoPhotonSeries.0.rate is 'nan'; expected a number"),
        ("Ophys.ImagingPlane.grid_spacing=1,x", "--set Ophys.ImagingPlane.grid_spacing is 'x'; expected a number"),
        ("Ophys.ImagingPlane.grid_spacing=1", "--set: Ophys.ImagingPlane.0.grid_spacing is .*; expected a list"),
        ("Subject.sex=male", "--set: Subject.sex is 'male'; write M"),
        ("NWBFile.session_start_time=2020-01-31", "--set: NWBFile.session_start_time is '2020-01-31', without a time"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(setting, words):
    with pytest.raises(BadMetadata, match=words):
        from_settings([setting])


def test_what_is_merged_over_wins_and_the_rest_stays():
    under = {
        "Subject": {"sex": "M", "species": "Mus musculus"},
        "NWBFile": {"keywords": ["a", "b"]},
        "Ophys": {"ImagingPlane": [{"location": "VISp", "indicator": "GCaMP6s"}]},
    }
    over = {
        "Subject": {"sex": "F"},
        "NWBFile": {"keywords": ["c"]},
        "Ophys": {"ImagingPlane": [{"location": "SSp-bfd"}]},
    }
    before = json.dumps(under)
    both = merge(under, over)
    assert both["Subject"] == {"sex": "F", "species": "Mus musculus"}
    assert both["NWBFile"] == {"keywords": ["c"]}
    assert json.dumps(under) == before
    planes = [movie.plane for movie in overlay(recording(), both).of(Movie)]
    assert [(plane.location, plane.indicator) for plane in planes] == [("SSp-bfd", "GCaMP6s")] * 2
