"""Names on DANDI: labels that any text gives, modalities as the client tells them, and the place of a file."""

import inspect
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import PurePosixPath

import h5py
import numpy as np
import pynwb
import pytest
from hdmf.container import Data
from recordings import lazy

import nwbridge
from nwbridge import BadMetadata, Column, Localizations, Movie, Plane, Series, Session, Subject, Table
from nwbridge.dandi import names
from nwbridge.nwb.build import add

TIMES = Column("t", np.arange(3.0))


def movie():
    return Movie("Movie", lazy(np.zeros((3, 4, 5), np.uint8)), Plane(), rate_hz=5.0)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("mouse-7", "mouse-7"),
        ("a+b", "a+b"),
        ("mouse_7", "mouse-7"),
        ("2020.01.31 12:00", "2020-01-31-12-00"),
        ("  run / 3 ", "run-3"),
        ("Müller", "Muller"),
        ("Øystein", "Oystein"),
        ("β3-Δ", "beta3-Delta"),
        ("ς", "sigma"),
        ("20 µm", "20-um"),
        ("小1", "u5c0f1"),
        ("ﬁeld²", "field2"),
        ("x\u200by\n", "x-y"),
        ("a" * 64, "a" * 64),
    ],
)
def test_a_label_is_the_text_in_letters_that_dandi_takes(text, label):
    assert names.label(text) == label


@pytest.mark.parametrize("text", ["", " ", "._/", "+", "-"])
def test_a_text_without_letters_or_digits_is_no_label(text):
    with pytest.raises(BadMetadata, match="expected letters or digits"):
        names.label(text)


def test_labels_that_are_too_long_stay_different_and_short():
    first, second = names.label("x" * 100 + "1"), names.label("x" * 100 + "2")
    assert first != second
    assert len(first) == len(second) == 64
    assert first == names.label("x" * 100 + "1")


def test_every_label_is_one_of_the_clients_too():
    organize = pytest.importorskip("dandi.organize", reason="dandi is not installed: pip install 'nwbridge[dandi]'")
    for number in range(0x20, 0x3000):
        text = f"a{chr(number)}b"
        name = f"sub-{names.label(text)}_ses-{names.label(text)}_ophys.nwb"
        assert organize.re.fullmatch(organize.ORGANIZED_FILENAME_REGEX, name), text
        assert names.FILE.fullmatch(name), text


def test_the_table_of_modalities_is_that_of_the_client():
    client = pytest.importorskip("dandi.pynwb_utils", reason="dandi is not installed: pip install 'nwbridge[dandi]'")
    data = {
        name
        for module in vars(pynwb).values()
        if inspect.ismodule(module)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, Data)
    }
    theirs = client.get_neurodata_types_to_modalities_map()
    skipped = ("base", "device", "file", "misc")  # in dandi/organize.py, _populate_modalities
    assert {k: m for k, m in theirs.items() if m not in skipped and k not in data} == names.MODALITIES


ASK = """
import sys
from dandi.metadata.nwb import get_metadata
from dandi.organize import _populate_modalities, create_unique_filenames_from_metadata
records = [get_metadata(path) | {"path": path} for path in sys.argv[1:]]
_populate_modalities(records)
print(*("+".join(record["modalities"]) for record in records), sep="\\n")
"""


def test_modalities_are_those_that_the_client_finds_in_the_file_of_every_source(every):
    root, sessions = every
    asked = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, sessions)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"DANDI_NO_ET": "1", "DANDI_CACHE": "ignore"},
    )
    expected = ["+".join(names.modalities(session)) for session in sessions.values()]
    assert asked.stdout.splitlines() == expected, asked.stderr
    assert {"ophys", "icephys+ophys"} <= set(expected)
    for path, session in sessions.items():
        assert path.relative_to(root) == names.layout_of(path) == names.layout(session)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ((movie(),), ("ophys",)),
        ((Series("Speed", lazy(np.zeros(3)), rate_hz=5.0),), ()),
        ((Table("facts", (TIMES,)),), ()),
        ((Localizations("found", (Column("x", np.zeros(3)), Column("y", np.zeros(3))), plane=Plane()),), ("ophys",)),
        ((Localizations("found", (Column("x", np.zeros(0)), Column("y", np.zeros(0))), plane=Plane()),), ()),
    ],
)
def test_modalities_of_each_element_are_those_of_its_types(elements, expected):
    session = Session("s", "A session.", elements)
    assert names.modalities(session) == expected
    held = pynwb.NWBFile("s", "s", datetime.now(UTC))
    for element in elements:
        add(element, held, nwbridge.nwb.build.Layout())
    groups = {type(one).__name__ for one in held.objects.values() if not isinstance(one, Data)}
    assert {names.MODALITIES[kind] for kind in groups if kind in names.MODALITIES} == set(expected)


def test_modalities_of_an_element_of_a_plugin_are_those_of_what_it_writes():
    class Wheel:
        name = "wheel"

    @add.register
    def _(element: Wheel, file: pynwb.NWBFile, layout: object) -> None:
        series = pynwb.behavior.SpatialSeries(name="wheel", data=np.zeros(3), reference_frame="x", rate=1.0)
        file.add_acquisition(pynwb.behavior.Position(spatial_series=series))

    assert names.modalities(Session("s", "A session.", (Wheel(), movie()))) == ("behavior", "ophys")


def test_a_file_lies_in_its_subjects_folder():
    session = Session("2020.01.31", "A session.", (movie(),), subject=Subject("mouse_7"))
    assert names.layout(session) == PurePosixPath("sub-mouse-7/sub-mouse-7_ses-2020-01-31_ophys.nwb")
    assert names.layout(session, "denoised 2").name == "sub-mouse-7_ses-2020-01-31_desc-denoised-2_ophys.nwb"


def test_a_session_without_subject_is_named_by_itself():
    expected = PurePosixPath("sub-a-1/sub-a-1_ses-a-1_ophys.nwb")
    assert names.layout(Session("a_1", "A session.", (movie(),))) == expected
    assert names.layout(Session("a_1", "A session.", (movie(),), subject=Subject(sex="F"))) == expected


def test_the_place_of_an_older_file_without_session_has_none(tmp_path):
    path = tmp_path / "sub-x_desc-old.nwb"
    file = pynwb.NWBFile("s", "s", datetime.now(UTC), subject=pynwb.file.Subject(subject_id="rat.1"))
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    assert names.layout_of(path) == PurePosixPath("sub-rat-1/sub-rat-1_desc-old.nwb")
    with h5py.File(path, "r+") as raw:
        del raw["general/subject/subject_id"]
    with pytest.raises(BadMetadata, match="no subject_id"):
        names.layout_of(path)
