"""The export writes cell sets and event sets: the vendor's library and our own reader read the same numbers in them."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

import nwbridge
from nwbridge import (
    BadOption,
    BadSource,
    Column,
    Intervals,
    InvalidOutput,
    Plane,
    Region,
    Segmentation,
    Session,
    Traces,
    arrays,
)
from nwbridge_ideas import Options, describe, example, export
from nwbridge_ideas.export import ExportOptions

MOUSE = {"Subject": {"species": "Mus musculus"}}
ROWS, COLUMNS, SAMPLES = 5, 7, 40
START = datetime(2024, 5, 17, 9, 30, 1, 234567, timezone(timedelta(hours=-5)))
REGIONS = (
    Region(np.array([[0, 1], [4, 6]]), np.array([0.5, 0.25]), 0),
    Region(np.array([[3, 2]]), np.array([2.0]), 1),
    Region(np.array([[1, 5], [2, 5]]), None, 12),
)


def values(seed=0, samples=SAMPLES):
    return np.random.default_rng(seed).normal(0, 1, (len(REGIONS), samples))


def traces(name="raw", kind="fluorescence", data=None, times=None, rate=10.0, **more):
    data = arrays.from_numpy(values() if data is None else data)
    times = None if times is None else arrays.from_numpy(np.asarray(times, float))
    return Traces(name, data, kind, rate_hz=rate if times is None else None, timestamps=times, **more)


def cells(*own, name="Cells", regions=REGIONS, **changes):
    own = own or (traces(), traces("denoised", "denoised"), traces("spikes", "deconvolved"))
    return Segmentation(name, regions, (ROWS, COLUMNS), Plane(), traces=own, **changes)


def session(*elements, start=START):
    return Session("m1", "made up", elements, start_time=start)


def made(path, *elements, start=START, **options):
    path.write_bytes(export.make((session(*elements, start=start),), ExportOptions(**options)))
    return path


def clock(timing):
    """What the library says of the time, taken while it holds the file: later its memory is another's."""
    gaps = {name: list(getattr(timing, name)) for name in ("dropped", "cropped", "blank")}
    seconds = np.array([offset.secs_float for offset in timing.get_offsets_since_start()])
    return {"samples": timing.num_samples, "start": timing.start.to_datetime(), "seconds": seconds, **gaps}


def by_vendor(isx, path):
    """Everything that the vendor's library reads in a cell set."""
    read = isx.CellSet.read(str(path))
    each = range(read.num_cells)
    return {
        "images": np.stack([read.get_cell_image_data(n) for n in each]),
        "traces": np.stack([read.get_cell_trace_data(n) for n in each]),
        "names": [read.get_cell_name(n) for n in each],
        "status": [read.get_cell_status(n) for n in each],
        **clock(read.timing),
        "spacing": str(read.spacing),
        "info": read.get_acquisition_info(),
    }


def events_by_vendor(isx, path):
    """Of each channel microseconds and sizes of the events."""
    read = isx.EventSet.read(str(path))
    return clock(read.timing), [
        tuple(np.asarray(part) for part in read.get_cell_data(n)) for n in range(read.num_cells)
    ]


def assert_same(one, other):
    for key, value in one.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other[key])
        else:
            assert value == other[key], key


# a real run, and real cell sets


@pytest.fixture(scope="module")
def run(samples, tmp_path_factory):
    pytest.importorskip("nwbridge_caiman", reason="nwbridge-caiman, which reads CaImAn's files, is not installed")
    out = tmp_path_factory.mktemp("run") / "a.nwb"
    nwbridge.convert(samples / "caiman_inscopix" / "derived_1p", out, metadata=MOUSE)
    return out


@pytest.mark.parametrize("what", ["raw", "denoised"])
def test_the_vendor_s_library_reads_the_cell_set_that_a_real_run_had(run, real, isx, tmp_path, what):
    out = tmp_path / "a.isxd"
    nwbridge.export("isxd", run, out, options={"what": what})
    true = real / "derived_1p" / f"cellset_{what}.000.isxd"
    assert_same(by_vendor(isx, true), by_vendor(isx, out))


