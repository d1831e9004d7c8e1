"""Masks are held against the frames of their imaging plane, as these are stored."""

import h5py
import numpy as np
import pytest
from foreign import COLUMNS, ROWS, begun, frames, save
from pynwb.ophys import ImageSegmentation, OpticalChannel, TwoPhotonSeries

from nwbridge.nwb.outside import outside

STANDARD = frames().transpose(0, 2, 1)


def saved(path, masks, kind="pixel_mask", movies=(STANDARD,), far=()):
    """A file with a region for each mask, and movies in the same imaging plane and in another."""
    file, plane = begun()
    other = file.create_imaging_plane(
        name="Other", optical_channel=OpticalChannel(name="c", description="d", emission_lambda=1.0),
        description="d", device=plane.device, excitation_lambda=920.0, indicator="i", location="l",
    )  # fmt: skip
    for where, several in ((plane, movies), (other, far)):
        for number, data in enumerate(several):
            name = f"{where.name} {number}"
            file.add_acquisition(TwoPhotonSeries(name=name, data=data, imaging_plane=where, rate=1.0, unit="n.a."))
    tables = ImageSegmentation()
    file.create_processing_module("ophys", "regions").add(tables)
    table = tables.create_plane_segmentation(name="Cells", description="cells", imaging_plane=plane)
    for mask in masks:
        table.add_roi(**{kind: mask})
    return save(file, path)


def test_frames_may_be_stored_against_the_standard(tmp_path):
    path = saved(tmp_path / "in.nwb", [[(COLUMNS - 1, ROWS - 1, 1.0)]], movies=[frames()])
    (finding,) = outside(path)
    assert (
        f"first at row {ROWS - 1}, column {COLUMNS - 1}: Plane 0 has {COLUMNS} rows and {ROWS} columns"
        in finding.message
    )
    assert "--rows-first" in finding.advice
    assert list(outside(path, rows_first=True)) == []


@pytest.mark.parametrize("last", [(COLUMNS - 1, ROWS - 1), (0, 0)])
def test_the_last_pixels_are_inside(tmp_path, last):
    assert list(outside(saved(tmp_path / "in.nwb", [[(*last, 1.0)]]))) == []


@pytest.mark.parametrize(("first", "regions"), [((COLUMNS, 0), 1), ((0, ROWS), 1), ((COLUMNS + 1, ROWS + 1), 1)])
def test_the_next_ones_are_outside(tmp_path, first, regions):
    path = saved(tmp_path / "in.nwb", [[(0, 0, 1.0)], [(*first, 1.0), (*first, 1.0)]])
    (finding,) = outside(path)
    assert f"{regions} of 2 regions of Cells, the first at row {first[1]}, column {first[0]}:" in finding.message


def test_one_movie_of_the_plane_that_holds_them_is_enough_and_other_planes_do_not_count(tmp_path):
    wide = np.zeros((2, 2 * COLUMNS, ROWS), np.uint16)
    mask = [[(COLUMNS + 1, 1, 1.0)]]
    assert list(outside(saved(tmp_path / "a.nwb", mask, movies=[STANDARD, wide]))) == []
    assert len(list(outside(saved(tmp_path / "b.nwb", mask, far=[wide])))) == 1
    assert list(outside(saved(tmp_path / "c.nwb", mask, movies=[], far=[STANDARD]))) == []


def test_of_volumes_planes_count_as_well(tmp_path):
    movie = [np.zeros((2, COLUMNS, ROWS, 3), np.uint16)]
    inside = saved(tmp_path / "a.nwb", [[(1, 1, 2, 1.0)]], "voxel_mask", movie)
    assert list(outside(inside)) == []
    assert len(list(outside(saved(tmp_path / "b.nwb", [[(1, 1, 3, 1.0)]], "voxel_mask", movie)))) == 1


def test_damaged_masks_are_passed_over(tmp_path):
    path = saved(tmp_path / "in.nwb", [[(900, 0, 1.0)]])
    with h5py.File(path, "r+") as file:
        del file["processing/ophys/ImageSegmentation/Cells/pixel_mask_index"]
    assert list(outside(path)) == []
