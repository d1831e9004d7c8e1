"""Variants of the format: older layouts, volumes, evaluations, and values that are text, empty or infinite."""

import itertools

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import Images, Parameters, Segmentation, Table
from nwbridge_caiman import Options, describe, example
from nwbridge_caiman.example import PARAMETERS, put

MOUSE = {"Subject": {"species": "Mus musculus"}}


def read(array):
    with array.open() as reader:
        return np.asarray(reader[0 : array.shape[0]])


def cells_of(path):
    return describe(path, Options()).of(Segmentation)[0]


def messages(path):
    return [f"{f.severity}: {f.message}" for f in describe(path, Options()).findings]


def sparse_members(dense, name="estimates/A"):
    """Return the members of a sparse matrix, by columns."""
    column, row = np.nonzero(dense.T)
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=0))])
    return {
        name: ...,
        f"{name}/data": dense[row, column],
        f"{name}/indices": row.astype(np.int32),
        f"{name}/indptr": ends.astype(np.int32),
        f"{name}/shape": np.array(dense.shape),
    }


# up to version 1.9.8


@pytest.fixture
def older(edited):
    """The example with every text as a data set, as CaImAn wrote it up to version 1.9.8."""
    texts = {
        f"params/{group}/{key}": value
        for group, values in PARAMETERS.items()
        for key, value in values.items()
        if isinstance(value, str)
    }
    path = edited()
    with h5py.File(path, "r+") as file:
        for name, value in texts.items():
            group, _, key = name.rpartition("/")
            del file[group].attrs[key]
            file[name] = value
        del file.attrs["mmap_file"]
        file["mmap_file"] = "/Users/jane/memmap__d1_30_d2_44_d3_1_order_C_frames_80_.mmap"
        del file["params/data/caiman_version"]
    return path


def test_reads_texts_that_are_data_sets(older, tmp_path):
    session = describe(older, Options())
    (table,) = session.of(Parameters)
    assert table.values["init/method_init"] == "greedy_roi"
    assert table.values["mmap_file"] == "memmap__d1_30_d2_44_d3_1_order_C_frames_80_.mmap"
    assert (table.values["patch/rf"], table.version, session.findings) == (None, None, ())
    assert nwbridge.convert(older, tmp_path / "out.nwb", metadata=MOUSE).ok


def test_both_layouts_give_the_same(older, tmp_path):
    (tmp_path / "newer").mkdir()
    newer = describe(example(tmp_path / "newer"), Options())
    assert describe(older, Options()).elements[:-1] == newer.elements[:-1]


@pytest.mark.parametrize(
    "place",
    [
        "/Users/jane/movies/day 1.tif",
        r"C:\Users\Jane Doe\day 1.tif",
        r"\\server\lab\day 1.tif",
        "~/day 1.tif",
        "day 1.tif",
    ],
)
def test_names_files_without_their_folders(edited, place):
    changes = {"params/data/fnames": place, "params/online/path_to_model": place, "params/new/anything": place}
    session = describe(edited(changes), Options())
    values = session.of(Parameters)[0].values
    assert {values[key] for key in ("data/fnames", "online/path_to_model", "new/anything")} == {"day 1.tif"}
    assert session.description == "CaImAn results caiman_example of the movie day 1.tif."


def test_leaves_relative_folders_out_where_a_file_is_meant(edited):
    changes = {"params/data/fnames": "mice/day 1.tif", "params/new/unit": "mice/day"}
    values = describe(edited(changes), Options()).of(Parameters)[0].values
    assert (values["data/fnames"], values["new/unit"]) == ("day 1.tif", "mice/day")


def test_keeps_texts_that_are_no_places(edited):
    values = describe(edited({"params/new/unit": "spikes/s"}), Options()).of(Parameters)[0].values
    assert values["new/unit"] == "spikes/s"


