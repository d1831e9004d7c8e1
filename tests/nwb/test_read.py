"""What is written reads back: every element, with h5py as the independent reader of the values between."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import h5py
import numpy as np
import pynwb
import pytest

import nwbridge
from nwbridge import (
    BadSource,
    Channel,
    Column,
    Device,
    Electrode,
    Events,
    Image,
    Images,
    Intervals,
    Localizations,
    Movie,
    Parameters,
    Plane,
    Region,
    Segmentation,
    Series,
    Session,
    Source,
    Subject,
    Table,
    Traces,
    Units,
    arrays,
)
from nwbridge.nwb.read import read
from nwbridge.plugins import Plugin, Registry
from nwbridge.testing.holdings import arrays_of, content_of, read_all, values_in

ROWS, COLUMNS, FRAMES = 12, 17, 50
MASKS = "processing/ophys/ImageSegmentation/Cells"
RNG = np.random.default_rng(0)
PLANE = Plane("Plane", "layer 2/3", Device("Scope", "a scope", "Maker", "Model 1"), (Channel("Green", "GFP", 520.0),))
VOLUME = Plane("Volume", pixel_um=(1.0, 2.0, 5.0))
PIPETTE = Electrode("Pipette", "borosilicate", Device("Amplifier", model="700B"), "cell-1", "VISp2/3")


def lazy(*shape, dtype=np.float64):
    return arrays.from_numpy(RNG.integers(0, 250, shape).astype(dtype) if dtype != np.float64 else RNG.random(shape))


def regions(count, dtype):
    pixels = [np.argwhere(RNG.random((ROWS, COLUMNS)) < 0.5) for _ in range(count)]
    return tuple(Region(p, RNG.random(len(p)).astype(dtype), id=10 * n + 3) for n, p in enumerate(pixels))


MOVIE = Movie("Movie", lazy(FRAMES, ROWS, COLUMNS, dtype=np.uint16), PLANE, rate_hz=7.3, start_s=0.25, pmt_gain=3.0)
CELLS = Segmentation(
    "Cells",
    regions(4, np.float64),
    (ROWS, COLUMNS),
    PLANE,
    "cells; of [two] kinds",
    status=("accepted", "rejected", "undecided", "not evaluated"),
    columns=(
        Column("snr", np.array([1.5, np.inf, np.nan, -2]), "signal to noise", unit="dB; 20 log10 [ratio]"),
        Column("cell_name", np.array(["C0", "β", "", "C3 [x]"])),
        Column("kept", np.array([True, False, True, True])),
        Column.ragged("g", [[0.9, -0.1], [], [0.8], [1.0, 2.0, 3.0]], "coefficients"),
    ),
    traces=(
        Traces("denoised", lazy(4, FRAMES, dtype=np.float32), "denoised", "C", rate_hz=7.3, start_s=0.25),
        Traces("dff", lazy(4, FRAMES), "dff", timestamps=arrays.from_numpy(np.sort(RNG.random(FRAMES)))),
    ),
)
ROWS_OF_TEXT = np.zeros(300_000, np.dtype([("frame", "i8"), ("x", "f8"), ("y", "f8"), ("uncertainty", "f4")]))
for name in ROWS_OF_TEXT.dtype.names:
    ROWS_OF_TEXT[name] = RNG.integers(0, 99, len(ROWS_OF_TEXT)) if name == "frame" else RNG.random(len(ROWS_OF_TEXT))
COLUMNS_OF_TEXT = arrays.from_numpy(ROWS_OF_TEXT).fields()
VOLTAGE = Series("voltage", lazy(100_000), "volts", "current clamp", "cell-attached", 40_000.0, electrode=PIPETTE)

ELEMENTS = [
    MOVIE,
    replace(MOVIE, name="Low", data=lazy(9, ROWS, COLUMNS, dtype=np.int16), field_of_view_um=(550.0, 575.3)),
    Movie(
        "OnePhoton",
        lazy(9, ROWS, COLUMNS, dtype=np.float32),
        PLANE,
        "one-photon",
        timestamps=arrays.from_numpy(np.arange(9) * 0.1 + 0.003),
        exposure_s=0.05,
        binning=2,
        conversion=0.23,
        offset=-23.0,
        unit="electrons",
        made_from="Movie; its first [9] frames, 50 %",
    ),
    Movie("Volumes", lazy(9, 5, 7, 3), VOLUME, rate_hz=1 / 3),
    CELLS,
    Segmentation("Float32", regions(2, np.float32), (ROWS, COLUMNS), PLANE),
    Segmentation("Cubes", (Region(np.array([[1, 2, 0], [4, 6, 2]]), np.array([0.5, 0.25])),), (5, 7, 3), VOLUME),
    Segmentation(
        "Background",
        lazy(2, ROWS, COLUMNS),
        None,
        PLANE,
        role="background",
        traces=(Traces("f", lazy(2, FRAMES), "background", rate_hz=7.3),),
    ),
    Segmentation("Cube masks", lazy(2, 5, 7, 3, dtype=np.float32), (5, 7, 3), VOLUME),
    Segmentation(
        "Unmasked", (Region(None),), None, PLANE, traces=(Traces("ratio", lazy(1, 80), "dff", rate_hz=3.0, unit="1"),)
    ),
    Segmentation("None found", (), (ROWS, COLUMNS), PLANE, "nothing fires"),
    VOLTAGE,
    replace(VOLTAGE, name="corrected", made_from="voltage", data=lazy(100_000)),
    Series("headers", lazy(FRAMES, 64, dtype=np.uint8), timestamps=arrays.from_numpy(np.sort(RNG.random(FRAMES)))),
    Units(
        columns=(
            Column.ragged("spike_times", [[0.1, 0.25], [], [0.7]], unit="seconds"),
            Column.ragged("obs_intervals", [[[0.0, 2.5]], [[0.0, 1.0], [1.5, 2.5]], [[0.0, 2.5]]]),
            Column("threshold", np.array([0.5, 0.6, 0.7]), unit="volts"),
        ),
        resolution_s=1 / 40_000,
    ),
    Intervals(
        "missing_frames",
        (
            Column("start_time", np.array([0.0, 1.0])),
            Column("stop_time", np.array([0.5, 2.0])),
            Column("reason", np.array(["dropped", "cropped"])),
        ),
    ),
    Intervals("trials", (Column("start_time", np.array([0.5, 1])), Column("stop_time", np.array([0.7, 2.0])))),
    Events(
        "events",
        (
            Column("timestamp", np.array([0.5, 0.25, 1.3])),
            Column("amplitude", np.array([1, 2, 3], np.float32)),
            Column("cell", np.array([0, 0, 3]), rows_of="Cells"),
        ),
    ),
    Events(
        "many_events",
        (
            Column("timestamp", arrays.from_numpy(np.arange(2000.0))),
            Column("cell", arrays.from_numpy(np.arange(2000) % 4), rows_of="Cells"),
        ),
    ),
    Localizations(
        "localizations",
        (
            *(Column(name, values, f"{name} as fitted", "nm") for name, values in COLUMNS_OF_TEXT.items()),
            Column("odd [px]", lazy(300_000), unit="px"),
            Column("loglikelihood", np.full(300_000, -1.5)),
        ),
        "single molecules",
        plane=PLANE,
        frame_base=1,
        found_in="Movie",
        software="ThunderSTORM",
        software_version="1.3",
    ),
    Images(
        "images",
        (
            Image("sum", lazy(ROWS, COLUMNS, dtype=np.float32), "of all frames", (0.01625, 0.01625)),
            Image("colour", lazy(ROWS, COLUMNS, 3, dtype=np.uint8), None, (0.1, 0.2)),
            Image("alpha", lazy(ROWS, COLUMNS, 4, dtype=np.uint8)),
        ),
        made_from="Movie",
    ),
    Images("snapshot", (Image("one", lazy(ROWS, COLUMNS, dtype=np.uint16)),), "before the movie"),
    Table(
        "ring",
        (
            Column("neighbour", lazy(2_000_000, dtype=np.int64), ends=np.arange(20_000, 2_000_001, 20_000)),
            Column("offset", lazy(100)),
        ),
        "weights",
    ),
    Table("lazy_only", (Column("b", lazy(7)), Column("a", lazy(7, dtype=np.int16)))),
    Parameters(
        "parameters",
        {
            "init": {"K": 4, "x": None, "g": [np.inf, float("nan")], "name": 'a {b} "c"', "on": np.bool_(True)},
            "list": [{"a": 1}, {"b": np.arange(3)}],
            "µ": 1e-300,
        },
        "what ran",
        "CaImAn",
        "1.9.9",
    ),
]
SESSION = Session(
    "s-1",
    "A session with everything.",
    tuple(ELEMENTS),
    start_time=datetime(2021, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC),
    subject=Subject("mouse-1", "Mus musculus", "F", "P90D", "birth", genotype="Emx1-Cre", weight="0.02 kg"),
    experimenter=("Doe, Jane", "Roe, Richard"),
    keywords=("a", "b"),
    lab="L",
    related_publications=("doi:10.1/x",),
    notes="Notes: with (brackets).",
)


def offering(session):
    """Return a registry whose one source describes every path as the session."""
    source = Source("x", "x", lambda path: "it is here", lambda path, options: session, lambda folder: folder)
    return Registry((Plugin("x", "nwbridge-x", "0", sources=(source,)),))


def converted(folder, session):
    """Convert a session as a source would describe it; return the file."""
    folder.mkdir(exist_ok=True)
    (folder / "in").write_text("x", "utf-8")
    result = nwbridge.convert(folder / "in", folder / "out.nwb", registry=offering(session))
    assert result.verified
    return folder / "out.nwb"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return converted(tmp_path_factory.mktemp("everything"), SESSION)


def test_a_file_reads_back_into_the_session_that_it_was_made_of(file):
    written, found = content_of(SESSION), content_of(read(file))
    for one, other in zip(written.elements, found.elements, strict=True):
        assert one == other
    assert found == written
    assert read(file).findings == ()


def test_h5py_and_the_reader_find_the_source_s_values(file):
    with h5py.File(file) as stored:
        values = values_in(stored)
    found = arrays_of(read(file))
    for name, array in arrays_of(SESSION).items():
        np.testing.assert_array_equal(values[name], read_all(array), err_msg=name)
        assert values[name].dtype == array.dtype, name
        if name in found:
            np.testing.assert_array_equal(read_all(found[name], 7 if array.shape[0] < 999 else None), values[name])


def test_every_footprint_lies_on_its_pixels_with_its_weights(file):
    with h5py.File(file) as stored:
        table = stored["processing/ophys/ImageSegmentation/Cells"]
        ends = table["pixel_mask_index"][()]
        for region, mask in zip(CELLS.regions, np.split(table["pixel_mask"][()], ends[:-1]), strict=True):
            np.testing.assert_array_equal(mask["y"], region.pixels[:, 0])
            np.testing.assert_array_equal(mask["x"], region.pixels[:, 1])
            np.testing.assert_array_equal(mask["weight"], region.weights)  # float64: not rounded to NWB's usual float32
        assert stored["processing/ophys/ImageSegmentation/Float32/pixel_mask"].dtype["weight"] == np.float32
        voxels = stored["processing/ophys/ImageSegmentation/Cubes/voxel_mask"][()]
        assert [tuple(v)[:3] for v in voxels] == [(2, 1, 0), (6, 4, 2)]  # x = column, y = row, z = plane


def test_pynwb_reads_traces_where_tools_look_for_them(file):
    with pynwb.NWBHDF5IO(file, "r") as io:
        stored = io.read()
        ophys = stored.processing["ophys"]
        assert set(ophys["DfOverF"].roi_response_series) == {"dff", "ratio"}
        assert set(ophys["Fluorescence"].roi_response_series) == {"denoised", "f"}
        dff = ophys["DfOverF"]["dff"]
        assert dff.rois.table is ophys["ImageSegmentation"]["Cells"]
        assert dff.data.shape == (FRAMES, 4)
        assert "voltage" in stored.acquisition
        assert "corrected" in stored.processing["icephys"].data_interfaces
        responses = stored.intracellular_recordings.category_tables["responses"]["response"]
        assert [responses[n].timeseries.name for n in range(len(responses))] == ["voltage"]
        assert stored.units.resolution == 1 / 40_000
        np.testing.assert_array_equal(stored.units["spike_times"][0], [0.1, 0.25])
        assert len(stored.units["spike_times"][1]) == 0
        unmasked = ophys["ImageSegmentation"]["Unmasked"]
        assert np.isnan(unmasked["image_mask"][0]).all()
        assert unmasked["image_mask"].data.shape == (1, 1, 1)


def test_localizations_are_readable_without_nwbridge(file, tmp_path):
    shutil.copy(file, tmp_path / "copy.nwb")
    code = (
        "import sys; sys.modules['nwbridge'] = None\n"  # as where it is not installed
        "import pynwb\n"
        f"with pynwb.NWBHDF5IO({str(tmp_path / 'copy.nwb')!r}, 'r') as io:\n"
        "    table = io.read().processing['ophys']['localizations']\n"
        "    print(table.colnames, table['x'].unit, table['x'].description, table.frame_base, table.found_in.name,\n"
        "          table.software, table.imaging_plane.name, float(table['x'][7]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    columns = "('frame', 'x', 'y', 'uncertainty', 'odd [px]', 'loglikelihood')"
    assert done.stdout.strip() == f"{columns} nm x as fitted 1 Movie ThunderSTORM Plane {ROWS_OF_TEXT['x'][7]}"


def test_what_nobody_states_reads_back_as_unknown(tmp_path):
    bare = Session("s", "Bare.", (Movie("M", lazy(3, 4, 5, dtype=np.uint8), Plane(), rate_hz=1.0),))
    found = read(converted(tmp_path / "bare", bare))
    assert content_of(found) == content_of(bare)
    assert (found.start_time, found.subject, found.notes) == (None, None, None)


def test_a_file_of_ours_converts_to_an_equal_one(file, tmp_path):
    nwbridge.convert(file, tmp_path / "again.nwb")
    assert content_of(read(tmp_path / "again.nwb")) == content_of(SESSION)


def test_tables_without_rows_leave_no_table_and_are_said(tmp_path):
    nothing = Events("spikes", (Column("timestamp", np.empty(0)),))
    session = Session("s", "Bare.", (MOVIE, nothing))
    path = converted(tmp_path / "empty", session)
    with h5py.File(path) as stored:
        assert "spikes" not in stored.get("events", {})
    (tmp_path / "empty" / "in").write_text("x", "utf-8")
    findings = nwbridge.inspect(tmp_path / "empty" / "in", registry=offering(session)).findings
    assert "spikes is empty; no table was written for it" in [finding.message for finding in findings]


def foreign(path, change):
    """Write a file as another program would, with pynwb alone."""
    from nwbridge.nwb.sample_file import write_sample

    write_sample(path)
    with pynwb.NWBHDF5IO(path, "a") as io:
        stored = io.read()
        change(stored)
        io.write(stored)
    return path


def test_what_the_model_cannot_hold_is_named(tmp_path):
    def change(stored):
        position = pynwb.behavior.SpatialSeries(
            name="nose", data=np.zeros((5, 2)), rate=1.0, reference_frame="corner", unit="meters"
        )
        stored.add_acquisition(position)
        link = pynwb.ophys.TwoPhotonSeries(
            name="Elsewhere",
            external_file=["a.tif"],
            starting_frame=[0],
            format="external",
            dimension=[3, 4],
            imaging_plane=stored.imaging_planes["ImagingPlane"],
            rate=1.0,
            unit="n.a.",
            num_samples=3,
        )
        stored.add_acquisition(link)

    session = read(foreign(tmp_path / "x.nwb", change))
    assert {finding.message for finding in session.findings} == {
        "nose (SpatialSeries) is not carried over",
        "Elsewhere (TwoPhotonSeries) is not carried over: its frames are in other files",
    }
    assert [element.name for element in session.elements] == ["TwoPhotonSeries"]


def test_traces_of_some_regions_only_are_named(tmp_path):
    def change(stored):
        module = stored.create_processing_module("ophys", "traces")
        masks = pynwb.ophys.ImageSegmentation()
        module.add(masks)
        table = masks.create_plane_segmentation(
            name="Cells", description="two", imaging_plane=stored.imaging_planes["ImagingPlane"]
        )
        for pixel in (3, 9):
            table.add_roi(pixel_mask=[(pixel, 2, 1.0)])
        rows = table.create_roi_table_region(region=[1], description="the second")
        series = pynwb.ophys.RoiResponseSeries(name="some", data=np.zeros((9, 1)), rois=rows, unit="n.a.", rate=1.0)
        module.add(pynwb.ophys.Fluorescence(roi_response_series=series))

    session = read(foreign(tmp_path / "x.nwb", change))
    (segmentation,) = session.of(Segmentation)
    assert segmentation.image_shape == (24, 30)  # of the movie in the same plane
    assert [region.pixels.tolist() for region in segmentation.regions] == [[[2, 3]], [[2, 9]]]
    assert [finding.message for finding in session.findings] == [
        "some (RoiResponseSeries) is not carried over: its traces are not those of all regions in order"
    ]


def test_a_file_that_is_no_nwb_file_inside_is_refused_in_words(tmp_path):
    with h5py.File(tmp_path / "x.nwb", "w") as stored:
        stored.attrs["nwb_version"] = "2.7.0"
    with pytest.raises(BadSource, match=r"x.nwb cannot be read as NWB \(.*\): see what nwbridge validate says"):
        read(tmp_path / "x.nwb")


def test_a_file_that_points_outside_is_refused(file, tmp_path):
    shutil.copy(file, tmp_path / "x.nwb")
    (tmp_path / "secret").write_bytes(b"\0" * 800)
    with h5py.File(tmp_path / "x.nwb", "a") as stored:
        stored.create_dataset("analysis/stolen", (100,), "f8", external=[(str(tmp_path / "secret"), 0, 800)])
    with pytest.raises(BadSource, match="stolen"):
        read(tmp_path / "x.nwb")


def test_a_file_carries_the_schemas_of_what_it_holds_only(file, tmp_path):
    with h5py.File(file) as stored:
        assert set(stored["specifications"]) == {"core", "hdmf-common", "hdmf-experimental", "ndx-smlm"}
    plain = converted(tmp_path / "plain", Session("s", "Bare.", (MOVIE,)))  # the extension is loaded by now
    with h5py.File(plain) as stored:
        assert set(stored["specifications"]) == {"core", "hdmf-common", "hdmf-experimental"}


def test_a_cell_without_spikes_has_none_and_no_complaint(tmp_path):
    units = Units(columns=(Column.ragged("spike_times", [[]]), Column("threshold", np.array([0.5]))))
    path = converted(
        tmp_path / "silent", Session("s", "Silent.", (MOVIE, units), subject=Subject(species="Mus musculus"))
    )
    assert content_of(read(path)).of(Units) == (units,)
    assert [finding for finding in nwbridge.validate(path) if finding.severity == "error"] == []


def traces_of(masks, name, values, count):
    """Return a series of another program's for the first regions of its table."""
    rows = masks.create_roi_table_region(region=list(range(count)), description="all")
    return pynwb.ophys.RoiResponseSeries(name=name, data=values, rois=rows, unit="n.a.", rate=1.0)


