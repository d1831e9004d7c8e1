"""Cell sets: images, traces, names, status and metrics, against numpy and the vendor's library."""

import json

import numpy as np
import pytest

from nwbridge import BadSource, Intervals, Segmentation
from nwbridge_ideas import Options, describe


@pytest.fixture
def parts():
    rng = np.random.default_rng(8)
    return rng.random((5, 4, 7)).astype("<f4"), rng.random((5, 30)).astype("<f4")


def segmentation(path):
    (found,) = describe(path, Options()).of(Segmentation)
    return found


@pytest.mark.parametrize("size", [1, 2, 5])
def test_reads_images_and_traces_cell_by_cell(tmp_path, isxd, parts, values, size):
    images, traces = parts
    traces[1, 3:5] = np.nan
    found = segmentation(isxd.cells(tmp_path / "c.isxd", images, traces, status=[0, 1, 2, 0, 1]))
    np.testing.assert_array_equal(values(found.regions, size), images)
    np.testing.assert_array_equal(values(found.traces[0].data, size), traces)
    assert found.regions.parallel
    assert found.status == ("accepted", "undecided", "rejected", "accepted", "undecided")
    assert (found.traces[0].rate_hz, found.traces[0].kind) == (10.0, "other")


@pytest.mark.parametrize(
    ("unit", "kind", "said"),
    [("dF over F", "dff", None), ("raw", "fluorescence", "raw"), ("dF over noise", "other", "dF over noise")],
)
def test_knows_the_kind_of_traces_only_where_the_footer_says_it(tmp_path, isxd, parts, unit, kind, said):
    extra = {"idps": {"cellset": {"method": "cnmfe", "units": unit}}}
    found = segmentation(isxd.cells(tmp_path / "c.isxd", *parts, extraProperties=extra))
    assert (found.traces[0].kind, found.traces[0].unit) == (kind, said)
    assert "cnmfe" in found.description


def test_reads_names_colours_and_metrics(tmp_path, isxd, parts):
    nowhere = {"x": -(1 << 63), "y": -(1 << 63)}
    metrics = [[2, {"x": 5, "y": 1}, {"x": 6, "y": 2}, 9.5, 4.5, 3.25, 2.5], [0, nowhere, nowhere, 0, 0, 1, 1], None]
    more = {"CellColors": [1, 2, 4294967295, 4, 5], "CellActivity": [True, False, True, True, True]}
    names = ["C000", "C001", "µ 2", "C003", "C004"]
    path = isxd.cells(tmp_path / "c.isxd", *parts, names, cellMetrics=metrics + [metrics[0]] * 2, **more)
    columns = {column.name: column.values for column in segmentation(path).columns}
    assert columns["cell_name"].tolist() == names
    assert columns["cell_color"].tolist() == more["CellColors"]
    assert columns["cell_active"].tolist() == more["CellActivity"]
    nan = np.nan
    np.testing.assert_array_equal(columns["metric_components"], [2, 0, nan, 2, 2])
    np.testing.assert_array_equal(columns["metric_center_row"], [1, nan, nan, 1, 1])
    np.testing.assert_array_equal(columns["metric_largest_center_column"], [6, nan, nan, 6, 6])
    np.testing.assert_array_equal(columns["metric_area"], [9.5, 0, nan, 9.5, 9.5])
    np.testing.assert_array_equal(columns["metric_largest_width"], [2.5, 1, nan, 2.5, 2.5])


def test_reads_an_empty_cell_set(tmp_path, isxd):
    found = segmentation(isxd.cells(tmp_path / "c.isxd", np.empty((0, 4, 7)), np.empty((0, 30))))
    assert (len(found), found.image_shape, found.traces) == (0, (4, 7), ())


