"""The gate says what DANDI's client says, at validation and at upload, with the flag that mends it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import h5py
import numpy as np
import pynwb
import pytest

import nwbridge
from nwbridge import BadMetadata, BadSource, MissingMetadata, Session, Subject
from nwbridge.dandi import gate

pytestmark = pytest.mark.usefixtures("client")

RECORD = """
import json, sys
from dandi.metadata.nwb import nwb2asset
from dandi.misctypes import DUMMY_DANDI_ETAG
from dandischema.models import BareAsset
for path in sys.argv[1:]:
    try:
        BareAsset(**nwb2asset(path, digest=DUMMY_DANDI_ETAG).model_dump())
    except Exception as error:
        print(json.dumps([path, str(error)]))
    else:
        print(json.dumps([path, None]))
"""


def started(folder, *words):
    """Start a process of its own, whose home is elsewhere and which never looks for newer versions."""
    environment = os.environ | {"DANDI_NO_ET": "1", "DANDI_CACHE": "ignore", "HOME": str(folder / "home")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *map(str, words)], text=True, env=environment, cwd=folder, **pipes)


def refused_by_the_client(root, tmp_path):
    """Start `dandi validate` and the client's record of each file; return what gives the paths that they refuse."""
    said = tmp_path / "said.jsonl"
    words = ("validate", "--min-severity", "ERROR", "-f", "json_lines", "-o", said, root)
    paths = sorted(root.rglob("*.nwb"))
    validating = started(tmp_path, "-c", "from dandi.cli.command import main; main()", *words)
    recording = started(tmp_path, "-c", RECORD, *paths)

    def answer():
        told = validating.communicate()[1]
        assert said.exists(), told
        refused = {json.loads(line)["path"] for line in said.read_text("utf-8").splitlines()}
        out, told = recording.communicate()
        lines = [json.loads(line) for line in out.splitlines()]
        assert len(lines) == len(paths), told
        refused |= {path for path, error in lines if error is not None}
        return {str(path.relative_to(root)) for path in paths if str(path) in refused}

    return answer


def errors(path, root):
    return [finding for finding in gate.check(path, root) if finding.severity == "error"]


def edited(change):
    def make(path, write_nwb, subject):
        write_nwb(path)
        with h5py.File(path, "r+") as file:
            change(file)

    return make


def with_subject(**values):
    def make(path, write_nwb, subject):
        write_nwb(path, subject={key: value for key, value in (subject | values).items() if value is not None})

    return make


def without_subject(path, write_nwb, subject):
    write_nwb(path, subject=None)


def in_the_future(path, write_nwb, subject):
    write_nwb(path, session_start_time=datetime.now(UTC) + timedelta(days=400))