def segmentation_in(stored, pixels, name="Cells"):
    """Add a segmentation with a pixel a region, as another program would; return its module and its table."""
    module = stored.processing.get("ophys") or stored.create_processing_module("ophys", "traces")
    masks = module.data_interfaces.get("ImageSegmentation")
    if masks is None:
        masks = pynwb.ophys.ImageSegmentation()
        module.add(masks)
    plane = stored.imaging_planes["ImagingPlane"]
    table = masks.create_plane_segmentation(name=name, description="by others", imaging_plane=plane)
    for x, y in pixels:
        table.add_roi(pixel_mask=[(x, y, 1.0)])
    return module, table


def messages(session):
    return [finding.message for finding in session.findings]


def test_names_that_nwb_allows_twice_are_told_apart(tmp_path):
    values = RNG.random((2, 9, 2))

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2), (9, 2)])
        module.add(pynwb.ophys.Fluorescence(roi_response_series=traces_of(table, "RoiResponseSeries", values[0], 2)))
        module.add(pynwb.ophys.DfOverF(roi_response_series=traces_of(table, "RoiResponseSeries", values[1], 2)))

    session = read(foreign(tmp_path / "x.nwb", change))
    (cells,) = session.of(Segmentation)
    found = {traces.kind: read_all(traces.data) for traces in cells.traces}
    np.testing.assert_array_equal(found["fluorescence"], values[0].T)
    np.testing.assert_array_equal(found["dff"], values[1].T)
    (message,) = messages(session)
    assert re.fullmatch(r"RoiResponseSeries of (\w+) is carried over as \1_RoiResponseSeries", message)


