"""The step `dff`, on segmentations made by hand and from file to file."""

from dataclasses import replace
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries
from scipy.ndimage import gaussian_filter1d

import nwbridge
from nwbridge import BadOption, BadSource, Finding, LazyArray, Plane, Region, Segmentation, Traces, arrays
from nwbridge_dff import DffOptions, register_processors

RATE = 10.0
(PROCESSOR,) = register_processors()


def fluorescence(count=4, frames=900, seed=0):
    """Traces over a baseline of 200 that drifts to 300."""
    rng = np.random.default_rng(seed)
    calcium = np.stack([np.convolve(rng.poisson(0.01, frames), 0.9 ** np.arange(80))[:frames] for _ in range(count)])
    base = np.linspace(200, 300, frames)
    return (base * (1 + calcium) + rng.normal(0, 2, (count, frames))).astype(np.float32)


def segmentation(data, kind="fluorescence", name="raw", **more):
    lazy = data if isinstance(data, LazyArray) else arrays.from_numpy(data)
    regions = tuple(Region(np.array([[n % 40, n % 60]]), id=30 + n) for n in range(lazy.shape[0]))
    return Segmentation(
        "cells", regions, (40, 60), Plane(), traces=(Traces(name, lazy, kind, **({"rate_hz": RATE} | more)),)
    )


def run(element, **options):
    made = PROCESSOR.run((element,), DffOptions(**options))
    (regions,) = [one for one in made if isinstance(one, Segmentation)]
    return regions.traces[-1], [one for one in made if isinstance(one, Finding)]


def values(traces, step=1000):
    count = traces.data.shape[0]
    with traces.data.open() as reader:
        return np.concatenate([reader[low : min(count, low + step)] for low in range(0, count, step)])


def running(row, half, percent):
    return np.array([np.percentile(row[max(0, t - half) : t + half + 1], percent) for t in range(len(row))])


@pytest.mark.parametrize(
    ("options", "percent"),
    [({"percentile": 12.0}, 12.0), ({"method": "median", "percentile": 3.0}, 50.0), ({"method": "constant"}, 8.0)],
)
def test_is_the_change_over_the_baseline(options, percent):
    data = fluorescence()
    made, findings = run(segmentation(data), window=20.0, smoothing=0.0, **options)
    for row, found in zip(data.astype(float), values(made), strict=True):
        constant = options.get("method") == "constant"
        base = np.percentile(row, percent) if constant else running(row, 100, percent)
        np.testing.assert_allclose(found, (row - base) / base, atol=1e-5)
    assert findings == []


def test_the_baseline_is_that_of_the_smoothed_trace_and_the_change_that_of_the_trace():
    row = fluorescence(1)[0].astype(float)
    made, _ = run(segmentation(row[None]), window=30.0, smoothing=0.4)
    base = running(gaussian_filter1d(row, 4.0, truncate=4.0), 150, 8.0)
    np.testing.assert_allclose(values(made)[0][200:-200], ((row - base) / base)[200:-200], atol=1e-5)


def test_a_running_baseline_follows_a_drift_and_a_constant_one_does_not():
    data = fluorescence(1, 3000)
    follows, _ = run(segmentation(data), window=60.0)
    stays, _ = run(segmentation(data), method="constant")
    drift = [np.median(values(one)[0, -500:]) - np.median(values(one)[0, :500]) for one in (follows, stays)]
    assert abs(drift[0]) < 0.05
    assert drift[1] > 0.25


def test_the_new_traces_have_the_old_clock_and_say_what_they_are_made_of():
    times = arrays.from_numpy(5 + np.arange(900) / RATE)
    made, _ = run(segmentation(fluorescence(), rate_hz=None, timestamps=times), window=20.0)
    assert (made.name, made.kind, made.made_from, made.data.dtype) == ("dff", "dff", "raw", np.float32)
    assert made.timestamps is times
    plain, _ = run(segmentation(fluorescence()), window=20.0)
    np.testing.assert_array_equal(values(made), values(plain))