def test_a_file_without_parameters_has_no_rate(edited):
    path = edited(params=...)
    session = describe(path, Options())
    assert {trace.rate_hz for s in session.of(Segmentation) for trace in s.traces} == {None}
    with pytest.raises(nwbridge.MissingMetadata):
        nwbridge.convert(path, path.with_suffix(".nwb"), metadata=MOUSE)
    nwbridge.convert(path, path.with_suffix(".nwb"), metadata=MOUSE, options={"rate": "12.5"})
    with h5py.File(path.with_suffix(".nwb")) as file:
        assert file["processing/ophys/Fluorescence/raw/starting_time"].attrs["rate"] == 12.5


@pytest.mark.parametrize("rate", [0, -3.0, np.nan, np.inf, True, "10", np.array([10.0, 11.0]), ...], ids=str)
def test_a_rate_that_is_none_is_unknown_and_said(edited, rate):
    path = edited({"params/data/fr": rate})
    assert cells_of(path).traces[0].rate_hz is None
    assert [f.advice for f in describe(path, Options()).findings if "params/data/fr is " in f.message] == [
        "give --rate HZ"
    ]


def test_the_rate_that_the_user_gives_comes_first(edited):
    session = describe(edited(footer()), Options(rate=12.5))
    assert {trace.rate_hz for s in session.of(Segmentation) for trace in s.traces} == {12.5}
    assert (session.findings, session.origins["Ophys.OnePhotonSeries.rate"]) == ((), "option --rate")


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_rate_that_is_none(edited, rate):
    with pytest.raises(nwbridge.BadOption, match=r"--rate .*: expected frames a second, above 0"):
        describe(edited(), Options(rate=rate))


# evaluation


@pytest.mark.parametrize(
    ("accepted", "rejected", "status"),
    [
        (None, None, None),
        ([], [0, 1, 2, 3], ["rejected"] * 4),
        (np.zeros(0), np.arange(4, dtype=np.int32), ["rejected"] * 4),
        ([0, 1, 2, 3], [], ["accepted"] * 4),
        ([], [], ["not evaluated"] * 4),
        ([3], [0], ["rejected", "not evaluated", "not evaluated", "accepted"]),
        ([3, 1], None, ["not evaluated", "accepted", "not evaluated", "accepted"]),
        (..., ..., None),
    ],
    ids=str,
)
def test_says_of_each_component_what_the_evaluation_said(edited, accepted, rejected, status):
    path = edited({"estimates/idx_components": accepted, "estimates/idx_components_bad": rejected})
    assert cells_of(path).status == (None if status is None else tuple(status))


def test_keeps_infinite_and_missing_qualities(edited):
    columns = {column.name: column for column in cells_of(edited()).columns}
    np.testing.assert_array_equal(columns["SNR_comp"].values, [6.5, np.inf, 1.25, 4.75])
    np.testing.assert_array_equal(columns["r_values"].values, [0.93, 0.9, 0.4, np.nan])


@pytest.mark.parametrize(
    ("stored", "values"),
    [
        (np.array([b"-475.6371413360189", b"0.0", b"2", b"1e-07"]), [-475.6371413360189, 0.0, 2.0, 1e-7]),
        (np.array([b"1.5", b"None", b"2", b"nan"]), [1.5, np.nan, 2.0, np.nan]),
        (np.array([b"[0.9 0.1]", b"0.5", b"1", b"2"]), ["[0.9 0.1]", "0.5", "1", "2"]),
        (np.array([b"None"] * 4), None),
        (np.array([b"NoneType"] * 4), None),
        (None, None),
        (0.0, None),
        (np.zeros(0), None),
    ],
    ids=str,
)
def test_reads_qualities_that_are_text_or_nothing(edited, stored, values):
    columns = {column.name: column.values for column in cells_of(edited({"estimates/bl": stored})).columns}
    if values is None:
        assert "bl" not in columns
    else:
        np.testing.assert_array_equal(columns["bl"], values)


def test_keeps_all_coefficients_of_a_second_order_process(edited, tmp_path):
    path = edited({"estimates/g": np.arange(8.0).reshape(4, 2)})
    nwbridge.convert(path, tmp_path / "out.nwb", metadata=MOUSE)
    with h5py.File(tmp_path / "out.nwb") as file:
        stored = file["processing/ophys/ImageSegmentation/PlaneSegmentation/g"][()]
    np.testing.assert_array_equal(stored, np.arange(8.0).reshape(4, 2))