def test_traces_of_one_region_may_have_no_axis_for_it(tmp_path):
    def change(stored):
        module, table = segmentation_in(stored, [(3, 2)])
        module.add(pynwb.ophys.Fluorescence(roi_response_series=traces_of(table, "F", np.arange(9.0), 1)))

    session = read(foreign(tmp_path / "x.nwb", change))
    (traces,) = session.of(Segmentation)[0].traces
    np.testing.assert_array_equal(read_all(traces.data), [np.arange(9.0)])
    assert messages(session) == []


def test_traces_that_do_not_fit_the_regions_spoil_no_regions(tmp_path):
    def change(stored):
        module, table = segmentation_in(stored, [(3, 2), (9, 2)])
        module.add(pynwb.ophys.Fluorescence(roi_response_series=traces_of(table, "F", np.ones((2, 50)), 2)))

    with pytest.warns(UserWarning, match="transpose"):
        path = foreign(tmp_path / "x.nwb", change)
    session = read(path)
    assert [len(cells) for cells in session.of(Segmentation)] == [2]
    assert messages(session) == [
        "F (RoiResponseSeries) is not carried over: its values are (2, 50); expected (time, region) of 2 regions"
    ]


def test_pixels_outside_the_plane_s_movie_give_the_size_themselves(tmp_path):
    session = read(foreign(tmp_path / "x.nwb", lambda stored: segmentation_in(stored, [(3, 2), (99, 50)])))
    assert session.of(Segmentation)[0].image_shape == (51, 100)


