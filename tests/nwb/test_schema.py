"""Validators that are made once give what pynwb gives, and each file is judged by the schema that it carries."""

import json
import shutil
import warnings

import h5py
import pynwb
import pytest

import nwbridge
from nwbridge.nwb import schema
from nwbridge.plugins import installed


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file that breaks nothing."""
    folder = tmp_path_factory.mktemp("good")
    path = installed().source("neurofinder")[0].example(folder)
    return nwbridge.convert(path, folder / "good.nwb").out


@pytest.fixture
def copied(good, tmp_path):
    """A function that copies the good file and lets it be changed."""

    def change(name, alter=lambda file: None):
        shutil.copy(good, tmp_path / name)
        with h5py.File(tmp_path / name, "r+") as file:
            alter(file)
        return tmp_path / name

    return change


def require(thing):
    """Let the schema in a file require what no file has."""

    def alter(file):
        (version,) = file["specifications/core"]
        place = f"specifications/core/{version}/nwb.ophys"
        ophys = json.loads(file[place][()])
        plane = next(one for one in ophys["groups"] if one["neurodata_type_def"] == "ImagingPlane")
        plane["datasets"].append({"name": thing, "dtype": "text", "doc": "x"})
        del file[place]
        file[place] = json.dumps(ophys)

    return alter


def told(errors):
    return sorted(f"{one.name} {one.reason} {one.location}" for one in errors)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("missing", [None, "general/optophysiology/ImagingPlane/indicator", "session_description"])
def test_says_what_pynwb_says(copied, own, missing):
    path = copied("a.nwb", lambda file: file.__delitem__(missing) if missing else None)
    expected = told(pynwb.validate(path=str(path), use_cached_namespaces=own))
    assert bool(expected) is (missing is not None)
    found = schema.errors_by_own if own else schema.errors_by_installed
    assert told(found(path)) == told(found(path)) == expected


def test_each_file_is_judged_by_its_own_schema(copied):
    first, second, plain = copied("a.nwb", require("colour")), copied("b.nwb", require("weight")), copied("c.nwb")
    for _ in range(2):
        assert [one.name for one in schema.errors_by_own(first)] == ["ImagingPlane/colour"]
        assert [one.name for one in schema.errors_by_own(second)] == ["ImagingPlane/weight"]
        assert schema.errors_by_own(plain) == []
    shutil.copy(second, first)  # the same name, other bytes
    assert [one.name for one in schema.errors_by_own(first)] == ["ImagingPlane/weight"]


def test_no_more_schemas_are_kept_than_a_folder_has(copied, monkeypatch):
    monkeypatch.setattr(schema, "KEPT", 2)
    for number in range(schema.KEPT + 2):
        path = copied("a.nwb", require(f"thing{number}"))
        assert [one.name for one in schema.errors_by_own(path)] == [f"ImagingPlane/thing{number}"]
    assert len(schema._CARRIED) == schema.KEPT


def test_what_is_warned_of_a_schema_is_warned_of_every_file_that_carries_it(copied):
    def strip(file):
        del file["specifications"]
        del file.attrs[".specloc"]

    path = copied("a.nwb", strip)
    heard = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert schema.errors_by_own(path) == []
        heard.append([str(one.message) for one in caught])
    assert heard[0] == heard[1]
