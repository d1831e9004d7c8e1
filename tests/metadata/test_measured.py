"""Where the lab says something else than what was measured, both values are said."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile
from recordings import silent

import nwbridge
from nwbridge import Channel, Device
from nwbridge.metadata import check, contradicted, overlay


@pytest.fixture
def silent_tiff(tmp_path):
    """A TIFF that states no rate."""
    values = np.random.default_rng(3).integers(0, 999, (12, 9, 14)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "norate.tif", values, photometric="minisblack")
    return tmp_path / "norate.tif"


def told(result):
    return [finding for finding in result.findings if "the metadata say" in finding.message]


def stated(**movie):
    """A session whose two movies and planes state everything that is measured."""
    session = silent()
    two, one, clamp = session.elements
    facts = {"excitation_nm": 920.0, "pixel_um": (1.5, 0.75), "rate_hz": 7.0}
    channel = Channel("TwoChannel", emission_nm=525.0)
    two = replace(two, rate_hz=7.0, plane=replace(two.plane, channels=(channel,), **facts), **movie)
    one = replace(one, rate_hz=20.0, exposure_s=0.04, binning=4)
    return replace(session, elements=(two, one, clamp))


def lines(source, given):
    return [finding.message for finding in contradicted(source, overlay(source, check(given)))]


def test_a_rate_other_than_the_source_s_is_written_and_both_are_said(tmp_path, neurofinder):
    declared = json.loads((neurofinder / "info.json").read_text("utf-8"))["rate-hz"]
    assert declared != 30
    given = {"Ophys": {"TwoPhotonSeries": [{"rate": 30}]}}
    result = nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=given)
    (finding,) = told(result)
    assert finding.severity == "warning"
    assert finding.message.startswith("Ophys.TwoPhotonSeries.rate of TwoPhotonSeries: the metadata say 30, the source")
    assert f"the source {declared:g} (info.json" in finding.message
    assert finding.message.endswith("30 is written")
    assert "Sessions (- path: theirs)" in finding.advice
    with h5py.File(tmp_path / "out.nwb") as file:
        assert file["acquisition/TwoPhotonSeries/starting_time"].attrs["rate"] == 30


def test_the_same_rate_said_again_is_no_contradiction(neurofinder):
    declared = json.loads((neurofinder / "info.json").read_text("utf-8"))["rate-hz"]
    assert told(nwbridge.inspect(neurofinder, metadata={"Ophys": {"TwoPhotonSeries": [{"rate": declared}]}})) == []


@pytest.mark.parametrize(
    ("kind", "entry", "line"),
    [
        ("TwoPhotonSeries", {"rate": 30}, "Ophys.TwoPhotonSeries.rate of Two: the metadata say 30, the source 7"),
        ("OnePhotonSeries", {"exposure_time": 0.02}, "exposure_time of One: the metadata say 0.02, the source 0.04"),
        ("OnePhotonSeries", {"binning": 2}, "binning of One: the metadata say 2, the source 4"),
        ("TwoPhotonSeries", {"conversion": 2.0}, "conversion of Two: the metadata say 2, the source 0.5"),
        ("TwoPhotonSeries", {"offset": 3.0}, "offset of Two: the metadata say 3, the source 1"),
        ("ImagingPlane", {"name": "TwoPlane", "imaging_rate": 9}, "imaging_rate of TwoPlane: the metadata say 9, the"),
        ("ImagingPlane", {"excitation_lambda": 940}, "excitation_lambda of TwoPlane: the metadata say 940, the source"),
        ("ImagingPlane", {"grid_spacing": [0.75, 2]}, "of TwoPlane: the metadata say 0.75, 2, the source 0.75, 1.5"),
        (
            "ImagingPlane",
            {"optical_channel": [{"emission_lambda": 510}]},
            "optical_channel.emission_lambda of TwoChannel: the metadata say 510, the source 525",
        ),
    ],
)
def test_each_measured_fact_is_compared(kind, entry, line):
    (found,) = lines(stated(conversion=0.5, offset=1.0), {"Ophys": {kind: [entry]}})
    assert line in found


@pytest.mark.parametrize(
    "given",
    [
        {"Ophys": {"TwoPhotonSeries": [{"rate": 7}], "ImagingPlane": [{"grid_spacing": [0.75, 1.5]}]}},
        {"Ophys": {"TwoPhotonSeries": [{"conversion": 2.0, "description": "x"}]}},  # the source states no conversion
        {"Ophys": {"ImagingPlane": [{"name": "TwoPlane", "indicator": "GCaMP6s", "location": "VISp"}]}},
        {"NWBFile": {"session_id": "other", "session_description": "another"}, "Subject": {"subject_id": "m"}},
        {"Ophys": {"OnePhotonSeries": [{"unit": "counts"}], "Device": [{"name": "TwoMicroscope", "model": "x"}]}},
    ],
)
def test_what_repeats_the_source_or_what_nobody_measured_is_said_without_a_warning(given):
    assert lines(stated(), given) == []


def test_what_the_source_does_not_state_is_given_without_a_warning():
    given = {"TwoPhotonSeries": [{"rate": 30}], "ImagingPlane": [{"excitation_lambda": 920, "grid_spacing": [1, 2]}]}
    assert lines(silent(), {"Ophys": given}) == []


def test_a_plane_that_the_lab_names_is_still_compared():
    two = stated().elements[0]
    source = replace(silent(), elements=(replace(two, plane=replace(two.plane, device=Device("Scope"))),))
    (line,) = lines(source, {"Ophys": {"ImagingPlane": [{"name": "V1", "excitation_lambda": 800}]}})
    assert line == ("Ophys.ImagingPlane.excitation_lambda of V1: the metadata say 800, the source 920: 800 is written")


def test_a_rate_that_an_option_gave_is_the_user_s(silent_tiff):
    given = {"Ophys": {"TwoPhotonSeries": [{"rate": 30}]}}
    result = nwbridge.inspect(silent_tiff, options={"rate": 20.0}, metadata=given)
    assert told(result) == []
    (finding,) = [finding for finding in result.findings if finding.check == "metadata"]
    assert finding.message.startswith("Ophys.TwoPhotonSeries.rate is 30 in the metadata and 20.0 by the option")