def test_a_table_is_carried_without_the_columns_that_the_model_cannot_hold(tmp_path):
    def change(stored):
        stored.add_trial_column("choice", "left or right")
        movie = stored.acquisition["TwoPhotonSeries"]
        for start, choice in ((0.0, "left"), (2.0, "right")):
            stored.add_trial(start_time=start, stop_time=start + 1, choice=choice, timeseries=[movie])
        table = pynwb.core.DynamicTable(name="steps", description="lists of lists")
        table.add_column("step", "numbers", index=2)
        table.add_column("kind", "words", enum=["a", "b"])
        table.add_row(step=[[1, 2], [3]], kind="b")
        table.add_row(step=[[4]], kind="a")
        stored.add_analysis(table)
        rows = pynwb.core.DynamicTableRegion(name="row", description="of steps", data=[0, 1], table=table)
        numbers = pynwb.core.VectorData(name="n", description="numbers", data=[5, 6])
        stored.add_analysis(pynwb.core.DynamicTable(name="other", description="o", columns=[rows, numbers], id=[7, 9]))

    with pytest.warns(UserWarning, match="EnumData is experimental"):
        path = foreign(tmp_path / "x.nwb", change)
    session = read(path)
    tables = {table.name: table for table in session.of(Table)}
    assert {name: [column.name for column in table.columns] for name, table in tables.items()} == {
        "trials": ["start_time", "stop_time", "choice"],
        "steps": ["kind"],
        "other": ["n"],
    }
    assert tables["trials"]["choice"].values.tolist() == ["left", "right"]
    assert tables["steps"]["kind"].values.tolist() == ["b", "a"]
    found = sorted(messages(session))
    assert found[1:] == [
        "column step of steps is not carried over: its rows hold lists of lists",
        "column timeseries of trials is not carried over: column timeseries holds "
        "[('idx_start', '<i4'), ('count', '<i4'), ('timeseries', 'O')]; expected numbers or text",
        "row ids of other (DynamicTable) cannot be carried over",
    ]
    assert found[0].startswith("column row of other is not carried over: it refers to rows of steps")


