"""Every key of the schema reaches the session."""

import pytest
from recordings import silent as recording

from nwbridge.metadata import check, fields, overlay, schema


def leaves(form, path=()):
    """Every key of the schema that takes a value, with what it takes."""
    if "$ref" in form:
        form = schema()["$defs"][form["$ref"].rsplit("/", 1)[1]]
    if form.get("unused"):
        return
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
GROUPS = {"properties": {group: schema()["properties"][group] for group in ("NWBFile", "Subject", "Ophys", "Icephys")}}
KEYS = {".".join(path): form for path, form in leaves(GROUPS) if path[-1] not in REFERENCES}


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
    return {group: [inner] if group[0].isupper() and group not in GROUPS["properties"] else inner}


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
    field = listed[key.replace("age__reference", "age_reference").replace("MicroscopySeries", "OnePhotonSeries")]
    assert field.origin == "user"
    assert field.value not in (None, "")