def test_the_vendor_s_library_reads_the_events_that_a_real_run_had(run, real, isx, tmp_path):
    nwbridge.export("isxd", run, tmp_path / "a.isxd", options={"what": "events"})
    timing, found = events_by_vendor(isx, tmp_path / "a.isxd")
    expected, true = events_by_vendor(isx, real / "derived_1p" / "neural_events.000.isxd")
    assert_same(expected, timing)
    assert (len(found), sum(len(sizes) for _, sizes in found)) == (28, 240)
    for one, other in zip(found, true, strict=True):
        np.testing.assert_allclose(one[0].astype(int), other[0].astype(int), rtol=0, atol=1)
        np.testing.assert_array_equal(one[1], other[1])


def test_writes_the_images_of_a_caiman_file_as_they_are(real, isx, tmp_path):
    nwbridge.export("isxd", real / "derived_1p" / "caiman_output.hdf5", tmp_path / "a.isxd", options={"what": "raw"})
    found = by_vendor(isx, tmp_path / "a.isxd")
    true = by_vendor(isx, real / "derived_1p" / "cellset_raw.000.isxd")
    np.testing.assert_array_equal(found["images"], true["images"])
    np.testing.assert_allclose(found["traces"], true["traces"], rtol=0, atol=1e-7 * np.abs(true["traces"]).max())
    np.testing.assert_array_equal(found["seconds"], true["seconds"])
    assert found["names"][:2] == ["C0", "C1"]


@pytest.mark.parametrize(
    "name",
    [
        "edge/cellset_dropped",
        "cellset_series_part1",
        "cellset_series_part2",
        "cellset_accepted_undecided_and_rejected_cells",
    ],
)
def test_real_cell_sets_come_out_as_they_went_in(real, isx, tmp_path, name):
    source = real / f"{name}.isxd"
    nwbridge.convert(source, tmp_path / "a.nwb", metadata=MOUSE)
    nwbridge.export("isxd", tmp_path / "a.nwb", tmp_path / "a.isxd", options={"traces": "traces"})
    assert_same(by_vendor(isx, source), by_vendor(isx, tmp_path / "a.isxd"))


# made up


def test_both_readers_read_images_and_traces_on_the_right_pixels(tmp_path, isx, values_in):
    status = ("accepted", "rejected", "not evaluated")
    path = made(tmp_path / "a.isxd", cells(status=status))
    found = by_vendor(isx, path)
    images = np.zeros((3, ROWS, COLUMNS), np.float32)
    images[0, 0, 1], images[0, 4, 6], images[1, 3, 2], images[2, 1:3, 5] = 0.5, 0.25, 2, 1
    np.testing.assert_array_equal(found["images"], images)
    np.testing.assert_array_equal(found["traces"], values().astype("f4"))
    assert (found["names"], found["status"]) == (["C0", "C1", "C12"], ["accepted", "rejected", "undecided"])
    own = describe(path, Options())
    (segmentation,) = own.of(Segmentation)
    np.testing.assert_array_equal(values_in(segmentation.regions), images)
    np.testing.assert_array_equal(values_in(segmentation.traces[0].data), values().astype("f4"))
    assert own.start_time == START
    assert own.start_time.utcoffset() == START.utcoffset()


@pytest.fixture
def values_in():
    def read(array):
        with array.open() as reader:
            return np.asarray(reader[0 : array.shape[0]])

    return read


def test_takes_names_colours_and_activity_from_columns(tmp_path):
    columns = (
        Column("cell_name", np.array(["a", "b", "µ"])),
        Column("cell_color", np.array([1, 2, 3], np.uint32)),
        Column("cell_active", np.array([True, False, True])),
    )
    own = describe(made(tmp_path / "a.isxd", cells(columns=columns)), Options()).of(Segmentation)[0]
    found = {column.name: column.values.tolist() for column in own.columns}
    assert found == {"cell_name": ["a", "b", "µ"], "cell_color": [1, 2, 3], "cell_active": [True, False, True]}
    assert own.status == ("undecided",) * 3


