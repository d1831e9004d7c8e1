"""A template says nothing as it is written; what somebody takes the # from reaches the file."""

import csv
import io
import math
import re
import shutil

import numpy as np
import pytest
import tifffile
import yaml
from pynwb import NWBHDF5IO

import nwbridge
from nwbridge.cli.main import main
from nwbridge.metadata import load
from nwbridge.metadata.template import ASKED, EXAMPLES, REQUIRED
from nwbridge.plugins import installed

SOURCES = ["allen", "caiman", "deepcad", "dl-smlm", "ideas", "neurofinder", "tiff"]
RATE = {"tiff": ["Ophys.TwoPhotonSeries.rate=30"]}


def example(name, folder):
    try:
        source, _ = installed().source(name)
    except nwbridge.NwbridgeError:
        pytest.skip(f"the source {name} is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    return source.example(folder)


def without_hashes(text, *keys):
    """The template with the given keys said, or all of them."""
    names = "|".join(keys) or r"\w+"
    return re.sub(rf"^( *)# ({names}): ", r"\1\2: ", text, flags=re.MULTILINE)


def facts(session):
    """What a template may change: values of the session with their origins."""
    return [(field.key, field.value, field.origin) for field in session.fields]


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_given_back_as_it_is_changes_nothing(name, tmp_path):
    path = example(name, tmp_path / "in")
    assert main(["metadata", str(path), "-o", str(tmp_path / "lab.yaml")]) == 0
    before, after = (nwbridge.inspect(path, metadata=given) for given in ({}, tmp_path / "lab.yaml"))
    assert facts(after) == facts(before)
    assert after.findings == before.findings


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_says_what_the_source_says_and_marks_what_dandi_misses(name, tmp_path, capsys):
    path = example(name, tmp_path / "in")
    assert main(["metadata", str(path)]) == 0
    text = capsys.readouterr().out
    for field in nwbridge.inspect(path).fields:
        key = field.key.rsplit(".", 1)[1]
        if not field.key.startswith(("NWBFile.", "Subject.")):
            continue
        group = text.split(f"{field.key.split('.')[0]}:\n")[1]
        line = re.findall(rf"^  # {key}: .*$", group, re.MULTILINE)[0]
        said = load_value(line)
        if field.origin == "source":
            assert "# from the source" in line
            assert said == (field.value.isoformat() if hasattr(field.value, "isoformat") else plain(field.value))
        else:
            assert said == EXAMPLES[key]
            asked = "asked for by DANDI, which accepts the placeholder" if field.key in ASKED else "recommended"
            marked = "required by DANDI" if field.key in REQUIRED else asked
            assert f"  #  {marked}: " in text.split(line)[0].splitlines()[-1]


def plain(value):
    return list(value) if isinstance(value, tuple) else value


def load_value(line):
    (value,) = yaml.safe_load(line.strip().removeprefix("# ")).values()
    return value


@pytest.mark.parametrize("name", SOURCES)
def test_a_template_with_every_line_said_converts_to_a_file_that_holds_it(name, tmp_path):
    path = example(name, tmp_path / "in")
    assert main(["metadata", str(path), "-o", str(tmp_path / "lab.yaml")]) == 0
    text = (tmp_path / "lab.yaml").read_text("utf-8")
    (tmp_path / "said.yaml").write_text(without_hashes(text), "utf-8")
    settings = [word for key in RATE.get(name, []) for word in ("--set", key)]
    words = [str(path), str(tmp_path / "out.nwb"), "--metadata", str(tmp_path / "said.yaml"), *settings]
    assert main(["convert", "--quiet", *words]) == 0
    stated = {field.key: field.value for field in nwbridge.inspect(path).fields if field.origin == "source"}
    with NWBHDF5IO(tmp_path / "out.nwb", "r") as io_:
        file = io_.read()
        for group, holder in (("Subject", file.subject), ("NWBFile", file)):
            for key in (
                ("species", "sex", "age", "weight", "genotype") if group == "Subject" else ("lab", "surgery", "virus")
            ):
                assert getattr(holder, key) == stated.get(f"{group}.{key}", EXAMPLES[key])
        for plane in file.imaging_planes.values():
            expected = stated.get("Ophys.ImagingPlane.excitation_lambda", EXAMPLES["excitation_lambda"])
            assert plane.excitation_lambda == expected
            assert not math.isnan(plane.optical_channel[0].emission_lambda)
            assert plane.location == stated.get("Ophys.ImagingPlane.location", EXAMPLES["location"])
        assert "1900" not in file.session_start_time.isoformat()


@pytest.fixture
def lab(tmp_path):
    """A folder with recordings of several systems."""
    for name in ("neurofinder", "deepcad", "tiff"):
        example(name, tmp_path / "lab" / name)
    return tmp_path / "lab"


def test_one_template_speaks_of_a_folder_s_recordings(lab, tmp_path):
    assert main(["metadata", str(lab), "-o", str(tmp_path / "lab.yaml")]) == 0
    content = load(tmp_path / "lab.yaml")
    recordings = sorted(path.relative_to(lab).as_posix() for path in lab.glob("*/*"))
    assert [entry["path"] for entry in content["Sessions"]] == recordings
    assert set(content) == {"Subjects", "Sessions", "Ophys"} or set(content) == {"Subjects", "Sessions"}
    for path in recordings:
        before, after = (nwbridge.inspect(lab / path, metadata=given) for given in ({}, tmp_path / "lab.yaml"))
        assert (facts(after), after.findings) == (facts(before), before.findings)


def test_a_folder_s_template_filled_in_is_laid_over_each(lab, tmp_path):
    assert main(["metadata", str(lab), "-o", str(tmp_path / "lab.yaml")]) == 0
    text = (tmp_path / "lab.yaml").read_text("utf-8")
    defaults = without_hashes(text.split("Subjects:")[0], "species", "institution", "indicator", "rate")
    animals = without_hashes(text.split("Subjects:")[1], "sex", "age")
    (tmp_path / "said.yaml").write_text(f"{defaults}Subjects:{animals}", "utf-8")
    for path in lab.glob("*/*"):
        said = {f.key: (f.value, f.origin) for f in nwbridge.inspect(path, metadata=tmp_path / "said.yaml").fields}
        stated = {f.key: f.value for f in nwbridge.inspect(path).fields if f.origin == "source"}
        repeated = stated.get("Subject.species") == "Mus musculus"
        assert said["Subject.species"] == ("Mus musculus", "source" if repeated else "user")
        assert (said["Subject.sex"], said["Subject.age"]) == (("F", "user"), ("P90D", "user"))
        assert said["NWBFile.institution"] == ("Example University", "user")


def test_a_table_has_a_row_for_each_recording_with_what_its_source_says(lab, tmp_path, capsys):
    assert main(["metadata", str(lab), "--table", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["path"] for row in rows] == sorted(path.relative_to(lab).as_posix() for path in lab.glob("*/*"))
    by = {row["path"].split("/")[0]: row for row in rows}
    assert (by["neurofinder"]["species"], by["neurofinder"]["sex"]) == ("Mus musculus", "")
    assert by["deepcad"]["subject"] == "deepcad-group-01"
    assert all(row["session"] for row in rows)
    assert main(["metadata", str(lab), "--table", str(tmp_path / "t.csv")]) == 0
    for path in lab.glob("*/*"):
        before, after = (nwbridge.inspect(path, metadata=given).fields for given in ({}, tmp_path / "t.csv"))
        assert [(f.key, f.value, f.note) for f in after] == [(f.key, f.value, f.note) for f in before]
        user = [f.key for f in after if f.origin == "user"]
        assert user == []  # a cell that was filled in from the source says what the source says


def test_a_table_asks_for_a_rate_only_where_some_recording_lacks_it(deepcad, tmp_path, capsys):
    values = np.random.default_rng(3).integers(0, 999, (12, 9, 14)).astype(np.uint16)
    (tmp_path / "silent").mkdir()
    tifffile.imwrite(tmp_path / "silent/norate.tif", values, photometric="minisblack")
    assert main(["metadata", str(deepcad), "--table", "-"]) == 0
    assert "rate" not in capsys.readouterr().out.splitlines()[0]
    shutil.copy(deepcad, tmp_path / "silent")
    assert main(["metadata", str(tmp_path / "silent"), "--table", str(tmp_path / "t.csv")]) == 0
    text = (tmp_path / "t.csv").read_text("utf-8")
    rows = {row["path"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows.pop("norate.tif")["Ophys.TwoPhotonSeries.rate"] == ""
    ((path, row),) = rows.items()
    stated = {f.key: f.value for f in nwbridge.inspect(tmp_path / "silent" / path).fields}
    assert float(row["Ophys.TwoPhotonSeries.rate"]) == stated["Ophys.TwoPhotonSeries.rate"]
    filled = [line + "30" if line.startswith("norate.tif") else line for line in text.splitlines()]
    (tmp_path / "t.csv").write_text("\n".join(filled), "utf-8")
    found = nwbridge.inspect(tmp_path / "silent/norate.tif", metadata=tmp_path / "t.csv")
    assert ("Ophys.TwoPhotonSeries.rate", 30, "user") in facts(found)


def test_only_what_dandi_refuses_a_file_without_is_called_required(tmp_path, capsys):
    assert main(["metadata", str(example("tiff", tmp_path / "in"))]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"required by DANDI: .*\n +# (\w+):", text) == ["species"]
    asked = re.findall(r"asked for by DANDI, which accepts the placeholder: .*\n +# (\w+):", text)
    assert sorted(asked) == ["age", "session_start_time", "sex", "subject_id"]


def test_the_template_says_that_an_animal_s_key_is_its_name(lab, capsys):
    assert main(["metadata", str(lab)]) == 0
    before, _ = capsys.readouterr().out.split("\nSubjects:\n")
    assert before.splitlines()[-1] == (
        "#  An animal's key is its subject_id: where you give another below, rename the key here as well."
    )