def cut_off(path, write_nwb, subject):
    whole = write_nwb(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def empty(path, write_nwb, subject):
    path.parent.mkdir(parents=True)
    path.touch()


def of_nwb_1(path, write_nwb, subject):
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"


def linked(file):
    file["acquisition/elsewhere"] = h5py.ExternalLink("other.h5", "/data")


def without_unit(file):
    del file["acquisition/Speed/data"].attrs["unit"]


# folder/name: what makes it, and what the advice of one of the errors has to say
ZOO = {
    "sub-a/sub-a_ses-1.nwb": (with_subject(species=None), "--set 'Subject.species=Mus musculus'"),
    "sub-b/sub-b_ses-1.nwb": (with_subject(species="mouse"), "--set 'Subject.species=Mus musculus'"),
    "sub-c/sub-c_ses-1.nwb": (
        with_subject(species="Ambystoma mexicanum"),
        "find yours by name at https://",
    ),
    "sub-d/sub-d_ses-1.nwb": (without_subject, "--set Subject.subject_id=ID"),
    "sub-e/sub-e_ses-1.nwb": (with_subject(subject_id=None), "--set Subject.subject_id=ID"),
    "sub-f/sub-f_ses-1.nwb": (with_subject(age="three score"), "--set Subject.age=P90D"),
    "sub-g/sub-g_ses-1.nwb": (with_subject(sex="girl"), "--set Subject.sex=M, F, O or U"),
    "sub-h/sub-h_ses-1.nwb": (edited(linked), "DANDI takes no file that needs others"),
    "sub-i/sub-i_ses-1.nwb": (edited(without_unit), "report it to who wrote the file"),
    "sub-j/sub-j_ses-1.nwb": (cut_off, "copy the file again"),
    "sub-k/sub-k_ses-1.nwb": (empty, "copy the file again"),
    "sub-l/sub-l_ses-1.nwb": (of_nwb_1, "convert the recording again"),
    "sub-m/recording.nwb": (with_subject(), "mv sub-m/recording.nwb sub-m/sub-m_ses-1.nwb"),
    "sub-o/sub-m_ses-1.nwb": (with_subject(), "mv sub-o/sub-m_ses-1.nwb sub-m/sub-m_ses-1.nwb"),
    "deep/sub-m/sub-m_ses-1.nwb": (with_subject(), "mv deep/sub-m/sub-m_ses-1.nwb sub-m/sub-m_ses-1.nwb"),
    "sub-p/sub-p_ses-1.nwb": (in_the_future, "--set NWBFile.session_start_time="),
    "sub-q/sub-q_ses-1.nwb": (with_subject(subject_id="q", age="gestational 12 weeks", species="rat"), "Mus musculus"),
}
TAKEN = {
    "sub-r/sub-r_ses-1.nwb": with_subject(subject_id="r", species="Rattus norvegicus", age="P0D/", sex="U"),
    "sub-s/sub-s_ses-1_desc-x.nwb": with_subject(subject_id="s", strain="cellLine: HEK"),
}


def test_the_gate_agrees_with_the_client_on_files_of_every_kind_of_trouble(tmp_path, tools):
    root = tmp_path / "dandiset"
    for place, (make, _) in ZOO.items():
        make(root / place, tools.write_nwb, tools.SUBJECT)
    for place, make in TAKEN.items():
        make(root / place, tools.write_nwb, tools.SUBJECT)
    (root / "dandiset.yaml").write_text("{identifier: DANDI:000027, name: x, description: y}\n", "utf-8")
    theirs = refused_by_the_client(root, tmp_path)
    found = {place: errors(root / place, root) for place in (*ZOO, *TAKEN)}
    assert {place for place, wrong in found.items() if wrong} == theirs()
    assert set(ZOO) == {place for place, wrong in found.items() if wrong}
    for place, (_, words) in ZOO.items():
        assert any(words in finding.advice for finding in found[place]), found[place]


def test_the_gate_agrees_with_the_client_on_a_file_of_every_source(every, tmp_path):
    root, sessions = every
    theirs = refused_by_the_client(root, tmp_path)
    assert [path for path in sessions if errors(path, root)] == []
    assert len(sessions) >= 7
    assert theirs() == set()


def test_a_value_that_the_client_cannot_read_is_said_once_and_the_next_one_too(tmp_path, tools):
    bad = tools.SUBJECT | {"species": "Mus domesticos x", "age": "P3X", "sex": "girl"}
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb", subject=bad | {"species": "Ratus norvegicus"})
    wrong = errors(path, tmp_path)
    assert sorted(finding.where for finding in wrong) == ["Subject.age", "Subject.sex", "Subject.species"]
    assert "'Ratus norvegicus'; did you mean Rattus norvegicus?" in next(
        f.message for f in wrong if "species" in f.where
    )


def test_a_species_given_as_an_address_is_taken_and_not_looked_up(tmp_path, tools, monkeypatch):
    import requests

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(requests.Session, "request", refuse)
    address = "http://purl.obolibrary.org/obo/NCBITaxon_8296"
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb", subject=tools.SUBJECT | {"species": address})
    assert [f.message for f in gate.check(path, tmp_path) if f.check == "dandi species address"] == [
        f"the client looks {address} up in the network when it uploads"
    ]
    assert not errors(path, tmp_path)


def test_names_that_the_archives_server_refuses_are_refused(tmp_path, tools):
    subject = tools.SUBJECT | {"subject_id": "Müller"}
    path = tools.write_nwb(tmp_path / "sub-Müller" / "sub-Müller_ses-1.nwb", subject=subject)
    (wrong,) = errors(path, tmp_path)
    assert wrong.message == "DANDI takes no ü in the name of a file or folder"
    assert "sub-Muller/sub-Muller_ses-1.nwb" in wrong.advice


def test_values_in_another_file_are_refused_although_the_client_takes_them(tmp_path, tools):
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb")
    (tmp_path / "raw.bin").write_bytes(b"\0" * 80)
    with h5py.File(path, "r+") as file:
        del file["acquisition/Speed/data"]
        made = file["acquisition/Speed"].create_dataset(
            "data", (10,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 80)]
        )
        made.attrs.update({"unit": "m/s", "conversion": 1.0, "offset": 0.0, "resolution": -1.0})
    (wrong,) = errors(path, tmp_path)
    assert "keeps its values in another file" in wrong.message
    assert wrong.check == "dandi external"