def test_keeps_components_that_were_taken_out(edited):
    dense = np.zeros((1320, 2))
    dense[[5, 31, 1319], [0, 0, 1]] = 0.5
    changes = sparse_members(dense, "estimates/discarded_components/A")
    changes |= {f"estimates/discarded_components/{key}": np.ones((2, 80)) for key in ("C", "YrA", "S")}
    session = describe(edited(changes), Options())
    gone = next(s for s in session.of(Segmentation) if s.name == "DiscardedComponents")
    assert gone.status == ("rejected", "rejected")
    assert [region.pixels.tolist() for region in gone.regions] == [[[5, 0], [1, 1]], [[29, 43]]]
    assert [t.name for t in gone.traces] == ["discarded_denoised", "discarded_raw", "discarded_deconvolved"]


# footprints


def test_a_component_without_pixels_keeps_its_row_and_is_said(edited, tmp_path):
    dense = np.zeros((1320, 4))
    dense[[7, 40, 1319], [0, 2, 3]] = 0.25, 0.5, 1
    path = edited(sparse_members(dense))
    regions = cells_of(path).regions
    assert [(r.pixels.tolist(), r.weights.tolist()) for r in regions] == [
        ([[7, 0]], [0.25]), ([[0, 0]], [0.0]), ([[10, 1]], [0.5]), ([[29, 43]], [1.0])
    ]  # fmt: skip
    assert any("component 1 of estimates/A has no pixel" in message for message in messages(path))
    assert nwbridge.convert(path, tmp_path / "out.nwb", metadata=MOUSE).ok


@pytest.mark.parametrize("weights", [np.float32, np.float64])
@pytest.mark.parametrize("indices", [np.int32, np.int64, np.uint32])
def test_reads_matrices_of_any_system(edited, weights, indices):
    dense = np.zeros((1320, 4), weights)
    dense[[31, 7, 40, 1319], [0, 1, 2, 3]] = 0.1
    members = sparse_members(dense)
    members |= {f"estimates/A/{part}": members[f"estimates/A/{part}"].astype(indices) for part in ("indices", "indptr")}
    regions = cells_of(edited(members)).regions
    assert [region.pixels.tolist() for region in regions] == [[[1, 1]], [[7, 0]], [[10, 1]], [[29, 43]]]
    assert {region.weights.dtype for region in regions} == {np.dtype(weights)}


def test_reads_indices_in_any_order(edited):
    path = edited()
    expected = cells_of(path).regions
    with h5py.File(path, "r+") as file:
        group, ends = file["estimates/A"], file["estimates/A/indptr"][()]
        for start, stop in itertools.pairwise(ends):
            for part in ("data", "indices"):
                group[part][start:stop] = group[part][start:stop][::-1]
    for one, other in zip(cells_of(path).regions, expected, strict=True):
        np.testing.assert_array_equal(one.pixels[::-1], other.pixels)
        np.testing.assert_array_equal(one.weights[::-1], other.weights)


def test_says_that_the_number_of_components_is_stale(edited):
    assert messages(edited({"estimates/nr": 9})) == ["hint: estimates/nr says 9 components, A has 4: A's are written"]


# volumes


