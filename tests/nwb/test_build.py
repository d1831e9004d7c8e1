"""What a session becomes in NWB, read back with pynwb and h5py."""

import math

import h5py
import numpy as np
import pynwb
import pytest
from recordings import lazy

import nwbridge
from nwbridge import Channel, Device, MissingMetadata, Movie, Plane, PluginFault, Region, Segmentation, Session, Subject
from nwbridge.nwb.build import Layout, build
from nwbridge.nwb.write import write


def quiet(phase, done, total):
    """Take progress and show none."""


def written(tmp_path, session):
    """Build and write a session; return the path."""
    layout = Layout()
    file = build(
        session,
        layout,
        ["Subject.age (written as P0D/)"],
        [("nwbridge", "0"), ("nwbridge-x", "1")],
        "nwbridge convert x y",
    )
    write(file, layout, tmp_path / "x.nwb", 2, quiet)
    return tmp_path / "x.nwb"


@pytest.fixture
def plane():
    return Plane(
        description="196 µm deep",
        device=Device("Scope", "a two-photon microscope", manufacturer="Maker", model="Model 1"),
        channels=(Channel("Green", "GCaMP", 525.0), Channel("Red")),
        indicator="GCaMP6s",
        location="VISp",
        excitation_nm=920.0,
        rate_hz=7,
        pixel_um=(1.074, 1.123),
    )


@pytest.fixture
def session(values, plane):
    scale = {"unit": "electrons", "conversion": 0.23, "offset": -23}
    movie = Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=7, pmt_gain=10, field_of_view_um=(550, 575), **scale)
    square = np.argwhere(np.ones((3, 2), bool)) + (20, 40)  # rows 20–22, columns 40–41
    regions = (Region(square, id=9000), Region(square + (1, 0), np.linspace(0.5, 1, 6), id=9001))
    masks = Segmentation("PlaneSegmentation", regions, (37, 53), plane, "hand-labelled")
    subject = Subject("mouse-1", "Mus musculus", genotype="Emx1-Cre")
    return Session(
        "s1",
        "A session.",
        (movie, masks),
        subject=subject,
        keywords=("calcium",),
        lab="Lab",
        experimenter=("Doe, Jane",),
    )


def test_movies_are_stored_as_time_x_y(tmp_path, session, values):
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        series = io.read().acquisition["TwoPhotonSeries"]
        np.testing.assert_array_equal(series.data[()], values.transpose(0, 2, 1))
        assert (series.rate, series.starting_time, series.unit) == (7.0, 0.0, "electrons")
        assert (series.conversion, series.offset, series.pmt_gain) == (0.23, -23.0, 10.0)
        np.testing.assert_allclose(series.field_of_view, [575e-6, 550e-6])  # width, height


def test_a_plane_keeps_its_device_channels_and_spacing(tmp_path, session):
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        file = io.read()
        plane = file.imaging_planes["ImagingPlane"]
        assert list(plane.grid_spacing) == [1.123, 1.074]  # x = columns first
        assert plane.grid_spacing_unit == "micrometers"
        assert (plane.indicator, plane.location, plane.excitation_lambda, plane.imaging_rate) == (
            "GCaMP6s",
            "VISp",
            920.0,
            7.0,
        )
        assert {c.name: c.emission_lambda for c in plane.optical_channel}["Green"] == 525.0
        assert (plane.device.name, plane.device.model.name, plane.device.model.manufacturer) == (
            "Scope",
            "Model 1",
            "Maker",
        )
        assert plane.device is file.acquisition["TwoPhotonSeries"].imaging_plane.device


def test_unknown_wavelengths_are_nan_and_unknown_texts_say_so(tmp_path, values):
    session = Session("s", "A session.", (Movie("M", lazy(values), Plane(), rate_hz=1),))
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        file = io.read()
        plane = file.imaging_planes["ImagingPlane"]
        assert (plane.indicator, plane.location) == ("unknown", "unknown")
        assert math.isnan(plane.excitation_lambda)
        assert math.isnan(plane.optical_channel[0].emission_lambda)
        assert (file.subject.sex, file.subject.age, file.subject.subject_id) == ("U", "P0D/", "s")


