"""What footers say of animal, microscope and session, under the names that the vendor's library looks up."""

from datetime import datetime, timezone

import numpy as np
import pytest

from nwbridge import Movie
from nwbridge_ideas import Options, describe

ANIMAL = {"id": "M7", "sex": "m", "dob": "2018-01-02", "species": "mouse", "weight": 25, "description": "left ear cut"}
SCOPE = {"focus": 5, "gain": 2, "exp": 18, "serial": 11094105, "type": "NVista3", "led": {"exPower": 0.7, "ogPower": 0}}
EXTRA = {"animal": ANIMAL, "microscope": SCOPE, "personnel": {"name": "Jane Doe"}, "name": "Session 1", "idps": {}}


@pytest.fixture
def path(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((4, 3, 5), np.uint16))
    return isxd.change(path, "extraProperties", value=EXTRA)


def test_reads_the_animal(path):
    session = describe(path, Options())
    subject = session.subject
    assert (subject.subject_id, subject.species, subject.sex) == ("M7", "Mus musculus", "M")
    assert subject.date_of_birth == datetime(2018, 1, 2, tzinfo=timezone.utc)  # noqa: UP017
    assert subject.description == "left ear cut; weight: 25 (unit not stated)"
    assert session.origins["Subject.species"] == "m.isxd: footer's extraProperties/animal/species"


def test_reads_the_microscope_and_the_session(path):
    session = describe(path, Options())
    (movie,) = session.of(Movie)
    device = movie.plane.device
    assert (device.manufacturer, device.model) == ("Inscopix", "NVista3")
    assert "serial number 11094105; gain 2; focus 5; EX LED power in mW/mm² 0.7" in device.description
    assert movie.exposure_s == 0.018
    assert session.experimenter == ("Doe, Jane",)
    assert "The session is called Session 1." in session.description


def test_looks_where_the_vendor_s_library_looks(path, isx):
    theirs = isx.Movie.read(str(path)).get_acquisition_info()
    session = describe(path, Options())
    assert theirs["Animal ID"] == session.subject.subject_id
    assert theirs["Animal Sex"].upper() == session.subject.sex
    assert theirs["Animal Date of Birth"] == session.subject.date_of_birth.date().isoformat()
    assert theirs["Exposure Time (ms)"] == session.of(Movie)[0].exposure_s * 1000
    assert theirs["Microscope Type"] == session.of(Movie)[0].plane.device.model
    assert theirs["Experimenter Name"] == "Jane Doe"
    assert theirs["Session Name"] in session.description


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("species", "a furry one", "species: a furry one"), ("dob", "early November", "date of birth: early November")],
)
def test_keeps_free_words_as_words(path, isxd, key, value, words):
    isxd.change(path, "extraProperties", "animal", key, value=value)
    session = describe(path, Options())
    assert words in session.subject.description
    assert getattr(session.subject, {"dob": "date_of_birth"}.get(key, key)) is None
    assert any(value in finding.message for finding in session.findings)


@pytest.mark.parametrize("extra", [None, {}, {"animal": None, "microscope": 3}, {"animal": {"id": ""}}, "words"])
def test_invents_nothing_where_the_footer_is_silent(path, isxd, extra):
    session = describe(isxd.change(path, "extraProperties", value=extra), Options())
    (movie,) = session.of(Movie)
    assert (session.subject, session.experimenter, movie.exposure_s, movie.binning) == (None, None, None, None)
    assert (movie.plane.device.manufacturer, movie.plane.device.description) == (None, None)


def test_takes_no_binning_of_none(path, isxd):
    isxd.change(path, "extraProperties", value={"idps": {"spatialDownsampling": 0}})
    assert describe(path, Options()).of(Movie)[0].binning is None


def test_multiplies_what_was_binned_at_acquisition_and_afterwards(path, isxd):
    extra = {"microscope": {**SCOPE, "downSamplingFactor": 2}, "idps": {"spatialDownsampling": 4}}
    assert describe(isxd.change(path, "extraProperties", value=extra), Options()).of(Movie)[0].binning == 8
