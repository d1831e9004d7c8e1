"""New elements in a file that was written before: what was there stays, what is new is laid out and filled."""

import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from foreign import FRAMES, found_in, frames, plain, with_regions

from nwbridge import Column, Localizations, Movie, Plane, PluginFault, Region, Segmentation, Table, Traces
from nwbridge.arrays import from_numpy
from nwbridge.nwb.extend import extend, without_known
from nwbridge.nwb.layout import Layout
from nwbridge.nwb.read import read
from nwbridge.nwb.write import check

TRACES = Traces("New", from_numpy(np.arange(3.0 * FRAMES).reshape(3, FRAMES)), rate_hz=15.0)


def silent(*words):
    """Nobody looks."""


def element(path, name):
    (found,) = [one for one in read(path).elements if one.name == name]
    return found


def test_what_was_there_stays_as_it_was(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    before = found_in(path)
    movie = replace(element(path, "TwoPhotonSeries"), name="New", made_from="TwoPhotonSeries")
    written = extend(path, [movie], Layout(), 2, silent)
    check(path, written, 2, silent)
    after = found_in(path)
    assert {place for place in before if after.get(place) != before[place]} == set()
    new = {place for place in after if place not in before}
    assert {place.split("/")[3] for place in new} == {"New"}
    np.testing.assert_array_equal(frames().transpose(0, 2, 1), h5py.File(path)["processing/ophys/New/data"][()])


def test_the_plane_of_the_input_serves_what_is_made_of_it(tmp_path):
    path = plain(tmp_path / "x.nwb")
    movie = element(path, "TwoPhotonSeries")
    other = replace(movie, name="Other", made_from=movie.name, plane=Plane("Elsewhere"))
    extend(path, [replace(movie, name="New", made_from=movie.name), other], Layout(), 1, silent)
    with h5py.File(path) as file:
        module = file["processing/ophys"]
        assert module["New/imaging_plane"] == file["general/optophysiology/Plane"]
        assert sorted(file["general/optophysiology"]) == ["Elsewhere", "Plane"]


def test_only_new_traces_are_added_to_regions_that_are_there(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    cells = element(path, "PlaneSegmentation")
    extend(path, [replace(cells, traces=(*cells.traces, TRACES))], Layout(), 1, silent)
    with h5py.File(path) as file:
        holder = file["processing/ophys/Fluorescence"]
        assert sorted(holder) == ["New", "RoiResponseSeries"]
        np.testing.assert_array_equal(holder["New/data"][()], np.arange(3.0 * FRAMES).reshape(3, FRAMES).T)
        np.testing.assert_array_equal(holder["New/rois"][()], [0, 1, 2])
    assert [traces.name for traces in element(path, "PlaneSegmentation").traces].count("New") == 1


def test_relative_traces_go_to_where_pynwb_users_look_for_them(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    cells = element(path, "PlaneSegmentation")
    extend(path, [replace(cells, traces=(replace(TRACES, kind="dff"),))], Layout(), 1, silent)
    with h5py.File(path) as file:
        assert sorted(file["processing/ophys/DfOverF"]) == ["New", "Relative"]


def test_regions_without_anything_new_are_the_plugin_s_fault(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    with pytest.raises(PluginFault, match="PlaneSegmentation: no traces came that the file does not have"):
        extend(path, [element(path, "PlaneSegmentation")], Layout(), 1, silent)


def test_traces_of_another_number_of_regions_never_reach_a_file(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    cells = element(path, "PlaneSegmentation")
    with pytest.raises(Exception, match="2 traces for 3 regions"):
        replace(cells, traces=(replace(TRACES, data=from_numpy(np.ones((2, FRAMES)))),))


def test_what_has_no_place_is_the_plugin_s_fault(tmp_path):
    path = plain(tmp_path / "x.nwb")
    for odd, message in (
        (Column("a", np.zeros(3)), "there is no place in NWB for a Column"),
        (Table("T", (Column("c", np.zeros(1, np.int64), rows_of="Nothing"),)), "T cannot be laid out in a file"),
        (Movie("TwoPhotonSeries", from_numpy(frames()), Plane("Plane"), rate_hz=1.0), "TwoPhotonSeries"),
    ):
        with pytest.raises(PluginFault, match=message):
            extend(path, [odd], Layout(), 1, silent)


def test_tables_may_name_rows_of_regions_old_and_new(tmp_path):
    path = with_regions(tmp_path / "x.nwb")
    plane = element(path, "TwoPhotonSeries").plane
    new = Segmentation("Cells", (Region(np.array([[1, 2]])),), (14, 22), plane)
    tables = [
        Table("Old_rows", (Column("cell", np.array([2]), rows_of="PlaneSegmentation"),)),
        Table("New_rows", (Column("cell", np.array([0]), rows_of="Cells"),)),
    ]
    extend(path, [*tables, new], Layout(), 1, silent)  # whatever the order
    with h5py.File(path) as file:
        masks = file["processing/ophys/ImageSegmentation"]
        assert file[file["analysis/Old_rows/cell"].attrs["table"]] == masks["PlaneSegmentation"]
        assert file[file["analysis/New_rows/cell"].attrs["table"]] == masks["Cells"]


def test_types_of_ours_are_known_in_a_process_that_meets_them_first(tmp_path):
    path = plain(tmp_path / "x.nwb")
    script = """
import sys
from pathlib import Path
import numpy as np
from nwbridge import Column, Localizations
from nwbridge.nwb.extend import extend
from nwbridge.nwb.layout import Layout
table = Localizations("Molecules", tuple(Column(name, np.arange(3.0), unit="nm") for name in "xy"))
extend(Path(sys.argv[1]), [table], Layout(), 1, lambda *words: None)
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with h5py.File(path) as file:
        table = file["processing/ophys/Molecules"]
        assert (table.attrs["neurodata_type"], table.attrs["namespace"]) == ("Localizations", "ndx-smlm")
        assert table["x"].attrs["unit"] == "nm"
        assert "ndx-smlm" in file["specifications"]
    assert isinstance(element(path, "Molecules"), Localizations)


def test_known_traces_are_taken_away_and_nothing_else():
    plane = Plane()
    one, two = replace(TRACES, name="One"), replace(TRACES, name="Two")
    regions = tuple(Region(np.array([[n, n]])) for n in range(3))
    cells = Segmentation("Cells", regions, (14, 22), plane, traces=(one, two))
    assert [traces.name for traces in without_known(cells, {"One"}).traces] == ["Two"]
    movie = Movie("One", from_numpy(frames()), plane, rate_hz=1.0)
    assert without_known(movie, {"One"}) is movie