def test_a_date_of_birth_takes_the_place_of_an_unknown_age(tmp_path, values):
    from datetime import UTC, datetime

    subject = Subject("m", date_of_birth=datetime(2020, 1, 2, tzinfo=UTC))
    session = Session("s", "A session.", (Movie("M", lazy(values), Plane(), rate_hz=1),), subject=subject)
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        subject = io.read().subject
        assert (subject.age, subject.date_of_birth.isoformat()) == (None, "2020-01-02T00:00:00+00:00")


def test_masks_lie_on_the_right_pixels_of_an_image_that_is_not_square(tmp_path, session):
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        table = io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert list(table.id[:]) == [9000, 9001]
        for index, region in enumerate(session.elements[1].regions):
            mask = table["pixel_mask"][index]
            assert [(m[1], m[0]) for m in mask] == [tuple(p) for p in region.pixels]  # y = row, x = column
        np.testing.assert_allclose([m[2] for m in table["pixel_mask"][1]], np.linspace(0.5, 1, 6))
        assert "37 rows × 53 columns" in table.description


def test_a_segmentation_without_regions_is_a_table_without_rows(tmp_path, values, plane):
    empty = Segmentation("P", (), (37, 53), plane)
    session = Session("s", "A session.", (Movie("M", lazy(values), plane, rate_hz=1), empty))
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        assert len(io.read().processing["ophys"]["ImageSegmentation"]["P"]) == 0


def test_timestamps_replace_the_rate(tmp_path, values):
    times = np.cumsum(np.random.default_rng(6).random(len(values)))
    session = Session("s", "A session.", (Movie("M", lazy(values), Plane(), timestamps=lazy(times)),))
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        series = io.read().acquisition["M"]
        assert series.rate is None
        np.testing.assert_array_equal(series.timestamps[()], times)


def test_one_photon_movies_become_one_photon_series(tmp_path, values):
    session = Session("s", "A session.", (Movie("M", lazy(values), Plane(), "one-photon", rate_hz=20),))
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        assert isinstance(io.read().acquisition["M"], pynwb.ophys.OnePhotonSeries)


def test_a_movie_without_a_rate_asks_for_it(values):
    session = Session("s", "A session.", (Movie("M", lazy(values), Plane()),))
    with pytest.raises(MissingMetadata, match=r"--set Ophys.TwoPhotonSeries.rate=HZ"):
        build(session, Layout(), (), (), "")


def test_the_file_says_who_made_it_and_what_is_unknown(tmp_path, session):
    with pynwb.NWBHDF5IO(written(tmp_path, session), "r") as io:
        file = io.read()
        assert [list(pair) for pair in file.was_generated_by[()]] == [["nwbridge", "0"], ["nwbridge-x", "1"]]
        assert file.source_script == "nwbridge convert x y"
        assert "Subject.age (written as P0D/)" in file.notes
        assert "The recording's date is not distributed" in file.session_description
        assert file.session_start_time.isoformat() == "1900-01-01T00:00:00+00:00"
        assert (file.session_id, file.lab, list(file.keywords), file.experimenter) == (
            "s1",
            "Lab",
            ["calcium"],
            ("Doe, Jane",),
        )
        assert (file.subject.subject_id, file.subject.species, file.subject.genotype) == (
            "mouse-1",
            "Mus musculus",
            "Emx1-Cre",
        )


def test_standard_filters_only(tmp_path, session):
    with h5py.File(written(tmp_path, session)) as file:
        data = file["acquisition/TwoPhotonSeries/data"]
        kinds = [data.id.get_create_plist().get_filter(n)[0] for n in range(data.id.get_create_plist().get_nfilters())]
        assert kinds == [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]


def test_an_element_that_nobody_can_place_names_its_type(values):
    class Strange:
        name = "x"

    with pytest.raises(PluginFault, match=r"Strange: register one with nwbridge\.nwb\.build\.add"):
        build(Session("s", "A session.", (Strange(),)), Layout(), (), (), "")


def test_files_of_two_builds_have_identifiers_of_their_own(session):
    one, other = (build(session, Layout(), (), (), "") for _ in range(2))
    assert one.identifier != other.identifier
    assert nwbridge.__version__
