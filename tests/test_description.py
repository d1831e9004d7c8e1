"""From a path to a session: which recording is meant, who described it, and what cannot be written."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from recordings import broken, several

import nwbridge
from nwbridge import Movie, Plane, Session, Source
from nwbridge.arrays import from_numpy
from nwbridge.plugins import Plugin, Registry


def test_the_recordings_of_a_path_have_names(three, tmp_path, neurofinder):
    assert nwbridge.recordings(tmp_path / "in", registry=three) == ("a", "b", "c")
    assert nwbridge.recordings(neurofinder) == ()


def test_one_recording_is_chosen_by_name(three, tmp_path):
    assert nwbridge.convert(tmp_path / "in", tmp_path / "x.nwb", only="c", registry=three).session_id == "c"
    assert nwbridge.describe(tmp_path / "in", only="a", registry=three).id == "a"
    assert nwbridge.inspect(tmp_path / "in", only="a", registry=three).session_id == "a"


@pytest.mark.parametrize(
    ("only", "words"),
    [
        (None, r"holds 3 recordings \(a, b, c\): convert them into a folder, or choose one with --only NAME"),
        ("A", "has no recording A; it has a, b, c"),
        ("bb", "has no recording bb; did you mean b"),
    ],
)
def test_several_recordings_do_not_become_one_file(three, tmp_path, only, words):
    with pytest.raises(nwbridge.BadOption, match=words):
        nwbridge.convert(tmp_path / "in", tmp_path / "x.nwb", only=only, registry=three)
    assert not (tmp_path / "x.nwb").exists()


def test_a_path_without_any_recording_is_refused(tmp_path):
    with pytest.raises(nwbridge.BadSource, match="holds no recording that can be converted"):
        nwbridge.convert(tmp_path, tmp_path / "x.nwb", registry=several({}))


@pytest.mark.parametrize("name", ["../a", "a b", "", ".a", 3])
def test_a_recording_s_name_is_one_that_a_file_can_have(tmp_path, name):
    with pytest.raises(nwbridge.PluginFault, match=r"nwbridge-many 1: a recording is named .*; expected letters"):
        nwbridge.recordings(tmp_path, registry=several({name: broken}))


def test_a_source_that_asks_another_names_both_in_the_file(neurofinder, tmp_path):
    def describe(path, options):
        return replace(nwbridge.describe(path, source="neurofinder"), id="part")

    outer = nwbridge.Source("outer", "outer", lambda path: "it is here", describe, lambda folder: folder)
    registry = Registry((Plugin("outer", "nwbridge-outer", "7", sources=(outer,)),))
    nwbridge.convert(neurofinder, tmp_path / "x.nwb", registry=registry)
    with h5py.File(tmp_path / "x.nwb") as file:
        names = [name for name, _ in file["general/was_generated_by"].asstr()[()]]
    assert names == ["nwbridge", "nwbridge-outer", "nwbridge-neurofinder"]


@pytest.mark.parametrize("values", [{"a\0": 1}, {"a": ["\ud800"]}, {"a\ud800": 1}])
def test_parameters_that_no_file_can_hold_are_refused(tmp_path, values):
    (tmp_path / "x").touch()
    session = nwbridge.Session("s", "S.", (nwbridge.Parameters("p", values),))
    with pytest.raises(nwbridge.BadSource, match="it has characters that no NWB file can hold"):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=several({"a": lambda: session}))
    assert not (tmp_path / "x.nwb").exists()


def test_only_is_refused_where_there_is_one_recording(neurofinder, tmp_path):
    with pytest.raises(nwbridge.BadOption, match=r"is one recording; leave out --only"):
        nwbridge.convert(neurofinder, tmp_path / "x.nwb", only="cell1")


def test_a_source_that_was_asked_twice_is_named_once(neurofinder, tmp_path):
    def describe(path, options):
        nwbridge.describe(path, source="neurofinder")
        return replace(nwbridge.describe(path, source="neurofinder"), id="part")

    outer = nwbridge.Source("outer", "outer", lambda path: "it is here", describe, lambda folder: folder)
    registry = Registry((Plugin("outer", "nwbridge-outer", "7", sources=(outer,)),))
    for name in ("x.nwb", "y.nwb"):
        nwbridge.convert(neurofinder, tmp_path / name, registry=registry)
        with h5py.File(tmp_path / name) as file:
            names = [name for name, _ in file["general/was_generated_by"].asstr()[()]]
        assert names == ["nwbridge", "nwbridge-outer", "nwbridge-neurofinder"]


def test_one_recording_may_be_named_by_its_id(neurofinder):
    session = nwbridge.describe(neurofinder)
    assert nwbridge.describe(neurofinder, only=session.id) == session


@pytest.mark.parametrize("values", [["a\0b"], ["b", "\ud800"]])
def test_columns_of_text_that_no_file_can_hold_are_refused(tmp_path, values):
    (tmp_path / "x").touch()
    session = nwbridge.Session("s", "S.", (nwbridge.Table("t", (nwbridge.Column("c", np.array([*values, "d"])),)),))
    with pytest.raises(nwbridge.BadSource, match="it has characters that no NWB file can hold"):
        nwbridge.inspect(tmp_path / "x", registry=several({"a": lambda: session}))


def movie_in(folder, *names):
    """A registry whose source reads the files of these names of a folder."""
    folder.mkdir()
    for name in (*names, "notes.md"):
        (folder / name).touch()

    def describe(path, options):
        data = from_numpy(np.zeros((5, 3, 4), np.uint8))
        movie = Movie("TwoPhotonSeries", data, Plane(), rate_hz=1.0)
        return Session("a", "A session.", (movie,), files=(folder / names[0],))

    source = Source("a", "", lambda path: "always", describe, lambda folder: folder)
    return Registry((Plugin("a", "nwbridge-a", "1", sources=(source,)),))


def unread(folder, registry):
    return [f.message for f in nwbridge.inspect(folder, registry=registry).findings if "not read" in f.message]


def test_files_of_a_folder_that_nobody_read_are_named(tmp_path):
    registry = movie_in(tmp_path / "in", "a.raw", "b.raw", "c.csv", "d.h5", "e.h5")
    assert unread(tmp_path / "in", registry) == [
        "files of the folder that were not read: b.raw, c.csv, d.h5 and 1 more"
    ]
    assert unread(tmp_path / "in" / "a.raw", registry) == []


def test_words_and_results_beside_a_recording_are_not_worth_a_hint(tmp_path):
    assert unread(tmp_path / "in", movie_in(tmp_path / "in", "a.raw", "lab.yaml", "out.nwb", ".hidden")) == []


def test_elements_without_rows_are_named(tmp_path):
    (tmp_path / "x").touch()
    nothing = nwbridge.Table("spikes", (nwbridge.Column("c", np.empty(0)),))
    cells = nwbridge.Segmentation("Cells", (), (3, 4), nwbridge.Plane())
    session = nwbridge.Session("s", "S.", (cells, nothing))
    findings = nwbridge.inspect(tmp_path / "x", registry=several({"a": lambda: session})).findings
    assert [finding.message for finding in findings] == [
        "spikes is empty; no table was written for it",
        "Cells has no region",
    ]