def test_what_the_model_has_no_field_for_is_named(tmp_path):
    def change(stored):
        stored.create_device("Lamp")
        stored.add_acquisition(pynwb.TimeSeries(name="s", data=[1.0], unit="m", rate=1.0, comments="broken"))
        stored.add_acquisition(pynwb.TimeSeries(name="t", data=[1.0], unit="m", rate=1.0, description="x [of: y]"))

    session = read(foreign(tmp_path / "x.nwb", change))
    assert set(messages(session)) == {
        "Lamp (Device) is not carried over",
        "comments of s (TimeSeries) cannot be carried over",
    }
    assert [series.description for series in session.of(Series)] == [None, "x [of: y]"]


def test_zeros_that_others_write_for_what_they_do_not_know_are_unknown(tmp_path):
    path = foreign(tmp_path / "x.nwb", lambda stored: None)
    with h5py.File(path, "a") as stored:
        plane = stored["general/optophysiology/ImagingPlane"]
        plane["excitation_lambda"][()] = 0.0
        plane["grid_spacing"] = [2e-6, 3.3e-6]
        plane["grid_spacing"].attrs["unit"] = "meters"
    session = read(path)
    (movie,) = session.of(Movie)
    assert movie.plane.excitation_nm is None
    assert movie.plane.pixel_um == (3.3, 2.0)  # row, column
    assert messages(session) == ["imaging plane ImagingPlane: an excitation of 0.0 is taken as unknown"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda file: file["acquisition/TwoPhotonSeries"].attrs.__setitem__("neurodata_type", "Odd"),
            r"\(Odd\) is not",
        ),
        (lambda file: file["acquisition"].create_dataset("loose", data=[1]), r"acquisition/loose \(data set\) is not"),
        (lambda file: file["acquisition/TwoPhotonSeries"].pop("data"), "a data set is missing"),
        (
            lambda file: file["acquisition/TwoPhotonSeries/starting_time"].attrs.__setitem__("rate", 0.0),
            "rate of 0.0 Hz",
        ),
        (lambda file: file[f"{MASKS}/pixel_mask_index"].__setitem__(1, 99), "do not grow to the 2 pixels"),
        (lambda file: file[f"{MASKS}/pixel_mask_index"].__setitem__(0, 2), "expected whole numbers of shape"),
        (lambda file: file[f"{MASKS}/id"].__setitem__(slice(None), 4), "expected every id once"),
        (lambda file: file["session_start_time"].__setitem__((), "2020-01-31T12:00:00"), "states no time zone"),
    ],
)
def test_what_is_wrong_in_one_place_is_named_and_spoils_no_other(tmp_path, damage, message):
    path = foreign(tmp_path / "x.nwb", lambda stored: segmentation_in(stored, [(3, 2), (9, 2)]))
    with h5py.File(path, "a") as file:
        damage(file)
    session = read(path)
    assert len(session.elements) >= 1
    assert re.search(message, "; ".join(messages(session)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file[MASKS].attrs.__setitem__("colnames", ["pixel_mask", "absent"]), r"\('absent'\)"),
        (lambda file: file["acquisition/TwoPhotonSeries"].pop("imaging_plane"), "missing argument 'imaging_plane'"),
        (lambda file: file[f"{MASKS}/pixel_mask_index"].attrs.__setitem__("target", h5py.Reference()), "reference"),
        (lambda file: file["session_start_time"].__setitem__((), "yesterday"), "yesterday"),
    ],
)
def test_what_pynwb_cannot_open_is_refused_in_one_line(tmp_path, damage, message):
    path = foreign(tmp_path / "x.nwb", lambda stored: segmentation_in(stored, [(3, 2), (9, 2)]))
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(BadSource, match=message) as refused:
        read(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused_in_one_line(file, tmp_path, share):
    data = file.read_bytes()
    (tmp_path / "x.nwb").write_bytes(data[: int(share * len(data))])
    with pytest.raises(
        BadSource, match=rf"^x\.nwb is cut off: it has {int(share * len(data)):,} of {len(data):,} bytes"
    ):
        read(tmp_path / "x.nwb")


ODD = [
    replace(
        MOVIE, name="µ é [x] 💡", description="words [kind: like facts]", plane=replace(PLANE, description="[unit: m]")
    ),
    replace(MOVIE, name="Flat", data=lazy(1, 1, 4, dtype=np.dtype(">u2"))),
    replace(MOVIE, name="Fluorescence", made_from="Flat; 50 %]"),
    replace(MOVIE, name="Twin", plane=Plane("Twin", device=Device("Other", None, "Another maker", "Model 1"))),
    Segmentation("Unmasked of a known image", (Region(None, id=-4),), (ROWS, COLUMNS), PLANE),
    Segmentation("Nothing of an unknown image", (), None, PLANE),
    Segmentation(
        "One",
        (Region(np.array([[1, 2]]), np.array([np.nan]), id=-(2**63)),),
        (ROWS, COLUMNS),
        PLANE,
        traces=(Traces("t", arrays.from_numpy(np.array([[np.inf]], ">f4")), rate_hz=1.0),),
    ),
    Table(
        "trials", (Column("x [nm]", np.array([""])), Column.ragged("text", [["a", ""]]), Column("n" * 200, np.ones(1)))
    ),
    Table("wide", tuple(Column(f"c{n}", np.arange(2)) for n in range(300))),
    Table(
        "blocks", (Column.ragged("block", [np.zeros((2, 3)), np.ones((1, 3))]), Column("max", np.full(2, 2**64 - 1)))
    ),
    Parameters(
        "odd", {"": 2**200, "a/b": "\x01\n", "µ": [[], ["é", None]], "long": list(range(9999))}, "x [table of: y]"
    ),
]


@pytest.mark.parametrize("element", ODD, ids=lambda element: element.name[:20])
def test_odd_content_reads_back(element, tmp_path):
    session = Session("s", "Odd.", (element,) if element.name != "Twin" else (MOVIE, element))
    found = read(converted(tmp_path / "odd", session))
    assert content_of(found) == content_of(session)
    assert found.findings == ()


def test_times_of_any_type_are_written_as_doubles(tmp_path):
    times = np.array([1, 5, 6], ">i4")
    series = Series("s", lazy(3), timestamps=arrays.from_numpy(times))
    path = converted(tmp_path / "times", Session("s", "Times.", (series,)))
    with h5py.File(path) as stored:
        assert stored["acquisition/s/timestamps"].dtype == np.float64
        np.testing.assert_array_equal(stored["acquisition/s/timestamps"][()], times)


def test_weights_are_as_wide_as_the_widest_and_one_where_nobody_states_them(tmp_path):
    pixels = np.array([[2, 9], [11, 3]])
    given = [np.array([0.1, 0.2], np.float32), np.array([0.3, 0.7]), None]
    cells = Segmentation("Cells", tuple(Region(pixels, w) for w in given), (ROWS, COLUMNS), PLANE)
    with h5py.File(converted(tmp_path / "weights", Session("s", "Weights.", (cells,)))) as stored:
        weights = stored[f"{MASKS}/pixel_mask"]["weight"]
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights, [np.float32(0.1), np.float32(0.2), 0.3, 0.7, 1, 1])


