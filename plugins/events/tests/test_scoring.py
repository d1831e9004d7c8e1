"""The score `spikes`, on files that pynwb wrote and that `events` processed."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, NwbridgeError


def scored(truth, result, **options):
    return nwbridge.score("spikes", truth, result, options=options)


@pytest.fixture(scope="module")
def processed(recording):
    nwbridge.process(recording, recording.with_name("events.nwb"), "events")
    return recording.with_name("events.nwb")


def weights(count, sd):
    apart = np.arange(count)[:, None] - np.arange(count)
    kernel = np.where(np.abs(apart) <= np.ceil(4 * sd), np.exp(-0.5 * (apart / sd) ** 2), 0)
    return kernel / kernel.sum(axis=1, keepdims=True)


def test_scores_are_those_of_the_conventions_that_stand_beside_them(lab, recording, processed):
    found = scored(recording, processed)
    with h5py.File(processed) as file:
        estimate = file["processing/ophys/Fluorescence/deconvolved/data"][:, 1]
    spikes = lab.spikes_of()[1]
    edges = (np.arange(len(estimate) + 1) - 0.5) / lab.rate
    counts = np.histogram(spikes, edges)[0]
    row = next(row for row in found.rows if row["cell"] == "11" and row["estimate"] == "deconvolved")
    for scale, word in ((0.04, "40 ms"), (0.2, "200 ms"), (1.0, "1 s")):
        smooth = weights(len(counts), scale * lab.rate)
        wanted = np.corrcoef(smooth @ counts, smooth @ estimate)[0, 1]
        assert row[f"r {word}"] == pytest.approx(wanted, abs=1e-4)
        assert row[f"best {word}"] >= row[f"r {word}"]
        assert abs(row[f"lag {word}"]) <= 0.5
    assert row["spikes"] == 45
    assert row["r 200 ms"] > 0.8
    assert {"bin", "smoothing", "lag", "threshold", "derivative", "found", "ν"} <= set(found.conventions)


def test_the_derivative_stands_beside_every_estimate_and_medians_close_the_table(recording, processed):
    rows = scored(recording, processed).rows
    assert [(row["cell"], row["estimate"]) for row in rows] == [
        (cell, estimate) for cell in ("10", "11", "12", "median") for estimate in ("deconvolved", "derivative")
    ]
    for estimate in ("deconvolved", "derivative"):
        three = [row["r 40 ms"] for row in rows if row["estimate"] == estimate]
        assert three[3] == pytest.approx(np.median(three[:3]), abs=1e-4)


def test_noise_level_is_that_of_the_traces(lab, recording, processed):
    rows = scored(recording, processed).rows
    trace = lab.traces_of(lab.spikes_of())[2]
    wanted = 100 * np.median(np.abs(np.diff(trace))) / np.sqrt(lab.rate)
    assert rows[4]["ν %/√Hz"] == pytest.approx(wanted, abs=1e-3)


def test_truth_and_result_may_be_one_file(recording, processed):
    assert scored(processed, processed).rows == scored(recording, processed).rows


def test_what_is_no_recording_is_refused_in_one_line(processed, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing", "utf-8")
    with pytest.raises(NwbridgeError, match=r"notes\.txt"):
        scored(tmp_path / "notes.txt", processed)


def test_other_traces_can_be_scored(lab, tmp_path, recording):
    nwbridge.process(recording, tmp_path / "both.nwb", "events", options={"method": "derivative"})
    rows = scored(recording, tmp_path / "both.nwb").rows
    assert rows[0]["r 200 ms"] == rows[1]["r 200 ms"]  # it is the derivative
    rows = scored(recording, tmp_path / "both.nwb", traces="raw_dff").rows
    assert rows[0]["estimate"] == "raw_dff"


def test_which_region_a_unit_is_can_be_said(lab, tmp_path, recording, processed):
    two = lab.write(tmp_path / "two.nwb", lab.traces_of(lab.spikes_of()), [lab.spikes_of()[2], lab.spikes_of()[0]])
    with pytest.raises(BadSource, match="2 recorded units and 3 regions of cells"):
        scored(two, processed)
    plain, mapped = scored(recording, processed).rows, scored(two, processed, cells="12,10").rows
    assert [row["cell"] for row in mapped] == ["12", "12", "10", "10", "median", "median"]
    assert mapped[0] == plain[4]
    assert [row["cell"] for row in scored(two, processed, cells="-,10").rows] == ["10", "10"]
    with pytest.raises(BadOption, match="--cells 99: cells has no region of that id; it has 10, 11, 12"):
        scored(two, processed, cells="12,99")
    with pytest.raises(BadOption, match="--cells names 1 regions for 2 units"):
        scored(two, processed, cells="12")


def test_only_what_was_observed_counts(lab, tmp_path, processed):
    spikes = [times[times < 40] for times in lab.spikes_of()]
    data = lab.traces_of(lab.spikes_of())
    half = lab.write(tmp_path / "half.nwb", data, spikes, observed=[[[0.0, 40.0]]] * 3)
    blind = lab.write(tmp_path / "blind.nwb", data, spikes)
    fair, unfair = scored(half, processed).rows, scored(blind, processed).rows
    assert fair[0]["r 200 ms"] > unfair[0]["r 200 ms"] + 0.05


@pytest.fixture
def interrupted(lab):
    """A clock with a gap of 100 s, spikes before, in and after it, and what is theirs by the nearest frame."""
    clock = np.arange(2500) / lab.rate
    clock[1200:] += 100.0
    rng = np.random.default_rng(4)
    parts = rng.uniform(2, 38, 40), rng.uniform(38.6, 138.2, 200), rng.uniform(138.6, 178, 40)
    spikes = np.sort(np.concatenate(parts))
    apart = np.abs(spikes[:, None] - clock)
    near = apart.argmin(axis=1)[apart.min(axis=1) <= 0.5 / lab.rate]
    return clock, spikes, np.bincount(near, minlength=len(clock)).astype(float)


def test_spikes_in_a_gap_of_the_timestamps_are_in_no_frame(lab, tmp_path, interrupted):
    clock, spikes, counts = interrupted
    path = lab.write(tmp_path / "gap.nwb", counts[None], [spikes], timestamps=clock)
    found = scored(path, path, traces="raw_dff")
    row = found.rows[0]
    assert row["spikes"] == counts.sum() == 80
    assert [row[f"r {word}"] for word in ("40 ms", "200 ms", "1 s")] == [1.0, 1.0, 1.0]
    assert [finding.message for finding in found.findings] == [
        "cell 10: 200 of 280 spikes are in no frame of raw_dff, and are left out"
    ]


def test_smoothing_lags_and_derivative_do_not_run_across_a_gap_of_the_timestamps(lab, tmp_path, interrupted):
    clock, spikes, counts = interrupted
    trace = lab.traces_of([spikes[spikes < 0]])[0] + np.convolve(counts, 0.9 ** np.arange(50))[: len(counts)]
    trace[1200:] += 5.0  # a jump that only the gap makes
    path = lab.write(tmp_path / "gap.nwb", trace[None], [spikes], timestamps=clock)
    row = next(row for row in scored(path, path, traces="raw_dff").rows if row["estimate"] == "derivative")

    def apart(values, sd):
        return np.concatenate([weights(len(part), sd) @ part for part in np.split(values, [1200])])

    calm = apart(trace, 0.04 * lab.rate)
    rise = np.maximum(np.diff(calm, prepend=calm[:1]), 0)
    rise[1200] = 0
    one, other = apart(counts, lab.rate), apart(rise, lab.rate)
    assert row["r 1 s"] == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-4)
    lags = {}
    for lag in range(-16, 17):
        pairs = [(t, t + lag) for part in (range(1200), range(1200, 2500)) for t in part if t + lag in part]
        t, later = np.array(pairs).T
        lags[lag] = np.corrcoef(one[t], other[later])[0, 1]
    assert row["best 1 s"] == pytest.approx(max(lags.values()), abs=1e-4)


def test_timestamps_that_fall_are_refused_in_one_line(lab, tmp_path, interrupted):
    clock, spikes, counts = interrupted
    path = lab.write(tmp_path / "back.nwb", counts[None], [spikes], timestamps=np.roll(clock, 7))
    with pytest.raises(BadSource, match="the timestamps of traces raw_dff do not grow throughout"):
        scored(path, path, traces="raw_dff")


def test_a_cell_without_spikes_is_left_out_and_told(lab, tmp_path, processed):
    spikes = [lab.spikes_of()[0], np.array([]), np.array([500.0])]
    found = scored(lab.write(tmp_path / "few.nwb", lab.traces_of(lab.spikes_of()), spikes), processed)
    assert {row["cell"] for row in found.rows} == {"10", "median"}
    assert [finding.message for finding in found.findings] == [
        "cell 11 is left out: it has no spikes",
        "cell 12 is left out: none of its 1 spikes falls into the traces (0 to 79.968 s)",
    ]


def test_files_that_have_nothing_in_common_are_refused_in_one_line(lab, tmp_path, recording, processed):
    data = lab.traces_of(lab.spikes_of())
    none = lab.write(tmp_path / "none.nwb", data, [])
    with pytest.raises(BadSource, match=r"none\.nwb holds no recorded spikes"):
        scored(none, processed)
    with pytest.raises(BadSource, match="holds no deconvolved traces; it has raw_dff"):
        scored(recording, recording)
    late = lab.write(tmp_path / "late.nwb", data, [times + 1000 for times in lab.spikes_of()])
    with pytest.raises(BadSource, match=r"nothing to compare in late\.nwb and events\.nwb: cell 10 is left out"):
        scored(late, processed)
    before = lab.write(tmp_path / "before.nwb", data, lab.spikes_of(), observed=[[[-9.0, -1.0]]] * 3)
    with pytest.raises(BadSource, match="what was observed do not overlap"):
        scored(before, processed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lag": -1.0}, "--lag -1.0"),
        ({"window": 0.0}, "--window 0.0: expected more than 0 s"),
        ({"traces": "other"}, "--traces other: events.nwb has no traces of that name"),
        ({"signal": "other"}, "--signal other"),
    ],
)
def test_options_that_cannot_be_are_refused(recording, processed, options, words):
    with pytest.raises(BadOption, match=words):
        scored(recording, processed, **options)


def test_an_estimate_that_is_nan_is_told(lab, tmp_path):
    data = lab.traces_of(lab.spikes_of())
    data[1] = np.nan
    path = lab.write(tmp_path / "gap.nwb", data, lab.spikes_of())
    nwbridge.process(path, tmp_path / "out.nwb", "events")
    found = scored(path, tmp_path / "out.nwb")
    assert any("cell 11: deconvolved is NaN throughout" in finding.message for finding in found.findings)
    assert found.rows[2]["r 200 ms"] is None
