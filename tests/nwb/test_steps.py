"""The history as a table, there and back, for who has pynwb only."""

from dataclasses import replace
from datetime import UTC, datetime

import h5py
import pynwb
import pytest
from foreign import plain, with_regions

from nwbridge import BadSource, Step
from nwbridge.model.steps import Companion
from nwbridge.nwb import steps
from nwbridge.nwb.extend import extend
from nwbridge.nwb.layout import Layout
from nwbridge.nwb.read import read

FIRST = Step(
    *("register", "nwbridge-register", "0.1", ("Raw",), ("Still", "Shifts")),
    parameters={"upsample": 10, "template": None, "words": "Größe"},
    host_version="0.9",
    file="in.nwb",
    identifier="abc",
    sha256="0" * 64,
    time=datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC),
)
SECOND = Step(
    *("dff", "nwbridge-dff", "0.2", ("Cells",), ("Relative",)),
    left_out=("Raw",),
    together_with=(Companion("b.nwb", "def", "Raw", 1), Companion("c.nwb", None, "Größe", 3)),
)


def silent(*words):
    """Nobody looks."""


@pytest.fixture
def path(tmp_path):
    """A file with the table of two steps."""
    path = plain(tmp_path / "x.nwb")
    extend(path, [steps.table_of([FIRST, SECOND])], Layout(), 1, silent)
    return path


def test_steps_read_back_as_they_were(path):
    assert read(path).steps == (FIRST, SECOND)
    assert [element.name for element in read(path).elements] == ["TwoPhotonSeries"]


def test_of_older_files_what_was_done_reads_back_without_what_they_do_not_say(path):
    with h5py.File(path, "r+") as file:
        del file[steps.PLACE]["together_with"]
        names = file[steps.PLACE].attrs["colnames"]
        file[steps.PLACE].attrs["colnames"] = [name for name in names if name != "together_with"]
    steps.refuse_others(path)
    assert read(path).steps == (FIRST, replace(SECOND, together_with=()))


def test_anybody_can_read_them(path):
    with pynwb.NWBHDF5IO(path, "r") as io:
        table = io.read().analysis["processing_steps"].to_dataframe()
    assert list(table["step"]) == ["register", "dff"]
    assert list(table["made"]) == ['["Still", "Shifts"]', '["Relative"]']
    assert table["parameters"][0] == '[["upsample", 10], ["template", null], ["words", "Größe"]]'
    assert table["time"][0] == "2024-02-03T04:05:06+00:00"
    assert list(table["together_with"]) == ["[]", '[["b.nwb", "def", "Raw", 1], ["c.nwb", null, "Größe", 3]]']


def test_only_the_last_rows_get_the_checksum(path):
    steps.record_input(path, "f" * 64, 1)
    assert [step.sha256 for step in read(path).steps] == ["0" * 64, "f" * 64]
    steps.record_input(path, "e" * 64, 2)
    assert [step.sha256 for step in read(path).steps] == ["e" * 64] * 2


def test_a_file_without_them_has_none(tmp_path):
    assert read(plain(tmp_path / "x.nwb")).steps == ()


@pytest.mark.parametrize("what", ["group", "data set"])
def test_something_else_of_that_name_is_refused(tmp_path, what):
    path = plain(tmp_path / "x.nwb")
    steps.refuse_others(path)
    with h5py.File(path, "r+") as file:
        if what == "group":
            file.create_group("analysis/processing_steps")["step"] = [1]
        else:
            file["analysis/processing_steps"] = 1
    with pytest.raises(BadSource, match="of another program, where the history belongs: rename it first"):
        steps.refuse_others(path)


def test_modules_name_a_few_of_many_movies_that_were_taken_together(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    others = tuple(Companion(f"{n}.nwb", None, "Raw", n) for n in range(2, 8))
    steps.describe_modules(path, [Step("all", "nwbridge-all", "1", ("Raw",), ("Relative",), together_with=others)])
    with h5py.File(path) as file:
        words = file["processing/ophys"].attrs["description"]
    assert words.endswith("on Raw together with Raw of 2.nwb, Raw of 3.nwb, Raw of 4.nwb and 3 more")


def test_modules_say_what_was_done_in_them(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    relative = Step("dff", "nwbridge-dff", "0.2", ("Cells",), ("Relative",), {"window": 3.5, "none": None})
    elsewhere = Step("other", "nwbridge-other", "1", ("Cells",), ("Nothing",))
    steps.describe_modules(path, [relative, elsewhere])
    with h5py.File(path) as file:
        words = file["processing/ophys"].attrs["description"]
    assert words == "optical physiology processed data; dff (nwbridge-dff 0.2) on Cells: window 3.5"