@pytest.mark.parametrize("rate", [30.0, 29.97, 15.49, 20.0152115607862, 9.87654321, 30.00003, 7.3, 1 / 3, 1000.0])
@pytest.mark.parametrize("start", [None, START])
def test_the_vendor_s_library_reads_any_rate_and_start(tmp_path, isx, rate, start):
    own = traces(rate=rate), traces("spikes", "deconvolved", rate=rate)
    local = START.replace(tzinfo=None) if start else datetime(1970, 1, 1)  # as the library shows it
    timing = by_vendor(isx, made(tmp_path / "a.isxd", cells(*own), start=start))
    np.testing.assert_allclose(timing["seconds"], np.arange(SAMPLES) / rate, rtol=0, atol=1e-7)
    assert timing["start"] == local
    other, found = events_by_vendor(isx, made(tmp_path / "b.isxd", cells(*own), start=start, what="events"))
    assert (other["samples"], other["start"]) == (SAMPLES, local)
    for (offsets, sizes), row in zip(found, values(), strict=True):
        np.testing.assert_allclose(offsets / 1e6, np.flatnonzero(row > 0) / rate, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(sizes, row[row > 0].astype("f4"))


def test_a_channel_without_an_event_stays_one(tmp_path, isx):
    data = values()
    data[1] = np.nan
    data[2] = -1
    path = made(tmp_path / "a.isxd", cells(traces("s", "deconvolved", data)), what="events")
    _, found = events_by_vendor(isx, path)
    assert [len(sizes) for _, sizes in found] == [(data[0] > 0).sum(), 0, 0]
    assert describe(path, Options()).elements[1]["channel_name"].values.tolist() == ["C0", "C1", "C12"]


# samples that are missing

PRESENT = np.r_[0:8, 9:20, 23:SAMPLES]  # 8, and 20 to 22, are missing


def test_gaps_in_the_times_become_dropped_samples(tmp_path, isx):
    times = 0.5 + PRESENT * 0.1 + np.random.default_rng(2).uniform(-1e-3, 1e-3, len(PRESENT))
    times[[0, -1]] = 0.5, 0.5 + 0.1 * (SAMPLES - 1)
    data = values(samples=len(PRESENT))
    own = cells(traces(data=data, times=times), traces("s", "deconvolved", data, times))
    found = by_vendor(isx, made(tmp_path / "a.isxd", own))
    assert (found["samples"], found["dropped"]) == (SAMPLES, [8, 20, 21, 22])
    assert found["start"] == (START + timedelta(seconds=0.5)).replace(tzinfo=None)
    np.testing.assert_array_equal(found["traces"][:, PRESENT], data.astype("f4"))
    assert np.isnan(found["traces"][:, [8, 20, 21, 22]]).all()
    _, events = events_by_vendor(isx, made(tmp_path / "b.isxd", own, what="events"))
    np.testing.assert_allclose(events[0][0] / 1e5, PRESENT[data[0] > 0], rtol=0, atol=1e-4)


def test_missing_frames_keep_their_reasons_and_their_numbers(tmp_path, isx):
    present = np.r_[2:8, 9:20, 23 : SAMPLES - 1]
    spans = [(0, 1, "cropped"), (8, 8, "dropped"), (20, 22, "blank"), (39, 39, "cropped")]
    columns = (
        Column("start_time", np.array([low / 10 for low, _, _ in spans])),
        Column("stop_time", np.array([(high + 1) / 10 for _, high, _ in spans])),
        Column("reason", np.array([reason for _, _, reason in spans])),
        Column("first_frame", np.array([low for low, _, _ in spans])),
        Column("last_frame", np.array([high for _, high, _ in spans])),
    )
    own = cells(traces(data=values(samples=len(present)), times=present * 0.1))
    path = made(tmp_path / "a.isxd", own, Intervals("missing_frames", columns))
    found = by_vendor(isx, path)
    assert (found["samples"], found["start"]) == (SAMPLES, START.replace(tzinfo=None))
    assert (found["dropped"], found["cropped"], found["blank"]) == ([8], [(0, 1), (39, 39)], [20, 21, 22])
    (missing,) = describe(path, Options()).of(Intervals)
    assert missing["reason"].values.tolist() == [reason for _, _, reason in spans]


def test_a_made_up_run_with_missing_samples_comes_out_as_it_went_in(tmp_path, isxd):
    folder = example(tmp_path)
    nwbridge.convert(folder, tmp_path / "a.nwb")
    for what in ("raw", "denoised"):
        nwbridge.export("isxd", tmp_path / "a.nwb", tmp_path / f"{what}.isxd", options={"what": what})
        one, other = (isxd.read(path) for path in (folder / f"cellset_{what}.000.isxd", tmp_path / f"{what}.isxd"))
        assert one[0] == other[0]
        for key in ("timingInfo", "spacingInfo", "extraProperties", "CellNames", "CellStatuses"):
            assert one[1][key] == other[1][key], key


def test_the_movies_of_a_series_are_exported_each_by_itself(samples, tmp_path):
    with pytest.raises(BadOption, match="2 recordings were given, m1, m1; expected one: export each by itself"):
        export.make((session(cells()),) * 2, ExportOptions())


def test_says_that_traces_are_a_ratio(tmp_path):
    own = describe(made(tmp_path / "a.isxd", cells(traces("x", "dff")), traces="x"), Options())
    assert own.of(Segmentation)[0].traces[0].kind == "dff"


# what is refused


UNEVEN = np.cumsum(np.random.default_rng(1).uniform(0.05, 0.2, SAMPLES))
FAR = np.r_[0:20, 1000:1020] * 0.1


@pytest.mark.parametrize(
    ("elements", "options", "words"),
    [
        ((), {}, "m1 has no cells with traces (it has no segmentation of cells)"),
        ((Segmentation("Cells", REGIONS, (5, 7), Plane()),), {}, "m1 has no cells with traces (it has Cells)"),
        ((cells(), cells(traces("b", "denoised"), name="B")), {}, "several segmentations with traces, Cells, B: name"),
        ((cells(),), {"segmentation": "x"}, "--segmentation x: m1 has none of that name; it has Cells"),
        ((cells(),), {"traces": "x"}, "--traces x: Cells has none of that name; it has raw (fluorescence), denoised"),
        ((cells(traces("d", "dff")),), {}, "no fluorescence traces, which --what raw wants; it has d (dff): name some"),
        ((cells(traces("a"), traces("b")),), {}, "Cells has several fluorescence traces, which --what raw wants"),
        ((cells(traces(rate=None)),), {}, "m1: raw has no rate and no times"),
        ((cells(traces(times=UNEVEN)),), {}, "m1: raw has uneven times, sample"),
        ((cells(traces(times=FAR)),), {}, "980 samples would be missing between 40; expected fewer gaps"),
        ((cells(traces(times=np.zeros(SAMPLES))),), {}, "m1: raw has times that do not grow"),
        ((cells(traces(times=np.r_[0:39, np.nan])),), {}, "m1: raw has times that do not grow"),
        ((cells(traces(times=np.r_[0:39, 1e300])),), {}, "m1: raw has times that do not grow"),
        (
            (Segmentation("Cells", (Region(None),) * 3, None, Plane(), traces=(traces(),)),),
            {},
            "m1: Cells has no masks; an .isxd file holds an image of each cell",
        ),
        (
            (Segmentation("C", arrays.from_numpy(np.ones((3, 5, 7, 2))), None, Plane(), traces=(traces(),)),),
            {},
            "m1: C has volumes of (5, 7, 2)",
        ),
    ],
)
def test_says_in_one_line_why_not(tmp_path, elements, options, words):
    with pytest.raises((BadSource, BadOption)) as caught:
        made(tmp_path / "a.isxd", *elements, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("what", "function"), [("raw", "cell_set"), ("events", "event_set")])
def test_keeps_nothing_that_does_not_read_back(monkeypatch, what, function):
    true = getattr(export, function)

    def spoilt(*arguments):
        content = bytearray(true(*arguments))
        content[17] ^= 1  # within the first cell's image, or the first event's value
        return bytes(content)

    monkeypatch.setattr(export, function, spoilt)
    with pytest.raises(InvalidOutput, match="set does not read back as it was; nothing was kept"):
        export.make((session(cells()),), ExportOptions(what=what))