def test_frames_in_other_files_are_said_to_stay_behind(tmp_path, tools):
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb")
    with pynwb.NWBHDF5IO(path, "a") as io:
        file = io.read()
        more = {"description": "seen", "external_file": ["eye.mp4"], "format": "external", "starting_frame": [0]}
        file.add_acquisition(pynwb.image.ImageSeries(name="Eye", rate=30.0, num_samples=9, **more))
        io.write(file)
    assert any("eye.mp4" in f.message and f.severity == "warning" for f in gate.check(path, tmp_path))


def test_a_file_in_another_subjects_folder_is_a_warning_as_the_client_takes_it(tmp_path, tools):
    path = tools.write_nwb(tmp_path / "sub-x" / "sub-x_ses-1.nwb")
    warnings = [f for f in gate.check(path, tmp_path) if f.severity == "warning"]
    assert [f.message for f in warnings] == ["it lies in sub-x, but its subject belongs in sub-m"]


def test_names_of_the_clients_organize_are_left_alone(tmp_path, tools):
    subject = tools.SUBJECT | {"subject_id": "a__b"}
    path = tools.write_nwb(tmp_path / "sub-a--b" / "sub-a--b_behavior.nwb", subject=subject)
    assert [f for f in gate.check(path, tmp_path) if f.check.startswith("dandi")] == []


@pytest.mark.parametrize("root", ["dandiset.yaml", "sub-m"])
def test_the_folder_of_a_single_file_is_found(tmp_path, tools, root):
    place = tmp_path / ("sub-m" if root == "sub-m" else "elsewhere/sub-m") / "sub-m_ses-1.nwb"
    path = tools.write_nwb(place)
    if root == "dandiset.yaml":
        (tmp_path / root).touch()
        assert "mv elsewhere/sub-m/sub-m_ses-1.nwb sub-m/sub-m_ses-1.nwb" in gate.check(path)[0].advice
    else:
        assert not [f for f in gate.check(path) if f.severity == "error"]


def test_another_suffix_is_refused(tmp_path, tools):
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb").rename(tmp_path / "sub-m" / "sub-m_ses-1.h5")
    assert any("DANDI wants .nwb" in finding.message for finding in errors(path, tmp_path))


def test_what_is_not_there_or_outside_is_refused(tmp_path, tools):
    with pytest.raises(BadSource, match=r"gone\.nwb cannot be read: No such file"):
        gate.check(tmp_path / "gone.nwb")
    path = tools.write_nwb(tmp_path / "a" / "x.nwb")
    with pytest.raises(BadSource, match="does not lie in"):
        gate.check(path, tmp_path / "b")


def test_what_validate_said_is_not_asked_again(tmp_path, tools):
    path = tools.write_nwb(tmp_path / "sub-m" / "sub-m_ses-1.nwb", subject=tools.SUBJECT | {"sex": "girl"})
    known = nwbridge.validate(path)
    assert gate.check(path, tmp_path, known) == gate.check(path, tmp_path)
    assert gate.check(path, tmp_path, []) == [f for f in gate.check(path, tmp_path) if f.check.startswith("dandi")]


def test_nothing_is_printed_logged_or_left_at_home(two, tmp_path):
    shutil.copy(two / "sub-m" / "sub-m_ses-1.nwb", two / "x.nwb")
    ask = "import sys; from nwbridge.dandi.folder import check_folder; check_folder(sys.argv[1])"
    asked = started(tmp_path, "-c", ask, two)
    assert asked.communicate() == ("", "")
    assert asked.returncode == 0
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert [path for path in left if "pynwb" not in path.name] == []  # pynwb keeps its types there


MOVIELESS = Session("1", "A session.", ())


@pytest.mark.parametrize(
    ("subject", "error", "words"),
    [
        (None, MissingMetadata, "species is stated nowhere .*--set 'Subject.species=Mus musculus'"),
        (Subject("m"), MissingMetadata, "species is stated nowhere"),
        (Subject("m", species="Foo barus"), BadMetadata, "DANDI knows no species 'Foo barus': give a Latin name"),
        (Subject("m", species="Mus musculus", age="P3X"), BadMetadata, r"cannot read the age 'P3X'.*Subject\.age=P90D"),
        (Subject("m", species="Mus musculus", sex="X"), BadMetadata, "cannot read the sex 'X'"),
        (Subject("...", species="Mus musculus"), BadMetadata, "cannot be part of a file's name on DANDI"),
    ],
)
def test_a_session_that_dandi_would_refuse_is_refused_before_it_is_written(subject, error, words):
    with pytest.raises(error, match=words):
        gate.check_session(replace(MOVIELESS, subject=subject))


def test_a_session_that_dandi_takes_is_let_through():
    assert gate.check_session(replace(MOVIELESS, subject=Subject("m", species="Mus musculus", age="P1M/P2M"))) is None
    assert np.all([gate.LARGEST == 5 * 2**40, gate.LONGEST_PATH == 512])
