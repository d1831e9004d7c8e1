"""dandiset.yaml: what is written is what the client takes."""

import pytest
import yaml

from nwbridge import BadOption, BadSource, CannotWrite
from nwbridge.dandi import dandiset


def test_what_is_written_is_valid_for_the_client(tmp_path, client):
    from dandi.dandiset import Dandiset
    from dandi.files import DandisetMetadataFile

    path = dandiset.write(tmp_path, "DANDI:000123")
    assert DandisetMetadataFile(path, tmp_path).get_validation_errors() == []
    assert Dandiset(tmp_path).identifier == "000123"
    assert dandiset.check(path) == []
    assert dandiset.identifier_in(tmp_path) == "000123"


def test_a_dandiset_yaml_of_the_same_dandiset_is_kept_and_another_refused(tmp_path):
    dandiset.write(tmp_path, "000123", name="Mine", description="Of mice.")
    assert dandiset.write(tmp_path, "000123", name="Yours") == tmp_path / "dandiset.yaml"
    kept = yaml.safe_load((tmp_path / "dandiset.yaml").read_text("utf-8"))
    assert kept == {"identifier": "DANDI:000123", "name": "Mine", "description": "Of mice."}
    with pytest.raises(CannotWrite, match="is of dandiset 000123, not 000124"):
        dandiset.write(tmp_path, "000124")


@pytest.mark.parametrize(
    "text",
    ["000123", " DANDI:000123", "https://dandiarchive.org/dandiset/000123/draft", "dandi:000123/0.1.2"],
)
def test_a_dandiset_is_named_in_several_ways(text):
    assert dandiset.identifier(text) == "000123"


@pytest.mark.parametrize("text", ["123", "0001234", "mine", ""])
def test_what_is_no_number_of_a_dandiset_is_refused(text):
    with pytest.raises(BadOption, match="expected six digits"):
        dandiset.identifier(text)


@pytest.mark.parametrize("text", ["identifier: 000123\n", "name: x\n", "[]\n"])
def test_a_dandiset_yaml_without_a_number_is_refused(tmp_path, text):
    (tmp_path / "dandiset.yaml").write_text(text, "utf-8")
    with pytest.raises(BadSource, match="names no dandiset; expected a line such as identifier: DANDI:000123"):
        dandiset.identifier_in(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(CannotWrite, match="cannot be written: No such file"):
        dandiset.write(tmp_path / "gone", "000123")
