"""CaImAn's parameter files, as they are."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from nwbridge_extract_cnmf import grouped
from nwbridge_extract_cnmf.parameters import Parameters, preset

SCHEMA = Path(__file__).parents[3] / "schemas" / "json" / "caiman_parameters.json"
SAMPLES = os.environ.get("NWBRIDGE_SAMPLES")


def test_groups_become_parameters_by_name():
    content = {"data": {"fr": 10, "dxy": 2.0}, "init": {"K": None, "gSig": [3, 4]}, "patch": {"rf": None}}
    found, unused = grouped.parse(content)
    assert found == {"fr": 10.0, "dxy": (2.0, 2.0), "K": None, "gSig": (3, 4), "rf": None}
    assert unused == ()


def test_what_has_no_effect_here_is_named():
    content = {"motion": {"pw_rigid": True}, "quality": {"use_cnn": True, "min_SNR": 3}}
    found, unused = grouped.parse(content)
    assert found == {"min_SNR": 3.0}
    assert unused == ("motion/pw_rigid", "quality/use_cnn")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"K": 4}, "K without groups"),
        ([1], "list without groups"),
        ({"initialisation": {}}, "has a group initialisation"),
        ({"init": {"K": "four"}}, 'init/K is "four"; expected a whole number'),
        ({"init": {"K": True}}, "init/K is true; expected a whole number"),
        ({"init": {"gSig": [1, 2, 3]}}, "one number or two"),
        ({"init": {"center_psf": 1}}, "init/center_psf is 1; expected true or false"),
        ({"init": {"gSig": None}}, "init/gSig is null"),
        ({"init": {"nb": 1}, "spatial": {"nb": 2}}, "nb is 1 in init and 2 in spatial"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(content, said):
    with pytest.raises(grouped.BadFile) as caught:
        grouped.parse(content, "mine.json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("K = 4")
    with pytest.raises(grouped.BadFile, match=r"mine.json is no JSON"):
        grouped.read(path)
    with pytest.raises(grouped.BadFile, match=r"absent.json cannot be read"):
        grouped.read(tmp_path / "absent.json")


def test_the_stored_schema_is_that_of_the_code():
    assert SCHEMA.read_text("utf-8").splitlines() == list(grouped.lines())


@pytest.mark.parametrize("name", ["1p", "2p"])
def test_parameters_in_groups_fit_the_schema_and_read_back(name):
    chosen = preset(name)
    content = grouped.grouped(chosen)
    own = content.pop("extraction")
    jsonschema.validate(content, json.loads(SCHEMA.read_text("utf-8")))
    found, unused = grouped.parse(json.loads(json.dumps(content)))
    assert Parameters(**found, **own) == chosen
    assert unused == ()


@pytest.mark.skipif(SAMPLES is None, reason="NWBRIDGE_SAMPLES is not set")
@pytest.mark.parametrize(
    "name",
    [
        "params_demo_pipeline.json",
        "params_demo_pipeline_cnmfE.json",
        "params_source_extraction.json",
        "params_normcorre.json",
    ],
)
def test_real_parameter_files_are_read_and_fit_the_schema(name):
    path = Path(str(SAMPLES)) / "caiman_inscopix" / name
    content = json.loads(path.read_text())
    jsonschema.validate(content, json.loads(SCHEMA.read_text("utf-8")))
    found, _ = grouped.read(path)
    assert Parameters(**found)
    for group in ("init", "patch", "merging"):
        for key, value in content.get(group, {}).items():
            expected = tuple(value) if isinstance(value, list) else value
            assert found[key] == (False if key == "low_rank_background" and value is None else expected)