@pytest.mark.parametrize("name", ["epochs", "trials", "invalid_times"])
def test_intervals_that_nwb_knows_by_name_are_found_there(tmp_path, name):
    spans = Intervals(name, (Column("start_time", np.array([0.5])), Column("stop_time", np.array([0.75]))))
    with pynwb.NWBHDF5IO(converted(tmp_path / "spans", Session("s", "Spans.", (spans,))), "r") as io:
        assert getattr(io.read(), name)["stop_time"][:].tolist() == [0.75]


def test_series_of_other_programs_are_of_the_kind_that_their_names_say(tmp_path):
    kinds = {"Denoised": "denoised", "my_deconvolved": "deconvolved", "Background1": "background", "F": "fluorescence"}

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2), (9, 2)])
        series = [traces_of(table, name, np.ones((9, 2)), 2) for name in kinds]
        module.add(pynwb.ophys.Fluorescence(roi_response_series=series))

    (cells,) = read(foreign(tmp_path / "x.nwb", change)).of(Segmentation)
    assert {traces.name: traces.kind for traces in cells.traces} == kinds


def test_traces_are_what_the_container_says_where_every_series_has_the_plane_s_name(tmp_path):
    kinds = {
        "Deconvolved": "deconvolved",
        "Fluorescence": "fluorescence",
        "Neuropil": "background",
    }

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2), (9, 2)])
        for number, name in enumerate(kinds):
            series = traces_of(table, "plane0", np.full((9, 2), number), 2)
            module.add(pynwb.ophys.Fluorescence(name=name, roi_response_series=series))

    (cells,) = read(foreign(tmp_path / "x.nwb", change)).of(Segmentation)
    assert {int(read_all(t.data)[0, 0]): t.kind for t in cells.traces} == dict(enumerate(kinds.values()))


