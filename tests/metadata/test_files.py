"""A document in YAML, TOML or JSON is read as it is written, or refused in one line."""

import json

import pytest

from nwbridge import BadMetadata
from nwbridge.metadata import load

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


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


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


@pytest.mark.parametrize("written", ["0123", "7.10", "no", "~", "12:30.5", "2020-01-31", "1e3", "0x1F"])
def test_an_animal_s_name_stays_as_it_is_written(tmp_path, written):
    content = load(write(tmp_path, "a.yaml", f"Subjects:\n  {written}: {{sex: F}}\n"))
    assert content == {"Subjects": {written: {"sex": "F"}}}


def test_animals_whose_names_are_equal_as_numbers_are_two(tmp_path):
    content = load(write(tmp_path, "a.yaml", "Subjects:\n  7.1: {sex: F}\n  7.10: {sex: M}\n"))
    assert content == {"Subjects": {"7.1": {"sex": "F"}, "7.10": {"sex": "M"}}}


def test_a_mapping_may_still_be_merged_into_another(tmp_path):
    text = "Subjects:\n  m1: &m {sex: F}\n  m2: {<<: *m, age: P1D}\n"
    assert load(write(tmp_path, "a.yaml", text))["Subjects"]["m2"] == {"sex": "F", "age": "P1D"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "Subject: [", "a.yaml cannot be read: .*line 1"),
        ("a.yaml", "Subject: {date_of_birth: 2020-13-45}", "a.yaml cannot be read: .*month"),
        ("a.yaml", "Subject: !!python/name:os.system {}", "a.yaml cannot be read: .*could not determine a constructor"),
        ("a.toml", "Subject = ", "a.toml cannot be read: Invalid value"),
        ("a.json", "{", "a.json cannot be read: .*line 1"),
        ("a.json", "[" * 100_000, "a.json cannot be read: .*recursion"),
        ("a.yaml", b"Subject: {species: \xff}", "a.yaml cannot be read: .*0xff"),
        ("a.yaml", "- Subject", "a.yaml: the file is .*Subject.*; expected keys such as NWBFile, Subject, Ophys"),
        ("a.yaml", "[]", r"a.yaml: the file is \[\]; expected keys such as NWBFile"),
        ("a.yaml", "Mus musculus", "a.yaml: the file is 'Mus musculus'; expected keys such as NWBFile"),
        ("a.json", "0", "a.json: the file is 0; expected keys such as NWBFile"),
        ("a.yaml", "&a {Subject: *a}", "a.yaml: it holds itself"),
        ("a.txt", "Subject: {}", "a.txt ends in .txt; expected .yaml, .toml, .json, .csv or .tsv"),
        ("a", "Subject: {}", "a ends in nothing; expected .yaml, .toml, .json, .csv or .tsv"),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NWBFile:\n  lab: a\nSubject:\n  age: 30 days\n", "lab.yaml line 4: Subject.age is '30 days'; write P30D"),
        ("# a\nSubject:\n  sex: F\n  spcies: x\n", "lab.yaml line 4: Subject has an unknown key spcies; did you mean"),
        (
            "Sessions:\n  - path: m1/a.tif\n  - path: m2/b.tif\n    NWBFile:\n      session_start_time: 2020-01-31\n",
            "lab.yaml line 5: the entry m2/b.tif of Sessions: NWBFile.session_start_time is '2020-01-31', without a",
        ),
        (
            "Sessions:\n  -\n    # path: left.tif\n  - path: b\n    Subject: {sex: F,\n      weight: 25 g}\n",
            "lab.yaml line 6: the entry b of Sessions: Subject.weight is '25 g'; write 0.025 kg",
        ),
        ("Sessions:\n  - path: a\n  - Subject: {sex: F}\n", "lab.yaml line 3: entry 2 of Sessions lacks path"),
        (
            "Ophys:\n  ImagingPlane:\n    - location: a\n    - excitation_lambda: blue\n",
            "lab.yaml line 4: Ophys.ImagingPlane.1.excitation_lambda is 'blue'; expected a number",
        ),
        ("Subjects:\n  m1: {sex: F}\n  m2:\n    date_of_birth: x\n", "lab.yaml line 4: Subjects.m2.date_of_birth is"),
        ("Subjects:\n  m1:\n    subject_id: m2\n", "lab.yaml line 3: Subjects.m1.subject_id is 'm2'; leave it out"),
    ],
)
def test_what_is_wrong_in_yaml_is_said_with_its_line_and_an_entry_by_its_path(tmp_path, text, said):
    with pytest.raises(BadMetadata) as caught:
        load(write(tmp_path, "lab.yaml", text))
    assert str(caught.value).startswith(said)


def test_a_space_that_was_left_after_a_hash_is_looked_for_in_the_line_before(tmp_path):
    with pytest.raises(BadMetadata) as caught:
        load(write(tmp_path, "lab.yaml", "Subject:\n   sex: F\n  age: P1D\n"))
    assert str(caught.value) == (
        "lab.yaml cannot be read: line 3, or the one before, is indented by other spaces than its neighbours"
    )