def test_reads_volumes(tmp_path):
    path, dims = tmp_path / "volume.hdf5", (6, 5, 4)
    dense = np.zeros((120, 2), np.float32)
    places = np.array([(4, 1, 2), (5, 0, 2), (3, 0, 3)])
    dense[np.ravel_multi_index(places.T, dims, order="F"), [0, 0, 1]] = 0.5, 1, 0.25
    rng = np.random.default_rng(3)
    members = sparse_members(dense) | {
        "dims": np.array(dims),
        "params/data/fr": 4.0,
        "estimates/C": rng.random((2, 9)),
        "estimates/b": rng.random((120, 1)),
        "estimates/f": rng.random((1, 9)),
        "estimates/Cn": rng.random(dims),
        "estimates/sn": np.arange(120.0),
    }
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            if value is not ...:
                put(file, name, value)
    session = describe(path, Options())
    cells, background = session.of(Segmentation)
    assert [sorted(region.pixels.tolist()) for region in cells.regions] == [[[4, 1, 2], [5, 0, 2]], [[3, 0, 3]]]
    np.testing.assert_array_equal(read(background.regions)[0], members["estimates/b"][:, 0].reshape(dims, order="F"))
    (summary,) = session.of(Images)
    assert [image.name for image in summary.images] == [f"{key}_plane_{n}" for key in ("Cn", "sn") for n in range(4)]
    np.testing.assert_array_equal(read(summary.images[3].data), members["estimates/Cn"][:, :, 3])
    np.testing.assert_array_equal(read(summary.images[6].data), np.arange(120.0).reshape(dims, order="F")[:, :, 2])
    assert nwbridge.convert(path, tmp_path / "out.nwb", metadata=MOUSE).ok
    with h5py.File(tmp_path / "out.nwb") as file:
        mask = file["processing/ophys/ImageSegmentation/PlaneSegmentation/voxel_mask"][()]
    assert sorted(zip(mask["y"].tolist(), mask["x"].tolist(), mask["z"].tolist(), strict=True)) == [
        (3, 0, 3), (4, 1, 2), (5, 0, 2)
    ]  # fmt: skip


# traces


def test_a_file_without_residuals_has_no_raw_traces(edited):
    path = edited({"estimates/YrA": None, "estimates/R": None})
    assert [trace.name for trace in cells_of(path).traces] == ["denoised", "deconvolved", "dff"]
    assert any("there are no raw traces" in message for message in messages(path))


def test_keeps_residuals_that_differ_from_yra(edited):
    path = edited({"estimates/R": np.full((4, 80), 2.5)})
    residual = cells_of(path).traces[-1]
    assert (residual.name, residual.kind) == ("residual", "other")
    np.testing.assert_array_equal(read(residual.data), np.full((4, 80), 2.5))


def with_dff(edited, change, **more):
    """Return the example with F_dff computed from its raw traces."""
    path = edited(**more)
    with h5py.File(path, "r+") as file:
        raw = file["estimates/C"][()] + file["estimates/YrA"][()]
        file["estimates/F_dff"][()] = change(raw - np.percentile(raw, 8, axis=1, keepdims=True))
    return path


@pytest.mark.parametrize(
    ("change", "background", "kind"),
    [
        (lambda raw: raw / 700, True, "dff"),
        (lambda raw: raw, True, "detrended"),
        (lambda raw: raw, False, "detrended"),
        (lambda raw: raw / 700, False, "other"),
        (lambda raw: raw * np.nan, True, "dff"),
        (lambda raw: raw * np.nan, False, "other"),
        (lambda raw: raw * 0, False, "other"),
        (lambda raw: raw * 1e304, True, "dff"),
    ],
    ids=[
        "divided",
        "only detrended",
        "detrended, no background",
        "divided by what",
        "nan",
        "nan, no background",
        "0",
        "beyond squares",
    ],
)
def test_tells_dff_from_what_is_only_detrended(edited, change, background, kind):
    path = with_dff(edited, change, **({} if background else {"estimates/b": None, "estimates/f": None}))
    trace = next(t for t in cells_of(path).traces if t.name in ("dff", "detrended", "F_dff"))
    assert (trace.kind, trace.name) == (kind, {"other": "F_dff"}.get(kind, kind))
    assert any("may not be ΔF/F" in message for message in messages(path)) == (kind == "other")


def test_sees_through_the_scale_of_footprints(edited):
    """CaImAn scales traces by the norm of the footprint before it detrends them."""
    path = with_dff(edited, lambda raw: raw * 3)
    with h5py.File(path, "r+") as file:
        file["estimates/A/data"][()] *= 3
    assert cells_of(path).traces[3].kind == "detrended"