def test_neuropil_is_background_and_what_was_corrected_for_it_is_not(tmp_path):
    kinds = {"Neuropil": "background", "Fneu": "background", "NeuropilCorrected": "fluorescence", "spks": "deconvolved"}

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2)])
        series = [traces_of(table, name, np.ones((9, 1)), 1) for name in kinds]
        module.add(pynwb.ophys.Fluorescence(roi_response_series=series))

    (cells,) = read(foreign(tmp_path / "x.nwb", change)).of(Segmentation)
    assert {traces.name: traces.kind for traces in cells.traces} == kinds


def test_traces_come_in_the_order_of_the_numbers_in_their_names(tmp_path):
    names = ["dff", "dff_2", "dff_3", "dff_10"]

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2)])
        series = [traces_of(table, name, np.ones((9, 1)), 1) for name in reversed(names)]
        module.add(pynwb.ophys.DfOverF(roi_response_series=series))

    (cells,) = read(foreign(tmp_path / "x.nwb", change)).of(Segmentation)
    assert [traces.name for traces in cells.traces] == names


@pytest.mark.parametrize(
    ("stored_as", "read_as"), [("uint16", "float32"), ("float32", "float32"), ("int32", "float64")]
)
def test_traces_are_read_in_their_unit_after_conversion_and_offset(tmp_path, stored_as, read_as):
    values = np.arange(18).reshape(9, 2).astype(stored_as)

    def change(stored):
        module, table = segmentation_in(stored, [(3, 2), (9, 2)])
        series = traces_of(table, "F", values, 2)
        series.fields.update(conversion=0.5, offset=-7.0)
        module.add(pynwb.ophys.Fluorescence(roi_response_series=series))

    session = read(foreign(tmp_path / "x.nwb", change))
    (traces,) = session.of(Segmentation)[0].traces
    assert traces.data.dtype == read_as
    np.testing.assert_array_equal(read_all(traces.data), values.T * 0.5 - 7)
    assert messages(session) == []


def test_a_status_in_other_words_stays_a_column(tmp_path):
    def change(stored):
        _, table = segmentation_in(stored, [(3, 2), (9, 2)])
        table.add_column("status", "what they say", data=["accepted", "fine"])

    session = read(foreign(tmp_path / "x.nwb", change))
    (cells,) = session.of(Segmentation)
    assert cells.status is None
    assert {c.name: c.values.tolist() for c in cells.columns} == {"stored_status": ["accepted", "fine"]}
    assert messages(session) == [
        "column status of Cells is carried over as stored_status: expected accepted, undecided, rejected, not evaluated"
    ]


@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
def test_image_masks_with_other_columns_and_ids_are_the_regions(tmp_path, size):
    images = RNG.random((2, *size))

    def change(stored):
        module, _ = segmentation_in(stored, [])
        module["ImageSegmentation"].plane_segmentations.pop("Cells")
        plane = stored.imaging_planes["ImagingPlane"]
        table = module["ImageSegmentation"].create_plane_segmentation("by others", plane, name="Cells")
        for number, image in enumerate(images):
            table.add_roi(image_mask=image, pixel_mask=[(number, 0, 1.0)], id=number + 5)

    session = read(foreign(tmp_path / "x.nwb", change))
    (cells,) = session.of(Segmentation)
    np.testing.assert_array_equal(read_all(cells.regions), images.transpose(0, 2, 1))
    assert sorted(messages(session)) == [
        "pixel_mask of Cells cannot be carried over: the regions are its image_mask",
        "the row ids of Cells cannot be carried over: its regions are images",
    ]


def test_what_lies_in_a_module_was_made_from_something(tmp_path):
    def change(stored):
        module = stored.create_processing_module("ophys", "by others")
        module.add(pynwb.TimeSeries(name="shifts", data=[1.0, 2.0], unit="pixels", rate=1.0))

    (series,) = read(foreign(tmp_path / "x.nwb", change)).of(Series)
    assert series.made_from == "not stated"


