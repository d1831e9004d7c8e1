"""The challenge's submission: every pixel, in the form that it wants, readable by anyone's JSON."""

import json
import shutil

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, Plane, Region, Segmentation, Session, arrays
from nwbridge_neurofinder import example
from nwbridge_neurofinder.export import ExportOptions, make

SHAPE = (40, 52)


def export(paths, out, **options):
    return nwbridge.export("neurofinder", paths, out, options=options)


def named(folder, name):
    """The example as another data set."""
    folder.mkdir()
    return example(folder).rename(folder / name)


def pixels_of(regions):
    return [{tuple(pixel) for pixel in region["coordinates"]} for region in regions]


def session(*segmentations, name="m1"):
    return Session(name, "made up", segmentations)


def cells(*regions, **changes):
    return Segmentation("Cells", tuple(regions), SHAPE, Plane(), **changes)


def region(weights=None):
    return Region(np.array([[3, 4], [3, 5], [9, 50]]), None if weights is None else np.array(weights))


def made(*sessions, **options):
    return json.loads(make(sessions, ExportOptions(**options)))


def test_writes_every_data_set_with_every_pixel_row_first(tmp_path):
    paths = [named(tmp_path / str(n), name) for n, name in enumerate(("neurofinder.00.00.test", "neurofinder.01.00"))]
    out = tmp_path / "results.json"
    exported = export(paths, out)
    content = json.loads(out.read_text())
    assert [list(entry) for entry in content] == [["dataset", "regions"]] * 2
    assert [entry["dataset"] for entry in content] == ["00.00.test", "01.00"]
    for path, entry in zip(paths, content, strict=True):
        assert {key for region in entry["regions"] for key in region} == {"coordinates"}
        assert pixels_of(entry["regions"]) == pixels_of(json.loads((path / "regions" / "regions.json").read_text()))
    assert exported.sessions == ("neurofinder.00.00.test", "neurofinder.01.00")
    assert exported.bytes == out.stat().st_size


def test_writes_of_an_nwb_file_what_the_source_holds(samples, tmp_path):
    source = samples / "neurofinder" / "neurofinder.00.00"
    nwbridge.convert(source, tmp_path / "a.nwb", first=2)
    export(tmp_path / "a.nwb", tmp_path / "a.json")
    (entry,) = json.loads((tmp_path / "a.json").read_text())
    truth = json.loads((source / "regions" / "regions.json").read_text())
    assert entry["dataset"] == "00.00"
    assert pixels_of(entry["regions"]) == pixels_of(truth)
    row = nwbridge.score("neurofinder", source, tmp_path / "a.json").rows[0]
    assert row | {"matched": 330, "combined": 1, "inclusion": 1, "exclusion": 1} == row


def test_writes_what_caiman_accepted_above_a_share_of_each_region_s_largest_weight(samples, tmp_path):
    path = samples / "caiman_inscopix" / "derived_2p" / "caiman_2p_neurofinder0000.hdf5"
    export(path, tmp_path / "a.json", above=0.2, dataset="00.00.test")
    with h5py.File(path) as file:
        stored, rows = file["estimates/A"], int(file["dims"][0])
        ends, places, weights = (stored[name][()] for name in ("indptr", "indices", "data"))
        accepted = sorted(file["estimates/idx_components"][()])
    expected = []
    for number in accepted:
        own = slice(ends[number], ends[number + 1])
        kept = places[own][weights[own] > 0.2 * weights[own].max()]
        expected.append({(int(place % rows), int(place // rows)) for place in kept})  # column-major
    (entry,) = json.loads((tmp_path / "a.json").read_text())
    assert entry["dataset"] == "00.00.test"
    assert pixels_of(entry["regions"]) == expected


def test_takes_masks_that_are_images(tmp_path):
    masks = np.zeros((2, *SHAPE), np.float32)
    masks[0, 3, 40:43], masks[1, 30, 7] = (0.1, 1, 2), 5
    segmentation = Segmentation("Cells", arrays.from_numpy(masks), None, Plane())
    (entry,) = made(session(segmentation), above=0.2)
    assert entry["regions"] == [{"coordinates": [[3, 41], [3, 42]]}, {"coordinates": [[30, 7]]}]


def test_leaves_out_rejected_regions_unless_they_are_wanted():
    both = cells(region(), region(), status=("rejected", "accepted"))
    assert [len(made(session(both), rejected=rejected)[0]["regions"]) for rejected in (False, True)] == [1, 2]


def test_a_session_of_another_name_keeps_it():
    assert [entry["dataset"] for entry in made(session(cells(region()), name="mouse-1"))] == ["mouse-1"]


def test_a_recording_in_which_nothing_was_found_is_an_empty_data_set():
    assert made(session(cells())) == [{"dataset": "m1", "regions": []}]


def test_refuses_regions_without_pixels_unless_they_are_to_be_left_out():
    some = session(cells(region(), region([0.0, np.nan, 0.0])))
    message = r"1 of 2 regions of m1 have no pixel .* the first is number 1: .* leave them out with --skip-empty true"
    with pytest.raises(BadSource, match=message):
        made(some)
    assert len(made(some, skip_empty=True)[0]["regions"]) == 1


def test_refuses_two_recordings_of_one_name():
    with pytest.raises(BadOption, match="two of the recordings are m1"):
        made(session(cells(region())), session(cells(region())))


def test_one_name_is_for_one_recording():
    with pytest.raises(BadOption, match="--dataset x names one recording; 2 were given"):
        made(session(cells(region())), session(cells(region()), name="m2"), dataset="x")


def test_nothing_is_written_where_one_of_the_recordings_has_no_regions(tmp_path):
    paths = [named(tmp_path / str(n), f"neurofinder.0{n}.00") for n in range(2)]
    shutil.rmtree(paths[1] / "regions")
    (tmp_path / "out").mkdir()
    with pytest.raises(BadSource, match=r"neurofinder\.01\.00 has no regions of cells"):
        export(paths, tmp_path / "out" / "r.json")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_region_file_of_the_recording_is_not_overwritten(tmp_path):
    path = example(tmp_path)
    file = path / "regions" / "regions.json"
    before = file.read_bytes()
    with pytest.raises(BadOption, match="is one of the files that are read: choose another name"):
        nwbridge.export("neurofinder", path, file, overwrite=True)
    assert file.read_bytes() == before