def test_sees_through_a_baseline_that_follows_the_trace(edited):
    """A short window takes a part of every change with it."""
    assert cells_of(with_dff(edited, lambda raw: raw * 0.92)).traces[3].kind == "detrended"


@pytest.mark.parametrize(("level", "kind"), [(1.0, "dff"), (0.6, "dff"), (1.7, "dff"), (5.0, "detrended")])
@pytest.mark.parametrize("sparse", [False, True])
def test_calls_it_dff_where_dividing_by_the_background_changes_nothing(edited, level, kind, sparse):
    """In a movie whose values are near 1, changes of ΔF/F are as large as those of the fluorescence."""
    path = with_dff(edited, lambda raw: raw)
    with h5py.File(path, "r+") as file:
        part = file["estimates"]
        footprints = np.zeros((1320, 4))
        for number, (start, stop) in enumerate(itertools.pairwise(part["A/indptr"][()])):
            footprints[part["A/indices"][start:stop], number] = part["A/data"][start:stop]
        part["b"][()] *= footprints.any(axis=1)[:, np.newaxis]  # there is none beside the cells
        raw = part["C"][()] + part["YrA"][()] + footprints.T @ part["b"][()] @ part["f"][()]
        scale = level / np.median(raw)
        for name in ("C", "YrA", "F_dff", "b"):
            part[name][()] *= scale
        for name, factor in (("A/data", 3), ("C", 1 / 3), ("YrA", 1 / 3)):  # A C stays the same
            part[name][()] *= factor
        if sparse:
            dense = part["b"][()]
            del part["b"]
            for name, value in sparse_members(dense, "estimates/b").items():
                if value is not ...:
                    file[name] = value
    assert cells_of(path).traces[3].kind == kind


def test_adds_small_whole_numbers_without_wrapping(edited):
    whole = np.full((4, 80), 200, np.uint8)
    raw = cells_of(edited({"estimates/C": whole, "estimates/YrA": whole})).traces[1].data
    assert (raw.dtype, set(read(raw).flat)) == (np.float32, {400.0})


def test_reads_traces_in_blocks(edited):
    raw = cells_of(edited()).traces[1].data
    with raw.open() as reader:
        blocks = [reader[start : start + 3] for start in (0, 3)]
    assert [block.shape for block in blocks] == [(3, 80), (1, 80)]
    np.testing.assert_array_equal(np.concatenate(blocks), read(raw))


def test_adds_traces_of_two_types_as_the_wider(edited):
    denoised = np.random.default_rng(2).random((4, 80)).astype(np.float32)
    path = edited({"estimates/C": denoised})
    raw = cells_of(path).traces[1].data
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read(raw), denoised + file["estimates/YrA"][()])
    assert raw.dtype == np.float64


# background


@pytest.mark.parametrize("nothing", [None, np.zeros((1320, 0))], ids=["None", "no component"])
def test_a_file_without_background_has_none(edited, nothing):
    path = edited({"estimates/b": nothing, "estimates/f": None if nothing is None else np.zeros((0, 80))})
    assert [s.name for s in describe(path, Options()).of(Segmentation)] == ["PlaneSegmentation"]


def test_says_that_the_trace_of_an_absent_background_is_left(edited):
    path = edited({"estimates/b": None})
    assert any("estimates/f is there and estimates/b is not" in message for message in messages(path))


def test_reads_a_sparse_background(edited):
    dense = np.zeros((1320, 2))
    dense[[3, 40, 1319], [0, 0, 1]] = 0.5, 0.25, 1
    background = describe(edited(sparse_members(dense, "estimates/b")), Options()).of(Segmentation)[1]
    expected = dense.reshape(30, 44, 2, order="F").transpose(2, 0, 1)
    np.testing.assert_array_equal(read(background.regions), expected)
    with background.regions.open() as reader:
        np.testing.assert_array_equal(reader[1:2], expected[1:])


