"""The path from NWB to NWB: all of the old file, the results and the history, or one line and nothing."""

import json
import os
import resource
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest
from foreign import (
    COLUMNS,
    FRAMES,
    ROWS,
    begun,
    found_in,
    frames,
    movie,
    object_ids,
    odd,
    plain,
    rich,
    save,
    sha256,
    with_regions,
)
from pynwb.image import GrayscaleImage
from steps import ADD, ALL, BLINK, FIND, WithFile, add, offering, over, step

import nwbridge
from nwbridge import (
    BadOption,
    BadSource,
    CannotWrite,
    Column,
    Finding,
    LazyArray,
    MissingDependency,
    Movie,
    PluginFault,
    Processor,
    Segmentation,
    Table,
)
from nwbridge.dandi import gate

STEPS = "analysis/processing_steps"
RENEWED = ("/identifier", "/file_create_date", "/general/was_generated_by", "/general/source_script", f"/{STEPS}")
MODULE = "/processing/ophys"


@pytest.fixture
def path(tmp_path):
    """A file with one movie and regions."""
    return with_regions(tmp_path / "in.nwb")


def process(path, out, steps="add", registry=ALL, **more):
    """Process without the archive's checks of the subject being in the way."""
    return nwbridge.process(path, out, steps, registry=registry, **more)


def lost(path, out):
    """What of a file is not in another as it was, but for what is renewed."""
    old, new = found_in(path), found_in(out)
    changed = {place for place in old if not place.startswith(RENEWED) and old[place] != new.get(place)}
    if MODULE in changed:  # its description tells what was done
        kinds = [{k: v for k, v in found[MODULE][1].items() if k != "description"} for found in (old, new)]
        assert kinds[0] == kinds[1]
        changed.discard(MODULE)
    return changed


def history(out):
    """The table of steps as somebody reads it who has pynwb alone."""
    with pynwb.NWBHDF5IO(out, "r") as io:
        table = io.read().analysis["processing_steps"]
        return [{name: table[name][row] for name in table.colnames} for row in range(len(table.id))]


def left_in(folder, *names):
    return sorted({file.name for file in folder.iterdir()} - {*names})


@pytest.mark.parametrize(
    "make", [with_regions, rich, lambda path: odd(path, readable=True)], ids=["regions", "rich", "odd"]
)
@pytest.mark.parametrize("steps", ["add", "add,find,double"])
def test_everything_of_the_input_is_kept_as_it_was(tmp_path, make, steps):
    path = make(tmp_path / "in.nwb")
    before = sha256(path), path.stat().st_mtime_ns
    result = process(path, tmp_path / "out.nwb", steps, series="TwoPhotonSeries")
    assert (sha256(path), path.stat().st_mtime_ns) == before
    assert lost(path, tmp_path / "out.nwb") == set()
    assert result.verified
    assert left_in(tmp_path, "in.nwb") == ["out.nwb"]


@pytest.mark.parametrize("make", [with_regions, rich])
def test_the_output_is_a_file_of_its_own(tmp_path, make):
    path = make(tmp_path / "in.nwb")
    for name in "ab":
        process(path, tmp_path / f"{name}.nwb", series="TwoPhotonSeries")
    ids = [set(object_ids(tmp_path / name).values()) for name in ("in.nwb", "a.nwb", "b.nwb")]
    assert len(set.union(*ids)) == sum(map(len, ids))
    identifiers = []
    for name in ("in.nwb", "a.nwb", "b.nwb"):
        with h5py.File(tmp_path / name) as file:
            identifiers.append(file["identifier"][()])
            assert file["session_start_time"][()] == b"2021-03-04T05:00:00+00:00"
            assert not any(isinstance(link, h5py.ExternalLink) for link in _links(file))
    assert len(set(identifiers)) == 3


def _links(file):
    links = []
    file.visititems_links(lambda name, link: links.append(link))
    return links


def test_results_lie_where_pynwb_users_look_for_them(path, tmp_path):
    process(path, tmp_path / "out.nwb", options={"amount": 2.5})
    path.rename(tmp_path / "moved.nwb")  # the output needs nothing of it
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        made = file.processing["ophys"]["Brighter"]
        assert type(made) is pynwb.ophys.TwoPhotonSeries
        np.testing.assert_array_equal(made.data[:], frames().transpose(0, 2, 1).astype("f4") + np.float32(2.5))
        assert (made.rate, made.starting_time, made.unit) == (15.0, 2.5, "counts")
        assert made.imaging_plane is file.imaging_planes["Plane"]
        mean = file.processing["ophys"]["Pictures"]["mean"].data[:]
        np.testing.assert_allclose(mean, frames().mean(axis=0).T, rtol=1e-6)
        assert file.analysis["Chosen"].to_dataframe().set_index("key")["value"].to_dict() == {
            "amount": "2.5",
            "frames": "30",
        }
        assert list(file.imaging_planes) == ["Plane"]
        assert list(file.devices) == ["Scope"]


def test_timestamps_are_those_of_the_input(tmp_path):
    path = rich(tmp_path / "in.nwb")
    process(path, tmp_path / "out.nwb", series="Irregular")
    with h5py.File(tmp_path / "out.nwb") as file:
        made = file["processing/ophys/Brighter"]
        np.testing.assert_array_equal(made["timestamps"][()], file["acquisition/Irregular/timestamps"][()])
        assert made["data"].shape == file["acquisition/Irregular/data"].shape
        assert "starting_time" not in made


