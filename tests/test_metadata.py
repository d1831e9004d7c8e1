"""What the lab knows is read, checked and laid over what the source says."""

import json
import math
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

import nwbridge
from nwbridge import BadMetadata, Channel, Device, Movie, Plane, Session, Subject
from nwbridge.arrays import from_numpy
from nwbridge.metadata import UNKNOWN, check, fields, from_settings, load, merge, overlay, schema

YAML = """
NWBFile:
  session_id: 12
  session_start_time: 2020-01-31 12:00:00+01:00
  experimenter: "Doe, Jane"
  keywords: [mouse, vision]
Subject:
  subject_id: 7
  species: Mus musculus
  date_of_birth: 2019-11-02T00:00:00+00:00
Ophys:
  ImagingPlane:
    - excitation_lambda: 920
      grid_spacing: [0.8, 1.25]
"""
TOML = """
[NWBFile]
session_id = 12
session_start_time = 2020-01-31T12:00:00+01:00
experimenter = "Doe, Jane"
keywords = ["mouse", "vision"]
[Subject]
subject_id = 7
species = "Mus musculus"
date_of_birth = 2019-11-02T00:00:00+00:00
[[Ophys.ImagingPlane]]
excitation_lambda = 920
grid_spacing = [0.8, 1.25]
"""
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


def recording(**changes):
    """A session with a two-photon and a one-photon movie in planes of their own, that states nothing."""

    def movie(name, kind):
        data = from_numpy(np.zeros((5, 30, 50), np.uint16))
        device = Device(f"{name}Microscope")
        return Movie(name, data, Plane(f"{name}Plane", device=device, channels=(Channel(f"{name}Channel"),)), kind=kind)

    return Session("a", "A session.", (movie("Two", "two-photon"), movie("One", "one-photon")), **changes)


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# reading


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lab.yaml", YAML),
        ("lab.YML", YAML),
        ("lab.toml", TOML),
        ("lab.json", json.dumps(CONTENT)),
        ("bom.json", b"\xef\xbb\xbf" + json.dumps(CONTENT).encode()),
    ],
)
def test_yaml_toml_and_json_say_the_same(tmp_path, name, text):
    assert load(write(tmp_path, name, text)) == CONTENT


@pytest.mark.parametrize(("name", "text"), [("a.yaml", ""), ("a.yaml", "# later\n"), ("a.toml", ""), ("a.json", "{}")])
def test_an_empty_file_says_nothing(tmp_path, name, text):
    assert load(write(tmp_path, name, text)) == {}