@pytest.mark.parametrize("method", ["percentile", "constant"])
def test_gaps_of_the_timestamps_are_told(method):
    times = np.arange(900) / RATE
    times[300:] += 100.0
    times[700:] += 0.06
    element = segmentation(fluorescence(), rate_hz=None, timestamps=arrays.from_numpy(times))
    _, (finding,) = run(element, window=20.0, method=method)
    assert finding.severity == "warning"
    assert finding.message.startswith(
        "2 of 899 steps between the timestamps of raw are longer than 1.5 times the median of 0.1 s, "
        "the longest 100.1 s"
    )
    assert ("--method constant" in finding.advice) == (method == "percentile")
    assert run(element, method="constant", smoothing=0.0)[1] == []  # nothing goes by time


def test_values_do_not_depend_on_the_blocks_that_are_asked_for():
    data = fluorescence(7)
    made, _ = run(segmentation(data))
    np.testing.assert_array_equal(values(made, 1), values(made, 7))
    with made.data.open() as reader:
        np.testing.assert_array_equal(reader[5:7], values(made)[5:7])
    alone, _ = run(segmentation(replace(arrays.from_numpy(data), parallel=False)))
    assert not alone.data.parallel
    np.testing.assert_array_equal(values(alone), values(made))


def test_nan_stays_nan_and_disturbs_nothing_else():
    data = fluorescence(3)
    clean = values(run(segmentation(data), smoothing=0.0)[0])
    data[1, 400:420] = np.nan
    data[2, 7] = np.inf
    found = values(run(segmentation(data), smoothing=0.0)[0])
    wrong = ~np.isfinite(data)
    np.testing.assert_array_equal(np.isnan(found), wrong)
    np.testing.assert_allclose(found[~wrong], clean[~wrong], atol=0.05)


def test_empty_traces_are_named():
    data = fluorescence(5)
    data[[1, 3]] = np.nan
    made, (finding,) = run(segmentation(data), window=20.0)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values(made)).all(axis=1)), [1, 3])
    assert finding.severity == "warning"
    assert "2 of 5 traces of raw are NaN" in finding.message
    assert "id 31, 33" in finding.message


def test_a_baseline_of_zero_or_less_gives_nan_there_and_a_finding():
    data = fluorescence(3)
    data[1] -= 250  # drifts from −50 to 50
    data[2, 5] = -1000  # one sample, which no baseline is made of
    made, (finding,) = run(segmentation(data), window=20.0, smoothing=0.0)
    base = running(data[1].astype(float), 100, 8.0)
    np.testing.assert_array_equal(np.isnan(values(made)[1]), base <= 0)
    assert np.isfinite(values(made)[[0, 2]]).all()
    assert "the baselines of 1 of 3 regions are 0 or less in places, and ΔF/F is NaN there (id 31)" in finding.message
    assert "--traces" in finding.advice


def test_traces_without_any_baseline_above_zero_are_refused_in_one_line():
    with pytest.raises(BadSource, match="no baseline of raw is above 0; ΔF/F wants"):
        run(segmentation(fluorescence() - 1000))
    with pytest.raises(BadSource, match="4 of 4 traces are NaN"):
        run(segmentation(np.full((4, 100), np.nan)))
    with pytest.raises(BadSource, match="no baseline of raw is above 0"):
        run(segmentation(np.zeros((2, 100), np.int16)))


def test_integers_and_constants_are_traces_too():
    data = np.full((2, 300), 7, np.uint8)
    np.testing.assert_allclose(values(run(segmentation(data), window=10.0)[0]), np.zeros((2, 300)), atol=1e-12)


def test_a_trace_shorter_than_the_window_takes_what_there_is():
    data = fluorescence(2, 100)
    made, (finding,) = run(segmentation(data), window=60.0, smoothing=0.0)
    base = np.percentile(data.astype(float), 8.0, axis=1, keepdims=True)
    np.testing.assert_allclose(values(made), data / base - 1, atol=1e-5)
    assert (finding.severity, "raw last 10 s, less than the window" in finding.message) == ("hint", True)
    one, _ = run(segmentation(data[:, :1]))
    np.testing.assert_array_equal(values(one), np.zeros((2, 1)))