def test_the_history_tells_it_all_to_who_has_only_pynwb(path, tmp_path):
    result = process(path, tmp_path / "out.nwb", options={"amount": 3, "mode": "twice"})
    (row,) = history(tmp_path / "out.nwb")
    assert (row["step"], row["plugin"], row["version"]) == ("add", "nwbridge-made-up", "1.5")
    assert row["nwbridge_version"] == nwbridge.__version__
    assert json.loads(row["made_from"]) == ["TwoPhotonSeries"]
    assert json.loads(row["made"]) == ["Brighter", "Pictures", "Chosen"]
    assert json.loads(row["parameters"]) == [["amount", 3.0], ["mode", "twice"], ["seed", None]]
    assert (row["input_file"], row["input_identifier"]) == ("in.nwb", "its-identifier")
    assert row["input_sha256"] == sha256(path)
    assert json.loads(row["left_out"]) == []
    assert datetime.fromisoformat(row["time"]) <= datetime.now(UTC)
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        made_by = [tuple(pair) for pair in file.was_generated_by]
        assert made_by == [("nwbridge", nwbridge.__version__), ("nwbridge-made-up", "1.5")]
        assert file.source_script == "nwbridge process add in.nwb out.nwb --amount 3 --mode twice"
        assert len(file.file_create_date) == 2
        words = file.processing["ophys"].description
        assert words == (
            "optical physiology processed data; add (nwbridge-made-up 1.5) on TwoPhotonSeries: amount 3.0, mode twice"
        )
    (told,) = result.steps
    assert (told.sha256, told.identifier, told.made_from) == (sha256(path), "its-identifier", ("TwoPhotonSeries",))
    assert dict(told.parameters) == {"amount": 3.0, "mode": "twice", "seed": None}
    json.dumps(result.as_json(), default=str)


def test_no_folder_of_the_user_stands_in_the_file(path, tmp_path):
    registry = offering(replace(ADD, options=WithFile))
    process(path, tmp_path / "out.nwb", "add", registry, options={"weights": str(tmp_path / "weights.npz")})
    (row,) = history(tmp_path / "out.nwb")
    assert dict(json.loads(row["parameters"]))["weights"] == "weights.npz"
    with h5py.File(tmp_path / "out.nwb") as file:
        assert file["general/source_script"].asstr()[()].endswith("out.nwb --weights weights.npz")
    assert str(tmp_path).encode() not in (tmp_path / "out.nwb").read_bytes()


def test_the_history_grows_over_runs_and_stays_true(path, tmp_path):
    process(path, tmp_path / "one.nwb")
    process(tmp_path / "one.nwb", tmp_path / "two.nwb", options={"amount": 7}, series="Brighter")
    result = process(tmp_path / "two.nwb", tmp_path / "three.nwb", "find", series="Brighter_2")
    rows = history(tmp_path / "three.nwb")
    assert [row["step"] for row in rows] == ["add", "add", "find"]
    assert [row["input_file"] for row in rows] == ["in.nwb", "one.nwb", "two.nwb"]
    assert [row["input_sha256"] for row in rows] == [sha256(tmp_path / row["input_file"]) for row in rows]
    assert [json.loads(row["made"])[0] for row in rows] == ["Brighter", "Brighter_2", "Cells"]
    assert [json.loads(row["made_from"]) for row in rows] == [["TwoPhotonSeries"], ["Brighter"], ["Brighter_2"]]
    identifiers = []
    for name in ("in.nwb", "one.nwb", "two.nwb"):
        with h5py.File(tmp_path / name) as file:
            identifiers.append(file["identifier"].asstr()[()])
    assert [row["input_identifier"] for row in rows] == identifiers
    assert [step.name for step in result.steps] == ["add", "add", "find"]
    assert lost(tmp_path / "two.nwb", tmp_path / "three.nwb") == set()
    inspected = nwbridge.inspect(tmp_path / "three.nwb", registry=None)
    assert [step.sha256 for step in inspected.steps] == [row["input_sha256"] for row in rows]
    with pynwb.NWBHDF5IO(tmp_path / "three.nwb", "r") as io:
        assert io.read().source_script.count(" && ") == 2


def test_a_chain_works_on_what_the_step_before_made(path, tmp_path):
    result = process(
        path, tmp_path / "out.nwb", ["add", "find", "double"], options={"add.amount": 5.0, "find.amount": 3}
    )
    assert result.evidence == "add of TwoPhotonSeries → find of Brighter → double of Fluorescence_2"
    bright = frames().astype("f4") + 5
    with h5py.File(tmp_path / "out.nwb") as file:
        holder = file["processing/ophys/Fluorescence"]
        plain_traces = holder["Fluorescence_2"]["data"]
        for n in range(3):
            expected = bright[:, [1 + n, 2 + n], [2 + n, 2 + n]].mean(axis=1)
            np.testing.assert_allclose(plain_traces[:, n], expected)
            np.testing.assert_array_equal(holder["Doubled"]["data"][:, n], 2 * plain_traces[:, n])
        for name in ("Fluorescence_2", "Doubled"):
            assert file[holder[name]["rois"].attrs["table"]] == file["processing/ophys/ImageSegmentation/Cells"]
        assert file[file["analysis/Sizes/cell"].attrs["table"]] == file["processing/ophys/ImageSegmentation/Cells"]
        assert sorted(file["processing/ophys/ImageSegmentation"]) == ["Cells", "PlaneSegmentation"]
    made = [json.loads(row["made"]) for row in history(tmp_path / "out.nwb")]
    assert made == [["Brighter", "Pictures", "Chosen"], ["Cells", "Fluorescence_2", "Sizes"], ["Doubled"]]


def test_traces_are_added_to_regions_that_the_file_has(path, tmp_path):
    result = process(path, tmp_path / "out.nwb", "double")
    assert result.elements[0]["traces"] == {"Doubled": [3, FRAMES]}
    with h5py.File(tmp_path / "out.nwb") as file:
        module = file["processing/ophys"]
        assert list(module["ImageSegmentation"]) == ["PlaneSegmentation"]
        new, old = module["Fluorescence/Doubled"], module["Fluorescence/RoiResponseSeries"]
        np.testing.assert_array_equal(new["data"][()], 2 * old["data"][()].astype("f8"))
        np.testing.assert_array_equal(new["timestamps"][()], old["timestamps"][()])
        assert file[new["rois"].attrs["table"]] == module["ImageSegmentation/PlaneSegmentation"]
    (row,) = history(tmp_path / "out.nwb")
    assert (json.loads(row["made_from"]), json.loads(row["made"])) == (["RoiResponseSeries"], ["Doubled"])


