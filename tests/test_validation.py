"""Everything that is to be said about an NWB file, as findings with advice."""

import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import nwbinspector
import pytest
from hdmf.common import DynamicTable, VectorData
from pynwb import TimeSeries

import nwbridge
from nwbridge import BadSource, Check, Finding
from nwbridge.plugins import Plugin, Registry, installed
from nwbridge.validation import _inspected, schema_errors

GIVEN = {
    "NWBFile": {"session_start_time": "2020-01-31T12:00:00+01:00", "keywords": ["mouse", "vision"]},
    "Subject": {"species": "Mus musculus", "sex": "F", "age": "P90D", "description": "a mouse"},
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """An NWB file about which there is nothing to say; copy it before changing it."""
    folder = tmp_path_factory.mktemp("good")
    path = nwbridge.plugins.installed().source("neurofinder")[0].example(folder)
    nwbridge.convert(path, folder / "good.nwb", metadata=GIVEN)
    return folder / "good.nwb"


@pytest.fixture
def changed(good, tmp_path):
    """A function that copies the good file, lets a change be made with h5py, and validates it."""

    def change(alter):
        path = tmp_path / "changed.nwb"
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            alter(file)
        findings = nwbridge.validate(path)
        order = [("error", "warning", "hint").index(finding.severity) for finding in findings]
        assert order == sorted(order)
        assert not any("\n" in f.message + f.advice + f.where for f in findings)
        return findings

    return change


def errors(findings):
    return [finding for finding in findings if finding.severity == "error"]


def test_nothing_is_said_about_a_good_file(good):
    before = good.read_bytes()
    assert nwbridge.validate(good) == []
    assert nwbridge.validate(str(good)) == []
    assert good.read_bytes() == before


def test_a_missing_species_is_an_error_with_the_way_to_give_it(changed):
    findings = changed(lambda file: file.__delitem__("general/subject/species"))
    (error,) = errors(findings)
    assert error.check == "inspector check_subject_species_exists"
    assert "Subject species is missing" in error.message
    assert error.advice == "DANDI requires the Latin name: --set 'Subject.species=Mus musculus'"
    assert not schema_errors(findings)


@pytest.mark.parametrize("source", installed().sources())
def test_every_check_that_an_example_triggers_has_advice_that_can_be_followed(source, tmp_path):
    (tmp_path / "in").mkdir()
    path = installed().source(source)[0].example(tmp_path / "in")
    result = nwbridge.convert(
        path, tmp_path / "x.nwb", source=source, metadata={"Subject": {"species": "Mus musculus"}}
    )
    said = [finding for finding in result.findings if finding.check.startswith("inspector")]
    assert said
    assert all(finding.advice and "https://" not in finding.advice for finding in said)


@pytest.mark.parametrize(
    ("check", "text", "words"),
    [
        (
            nwbinspector.checks.check_data_orientation,
            TimeSeries(name="a", data=np.zeros((2, 5, 6)), unit="n.a.", rate=1.0),
            "NWB keeps time first, and it is usually longest; here another dimension is longer: (2, 5, 6).",
        ),
        (
            nwbinspector.checks.check_column_binary_capability,
            DynamicTable(
                name="t",
                description="a table",
                columns=[VectorData(name="found", description="seen", data=[0.0, 1.0, 1.0])],
            ),
            "Column 'found' has only the values [0. 1.]; NWB would keep yes and no as booleans.",
        ),
    ],
)
def test_long_words_of_the_inspector_are_said_shortly(check, text, words):
    found = check(text)
    (message,) = [found] if isinstance(found, nwbinspector.InspectorMessage) else found
    assert _inspected(message).message == words


def test_a_place_outside_the_atlas_is_said_without_a_command_to_use_it(changed):
    def alter(file):
        del file["general/optophysiology/ImagingPlane/location"]
        file["general/optophysiology/ImagingPlane/location"] = "left ear"

    (finding,) = changed(alter)
    assert finding.severity == "warning"
    assert finding.message == (
        "ImagingPlane location 'left ear' is not a term of the Allen Mouse Brain Atlas, as VISp or Primary visual area."
    )
    assert finding.advice == "for mouse brain: --set Ophys.ImagingPlane.location=VISp; else nothing"


def test_what_is_found_of_one_object_among_many_names_it(changed):
    def alter(file):
        column = file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask"]
        column.attrs["description"] = "no description"

    found = [f for f in changed(alter) if f.check == "inspector check_description"]
    assert [(f.message, f.where) for f in found] == [
        ("Description ('no description') is a placeholder.", "VectorData pixel_mask")
    ]


def test_a_missing_subject_is_an_error_with_the_way_to_give_it(changed):
    (error,) = errors(changed(lambda file: file.__delitem__("general/subject")))
    assert "--set Subject.subject_id=ID" in error.advice


@pytest.mark.parametrize(
    "required",
    [
        "general/optophysiology/ImagingPlane/indicator",
        "general/optophysiology/ImagingPlane/location",
        "acquisition/TwoPhotonSeries/imaging_plane",
        "identifier",
        "session_description",
    ],
)
def test_what_breaks_the_schema_is_an_error_with_advice(changed, required):
    findings = changed(lambda file: file.__delitem__(required))
    assert schema_errors(findings)
    first = findings[0]
    assert first.severity == "error"
    assert first.check.startswith("schema")
    assert first.advice
    assert any(required.rsplit("/", 1)[-1] in finding.message for finding in errors(findings))


def test_a_wrong_type_breaks_the_schema(changed):
    def alter(file):
        del file["general/optophysiology/ImagingPlane/excitation_lambda"]
        file["general/optophysiology/ImagingPlane/excitation_lambda"] = "blue"

    findings = changed(alter)
    assert schema_errors(findings)
    assert any("excitation_lambda" in finding.message + finding.where for finding in errors(findings))


def test_a_doctored_schema_in_the_file_does_not_hide_what_is_missing(changed):
    def alter(file):
        (version,) = file["specifications/core"]
        stored = file[f"specifications/core/{version}/nwb.ophys"]
        ophys = json.loads(stored[()])
        plane = next(group for group in ophys["groups"] if group["neurodata_type_def"] == "ImagingPlane")
        plane["datasets"] = [entry for entry in plane["datasets"] if entry["name"] != "indicator"]
        del file[f"specifications/core/{version}/nwb.ophys"]
        file[f"specifications/core/{version}/nwb.ophys"] = json.dumps(ophys)
        del file["general/optophysiology/ImagingPlane/indicator"]

    findings = changed(alter)
    (told,) = (finding for finding in errors(findings) if finding.check.startswith("schema"))
    assert (told.message, told.check) == ("ImagingPlane/indicator: argument missing", "schema")
    assert schema_errors(findings)


def test_a_file_that_pynwb_cannot_read_gets_findings_and_no_traceback(changed):
    def alter(file):
        file["acquisition/TwoPhotonSeries"].attrs["neurodata_type"] = "NoSuchSeries"
        del file["session_start_time"]
        file["session_start_time"] = "yesterday"

    findings = changed(alter)
    assert schema_errors(findings)
    assert any(finding.check.startswith("inspector") for finding in errors(findings))
    assert all("Traceback" not in finding.message and len(finding.message) < 300 for finding in findings)


@pytest.mark.parametrize("pairs", [np.zeros((2, 2)), np.zeros((0, 2)), ["nwbridge"], 5])
def test_odd_words_about_who_made_it_stop_nothing(changed, pairs):
    def alter(file):
        del file["general/was_generated_by"]
        file["general/was_generated_by"] = pairs

    assert isinstance(changed(alter), list)


def test_every_finding_stands_once(changed):
    findings = changed(lambda file: file.__delitem__("general/subject"))
    assert len(findings) == len(set(findings))


def test_another_hdf5_file_is_not_nwb(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(BadSource, match=r"^other\.h5 is HDF5 but not NWB: it states no NWB version$"):
        nwbridge.validate(tmp_path / "other.h5")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(BadSource, match=r"absent\.nwb does not exist"):
        nwbridge.validate(tmp_path / "absent.nwb")
    with pytest.raises(BadSource, match="is not a file"):
        nwbridge.validate(tmp_path)


def checking(*findings):
    """A registry with one plugin, whose check says `findings` and warns as pynwb does."""

    def run(session, path):
        warnings.warn("the inner voice of pynwb", UserWarning, stacklevel=1)
        return list(findings)

    return Registry((Plugin("p", "nwbridge-p", "1", checks=(Check("p", run),)),))


def test_errors_come_first_whoever_finds_them(good):
    said = (Finding("hint", "a"), Finding("error", "b"), Finding("warning", "c"))
    findings = nwbridge.validate(good, registry=checking(*said))
    assert [f.severity for f in findings] == ["error", "warning", "warning", "hint"]


def test_warnings_of_pynwb_become_findings(good):
    findings = nwbridge.validate(good, registry=checking())
    assert [(f.severity, f.message) for f in findings] == [("warning", "the inner voice of pynwb")]


def test_several_threads_may_validate_at_once(good):
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(nwbridge.validate, [good] * 8)) == [[]] * 8
    assert warnings.filters == before
