"""The step `events`, on segmentations made by hand and from file to file."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, Finding, Plane, Region, Segmentation, Table, Traces, arrays
from nwbridge_events import deconvolve, from_times, noise, rectified_derivative, register_processors
from nwbridge_events.options import EventsOptions

(PROCESSOR,) = register_processors()


def simulated(count=5, frames=900, seed=0):
    rng = np.random.default_rng(seed)
    spikes = rng.poisson(0.03, (count, frames))
    kernel = 0.9 ** np.arange(60)
    calcium = np.stack([np.convolve(row, kernel)[:frames] for row in spikes])
    return (calcium + rng.normal(0, 0.2, calcium.shape)).astype(np.float32)


def segmentation(data, kind="dff", name="raw_dff", **more):
    regions = tuple(Region(np.array([[n, 2 * n + 1]]), id=20 + n) for n in range(data.shape[0]))
    lazy = data if isinstance(data, nwbridge.LazyArray) else arrays.from_numpy(data)
    clock = {"rate_hz": 30.0} | more
    return Segmentation("cells", regions, (40, 60), Plane(), traces=(Traces(name, lazy, kind, **clock),))


def run(element, **options):
    made = PROCESSOR.run((element,), EventsOptions(**options))
    findings = [one for one in made if isinstance(one, Finding)]
    (table,) = [one for one in made if isinstance(one, Table)] or [None]
    (regions,) = [one for one in made if isinstance(one, Segmentation)]
    return {traces.kind: traces for traces in regions.traces}, table, findings


def values(traces, step=1000):
    count = traces.data.shape[0]
    with traces.data.open() as reader:
        return np.concatenate([reader[low : min(count, low + step)] for low in range(0, count, step)])


@pytest.mark.parametrize(("method", "order"), [("oasis-ar1", 1), ("oasis-ar2", 2)])
def test_stores_what_the_library_finds(method, order):
    data = simulated()
    made, table, findings = run(segmentation(data), method=method)
    found = [deconvolve(row, order=order) for row in data]
    np.testing.assert_allclose(values(made["deconvolved"]), [one.s for one in found], atol=1e-5)
    np.testing.assert_allclose(values(made["denoised"]), [one.c + one.baseline for one in found], atol=1e-5)
    assert findings == []
    for name, wanted in {
        "g1": [one.g[0] for one in found],
        "g2": [one.g[1] if order == 2 else 0 for one in found],
        "noise": [one.noise for one in found],
        "baseline": [one.baseline for one in found],
        "penalty": [one.lam for one in found],
        "residual": [np.std(row - one.c - one.baseline) for row, one in zip(data, found, strict=True)],
    }.items():
        np.testing.assert_allclose(table[name].values, wanted, rtol=1e-3, err_msg=name)
    np.testing.assert_array_equal(table["region"].values, np.arange(5))
    assert table["region"].rows_of == "cells"


def test_new_traces_have_the_clock_and_the_unit_of_the_old_and_say_what_they_came_from():
    times = arrays.from_numpy(np.arange(900) / 30 + 4.0)
    made, _, _ = run(segmentation(simulated(), unit="dF/F", rate_hz=None, timestamps=times, start_s=0.0))
    for kind in ("denoised", "deconvolved"):
        traces = made[kind]
        assert (traces.made_from, traces.unit, traces.data.dtype) == ("raw_dff", "dF/F", np.float32)
        assert traces.timestamps is times
        assert traces.name == kind


@pytest.mark.parametrize("method", ["oasis-ar1", "oasis-ar2", "derivative"])
def test_values_do_not_depend_on_the_blocks_that_are_asked_for(method):
    data = simulated(7)
    data[3] = np.nan
    made, _, _ = run(segmentation(data), method=method)
    for traces in made.values():
        np.testing.assert_array_equal(values(traces, 1), values(traces, 7))
        with traces.data.open() as reader:
            np.testing.assert_array_equal(reader[5:7], values(traces)[5:7])


def test_reads_in_one_thread_what_has_to_be():
    data = simulated(6)
    lazy = replace(arrays.from_numpy(data), parallel=False)
    made, _, _ = run(segmentation(lazy))
    alike, _, _ = run(segmentation(data))
    assert not made["deconvolved"].data.parallel
    np.testing.assert_array_equal(values(made["deconvolved"]), values(alike["deconvolved"]))


def test_works_on_delta_f_over_f_where_there_is_any_else_on_fluorescence():
    data = simulated()
    both = segmentation(data, "fluorescence", "raw")
    assert run(both)[0]["deconvolved"].made_from == "raw"
    both = replace(both, traces=(*both.traces, Traces("ratio", arrays.from_numpy(data), "dff", rate_hz=30.0)))
    assert run(both)[0]["deconvolved"].made_from == "ratio"
    assert run(both, traces="raw")[0]["deconvolved"].made_from == "raw"


def test_a_name_that_is_taken_is_not_taken_twice():
    data = simulated()
    element = segmentation(data)
    element = replace(element, traces=(*element.traces, Traces("deconvolved", arrays.from_numpy(data), rate_hz=30.0)))
    made = PROCESSOR.run((element,), EventsOptions())[0]
    assert [traces.name for traces in made.traces] == ["raw_dff", "deconvolved", "denoised", "deconvolved_2"]


def test_regions_without_a_trace_are_named_and_nan():
    data = simulated(8)
    data[2] = np.nan
    data[5] = 1.5
    made, table, findings = run(segmentation(data))
    empty = np.isnan(values(made["deconvolved"])).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(empty), [2, 5])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(table["baseline"].values)), [2, 5])
    assert [finding.severity for finding in findings] == ["warning"]
    assert "2 of 8 regions" in findings[0].message
    assert "1 all NaN, 1 constant (id 22, 25)" in findings[0].message


def test_gaps_stay_gaps_and_are_told():
    data = simulated(3)
    data[1, 100:130] = np.nan
    made, _, (finding,) = run(segmentation(data))
    np.testing.assert_array_equal(np.isnan(values(made["deconvolved"])), np.isnan(data))
    np.testing.assert_array_equal(np.isnan(values(made["denoised"])), np.isnan(data))
    assert "1 traces of raw_dff have gaps" in finding.message
    assert "id 21" in finding.message


@pytest.mark.parametrize("method", ["oasis-ar1", "derivative"])
def test_gaps_of_the_timestamps_are_told(method):
    times = np.arange(900) / 30
    times[300:] += 12.5
    times[700:] += 0.02
    clock = {"rate_hz": None, "timestamps": arrays.from_numpy(times)}
    _, _, (finding,) = run(segmentation(simulated(3), **clock), method=method)
    assert finding.severity == "warning"
    assert finding.message.startswith(
        "2 of 899 steps between the timestamps of raw_dff are longer than 1.5 times the median of 0.03333 s, the "
        "longest 12.5333 s"
    )
    even = {"rate_hz": None, "timestamps": arrays.from_numpy(np.arange(900) / 30)}
    assert run(segmentation(simulated(3), **even), method=method)[2] == []


def test_the_table_reads_well_with_a_unit_of_the_traces_and_without():
    _, table, _ = run(segmentation(simulated(2), unit="dF/F"))
    units = {column.name: column.unit for column in table.columns}
    assert (units["g1"], units["g2"], units["decay_time"], units["noise"]) == (None, None, "s", "dF/F")
    assert table["g1"].description == "first coefficient of the model: c[t] = g1 c[t-1] + g2 c[t-2] + s[t]"
    assert table.description == "what deconvolved of cells was inferred with from raw_dff"
    _, table, _ = run(segmentation(simulated(2)))
    assert {column.unit for column in table.columns} == {None, "s"}
    assert table.description.endswith("smallest spike in the unit of these traces")


@pytest.mark.parametrize(
    ("row", "words"), [(np.nan, "5 all NaN"), (0.5, "5 constant"), (None, "5 fewer than 32 samples")]
)
def test_says_in_one_line_that_no_trace_can_be_used(row, words):
    data = simulated(5, 20) if row is None else np.full((5, 300), row, np.float32)
    with pytest.raises(BadSource, match=f"no region of cells has a trace in raw_dff .*{words}"):
        run(segmentation(data))


def test_the_smallest_spike_is_given_in_multiples_of_the_noise():
    data = simulated()
    made, table, _ = run(segmentation(data), s_min=3.0)
    found = values(made["deconvolved"])
    least = 3.0 * np.array([noise(row.astype(float)) for row in data])
    assert all(row[row > 0].min() >= low * 0.9999 for row, low in zip(found, least, strict=True))
    np.testing.assert_allclose(table["smallest_spike"].values, least)
    assert (table["penalty"].values == 0).all()


def test_times_of_decay_and_rise_can_be_given():
    data = simulated()
    made, table, _ = run(segmentation(data), decay=0.4, rise=0.08, baseline=0.0)
    wanted = deconvolve(data[0], from_times(0.4, 0.08, 30.0), baseline=0.0)
    np.testing.assert_allclose(values(made["deconvolved"])[0], wanted.s, atol=1e-5)
    np.testing.assert_allclose(table["decay_time"].values, 0.4)
    np.testing.assert_allclose(table["rise_time"].values, 0.08)
    assert (table["baseline"].values == 0).all()


def test_the_derivative_is_that_of_the_smoothed_trace():
    data = simulated(2)
    made, table, _ = run(segmentation(data), method="derivative", smoothing=0.0)
    wanted = np.maximum(np.diff(data.astype(float), prepend=data[:, :1]), 0)
    np.testing.assert_allclose(values(made["deconvolved"]), wanted, atol=1e-6)
    assert table is None
    smooth, _, _ = run(segmentation(data), method="derivative", smoothing=0.1)
    np.testing.assert_allclose(values(smooth["deconvolved"])[1], rectified_derivative(data[1], 3.0), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decay": 0.0}, "--decay 0.0: expected more than 0"),
        ({"s_min": -1.0}, "--s-min -1.0: expected more than 0"),
        ({"rise": 0.1}, "expected together with --decay"),
        ({"decay": 0.1, "rise": 0.2}, "expected less than --decay"),
        ({"decay": 0.1, "rise": 0.05, "method": "oasis-ar1"}, "oasis-ar2"),
        ({"smoothing": -1.0}, "--smoothing -1.0"),
        ({"baseline": float("nan")}, "--baseline nan"),
        ({"traces": "other"}, "has no traces of that name; it has raw_dff"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(BadOption, match=words):
        run(segmentation(simulated()), **options)


def test_traces_that_hold_no_recording_are_refused():
    with pytest.raises(BadSource, match="has no traces of kind dff or fluorescence"):
        run(segmentation(simulated(), "deconvolved", "spikes"))
    with pytest.raises(BadSource, match="no rate and no timestamps"):
        run(segmentation(simulated(), rate_hz=None))


def test_a_model_that_does_not_fit_is_told():
    time = np.arange(1500) / 30
    data = np.stack([np.sin(time), np.sin(1.3 * time)]) + np.random.default_rng(0).normal(0, 0.02, (2, 1500))
    _, _, findings = run(segmentation(data))
    assert any("the model leaves more than 2 times the noise" in finding.message for finding in findings)


def test_from_file_to_file_the_results_stand_beside_the_recorded_spikes(recording, tmp_path):
    out = tmp_path / "out.nwb"
    nwbridge.process(recording, out, "events", options={"method": "oasis-ar2"})
    with h5py.File(recording) as old, h5py.File(out) as new:
        trace = old["processing/ophys/DfOverF/raw_dff/data"][:]
        made = new["processing/ophys/Fluorescence"]
        found = [deconvolve(trace[:, number], order=2) for number in range(3)]
        np.testing.assert_allclose(made["deconvolved/data"][:], np.stack([one.s for one in found], 1), atol=1e-5)
        np.testing.assert_array_equal(new["units/spike_times"][:], old["units/spike_times"][:])
        np.testing.assert_array_equal(made["deconvolved/rois"][:], [0, 1, 2])
        assert made["deconvolved/starting_time"].attrs["rate"] == 31.25
        table = new["analysis/deconvolved_parameters"]
        np.testing.assert_allclose(table["noise"][:], [one.noise for one in found])
        np.testing.assert_array_equal(table["region"][:], [0, 1, 2])