def traced(name, *made_from):
    """A step that makes traces of this name for each of those that it is made from."""

    def run(elements, options):
        cells = elements[0]
        known = {traces.name: traces for traces in cells.traces}
        first = next(iter(known.values()))
        new = tuple(
            replace(known.get(of, first), name=name if not number else f"{name} {number}", made_from=of)
            for number, of in enumerate(made_from)
        )
        return [replace(cells, traces=(*cells.traces, *new))]

    return Processor(name.lower().replace(" ", "-"), "made up", (Segmentation,), run)


def test_the_history_names_the_traces_that_new_ones_were_made_from(path, tmp_path):
    steps = offering(traced("Relative", "Relative"), traced("Spiky", "Relative", "Spiky", None))
    result = process(path, tmp_path / "out.nwb", "relative,spiky", steps)
    assert result.evidence == "relative of Relative → spiky of Relative, PlaneSegmentation"
    rows = history(tmp_path / "out.nwb")
    assert [json.loads(row["made_from"]) for row in rows] == [["Relative"], ["Relative", "PlaneSegmentation"]]
    assert [json.loads(row["made"]) for row in rows] == [["Relative_2"], ["Spiky", "Spiky 1", "Spiky 2"]]
    inspected = nwbridge.inspect(tmp_path / "out.nwb")
    assert [step.made_from for step in inspected.steps] == [("Relative",), ("Relative", "PlaneSegmentation")]
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        series = {one.name: one.description for one in io.read().objects.values() if hasattr(one, "rois")}
    assert "made from: Relative]" in series["Relative_2"]
    process(tmp_path / "out.nwb", tmp_path / "again.nwb", "spiky", offering(traced("Spiky", "Relative_2", "Spiky")))
    with pynwb.NWBHDF5IO(tmp_path / "again.nwb", "r") as io:  # the second is made from the first of this run
        series = {one.name: one.description for one in io.read().objects.values() if hasattr(one, "rois")}
    assert sorted(set(series) - {"Relative", "Relative_2", "RoiResponseSeries", "Spiky"}) == [
        "Spiky 1",
        "Spiky 1_2",
        "Spiky 2",
        "Spiky_2",
    ]
    assert "made from: Spiky_2]" in series["Spiky 1_2"]


def test_a_step_gets_the_traces_of_the_step_before_as_the_last_ones(path, tmp_path):
    seen = []

    def look(elements, options):
        seen.append([traces.name for traces in elements[0].traces])
        return [nwbridge.Parameters("Seen", {"traces": len(elements[0].traces)})]

    steps = offering(
        traced("dff_10", "Relative"), traced("dff", "Relative"), Processor("look", "looks", (Segmentation,), look)
    )
    process(path, tmp_path / "one.nwb", "dff_10", steps)
    process(tmp_path / "one.nwb", tmp_path / "two.nwb", "dff", steps)
    process(tmp_path / "two.nwb", tmp_path / "three.nwb", "dff,look", steps)
    process(tmp_path / "three.nwb", tmp_path / "four.nwb", "look", steps)
    assert seen == [["Relative", "RoiResponseSeries", "dff_10", "dff", "dff_2"]] * 2


def test_events_of_a_chain_are_inferred_from_the_newest_of_several(tmp_path):
    file, plane = begun(session_id="s1")
    rng = np.random.default_rng(7)
    module = file.create_processing_module("ophys", "regions")
    masks, fluorescence = pynwb.ophys.ImageSegmentation(), pynwb.ophys.Fluorescence()
    module.add([masks, fluorescence])
    relative = pynwb.ophys.DfOverF()
    module.add(relative)
    table = masks.create_plane_segmentation(name="Cells", description="cells", imaging_plane=plane)
    for n in range(2):
        table.add_roi(pixel_mask=[(2 + n, 3, 1.0)])
    spikes = rng.random((600, 2)) < 0.03
    calcium = np.apply_along_axis(lambda one: np.convolve(one, 0.9 ** np.arange(60))[:600], 0, spikes.astype(float))
    for holder, name, values in (
        (fluorescence, "Raw", 100 + 50 * calcium + rng.normal(0, 5, (600, 2))),
        (relative, "dff", rng.random((600, 2))),
        (relative, "dff_10", rng.random((600, 2))),
    ):
        rows = table.create_roi_table_region(region=[0, 1], description="both")
        holder.create_roi_response_series(name=name, data=values, rois=rows, unit="n.a.", rate=15.0)
    path = save(file, tmp_path / "in.nwb")
    nwbridge.process(path, tmp_path / "out.nwb", "dff,events")
    rows = history(tmp_path / "out.nwb")
    assert [row["made_from"] for row in rows] == ['["Raw"]', '["dff_2"]']
    assert json.loads(rows[0]["made"])[0] == "dff_2"


def test_names_that_are_taken_get_a_number_also_where_results_name_each_other(path, tmp_path):
    process(path, tmp_path / "one.nwb", "both")
    result = process(tmp_path / "one.nwb", tmp_path / "two.nwb", "both", series="TwoPhotonSeries")
    names = [element["name"] for element in result.elements]
    assert names == ["Brighter_2", "Pictures_2", "Chosen_2", "Cells_2", "Sizes_2"]
    with h5py.File(tmp_path / "two.nwb") as file:
        assert file[file["analysis/Sizes_2/cell"].attrs["table"]].name.endswith("ImageSegmentation/Cells_2")
        assert "Brighter_2" in file["processing/ophys/Pictures_2"].attrs["description"]
    assert lost(tmp_path / "one.nwb", tmp_path / "two.nwb") == set()


def test_a_step_can_name_rows_and_movies_that_the_file_has(path, tmp_path):
    def names_both(elements, options):
        column = Column("cell", np.array([2, 0]), rows_of="PlaneSegmentation")
        return (Table("Chosen_cells", (column,)),)

    registry = offering(replace(BLINK, run=lambda e, o: (*blink_of(e), *names_both(e, o))))
    result = process(path, tmp_path / "out.nwb", "blink", registry)
    assert result.ok
    with h5py.File(tmp_path / "out.nwb") as file:
        table = file[file["analysis/Chosen_cells/cell"].attrs["table"]]
        assert table.name == "/processing/ophys/ImageSegmentation/PlaneSegmentation"
        assert file["processing/ophys/Molecules/found_in"] == file["acquisition/TwoPhotonSeries"]


