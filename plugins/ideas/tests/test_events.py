"""Event sets: every packet, exact times and the channels without an event."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadSource, Events, Table
from nwbridge_ideas import Options, describe

PACKETS = [(900_000, 0, 1.5), (1_100_000, 0, 0.25), (100_001, 2, 7.0)]  # by channel, not by time
NAMES = ["C000", "C001", "C002"]


@pytest.fixture
def path(tmp_path, isxd):
    return isxd.events(tmp_path / "e.isxd", PACKETS, NAMES)


def columns(path, values):
    (events,) = describe(path, Options()).of(Events)
    return {column.name: values(column.values, 2) for column in events.columns}


def refusal(path):
    with pytest.raises(BadSource) as caught:
        describe(path, Options())
    assert "e.isxd" in str(caught.value)
    return str(caught.value)


def test_reads_every_packet_in_the_file_s_order(path, values):
    found = columns(path, values)
    assert found["offset_us"].tolist() == [900_000, 1_100_000, 100_001]
    assert found["timestamp"].tolist() == [0.9, 1.1, 0.100001]
    assert found["channel"].tolist() == [0, 0, 2]
    assert found["value"].tolist() == [1.5, 0.25, 7.0]
    assert (found["value"].dtype, found["offset_us"].dtype) == (np.float32, np.uint64)


def test_lists_channels_without_an_event_as_well(path):
    (table,) = [t for t in describe(path, Options()).of(Table) if t.name == "event_channels"]
    assert table["channel_name"].values.tolist() == NAMES
    assert table["events"].values.tolist() == [2, 0, 1]
    assert table["step_s"].values.tolist() == [0.1] * 3


def test_reads_a_set_without_any_event(tmp_path, isxd):
    session = describe(isxd.events(tmp_path / "e.isxd", [], NAMES), Options())
    assert [table.name for table in session.of(Table)] == ["event_channels"]


def test_refuses_packets_of_a_channel_beyond_the_last(tmp_path, isxd):
    path = isxd.events(tmp_path / "e.isxd", [(1, 0, 1.0), (2, 3, 1.0)], NAMES, numSamples=[1, 1, 0])
    assert "packet 1 names channel 3; the footer lists 3 channels" in refusal(path)


def test_refuses_channels_with_other_numbers_of_packets(path, isxd):
    isxd.change(path, "numSamples", value=[1, 1, 1])
    assert "channel 0 has 2 packets; footer's numSamples says 1" in refusal(path)


@pytest.mark.parametrize("less", [1, 20, 59])
def test_refuses_truncated_packets(path, isxd, less):
    payload, footer = isxd.read(path)
    isxd.write(path, payload[:-less], footer)
    assert f"{60 - less} bytes lie before the footer, which declares 3 packets of 20 bytes" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("numSamples", [2, 0], "footer's numSamples is a list of 2; expected 3"),
        ("numSamples", [10**15, 0, 0], "declares 1,000,000,000,000,000 packets"),
        ("numSamples", [-2, 4, 1], "footer's numSamples is [-2, 4, 1]; expected whole numbers from 0"),
        ("channel list", [1, 2, 3], "expected text only"),
        ("signalSteps", [], "footer's signalSteps is a list of 0; expected 3"),
        ("signalSteps", [0.1] * 3, "footer's signalSteps is 0.1; expected {num, den}"),
        ("startOffsets", [-1, 0, 0], "footer's startOffsets"),
        ("global times", [], "footer's global times is []; expected a start and an end"),
        ("fileVersion", 1, "footer's fileVersion is 1; expected 2, as event sets of version 2 have"),
        ("fileType", 2, "footer's fileType is 2; expected 1, as event sets of version 2 have"),
        ("fileType", list(range(500)), "footer's fileType is [0, 1, 2"),
        ("numSamples", [10**300, 0, 0], "footer's numSamples is [1000"),
    ],
)
def test_names_the_value_that_cannot_be_true(path, isxd, key, value, words):
    assert words in refusal(isxd.change(path, key, value=value))


def test_recognises_version_1_and_refuses_it(path, isxd):
    isxd.change(path, "fileType", drop=True)
    assert "e.isxd is an event set of version 1; this source reads version 2" in refusal(path)


def test_writes_events_and_channels(path, tmp_path):
    nwbridge.convert(path, tmp_path / "o.nwb", source="ideas", metadata={"Subject": {"species": "Mus musculus"}})
    with h5py.File(tmp_path / "o.nwb") as file:
        table = file["events/neural_events"]
        assert table["timestamp"][()].tolist() == [0.9, 1.1, 0.100001]
        assert table["offset_us"][()].tolist() == [900_000, 1_100_000, 100_001]
        assert table["value"][()].tolist() == [1.5, 0.25, 7.0]
        assert file["analysis/event_channels/channel_name"].asstr()[()].tolist() == NAMES


def test_reads_what_the_vendor_writes(tmp_path, isx, values):
    path = tmp_path / "e.isxd"
    timing = isx.Timing(num_samples=100, period=isx.Duration.from_msecs(50))
    theirs = isx.EventSet.write(str(path), timing, NAMES)
    wanted = {0: [50_000, 4_950_000], 1: [], 2: [0, 100_000, 150_000]}
    for n, offsets in wanted.items():
        sizes = np.linspace(0.5, 2, len(offsets)).astype(np.float32)
        theirs.set_cell_data(n, np.array(offsets, np.uint64), sizes)
    theirs.flush()
    del theirs
    found, again = columns(path, values), isx.EventSet.read(str(path))
    for n in wanted:
        offsets, sizes = again.get_cell_data(n)
        np.testing.assert_array_equal(found["offset_us"][found["channel"] == n], offsets)
        np.testing.assert_array_equal(found["value"][found["channel"] == n], sizes)
        np.testing.assert_array_equal(found["timestamp"][found["channel"] == n], offsets / 1e6)


# real event sets


@pytest.mark.parametrize("name", ["sample_eventset_msr_1", "edge/eventset_one_empty"])
def test_reads_real_event_sets_as_they_are(real, isxd, values, name):
    payload, footer = isxd.read(real / f"{name}.isxd")
    packets = np.frombuffer(payload, [("offset", "<u8"), ("channel", "<u8"), ("value", "<f4")])
    found = columns(real / f"{name}.isxd", values)
    np.testing.assert_array_equal(found["offset_us"], packets["offset"])
    np.testing.assert_array_equal(found["channel"], packets["channel"])
    np.testing.assert_array_equal(found["value"], packets["value"])
    np.testing.assert_array_equal(found["timestamp"], packets["offset"] / 1e6)
    assert len(packets) == sum(footer["numSamples"])


@pytest.mark.parametrize("name", ["sample_eventset_msr_1", "edge/eventset_one_empty"])
def test_reads_real_event_sets_as_the_vendor_does(real, isx, values, name):
    found, theirs = columns(real / f"{name}.isxd", values), isx.EventSet.read(str(real / f"{name}.isxd"))
    for n in range(theirs.num_cells):
        offsets, sizes = theirs.get_cell_data(n)
        mine = found["offset_us"][found["channel"] == n].astype(np.int64)
        assert np.abs(mine - offsets.astype(np.int64)).max(initial=0) <= 1  # isx goes through the date, and truncates
        np.testing.assert_array_equal(found["value"][found["channel"] == n], sizes)