@pytest.mark.parametrize(("block", "grid"), [(1, (30, 44)), (2, (15, 22)), (4, (8, 11))])
def test_finds_the_blocks_of_the_ring_model(edited, block, grid):
    size = grid[0] * grid[1]
    weights = np.zeros((size, size), np.float32)
    weights[[1, 5, 2], [0, 0, size - 1]] = 0.5, 0.25, 1
    path = edited(sparse_members(weights, "estimates/W"), **{"estimates/b0": np.arange(1320.0)})
    (table,) = describe(path, Options()).of(Table)
    assert f"grid of {grid[0]} × {grid[1]}" in table.description
    assert ("W takes the means of blocks" in table.description) == (block > 1)
    assert (table["row"].values[-1], table["column"].values[-1]) == (grid[0] - 1, grid[1] - 1)
    assert (table["row"].values[1], table["column"].values[1]) == (1, 0)
    assert table["targets"].values.tolist() == [1, 5, 2]
    assert table["weights"].values.tolist() == [0.5, 0.25, 1]
    assert table["targets"].ends[[0, 1, -2, -1]].tolist() == [2, 2, 2, 3]


# the footer that IDEAS adds


def footer(seconds=1512031314252, offset=0, **more):
    pairs = {"timingInfo/period": (50, 1000), "timingInfo/start/secsSinceEpoch": (seconds, 1000)}
    pairs |= {"spacingInfo/pixelSize/x": (176, 100), "spacingInfo/pixelSize/y": (3, 1)}
    values = {f"{name}/{part}": n for name, pair in pairs.items() for part, n in zip(("num", "den"), pair, strict=True)}
    values |= {"timingInfo/start/utcOffset": offset, "timingInfo/numTimes": 80}
    values |= {"spacingInfo/numPixels/x": 44, "spacingInfo/numPixels/y": 30}
    return {f"movie_metadata/{name}": value for name, value in (values | more).items()}


@pytest.mark.parametrize(
    ("offset", "start"),
    [
        (0, "2017-11-30T08:41:54.252000+00:00"),
        (-21600, "2017-11-30T02:41:54.252000-06:00"),
        (-21, "2017-11-30T08:41:54.252000+00:00"),  # no time zone
        (90000, "2017-11-30T08:41:54.252000+00:00"),
    ],
)
def test_takes_start_and_rate_from_the_footer_and_not_the_sensor_s_pixels(edited, offset, start):
    path = edited(footer(offset=offset))
    session = describe(path, Options())
    assert session.start_time.isoformat() == start
    plane = session.of(Segmentation)[0].plane
    assert (plane.rate_hz, plane.pixel_um) == (20.0, None)
    assert any("fr is 15.0 Hz and the movie's footer says 20 Hz" in message for message in messages(path))
    assert session.origins["Ophys.TwoPhotonSeries.rate"] == "movie_metadata/timingInfo/period"


def test_keeps_the_parameter_where_the_footer_agrees(edited):
    session = describe(edited(footer(), **{"params/data/fr": 20.001}), Options())
    assert session.of(Segmentation)[0].plane.rate_hz == 20.001
    assert (session.findings, session.origins["Ophys.TwoPhotonSeries.rate"]) == ((), "params/data/fr")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"timingInfo/numTimes": 50}, "hint: the first movie's footer has 50 frames, the traces 80"),
        ({"timingInfo/numTimes": 90}, "warning: the first movie's footer has 90 frames, the traces 80"),
        ({"timingInfo/dropped": [5]}, "warning: the first movie's footer lists dropped frames"),
        ({"timingInfo/blank": 5}, "warning: the first movie's footer lists blank frames"),
        ({"timingInfo/cropped": [b"8 - 10"], "timingInfo/blank": [3]}, "footer lists cropped and blank frames"),
        ({"spacingInfo/numPixels/x": 30, "spacingInfo/numPixels/y": 44}, "images of (44, 30), the results (30, 44)"),
        ({"seconds": 0}, "1970-01-01T00:00:00+00:00 as its start"),
        ({"seconds": 1 << 62}, "footer gives 4.61169e+15 s after 1970 as its start"),
        ({"seconds": 253402300799000, "offset": 36000}, "footer gives 2.53402e+11 s after 1970 as its start"),
    ],
    ids=str,
)
def test_says_where_the_footer_does_not_fit(edited, more, message):
    path = edited(footer(**more), **{"params/data/fr": 20.0})
    assert [message in found for found in messages(path)] == [True]