def blink_of(elements):
    return BLINK.run(elements, None)


def test_names_of_our_own_tables_are_taken_as_well(path, tmp_path):
    def run(elements, options):
        names = ("processing_steps", "source_files", "TwoPhotonSeries", "ophys", "data")
        return [replace(elements[0], name=name, made_from=elements[0].name) for name in names]

    result = process(path, tmp_path / "out.nwb", "one", step(run))
    names = [element["name"] for element in result.elements]
    assert names == ["processing_steps_2", "source_files_2", "TwoPhotonSeries_2", "ophys_2", "data_2"]


def test_rows_of_regions_that_are_not_there_are_the_step_s_fault(path, tmp_path):
    table = Table("Odd", (Column("cell", np.array([0]), rows_of="Nothing"),))
    refused(path, tmp_path, PluginFault, "nwbridge-made-up 1.5: Odd cannot be laid out", step(lambda e, o: (table,)))


def refused(path, folder, kind, message, registry=ALL, steps="one", **more):
    """Processing fails with one line, and nothing is left or changed."""
    before = sha256(path)
    names = left_in(folder)
    with pytest.raises(kind, match=message) as caught:
        process(path, folder / "out.nwb", steps, registry, **more)
    assert "\n" not in str(caught.value)
    assert left_in(folder) == names
    assert sha256(path) == before


def lazily(change):
    """A step whose movie's blocks come through a function."""

    def run(elements, options):
        return (replace(elements[0], name="Bad", made_from=elements[0].name, data=change(elements[0].data)),)

    return step(run)


def raising(error):
    def fail(*_):
        raise error

    return fail


WRONG = [
    (
        step(raising(ZeroDivisionError("no"))),
        PluginFault,
        "made-up 1.5 failed while running one: ZeroDivisionError: no",
    ),
    (step(raising(SystemExit(3))), PluginFault, "nwbridge-made-up 1.5 failed while running one: SystemExit"),
    (step(raising(BadSource("the movie has NaN"))), BadSource, "the movie has NaN"),
    (step(raising(MissingDependency("install torch"))), MissingDependency, "install torch"),
    (
        step(raising(FileNotFoundError(2, "No such file", "weights.npz"))),
        BadSource,
        "No such file.*one.*weights.npz",
    ),
    (step(raising(MemoryError())), BadSource, "not enough memory"),
    (step(lambda e, o: None), PluginFault, "nwbridge-made-up 1.5: one returned a NoneType; expected a tuple"),
    (step(lambda e, o: e[0]), PluginFault, "returned a Movie; expected a tuple"),
    (step(lambda e, o: (np.zeros(3),)), PluginFault, "returned a ndarray; expected elements and findings"),
    (step(lambda e, o: (Movie,)), PluginFault, "returned a type; expected elements and findings"),
    (step(lambda e, o: ()), PluginFault, "made nothing; expected one element at least"),
    (step(lambda e, o: (Finding("hint", "a", "b"),)), PluginFault, "made nothing"),
    (step(lambda e, o: (replace(e[0], name="a/b"),)), PluginFault, "a/b"),
    (step(lambda e, o: (replace(e[0], name="n", description="a\0b"),)), BadSource, "no NWB file can hold"),
    (step(lambda e, o: (nwbridge.Column("a", np.zeros(3)),)), PluginFault, "there is no place in NWB for a Column"),
    (lazily(lambda data: over(data, raising(OSError("gone")))), BadSource, "reading entries.*gone"),
    (lazily(lambda data: over(data, raising(ValueError("odd")))), PluginFault, "nwbridge-made-up 1.5.*ValueError: odd"),
    (lazily(lambda data: over(data, raising(MemoryError()))), BadSource, "not enough memory"),
    (lazily(lambda data: over(data, lambda b: b[:-1])), PluginFault, "nwbridge-made-up 1.5.*came as"),
    (lazily(lambda data: over(data, lambda b: b, np.float16)), BadSource, "float16"),
    (
        lazily(lambda data: LazyArray(data.shape, "f4", raising(KeyError("x")))),
        PluginFault,
        "1.5.*opening.*KeyError",
    ),
    (lazily(lambda data: replace(over(data, lambda b: b), dtype=np.dtype("u1"))), PluginFault, "float32.*uint8"),
]


@pytest.mark.parametrize(("registry", "kind", "message"), WRONG, ids=range(len(WRONG)))
def test_a_step_that_fails_leaves_one_line_and_nothing_else(path, tmp_path, registry, kind, message):
    refused(path, tmp_path, kind, message, registry)


def test_a_later_step_that_fails_leaves_nothing_of_the_first(path, tmp_path):
    registry = offering(ADD, replace(FIND, run=raising(BadSource("too dark"))))
    refused(path, tmp_path, BadSource, "too dark", registry, "add,find")


def test_an_existing_output_is_kept_where_a_step_fails(path, tmp_path):
    (tmp_path / "out.nwb").write_text("precious", "utf-8")
    with pytest.raises(BadSource):
        process(path, tmp_path / "out.nwb", "one", step(raising(BadSource("no"))), overwrite=True)
    assert (tmp_path / "out.nwb").read_text("utf-8") == "precious"


def test_an_interruption_leaves_nothing(path, tmp_path):
    for registry in (step(raising(KeyboardInterrupt())), lazily(lambda d: over(d, raising(KeyboardInterrupt())))):
        with pytest.raises(KeyboardInterrupt):
            process(path, tmp_path / "out.nwb", "one", registry)
        assert left_in(tmp_path) == ["in.nwb"]


def test_an_input_that_changes_meanwhile_is_refused(path, tmp_path):
    def changes(elements, options):
        with path.open("ab") as file:
            file.write(b"more")
        return add(elements, ADD.options())

    with pytest.raises(BadSource, match=r"in\.nwb.*chang"):
        process(path, tmp_path / "out.nwb", "one", step(changes))
    assert left_in(tmp_path) == ["in.nwb"]