@pytest.mark.parametrize("written", ["0123", "007", "12:30", "1_000", "0x1F"])
def test_an_identifier_stays_as_it_is_written(tmp_path, written):
    assert load(write(tmp_path, "a.yaml", f"Subject: {{subject_id: {written}}}"))["Subject"]["subject_id"] == written


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "Subject: [", "a.yaml cannot be read: .*line 1"),
        ("a.yaml", "Subject: {date_of_birth: 2020-13-45}", "a.yaml cannot be read: .*month"),
        ("a.yaml", "Subject: !!python/name:os.system {}", "a.yaml cannot be read: could not determine a constructor"),
        ("a.toml", "Subject = ", "a.toml cannot be read: Invalid value"),
        ("a.json", "{", "a.json cannot be read: .*line 1"),
        ("a.json", "[" * 100_000, "a.json cannot be read: .*recursion"),
        ("a.yaml", b"Subject: {species: \xff}", "a.yaml cannot be read: .*0xff"),
        ("a.yaml", "- Subject", "a.yaml: the file is .*Subject.*; expected keys such as NWBFile, Subject, Ophys"),
        ("a.yaml", "[]", r"a.yaml: the file is \[\]; expected keys such as NWBFile"),
        ("a.yaml", "Mus musculus", "a.yaml: the file is 'Mus musculus'; expected keys such as NWBFile"),
        ("a.json", "0", "a.json: the file is 0; expected keys such as NWBFile"),
        ("a.yaml", "&a {Subject: *a}", "a.yaml: it holds itself"),
        ("a.txt", "Subject: {}", "a.txt ends in .txt; expected .yaml, .toml or .json"),
        ("a", "Subject: {}", "a ends in nothing; expected .yaml, .toml or .json"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, name, text, words):
    with pytest.raises(BadMetadata, match=words) as caught:
        load(write(tmp_path, name, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadMetadata, match=r"the metadata file .*lab\.yaml does not exist"):
        load(tmp_path / "lab.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(BadMetadata, match=r"folder\.yaml cannot be read: Is a directory"):
        load(tmp_path / "folder.yaml")


# checking


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Subject": {"age": "30 days"}}, "Subject.age is '30 days'; expected text: ISO 8601 duration, as in P90D"),
        ({"Subject": {"age": "P"}}, "Subject.age is 'P'; expected text: ISO 8601"),
        ({"Subject": {"age": 30}}, "Subject.age is '30'; expected text: ISO 8601"),
        (
            {"Subject": {"species": "mouse"}},
            "Subject.species is 'mouse'; expected text: Latin name, as in Mus musculus",
        ),
        ({"Subject": {"sex": "male"}}, "Subject.sex is 'male'; expected M or F or O or U"),
        ({"Subject": {"weight": 0.025}}, "Subject.weight is 0.025; expected text: in kilograms, as in 0.025 kg"),
        ({"Subject": {"weight": "25 g"}}, "Subject.weight is '25 g'; expected text: in kilograms"),
        ({"Subject": {"subject_id": "a/b"}}, "Subject.subject_id is 'a/b'; expected text: .*without slashes"),
        ({"Subject": {"subject_id": ""}}, "Subject.subject_id is ''; expected text"),
        ({"Subject": {"subject_id": True}}, "Subject.subject_id is True; expected text"),
        ({"Subject": {"subject_id": 1.5}}, "Subject.subject_id is 1.5; expected text"),
        ({"Subject": None}, "Subject is None; expected keys such as subject_id, species, sex"),
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
        ({"NWBFile": {"session_id": "a/b"}}, "NWBFile.session_id is 'a/b'; expected text: .*without slashes"),
        ({"NWBFile": {"keywords": [1.5]}}, "NWBFile.keywords.0 is 1.5; expected text"),
        ({"NWBFile": {"lab": ["a"]}}, r"NWBFile.lab is \['a'\]; expected text"),
        ({"Ophys": {"Device": {"name": "a"}}}, "Ophys.Device is {'name': 'a'}; expected a list"),
        (
            {"Ophys": {"ImagingPlane": [{"excitation_lambda": "blue"}]}},
            "Ophys.ImagingPlane.0.excitation_lambda is 'blue'; expected a number above 0: nm",
        ),
        (
            {"Ophys": {"ImagingPlane": [{"excitation_lambda": 0}]}},
            "Ophys.ImagingPlane.0.excitation_lambda is 0; expected a number above 0: nm",
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
        ({"zzz": {}}, "the file has an unknown key zzz; expected NWBFile, Subject, Ophys"),
        ({"Subject": {"specie": "a"}}, "Subject has an unknown key specie; did you mean species?"),
        ({"NWBFile": {"keyword": []}}, "NWBFile has an unknown key keyword; did you mean keywords?"),
        ({"Ophys": {"ImagingPlanes": []}}, "Ophys has an unknown key ImagingPlanes; did you mean ImagingPlane?"),
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


# the command line


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
        ("Subject.sex=male", "--set: Subject.sex is 'male'; expected M or F or O or U"),
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


# laying over


def leaves(form, path=()):
    """Every key of the schema that takes a value, with what it takes."""
    if "$ref" in form:
        form = schema()["$defs"][form["$ref"].rsplit("/", 1)[1]]
    if "properties" in form:
        for key, inner in form["properties"].items():
            yield from leaves(inner, (*path, key))
    elif "properties" in (inner := schema()["$defs"].get(form.get("items", {}).get("$ref", "").rsplit("/", 1)[-1], {})):
        yield from leaves(inner, path)
    else:
        yield path, form


VALUES = {
    "session_start_time": "2020-01-31T12:00:00+01:00",
    "date_of_birth": "2019-11-02T00:00:00+00:00",
    "species": "Rattus norvegicus",
    "age": "P90D",
    "weight": "0.25 kg",
    "grid_spacing": [0.5, 2.0],
    "binning": 2,
}
REFERENCES = {"name", "device", "imaging_plane"}
KEYS = {".".join(path): form for path, form in leaves(schema()) if path[-1] not in REFERENCES}


def value_of(key, form):
    word = key.rsplit(".", 1)[1]
    if word in VALUES:
        return VALUES[word]
    by_type = {"array": ["something else"], "number": 12.5, "string": "something else"}
    return form["enum"][0] if "enum" in form else by_type[form["type"]]


def nested(key, value):
    """The content of a metadata file with one value; the groups below Ophys.X are lists."""
    group, *rest = key.split(".")
    if not rest:
        return {group: value}
    inner = nested(".".join(rest), value)
    return {group: [inner] if group[0].isupper() and group not in ("NWBFile", "Subject", "Ophys") else inner}


def content_of(key, value):
    content = nested(key, value)
    if "optical_channel" in key:
        content["Ophys"]["ImagingPlane"][0]["optical_channel"] = [
            content["Ophys"]["ImagingPlane"][0]["optical_channel"]
        ]
    return content


def test_the_schema_has_the_keys_that_the_meta_test_walks_through():
    assert {"NWBFile.virus", "Subject.age", "Ophys.ImagingPlane.optical_channel.emission_lambda"} <= set(KEYS)
    assert len(KEYS) > 40


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_schema_reaches_the_session_and_is_listed_as_the_user_s(key):
    given = check(content_of(key, value_of(key, KEYS[key])))
    session = overlay(recording(), given)
    assert session != recording()
    listed = {field.key: field for field in fields(session, given)}
    field = listed[key.replace("age__reference", "age_reference")]
    assert field.origin == "user"
    assert field.value not in (None, "")


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


def test_a_kind_of_movie_that_is_not_there_is_refused():
    two = Session("a", "A session.", recording().elements[:1])
    with pytest.raises(
        BadMetadata, match=r"Ophys\.OnePhotonSeries: this recording has no OnePhotonSeries; it has: Dev"
    ):
        overlay(two, check({"Ophys": {"OnePhotonSeries": [{"rate": 30}]}}))


def test_a_rate_is_refused_where_every_frame_has_its_time():
    data, times = from_numpy(np.zeros((5, 30, 50), np.uint16)), from_numpy(np.arange(5.0))
    timed = Session("a", "A session.", (Movie("Timed", data, Plane(), timestamps=times),))
    with pytest.raises(BadMetadata, match="Timed has a time for each frame"):
        overlay(timed, check({"Ophys": {"TwoPhotonSeries": [{"rate": 30}]}}))


# where values come from


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lab.yaml", "NWBFile: {lab: A}\nNWBFile: {lab: B}\n"),
        ("lab.yaml", "Subject:\n  sex: M\n  sex: F\n"),
        ("lab.json", '{"Subject": {"sex": "M", "sex": "F"}}'),
        ("lab.toml", 'Subject.sex = "M"\nSubject.sex = "F"\n'),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadMetadata, match=r"twice|overwrite"):
        load(tmp_path / name)
