"""Each value has an origin, and what nobody states is named in the file."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import h5py
from pynwb import NWBHDF5IO
from recordings import silent as recording

import nwbridge
from nwbridge import Subject
from nwbridge.metadata import UNKNOWN, check, fields, overlay


def origins(session, given):
    return {field.key: field.origin for field in fields(session, given)}


def test_each_field_is_the_source_s_the_user_s_or_unknown():
    source = recording(
        subject=Subject(species="Mus musculus"), lab="theirs", origins={"Subject.species": "info.json: animal"}
    )
    given = check({"Subject": {"sex": "F"}, "NWBFile": {"lab": "ours", "surgery": "window"}})
    session = overlay(source, given)
    found = origins(session, given)
    assert found["Subject.species"] == "source"
    assert found["NWBFile.session_id"] == "source"
    assert [found[key] for key in ("Subject.sex", "NWBFile.lab", "NWBFile.surgery")] == ["user"] * 3
    for key in ("Subject.age", "NWBFile.session_start_time", "NWBFile.keywords", "Ophys.ImagingPlane.location"):
        assert found[key] == "unknown"
    assert "NWBFile.virus" not in found
    (species,) = (field for field in fields(session, given) if field.key == "Subject.species")
    assert (species.value, species.note) == ("Mus musculus", "info.json: animal")


def test_everything_unknown_is_listed_with_what_is_written_instead():
    listed = {field.key: field for field in fields(recording(), {})}
    assert {key: listed[key].note for key in UNKNOWN} == UNKNOWN
    assert {listed[key].origin for key in UNKNOWN} == {"unknown"}


def test_the_age_is_not_asked_for_where_the_birth_is_known():
    session = recording(subject=Subject(date_of_birth=datetime(2020, 1, 31, tzinfo=UTC)))
    assert "Subject.age" not in origins(session, {})


def test_the_file_holds_what_is_said_to_be_written_for_unknowns(tmp_path):
    from nwbridge.nwb.build import Layout, build
    from nwbridge.nwb.write import write as write_file

    unnamed = {"Ophys": {"TwoPhotonSeries": [{"rate": 30}], "OnePhotonSeries": [{"rate": 20}]}}
    session = overlay(recording(), check(unnamed))
    path, layout = tmp_path / "out.nwb", Layout()
    write_file(build(session, layout, (), [("nwbridge", "0")], "nwbridge"), layout, path, 1, lambda *_: None)
    with h5py.File(path) as file:
        subject = file["general/subject"]
        assert [subject[key][()].decode() for key in ("subject_id", "sex", "age")] == [session.id, "U", "P0D/"]
        assert "species" not in subject
        assert file["session_start_time"][()] == b"1900-01-01T00:00:00+00:00"
        assert "placeholder" in file["session_description"][()].decode()
        for plane in ("TwoPlane", "OnePlane"):
            stored = file[f"general/optophysiology/{plane}"]
            assert stored["indicator"][()] == stored["location"][()] == b"unknown"
            assert math.isnan(stored["excitation_lambda"][()])
            assert math.isnan(stored[plane.replace("Plane", "Channel")]["emission_lambda"][()])


def test_the_file_names_what_nobody_stated(tmp_path, neurofinder):
    given = {"Subject": {"sex": "F", "age": "P90D"}, "Ophys": {"ImagingPlane": [{"excitation_lambda": 920}]}}
    result = nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=given)
    unknown = {field.key for field in result.fields if field.origin == "unknown" and field.key in UNKNOWN}
    assert unknown == {"NWBFile.session_start_time", "Ophys.ImagingPlane.optical_channel.emission_lambda"}
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        assert (file.subject.sex, file.subject.age, file.subject.species) == ("F", "P90D", "Mus musculus")
        assert file.imaging_planes["ImagingPlane"].excitation_lambda == 920
        assert all(f"{key} ({UNKNOWN[key]})" in file.notes for key in unknown)
        assert not any(key in file.notes for key in UNKNOWN if key not in unknown)


def test_what_repeats_the_source_stays_the_source_s():
    stated = recording(subject=Subject("m1", "Mus musculus", sex="F"), lab="theirs", origins={"Subject.sex": "a.json"})
    given = check({"Subject": {"sex": "F", "species": "Rattus norvegicus"}, "NWBFile": {"lab": "theirs", "virus": "x"}})
    found = {field.key: field for field in fields(overlay(stated, given), given, stated)}
    assert (found["Subject.sex"].origin, found["Subject.sex"].note) == ("source", "a.json")
    assert found["NWBFile.lab"].origin == "source"
    assert (found["Subject.species"].origin, found["Subject.species"].value) == ("user", "Rattus norvegicus")
    assert found["NWBFile.virus"].origin == "user"


def test_a_value_that_only_one_of_two_planes_states_is_the_user_s_for_the_other():
    two, one, clamp = recording().elements
    stated = replace(recording(), elements=(replace(two, plane=replace(two.plane, location="VISp")), one, clamp))
    given = check({"Ophys": {"ImagingPlane": [{"location": "VISp"}]}})
    found = fields(overlay(stated, given), given, stated)
    assert [field.origin for field in found if field.key == "Ophys.ImagingPlane.location"] == ["user"]