def test_an_image_s_resolution_is_that_of_square_pixels(file, tmp_path):
    def change(stored):
        image = pynwb.image.GrayscaleImage(name="one", data=np.ones((3, 4)), resolution=2000.0)
        stored.add_acquisition(pynwb.base.Images(name="images", images=[image]))

    (images,) = read(foreign(tmp_path / "x.nwb", change)).of(Images)
    assert images.images[0].pixel_um == (5.0, 5.0)
    with h5py.File(file) as stored:
        ours = stored["processing/ophys/images"]
        assert ours["sum"].attrs["resolution"] == pytest.approx(1e4 / 0.01625)
        assert "resolution" not in ours["colour"].attrs


@pytest.mark.parametrize(
    ("spacing", "unit", "pixel", "said"),
    [
        ([0.002, 0.0033], "millimeters", (3.3, 2.0), []),
        ([2.0, 3.0], "furlongs", None, ["a grid spacing of [2.0, 3.0] furlongs is taken as unknown"]),
        ([0.0, 3.0], "micrometers", None, ["a grid spacing of [0.0, 3.0] micrometers is taken as unknown"]),
    ],
)
def test_a_grid_spacing_is_taken_with_its_unit(tmp_path, spacing, unit, pixel, said):
    path = foreign(tmp_path / "x.nwb", lambda stored: None)
    with h5py.File(path, "a") as stored:
        plane = stored["general/optophysiology/ImagingPlane"]
        plane["grid_spacing"] = spacing
        plane["grid_spacing"].attrs["unit"] = unit
    session = read(path)
    assert session.of(Movie)[0].plane.pixel_um == pixel
    assert messages(session) == [f"imaging plane ImagingPlane: {words}" for words in said]


def test_the_depth_of_a_field_of_view_is_named(tmp_path):
    path = foreign(tmp_path / "x.nwb", lambda stored: None)
    with h5py.File(path, "a") as stored:
        stored["acquisition/TwoPhotonSeries/field_of_view"] = [3e-4, 2e-4, 1e-5]
    session = read(path)
    assert session.of(Movie)[0].field_of_view_um == (200.0, 300.0)  # rows' extent, columns' extent
    assert messages(session) == ["the depth of the field of view of TwoPhotonSeries cannot be carried over"]


def other_row(file):
    rows = file["general/intracellular_ephys/intracellular_recordings/responses/response"]
    row = rows[0]
    row["idx_start"], row["count"] = 5, 10
    rows[0] = row


@pytest.mark.parametrize(
    ("change", "lost", "message"),
    [
        (
            lambda file: file["acquisition/voltage/data"].attrs.__setitem__("unit", "millivolts"),
            {"voltage"},
            "voltage (CurrentClampSeries) is not carried over: its unit is millivolts; expected volts",
        ),
        (other_row, set(), "intracellular_recordings (IntracellularRecordingsTable) is not carried over"),
        (
            lambda file: file["timestamps_reference_time"].__setitem__((), "2019-01-31T12:00:00+00:00"),
            set(),
            "timestamps_reference_time of the file cannot be carried over",
        ),
        (
            lambda file: file["general/was_generated_by"].__setitem__(Ellipsis, "other"),
            set(),
            "was_generated_by, source_script of the file cannot be carried over",
        ),
        (
            lambda file: file["analysis/ring/id"].__setitem__(0, 5),
            set(),
            "row ids of ring (DynamicTable) cannot be carried over",
        ),
        (lambda file: file["units/spike_times"].attrs.__setitem__("resolution", -1.0), set(), None),
        (
            lambda file: file["events/events/timestamp"].attrs.__setitem__("resolution", 0.001),
            set(),
            "resolution of timestamp of events (EventsTable) cannot be carried over",
        ),
        (
            lambda file: file["general/devices/Scope"].attrs.__setitem__("serial_number", "12"),
            set(),
            "serial_number of Scope (Device) cannot be carried over",
        ),
        (
            lambda file: file["events/events/cell"].__setitem__(0, len(CELLS)),
            set(),
            "column cell of events is not carried over: it refers to regions that are not there",
        ),
        (
            lambda file: file["acquisition/Movie/starting_time"].attrs.__setitem__("rate", 0.0),
            {"Movie"},
            "localizations was found in Movie, which is not carried over",
        ),
    ],
)
def test_what_another_program_would_say_is_named(file, tmp_path, change, lost, message):
    shutil.copy(file, tmp_path / "x.nwb")
    with h5py.File(tmp_path / "x.nwb", "a") as stored:
        change(stored)
    session = read(tmp_path / "x.nwb")
    assert {element.name for element in ELEMENTS} - {element.name for element in session.elements} == lost
    assert message in (messages(session) or [None])


def test_every_general_field_is_known_to_come_from_the_file(file):
    origins = read(file).origins
    assert {origins[f"NWBFile.{name}"] for name in ("session_id", "lab", "keywords")} == {"out.nwb"}


def test_molecules_may_be_found_in_a_movie_that_was_made_from_another(tmp_path):
    cleaned = replace(MOVIE, name="Cleaned", made_from="the camera's frames")
    table = Localizations("found", (Column("x", np.ones(3)), Column("y", np.ones(3))), found_in="Cleaned")
    session = Session("s", "Molecules.", (cleaned, table))
    with pynwb.NWBHDF5IO(converted(tmp_path / "molecules", session), "r") as io:
        ophys = io.read().processing["ophys"]
        assert ophys["found"].found_in is ophys["Cleaned"]