def test_reads_cells_without_a_sample(tmp_path, isxd, values):
    images = np.ones((2, 4, 7), "<f4")
    found = segmentation(isxd.cells(tmp_path / "c.isxd", images, np.empty((2, 0))))
    np.testing.assert_array_equal(values(found.regions), images)
    assert found.traces == ()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("CellNames", ["C0"], "footer's CellStatuses is a list of 5; expected 1, one for each"),
        ("CellNames", [f"C{n}" for n in range(6)], "footer's CellStatuses is a list of 5; expected 6"),
        ("CellNames", [1, 2, 3, 4, 5], "expected text only"),
        ("CellStatuses", [0, 0], "footer's CellStatuses is a list of 2; expected 5, one for each"),
        ("CellStatuses", [0, 1, 2, 3, 0], "expected 0 (accepted), 1 (undecided) or 2 (rejected)"),
        ("CellColors", [1, 2], "footer's CellColors is a list of 2; expected 5"),
        ("CellColors", [-1] * 5, "footer's CellColors"),
        ("cellMetrics", [None] * 4, "footer's cellMetrics is a list of 4; expected 5"),
        ("cellMetrics", [[1, 2]] * 5, "footer's cellMetrics is [1, 2]; expected 7 metrics"),
        ("cellMetrics", [3.5] * 5, "footer's cellMetrics is 3.5; expected 7 metrics of each cell"),
        ("cellMetrics", [[1, 5, 5, 1, 1, 1, 1]] * 5, "footer's cellMetrics is [1, 5, 5, 1, 1, 1, 1]; expected 7"),
        ("cellMetrics", [[1, {"x": 1}, {"x": 1}, 1, 1, 1, 1]] * 5, "two of them points"),
        ("cellMetrics", [[1, {"x": 1, "y": 1}, {"x": 1, "y": 1}, "a", 1, 1, 1]] * 5, "two of them points"),
        ("fileVersion", 4, "footer's fileVersion is 4; expected 5"),
        ("dataType", "double", "footer's dataType is double; expected float"),
    ],
)
def test_names_the_list_that_cannot_be_true(tmp_path, isxd, parts, key, value, words):
    path = isxd.change(isxd.cells(tmp_path / "c.isxd", *parts), key, value=value)
    with pytest.raises(BadSource) as caught:
        describe(path, Options())
    assert words in str(caught.value)
    assert "c.isxd" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "value"), [(("spacingInfo", "numPixels", "x"), 400_000), (("timingInfo", "numTimes"), 10**15)]
)
def test_refuses_masks_and_traces_larger_than_the_file(tmp_path, isxd, parts, keys, value):
    path = isxd.change(isxd.cells(tmp_path / "c.isxd", *parts), *keys, value=value)
    with pytest.raises(BadSource, match=r"1,160 bytes lie before the footer, which declares 5 cells"):
        describe(path, Options())


def test_says_so_where_a_file_was_cut_after_it_was_described(tmp_path, isxd, parts, values):
    path = isxd.cells(tmp_path / "c.isxd", *parts)
    found = segmentation(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadSource, match=r"c\.isxd ends at byte 500"):
        values(found.traces[0].data)


def test_reads_what_the_vendor_writes(tmp_path, isx, parts, values):
    images, traces = parts
    path = tmp_path / "c.isxd"
    timing = isx.Timing(num_samples=30, period=isx.Duration.from_msecs(50), dropped=[3], cropped=[(7, 9)])
    theirs = isx.CellSet.write(str(path), timing, isx.Spacing(num_pixels=(4, 7)))
    for n in range(5):
        theirs.set_cell_data(n, images[n], traces[n], f"N{n}")
    theirs.flush()
    del theirs
    theirs = isx.CellSet.read(str(path), read_only=False)
    for n, status in enumerate(("accepted", "rejected", "undecided", "accepted", "rejected")):
        theirs.set_cell_status(n, status)
    theirs.flush()
    del theirs
    session, again = describe(path, Options()), isx.CellSet.read(str(path))
    (found,) = session.of(Segmentation)
    for n in range(5):
        np.testing.assert_array_equal(values(found.regions)[n], again.get_cell_image_data(n))
        np.testing.assert_array_equal(values(found.traces[0].data)[n], again.get_cell_trace_data(n))
        assert found.status[n] == again.get_cell_status(n)
        assert found.columns[0].values[n] == again.get_cell_name(n)
    assert np.isnan(values(found.traces[0].data)[:, [3, 7, 8, 9]]).all()
    assert session.of(Intervals)[0]["reason"].values.tolist() == ["dropped", "cropped"]


# real cell sets


@pytest.mark.parametrize(
    "name",
    ["cellset_accepted_undecided_and_rejected_cells", "cellset_series_part1", "edge/cellset_dropped"],
)
def test_reads_real_cell_sets_as_the_vendor_does(real, isx, values, name):
    path = real / f"{name}.isxd"
    found, theirs = segmentation(path), isx.CellSet.read(str(path))
    images, traces = values(found.regions, 3), values(found.traces[0].data, 3)
    assert len(found) == theirs.num_cells
    assert found.image_shape == theirs.spacing.num_pixels
    for n in range(theirs.num_cells):
        np.testing.assert_array_equal(images[n], theirs.get_cell_image_data(n))
        np.testing.assert_array_equal(traces[n], theirs.get_cell_trace_data(n))
        assert (found.status[n], found.columns[0].values[n]) == (theirs.get_cell_status(n), theirs.get_cell_name(n))


def test_reads_the_real_statuses_of_all_three_kinds(real, isxd):
    path = real / "cellset_accepted_undecided_and_rejected_cells.isxd"
    found, footer = segmentation(path), isxd.read(path)[1]
    names = ("accepted", "undecided", "rejected")
    assert list(found.status) == [names[n] for n in footer["CellStatuses"]]
    assert found.traces[0].kind == "dff"
    assert json.dumps(footer["extraProperties"]["idps"]["cellset"]["units"]) == '"dF over F"'