def test_takes_fluorescence_unless_another_is_named():
    data = fluorescence()
    element = segmentation(data)
    more = (Traces("clean", arrays.from_numpy(data + 50), "denoised", rate_hz=RATE),)
    element = replace(element, traces=(*more, *element.traces))
    assert run(element)[0].made_from == "raw"
    assert run(element, traces="clean")[0].made_from == "clean"
    with pytest.raises(BadOption, match="--traces other: cells has no traces of that name; it has clean"):
        run(element, traces="other")


def test_what_is_delta_f_over_f_already_is_refused_in_one_line():
    ratio = segmentation(fluorescence(), "dff", "ratio")
    with pytest.raises(BadSource, match="cells has ΔF/F already and no fluorescence to make it from"):
        run(ratio)
    with pytest.raises(BadOption, match="--traces ratio: these are dff; expected fluorescence"):
        run(ratio, traces="ratio")
    with pytest.raises(BadSource, match="cells has no fluorescence; its traces are clean"):
        run(segmentation(fluorescence(), "denoised", "clean"))


def test_a_name_that_is_taken_is_not_taken_twice():
    data = fluorescence()
    element = segmentation(data)
    element = replace(element, traces=(*element.traces, Traces("dff", arrays.from_numpy(data), "dff", rate_hz=RATE)))
    assert run(element)[0].name == "dff_2"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"percentile": 101.0}, "--percentile 101.0: expected 0 to 100"),
        ({"window": 0.0}, "--window 0.0: expected more than 0 s"),
        ({"smoothing": -1.0}, "--smoothing -1.0: expected 0 s or more"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(BadOption, match=words):
        run(segmentation(fluorescence()), **options)


def test_traces_without_a_rate_are_refused():
    with pytest.raises(BadSource, match="no rate and no timestamps"):
        run(segmentation(fluorescence(), rate_hz=None))


def test_memory_does_not_grow_with_the_number_of_regions():
    """Blocks are read one by one, and none is larger than what was asked for or 32 MB."""
    asked = []

    def read(start, stop):
        asked.append(stop - start)
        return np.random.default_rng(start).uniform(90, 110, (stop - start, 50_000)).astype(np.float32)

    made, _ = run(segmentation(arrays.from_function((400, 50_000), np.float32, read)), method="constant")
    assert max(asked) * 50_000 * 8 <= 32 * 2**20
    asked.clear()
    with made.data.open() as reader:
        assert reader[3:5].shape == (2, 50_000)
    assert asked == [2]


def written(path, data):
    file = NWBFile("simulated", "simulated", datetime(2026, 1, 1, tzinfo=UTC), session_id="simulated")
    device = file.create_device("microscope")
    channel = OpticalChannel(name="channel", description="green", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="layer 2/3",
        device=device,
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
    )
    module = file.create_processing_module("ophys", "optical physiology")
    masks, raw = ImageSegmentation(), Fluorescence()
    table = masks.create_plane_segmentation(description="cells", imaging_plane=plane, name="cells")
    for number in range(len(data)):
        table.add_roi(pixel_mask=[(number, 2 * number + 1, 1.0)])
    module.add(masks)
    module.add(raw)
    rows = table.create_roi_table_region(region=list(range(len(data))), description="all")
    raw.add_roi_response_series(RoiResponseSeries(name="raw", data=data.T, rois=rows, unit="a.u.", rate=RATE))
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def test_from_file_to_file_the_change_stands_beside_the_fluorescence(tmp_path):
    data = fluorescence()
    path = written(tmp_path / "in.nwb", data)
    nwbridge.process(path, tmp_path / "out.nwb", "dff", options={"window": 20.0, "smoothing": 0.0})
    with h5py.File(tmp_path / "out.nwb") as file:
        made = file["processing/ophys/DfOverF/dff"]
        base = np.stack([running(row, 100, 8.0) for row in data.astype(float)])
        np.testing.assert_allclose(made["data"][:].T, data / base - 1, atol=1e-5)
        assert made["starting_time"].attrs["rate"] == RATE
        np.testing.assert_array_equal(file["processing/ophys/Fluorescence/raw/data"][:], data.T)