@pytest.mark.parametrize("kind", ["same", "hard", "soft", "other way"])
def test_nothing_is_changed_in_place(path, tmp_path, kind):
    out = tmp_path / "in.nwb"
    if kind == "hard":
        os.link(path, out := tmp_path / "out.nwb")
    elif kind == "soft":
        (out := tmp_path / "out.nwb").symlink_to(path)
    elif kind == "other way":
        (tmp_path / "folder").mkdir()
        out = tmp_path / "folder" / ".." / "in.nwb"
    before = sha256(path)
    with pytest.raises(BadOption, match="is the file that is read: choose another name"):
        process(path, out, overwrite=True)
    assert sha256(path) == before


def test_an_existing_output_is_replaced_only_when_told_to(path, tmp_path):
    out = tmp_path / "out.nwb"
    out.write_text("precious", "utf-8")
    with pytest.raises(CannotWrite, match="--overwrite"):
        process(path, out)
    assert out.read_text("utf-8") == "precious"
    assert process(path, out, overwrite=True).ok
    assert h5py.is_hdf5(out)


def test_paths_that_make_no_sense_are_refused_in_words(path, tmp_path):
    (tmp_path / "notes.nwb").write_text("no HDF5", "utf-8")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for given, out, kind, message in (
        (tmp_path / "absent.nwb", "out.nwb", BadSource, "does not exist"),
        (tmp_path, "out.nwb", BadSource, "is a folder; give one NWB file"),
        (tmp_path / "notes.nwb", "out.nwb", BadSource, "is no NWB file: turn it into one with nwbridge convert"),
        (tmp_path / "other.h5", "out.nwb", BadSource, "is no NWB file"),
        (path, "out.h5", CannotWrite, "should end in .nwb"),
        (path, "out.nwb.zarr", BadOption, "HDF5"),
        (path, "absent/out.nwb", CannotWrite, "create it first"),
    ):
        with pytest.raises(kind, match=message):
            process(given, tmp_path / out)
    assert left_in(tmp_path, "in.nwb", "notes.nwb", "other.h5") == []


def test_a_damaged_input_is_refused_in_one_line(path, tmp_path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadSource) as caught:
        process(path, tmp_path / "out.nwb")
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == ["in.nwb"]