@pytest.mark.parametrize(
    "more",
    [
        {f"{name}/{part}": value}
        for name, part, value in (
            ("timingInfo/period", "den", 0),
            ("timingInfo/period", "num", 5e-321),
            ("timingInfo/period", "num", np.nan),
            ("timingInfo/period", "num", -50),
            ("timingInfo/period", "num", "50"),
            ("spacingInfo/numPixels", "x", np.array([44, 45])),
        )
    ],
    ids=str,
)
def test_takes_nothing_from_a_footer_that_is_no_number(edited, more):
    session = describe(edited(footer(**more), **{"params/data/fr": 20.0}), Options())
    plane = session.of(Segmentation)[0].plane
    assert plane.rate_hz == 20.0
    assert session.findings == ()


# what is left


def odd_parameters(file):
    """Add what is no text and no number, each of another kind."""
    group = file["params/data"]
    group.create_dataset("ref", data=np.array([file["dims"].ref], dtype=h5py.ref_dtype))
    group.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype(np.int32))
    group.create_dataset("empty", data=h5py.Empty("f"))
    group.attrs["reference"] = file["dims"].ref
    group["pair"] = np.array([(1, 2.5)], dtype=[("a", int), ("b", float)])
    group["complex"] = np.array([1 + 2j])
    group["long"] = np.longdouble(1.5)
    group["half"] = np.float16(1.5)
    group["again"] = file["params"]
    group["nowhere"] = h5py.SoftLink("/nowhere")
    file["estimates/nowhere"] = h5py.SoftLink("/nowhere")


def test_names_parameters_of_kinds_that_are_no_text_and_no_numbers(edited):
    path = edited()
    with h5py.File(path, "r+") as file:
        odd_parameters(file)
    session = describe(path, Options())
    (left,) = [f.message for f in session.findings]
    named = {"complex (1,)", "long ()", "nowhere", "pair (1,)", "ragged (2,)", "ref (1,)", "reference"}
    expected = {f"params/data/{name}" for name in named} | {"estimates/nowhere"}
    assert expected < set(left.removeprefix("not carried: ").split(", "))
    values = session.of(Parameters)[0].values
    assert (values["data/half"], values["data/empty"]) == (1.5, None)
    assert not {"data/ref", "data/ragged", "data/pair", "data/complex"} & values.keys()


def test_names_what_is_left_of_the_root_and_of_components_that_were_taken_out(edited):
    gone = "estimates/discarded_components"
    changes = sparse_members(np.eye(1320, 2), f"{gone}/A")
    changes |= {f"{gone}/C": np.ones((2, 80)), f"{gone}/b": np.ones((1320, 2)), f"{gone}/nr": 2}
    changes |= {"big": np.ones(70000), "lab/note": "x", "lab/big": np.ones(70000), "estimates/sn": 1.5}
    path = edited(changes)
    assert messages(path) == [f"hint: not carried: big (70000,), {gone}/b (1320, 2), lab/big (70000,)"]
    values = describe(path, Options()).of(Parameters)[0].values
    kept = {"estimates/discarded_components/nr": 2, "lab/note": "x", "estimates/sn": 1.5}
    assert {key: values[key] for key in kept} == kept


def test_names_what_is_not_carried(edited):
    changes = {
        "estimates/CY": np.zeros((4, 900)),
        "estimates/Ab/data": np.ones(3),
        "params/preprocess/sn": np.ones(70000),
    }
    path = edited(changes, **{"estimates/mn": np.ones(3)})
    assert messages(path) == ["hint: not carried: estimates/Ab, estimates/CY (4, 900), params/preprocess/sn (70000,)"]
    assert describe(path, Options()).of(Parameters)[0].values["estimates/mn"] == [1, 1, 1]
