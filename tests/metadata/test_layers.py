"""The lab's values are laid over what the source says."""

from datetime import UTC, datetime

import numpy as np
import pytest
from recordings import silent as recording

from nwbridge import BadMetadata, Movie, Plane, Session, Subject
from nwbridge.arrays import from_numpy
from nwbridge.metadata import check, fields, overlay

CONTENT = {
    "NWBFile": {
        "session_id": "12",
        "session_start_time": "2020-01-31T12:00:00+01:00",
        "experimenter": ["Doe, Jane"],
        "keywords": ["mouse", "vision"],
    },
    "Subject": {"subject_id": "7", "species": "Mus musculus", "date_of_birth": "2019-11-02T00:00:00+00:00"},
    "Ophys": {"ImagingPlane": [{"excitation_lambda": 920, "grid_spacing": [0.8, 1.25]}]},
}


def test_values_land_where_they_belong():
    session = overlay(recording(), check(CONTENT))
    assert (session.id, session.description) == ("12", "A session.")
    assert session.start_time == datetime.fromisoformat("2020-01-31T12:00:00+01:00")
    assert (session.experimenter, session.keywords) == (("Doe, Jane",), ("mouse", "vision"))
    assert session.subject == Subject("7", "Mus musculus", date_of_birth=datetime(2019, 11, 2, tzinfo=UTC))
    for movie in session.of(Movie):
        assert (movie.plane.excitation_nm, movie.plane.pixel_um) == (920, (1.25, 0.8))  # rows first in the model


def test_the_user_wins_over_the_source_value_by_value():
    source = recording(subject=Subject("m1", "Mus musculus", "M"), lab="theirs", institution="there")
    session = overlay(source, check({"Subject": {"sex": "F"}, "NWBFile": {"lab": "ours"}}))
    assert session.subject == Subject("m1", "Mus musculus", "F")
    assert (session.lab, session.institution) == ("ours", "there")
    assert source.lab == "theirs"


def test_without_metadata_the_session_stays_as_it_is():
    assert overlay(recording(), {}) == recording()


def test_an_entry_with_a_name_speaks_of_that_one_alone():
    given = check(
        {
            "Ophys": {
                "Device": [{"name": "TwoMicroscope", "model": "Bergamo"}],
                "ImagingPlane": [
                    {"name": "OnePlane", "device": "OneMicroscope", "optical_channel": [{"emission_lambda": 520}]}
                ],
            }
        }
    )
    two, one = overlay(recording(), given).of(Movie)
    assert (two.plane.device.model, one.plane.device.model) == ("Bergamo", None)
    assert [m.plane.channels[0].emission_nm for m in (two, one)] == [None, 520]
    origins = [
        (field.value, field.origin)
        for field in fields(overlay(recording(), given), given)
        if field.key == "Ophys.ImagingPlane.optical_channel.emission_lambda"
    ]
    assert origins == [(None, "unknown"), (520, "user")]


@pytest.mark.parametrize(
    ("ophys", "words"),
    [
        ({"Device": [{"name": "X"}]}, "Ophys.Device: .*no Device named X; it has: OneMicroscope, TwoMicroscope"),
        (
            {"ImagingPlane": [{"name": "X"}]},
            "Ophys.ImagingPlane: .*no ImagingPlane named X; it has: OnePlane, TwoPlane",
        ),
        ({"ImagingPlane": [{"device": "X"}]}, "Ophys.ImagingPlane: .*no Device named X"),
        ({"TwoPhotonSeries": [{"name": "One"}]}, "Ophys.TwoPhotonSeries: .*no TwoPhotonSeries named One; it has: Two"),
        ({"OnePhotonSeries": [{"imaging_plane": "X"}]}, "Ophys.OnePhotonSeries: .*no ImagingPlane named X"),
        (
            {"ImagingPlane": [{"optical_channel": [{"name": "X"}]}]},
            "Ophys.ImagingPlane: .*no optical_channel named X; it has: OneChannel, TwoChannel",
        ),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(ophys, words):
    with pytest.raises(BadMetadata, match=words):
        overlay(recording(), check({"Ophys": ophys}))


def test_an_entry_on_a_kind_that_the_recording_has_none_of_is_said_not_to_be_used():
    """A document speaks of many recordings, of several systems."""
    two = Session("a", "A session.", recording().elements[:1])
    session = overlay(
        two, check({"Ophys": {"OnePhotonSeries": [{"rate": 30}]}, "Icephys": {"Electrodes": [{"cell_id": "c"}]}})
    )
    assert session.elements == two.elements
    assert [(f.severity, f.message) for f in session.findings] == [
        ("warning", "Ophys.OnePhotonSeries of the metadata is not used: this recording has no OnePhotonSeries"),
        ("warning", "Icephys.Electrodes of the metadata is not used: this recording has no Electrodes"),
    ]
    assert session.findings[0].advice == "its movies are TwoPhotonSeries: write Ophys.TwoPhotonSeries instead"


def test_a_rate_is_refused_where_every_frame_has_its_time():
    data, times = from_numpy(np.zeros((5, 30, 50), np.uint16)), from_numpy(np.arange(5.0))
    timed = Session("a", "A session.", (Movie("Timed", data, Plane(), timestamps=times),))
    with pytest.raises(BadMetadata, match="Timed has a time for each frame"):
        overlay(timed, check({"Ophys": {"TwoPhotonSeries": [{"rate": 30}]}}))