def test_a_full_disk_ends_in_one_line_wherever_it_strikes(path, tmp_path):
    size = path.stat().st_size
    script = (
        "import sys, nwbridge; sys.path.insert(0, sys.argv[3]); from steps import ALL\n"
        "try: nwbridge.process(sys.argv[1], sys.argv[2], 'add', registry=ALL)\n"
        "except nwbridge.CannotWrite as error: print(error)"
    )
    for limit in (size // 2, size + 2000, size + 20000):
        words = [sys.executable, "-c", script, path, tmp_path / "out.nwb", Path(__file__).parent]
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        assert "not enough space" in done.stdout, done.stderr
        assert left_in(tmp_path) == ["in.nwb"]


def test_one_of_several_series_is_chosen_by_name(tmp_path):
    path = plain(tmp_path / "in.nwb", "First", "Second")
    with pytest.raises(BadOption, match=r"several for add to work on \(First, Second\): choose with --series NAME"):
        process(path, tmp_path / "out.nwb")
    with pytest.raises(BadOption, match=r"--series Third: in\.nwb has First, Second; add works on one Movie"):
        process(path, tmp_path / "out.nwb", series="Third")
    process(path, tmp_path / "out.nwb", series="Second")
    with h5py.File(tmp_path / "out.nwb") as file:
        expected = frames(1).transpose(0, 2, 1) + np.float32(1)
        np.testing.assert_array_equal(file["processing/ophys/Brighter/data"][()], expected)
    assert history(tmp_path / "out.nwb")[0]["made_from"] == '["Second"]'


def test_a_file_without_what_a_step_takes_is_refused_in_words(tmp_path):
    file, _ = begun()
    file.add_acquisition(pynwb.TimeSeries(name="Speed", data=np.arange(5.0), unit="m/s", rate=1.0))
    save(file, tmp_path / "in.nwb")
    message = r"in.nwb has no Movie, which add works on; it holds Speed \(Series\)"
    refused(tmp_path / "in.nwb", tmp_path, BadSource, message, steps="add")
    file, _ = begun()
    save(file, tmp_path / "bare.nwb")
    with pytest.raises(BadSource, match="it holds nothing that can be read"):
        process(tmp_path / "bare.nwb", tmp_path / "out.nwb")
    with pytest.raises(BadOption, match=r"--series X: bare\.nwb has no Movie at all"):
        process(tmp_path / "bare.nwb", tmp_path / "out.nwb", series="X")


def test_a_chain_whose_steps_do_not_fit_is_refused(path, tmp_path):
    message = "double works on a Segmentation, and add makes none: run them one after the other"
    refused(path, tmp_path, BadOption, message, steps="add,double")


@pytest.mark.parametrize(
    ("steps", "options", "message"),
    [
        ("", {}, "expected names such as denoise"),
        ("add,,find", {}, "expected names such as denoise"),
        ([], {}, "expected names such as denoise"),
        ("add,add", {}, "the step add is named twice"),
        ("ad", {}, "there is no step ad; did you mean add"),
        ("add", {"amont": 1}, "amont; did you mean --amount"),
        ("add", {"find.amount": 1}, "speaks of the step find, which is not among add"),
        ("add,find", {"amount": 1}, "could be of add and of find: say --add.amount or --find.amount"),
        ("add", {"amount": "much"}, "amount"),
        ("add", {"mode": "thrice"}, "plain"),
    ],
)
def test_steps_and_options_that_make_no_sense_are_refused(path, tmp_path, steps, options, message):
    refused(path, tmp_path, BadOption, message, steps=steps, options=options)


def test_options_reach_the_step_that_has_them(path, tmp_path):
    process(path, tmp_path / "out.nwb", "add,find", options={"mode": "twice", "find.amount": "1", "add.amount": "4"})
    rows = history(tmp_path / "out.nwb")
    assert dict(json.loads(rows[0]["parameters"])) == {"amount": 4.0, "mode": "twice", "seed": None}
    assert dict(json.loads(rows[1]["parameters"])) == {"amount": 1}


def test_findings_of_a_step_are_the_user_s(path, tmp_path):
    result = process(path, tmp_path / "out.nwb")
    assert [finding.message for finding in result.findings if finding.check == "add"] == ["1 was added"]


def test_a_step_shows_progress_and_knows_the_threads(path, tmp_path):
    told, threads = [], []

    def run(elements, options):
        threads.append(nwbridge.threads())
        return add(elements, ADD.options())

    process(path, tmp_path / "out.nwb", "one", step(run), threads=3, progress=lambda *words: told.append(words))
    assert threads == [3]
    assert ("adding", 1, 2) in told
    assert {"copying", "running one", "writing", "verifying", "validating", "done"} <= {words[0] for words in told}


def test_a_movie_that_is_stored_against_the_standard_is_read_so_when_asked(tmp_path):
    file, plane = begun()
    wrong = pynwb.ophys.TwoPhotonSeries(name="Rows", data=frames(), imaging_plane=plane, rate=15.0, unit="n.a.")
    file.add_acquisition(wrong)
    path = save(file, tmp_path / "in.nwb")
    process(path, tmp_path / "out.nwb", rows_first=True)
    with h5py.File(tmp_path / "out.nwb") as stored:
        made = stored["processing/ophys/Brighter/data"]
        assert made.shape == (FRAMES, COLUMNS, ROWS)
        np.testing.assert_array_equal(made[()], frames().transpose(0, 2, 1) + np.float32(1))
        np.testing.assert_array_equal(stored["acquisition/Rows/data"][()], frames())
    process(path, tmp_path / "other.nwb")
    with h5py.File(tmp_path / "other.nwb") as stored:
        assert stored["processing/ophys/Brighter/data"].shape == (FRAMES, ROWS, COLUMNS)


def test_a_light_file_names_the_file_that_has_the_movie(path, tmp_path):
    result = process(path, tmp_path / "out.nwb", light=True)
    with h5py.File(tmp_path / "out.nwb") as file:
        assert list(file["acquisition"]) == []
        np.testing.assert_array_equal(file["processing/ophys/Brighter/data"][3], frames()[3].T + np.float32(1))
    (row,) = history(tmp_path / "out.nwb")
    assert json.loads(row["left_out"]) == ["TwoPhotonSeries"]
    assert (row["input_file"], row["input_identifier"], row["input_sha256"]) == (
        "in.nwb",
        "its-identifier",
        sha256(path),
    )
    gone = {place for place in found_in(path) if place.startswith("/acquisition/")}
    assert lost(path, tmp_path / "out.nwb") == gone
    assert result.ok
    assert "left out: TwoPhotonSeries" in " ".join(finding.message for finding in result.findings)
    again = process(tmp_path / "out.nwb", tmp_path / "again.nwb", light=True)
    assert [step.left_out for step in again.steps] == [("TwoPhotonSeries",), ()]


def test_a_copy_of_a_registered_movie_is_not_written_as_registered(tmp_path):
    def copied(elements, options):
        return [replace(elements[0], name="Copy")]

    def moved(elements, options):
        shifts = nwbridge.arrays.from_numpy(np.ones((FRAMES, 2)))
        return [replace(elements[0], name="Moved", shifts=shifts, made_from=elements[0].name)]

    steps = offering(Processor("copy", "copies", (Movie,), copied), Processor("move", "moves", (Movie,), moved))
    process(plain(tmp_path / "in.nwb"), tmp_path / "out.nwb", "move,copy", steps)
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        module = io.read().processing["ophys"]
        assert list(module["MotionCorrection"].corrected_image_stacks) == ["Moved"]
        assert type(module["Copy"]) is pynwb.ophys.TwoPhotonSeries
        assert "made from: Moved]" in module["Copy"].description


def test_a_step_is_done_again_on_what_it_was_done_on(tmp_path):
    def moved(elements, options):
        return [replace(elements[0], name=f"Moved{elements[0].name}", made_from=elements[0].name)]

    steps = offering(ADD, Processor("move", "moves", (Movie,), moved))
    process(plain(tmp_path / "in.nwb"), tmp_path / "one.nwb", "move,add", steps)
    again = process(tmp_path / "one.nwb", tmp_path / "two.nwb", "add", steps)
    assert [step.made_from for step in again.steps] == [
        ("TwoPhotonSeries",),
        ("MovedTwoPhotonSeries",),
        ("MovedTwoPhotonSeries",),
    ]
    third = process(tmp_path / "two.nwb", tmp_path / "three.nwb", "add", steps)
    assert third.steps[-1].made_from == ("MovedTwoPhotonSeries",)
    named = process(tmp_path / "one.nwb", tmp_path / "four.nwb", "add", steps, series="Brighter")
    assert named.steps[-1].made_from == ("Brighter",)
    after = process(tmp_path / "one.nwb", tmp_path / "five.nwb", "move", steps)
    assert after.steps[-1].made_from == ("Brighter",)
    onwards = process(tmp_path / "five.nwb", tmp_path / "six.nwb", "add", steps)
    assert onwards.steps[-1].made_from == ("MovedBrighter",)
    process(plain(tmp_path / "b.nwb"), tmp_path / "light.nwb", "add", steps, light=True)
    only = process(tmp_path / "light.nwb", tmp_path / "seven.nwb", "add", steps)
    assert only.steps[-1].made_from == ("Brighter",)


def test_why_nothing_can_be_read_is_said(tmp_path):
    file, plane = begun()
    half = frames().astype(np.float16)
    file.add_acquisition(movie("Half", plane, half))
    path = save(file, tmp_path / "in.nwb")
    why = r"not readable: Half \(.*float16"
    message = rf"in\.nwb has no Movie, which add works on; it holds nothing that can be read; {why}"
    refused(path, tmp_path, BadSource, message, steps="add")
    with pytest.raises(BadOption, match=rf"--series Half: in\.nwb has no Movie at all; .*{why}"):
        process(path, tmp_path / "out.nwb", series="Half")


def test_masks_outside_of_the_frames_are_said(tmp_path):
    file, plane = begun()
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    masks = pynwb.ophys.ImageSegmentation()
    file.create_processing_module("ophys", "regions").add(masks)
    table = masks.create_plane_segmentation(name="Cells", description="cells", imaging_plane=plane)
    for x in (COLUMNS - 1, 900, 2):
        table.add_roi(pixel_mask=[(2, 3, 1.0), (x, ROWS - 1, 1.0)])
    path = save(file, tmp_path / "in.nwb")
    words = (
        f"pixels outside of the frames in 1 of 3 regions of Cells, the first at row {ROWS - 1}, column 900: "
        f"TwoPhotonSeries has {ROWS} rows and {COLUMNS} columns"
    )
    told = {
        "process": process(path, tmp_path / "out.nwb").findings,
        "inspect": nwbridge.inspect(path).findings,
        "validate": nwbridge.validate(path),
        "convert": nwbridge.convert(path, tmp_path / "converted.nwb").findings,
    }
    for command, findings in told.items():
        found = [(one.severity, one.message, one.where) for one in findings if one.check == "masks"]
        assert found == [("warning", words, "processing/ophys/ImageSegmentation/Cells")], command


def test_advice_to_give_values_speaks_of_converting_again(path, tmp_path):
    file, plane = begun()
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    bare = save(file, tmp_path / "bare.nwb")
    advice = [one.advice for one in process(bare, tmp_path / "out.nwb").findings if "--set" in one.advice]
    assert "convert again with the subject: --set Subject.subject_id=ID --set 'Subject.species=Mus musculus'" in advice
    assert all(words.startswith("convert again") for words in advice)
    told = [one.advice for one in nwbridge.convert(bare, tmp_path / "new.nwb").findings if "--set" in one.advice]
    assert told
    assert not any("again" in words for words in told)


def test_of_a_light_file_what_others_refer_to_stays_without_values(tmp_path):
    path = rich(tmp_path / "in.nwb")
    result = process(path, tmp_path / "out.nwb", "blink", light=True, series="TwoPhotonSeries")
    texts = [finding.message for finding in result.findings if finding.check == "process"]
    assert "TwoPhotonSeries stays without its values, because other objects refer to it" in texts
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        file = io.read()
        raw = file.acquisition["TwoPhotonSeries"]
        assert len(raw.data) == 0
        assert file.processing["ophys"]["Molecules"].found_in is raw
        assert file.processing["ophys"]["MotionCorrection"]["Still"].original is raw
        assert "Irregular" not in file.acquisition
    names = [element.name for element in nwbridge.describe(tmp_path / "out.nwb").elements]
    assert "Molecules" in names
    assert "TwoPhotonSeries" not in names


def test_of_a_light_file_molecules_are_kept_without_their_movie(path, tmp_path):
    process(path, tmp_path / "out.nwb", "blink", light=True)
    with h5py.File(tmp_path / "out.nwb") as file:
        np.testing.assert_array_equal(file["processing/ophys/Molecules/x"][()], [1.5, 2.5, 0.25])
        assert "found_in" not in file["processing/ophys/Molecules"]
    assert history(tmp_path / "out.nwb")[0]["made_from"] == '["TwoPhotonSeries"]'


def test_what_the_step_made_reads_back(path, tmp_path):
    process(path, tmp_path / "out.nwb", "add,find")
    session = nwbridge.describe(tmp_path / "out.nwb")
    found = {element.name: element for element in session.elements}
    assert found["Brighter"].made_from == "TwoPhotonSeries"
    assert found["Cells"].traces[0].made_from == "Brighter"
    assert found["Sizes"]["cell"].rows_of == "Cells"
    assert [step.name for step in session.steps] == ["add", "find"]
    assert dict(found["Chosen"].values) == {"amount": 1.0, "frames": FRAMES}


def test_errors_that_the_input_has_already_are_findings(path, tmp_path):
    with h5py.File(path, "r+") as file:
        del file["acquisition/TwoPhotonSeries/data"].attrs["unit"]
    result = process(path, tmp_path / "out.nwb")
    assert not result.ok
    assert any(f.severity == "error" and "unit" in f.message for f in result.findings)
    assert lost(path, tmp_path / "out.nwb") == set()


def test_new_errors_of_the_schema_refuse_the_file(path, tmp_path):
    def run(elements, options):
        (part,) = tmp_path.glob("*.part.nwb")
        with h5py.File(part, "r+") as file:  # as if the disk, or we, had spoilt it
            del file["acquisition/TwoPhotonSeries/data"].attrs["unit"]
        return add(elements, ADD.options())

    refused(path, tmp_path, nwbridge.InvalidOutput, "is not valid NWB: .*unit.*nothing was kept", step(run))


def test_an_extension_that_only_the_file_knows_is_kept(tmp_path):
    path = extended(tmp_path)
    result = process(path, tmp_path / "out.nwb")
    assert result.verified
    assert lost(path, tmp_path / "out.nwb") == set()
    script = (
        "import sys, pynwb\n"
        "with pynwb.NWBHDF5IO(sys.argv[1], 'r', load_namespaces=True) as io:\n"
        "    lamp = io.read().general_lamp if False else io.read().devices['Lamp']\n"
        "    print(type(lamp).__name__, lamp.watts)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, tmp_path / "out.nwb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["MadeUpLamp", "2.5"], done.stderr


def extended(folder):
    """A file with a type of an extension that this process does not know."""
    script = """
import sys
sys.path.insert(0, sys.argv[2])
import pynwb
from pynwb.spec import NWBNamespaceBuilder, NWBGroupSpec, NWBAttributeSpec
from foreign import begun, frames, movie, save
from pathlib import Path
folder = Path(sys.argv[1])
who = {"author": ["A"], "contact": ["a@b.c"]}
builder = NWBNamespaceBuilder("made up for a test", "ndx-made-up-lamp", version="0.1.0", **who)
builder.include_type("Device", namespace="core")
watts = NWBAttributeSpec(name="watts", doc="power", dtype="float64")
builder.add_spec("lamp.extensions.yaml", NWBGroupSpec(
    neurodata_type_def="MadeUpLamp", neurodata_type_inc="Device", doc="a lamp", attributes=[watts]))
import os
os.chdir(folder)
builder.export("lamp.namespace.yaml")
pynwb.load_namespaces("lamp.namespace.yaml")
Lamp = pynwb.get_class("MadeUpLamp", "ndx-made-up-lamp")
file, plane = begun()
file.add_device(Lamp(name="Lamp", watts=2.5))
file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
save(file, "in.nwb")
for name in ("lamp.namespace.yaml", "lamp.extensions.yaml"):
    os.remove(name)
"""
    words = [sys.executable, "-W", "ignore", "-c", script, folder, Path(__file__).parent]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "in.nwb"


def with_gaps(path):
    """A file with parts that the model cannot hold."""
    file, plane = begun()
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    half = GrayscaleImage(name="half", data=np.zeros((3, 2), np.float16))
    whole = GrayscaleImage(name="whole", data=np.ones((3, 2)))
    file.add_acquisition(pynwb.base.Images(name="Pictures", images=[half, whole]))
    file.add_unit(spike_times=[0.5], waveform_mean=[1.0, 2.0])
    return save(file, path)


def test_parts_that_the_model_cannot_hold_stop_no_step(tmp_path):
    path = with_gaps(tmp_path / "in.nwb")
    process(path, tmp_path / "out.nwb")
    assert lost(path, tmp_path / "out.nwb") == set()


def test_of_what_the_model_cannot_hold_the_rest_is_read(tmp_path):
    session = nwbridge.describe(with_gaps(tmp_path / "in.nwb"))
    found = {element.name: element for element in session.elements}
    assert [image.name for image in found["Pictures"].images] == ["whole"]
    assert [column.name for column in found["units"].columns] == ["spike_times"]
    said = " ".join(finding.message for finding in session.findings)
    assert "image half of Pictures is not carried over: image half: values are float16" in said
    assert "column waveform_mean of units is not carried over" in said


def test_a_file_with_as_little_as_nwb_requires_is_processed(tmp_path):
    path = plain(tmp_path / "in.nwb")
    result = process(path, tmp_path / "out.nwb")
    assert result.session_id == "in"
    assert lost(path, tmp_path / "out.nwb") == set()
    with h5py.File(tmp_path / "out.nwb") as file:
        assert sorted(file["general"]) == ["devices", "optophysiology", "source_script", "was_generated_by"]


def test_memory_does_not_grow_with_the_movie(tmp_path):
    def peak(count):
        path = tmp_path / f"{count}.nwb"
        file, plane = begun()
        file.add_acquisition(movie("TwoPhotonSeries", plane, frames(count=count)))
        save(file, path)
        brighter = lazily(lambda data: over(data, lambda block: block + 1))
        more = {"threads": 1, "chunks": (16, ROWS, COLUMNS), "overwrite": True}
        process(path, tmp_path / "out.nwb", "one", brighter, **more)  # what is loaded once
        tracemalloc.start()
        process(path, tmp_path / "out.nwb", "one", brighter, **more)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few, many = peak(100), peak(2100)
    assert many < few + 1_000_000  # the movie has 2.5 MB more, as float32


def test_a_plugin_s_namespaces_are_loaded_before_the_file_is_read(path, tmp_path, monkeypatch):
    missing = tmp_path / "absent.namespace.yaml"
    registry = replace(ALL, plugins=(replace(ALL.plugins[0], namespaces=(missing,)),))
    refused(path, tmp_path, PluginFault, "absent.namespace.yaml", registry, "add")


def test_a_table_of_that_name_that_is_not_ours_is_not_replaced(path, tmp_path):
    with pynwb.NWBHDF5IO(path, "r+") as io:
        file = io.read()
        column = pynwb.core.VectorData(name="a", description="b", data=[1])
        file.add_analysis(pynwb.core.DynamicTable(name="processing_steps", description="mine", columns=[column]))
        io.write(file)
    refused(path, tmp_path, BadSource, "processing_steps", steps="add")


def test_in_a_dandiset_the_file_is_named_after_its_steps_and_passes_the_gate(tmp_path):
    path = tmp_path / "in.nwb"
    subject = pynwb.file.Subject(subject_id="m 1", species="Mus musculus", sex="F", age="P90D")
    file, plane = begun(session_id="s_1", subject=subject, **DESCRIBED)
    file.add_acquisition(movie("TwoPhotonSeries", plane, frames()))
    save(file, path)
    (tmp_path / "set").mkdir()
    result = process(path, tmp_path / "set", "add,find", archive="dandi", options={"add.amount": 2})
    out = tmp_path / "set" / "sub-m-1" / "sub-m-1_ses-s-1_desc-add+find_ophys.nwb"
    assert result.out == str(out)
    assert [finding for finding in result.findings if finding.severity == "error"] == []
    assert [finding for finding in gate.check(out, tmp_path / "set") if finding.severity != "hint"] == []
    again = process(out, tmp_path / "set", "add", archive="dandi", series="Brighter")
    assert again.out.endswith("sub-m-1_ses-s-1_desc-add+find+add_ophys.nwb")
    assert again.ok
    with pytest.raises(CannotWrite, match="exists already"):
        process(path, tmp_path / "set", "add,find", archive="dandi")
    assert left_in(out.parent) == sorted(Path(one.out).name for one in (result, again))


DESCRIBED = {
    "experimenter": ["Doe, Jane"],
    "institution": "Elsewhere",
    "keywords": ["made up"],
    "experiment_description": "made up for a test",
}


def test_for_dandi_a_file_without_species_is_refused_first(tmp_path):
    path = plain(tmp_path / "in.nwb")
    (tmp_path / "set").mkdir()
    with pytest.raises(nwbridge.MissingMetadata, match=r"species.*; convert again with it, then process"):
        process(path, tmp_path / "set", archive="dandi")
    assert left_in(tmp_path / "set") == []


def test_a_folder_in_a_dandiset_goes_where_the_step_fails(path, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(BadSource, match="no"):
        process(path, tmp_path / "set", "one", step(raising(BadSource("no"))), archive="dandi")
    assert left_in(tmp_path / "set") == []


def test_another_archive_is_not_known(path, tmp_path):
    refused(path, tmp_path, BadOption, "--for zenodo: expected dandi", steps="add", archive="zenodo")
