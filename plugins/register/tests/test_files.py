"""From an NWB file to an NWB file: what others find in it, with pynwb and SciPy alone."""

import h5py
import numpy as np
import pynwb
import pytest
from recordings import registry_of
from scipy import ndimage

import nwbridge
from nwbridge.arrays import from_numpy

ROWS, COLUMNS, FRAMES = 40, 56, 30


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(8)
    scene = np.zeros((ROWS + 16, COLUMNS + 16))
    scene[tuple(random.integers(0, size, 90) for size in scene.shape)] = random.random(90) + 0.5
    scene = ndimage.gaussian_filter(scene, 1.5) * 3000 + 20
    walk = np.clip(np.cumsum(random.normal(0, 0.7, (FRAMES, 2)), axis=0), -4, 4)
    seen = np.stack([ndimage.shift(scene, by, order=3, mode="reflect") for by in walk])[:, 8:-8, 8:-8]
    return random.poisson(np.maximum(seen, 0)).astype(np.uint16)


@pytest.fixture(scope="module")
def file(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    (folder / "x").write_text("x", "utf-8")
    nwbridge.convert(folder / "x", folder / "in.nwb", registry=registry_of(from_numpy(frames)))
    return folder / "in.nwb"


def stack_in(path):
    """Return the frames of the one stack, rows and columns that each was moved by, and what it is made from."""
    with pynwb.NWBHDF5IO(path, "r") as io:
        module = io.read().processing["ophys"]["MotionCorrection"]
        (stack,) = module.corrected_image_stacks.values()
        assert stack.corrected.rate == stack.xy_translation.rate == stack.original.rate == 30.0
        shifts = stack.xy_translation.data[:][:, ::-1]
        return stack.corrected.data[:].transpose(0, 2, 1), shifts, stack.original.name


@pytest.mark.parametrize("order", [1, 3])
def test_the_file_s_shifts_applied_by_scipy_give_the_file_s_frames(file, frames, tmp_path, order):
    how = {1: "linear", 3: "cubic"}[order]
    result = nwbridge.process(file, tmp_path / "out.nwb", "register", options={"interpolation": how})
    assert result.verified
    found, shifts, original = stack_in(tmp_path / "out.nwb")
    assert (found.dtype, found.shape, original) == (np.uint16, frames.shape, "TwoPhotonSeries")
    assert np.ptp(shifts) > 3
    for frame, shift, moved in zip(frames, shifts, found, strict=True):
        expected = ndimage.shift(frame.astype(np.float64), shift, order=order, mode="mirror")
        inner = np.abs(moved - np.clip(expected, 0, None))[6:-6, 6:-6]
        assert inner.max() <= 0.51  # rounded
    with h5py.File(file) as before, h5py.File(tmp_path / "out.nwb") as after:
        name = "acquisition/TwoPhotonSeries/data"
        np.testing.assert_array_equal(before[name][()], after[name][()])


def test_whole_pixels_give_the_source_s_own_values(file, frames, tmp_path):
    nwbridge.process(file, tmp_path / "out.nwb", "register", options={"whole_pixels": True}, chunks=(7, 20, 20))
    found, shifts, _ = stack_in(tmp_path / "out.nwb")
    assert np.array_equal(shifts, np.rint(shifts))
    for frame, shift, moved in zip(frames, shifts.astype(int), found, strict=True):
        np.testing.assert_array_equal(moved[6:-6, 6:-6], np.roll(frame, shift, (0, 1))[6:-6, 6:-6])


def test_chunks_and_threads_change_no_value(file, tmp_path):
    nwbridge.process(file, tmp_path / "a.nwb", "register", threads=1, chunks=(1, ROWS, COLUMNS))
    nwbridge.process(file, tmp_path / "b.nwb", "register", threads=4, chunks=(30, 10, 10))
    for one, other in zip(stack_in(tmp_path / "a.nwb"), stack_in(tmp_path / "b.nwb"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_was_measured_is_in_the_file(file, tmp_path):
    nwbridge.process(file, tmp_path / "out.nwb", "register", options={"max_shift": 8})
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        table = io.read().analysis["RegisteredTwoPhotonSeriesParameters"].to_dataframe()
    told = dict(zip(table["key"], table["value"], strict=True))
    assert told["max_shift"] == "8"
    assert float(told["correlation_after"]) > float(told["correlation_before"])


def test_a_light_file_has_the_shifts_beside_the_movie(file, tmp_path):
    result = nwbridge.process(file, tmp_path / "out.nwb", "register", light=True)
    assert any("its shifts are the series" in finding.message for finding in result.findings)
    with h5py.File(tmp_path / "out.nwb") as made:
        assert made["processing/ophys/RegisteredTwoPhotonSeries/data"].shape == (FRAMES, COLUMNS, ROWS)
        assert made["processing/ophys/RegisteredTwoPhotonSeries_xy_translation/data"].shape == (FRAMES, 2)
    (movie,) = nwbridge.describe(tmp_path / "out.nwb").elements[:1]
    assert movie.shifts.shape == (FRAMES, 2)


def test_what_was_registered_can_be_registered_again(file, tmp_path):
    options, made = {"whole_pixels": True}, "RegisteredTwoPhotonSeries"
    nwbridge.process(file, tmp_path / "once.nwb", "register", options=options)
    nwbridge.process(tmp_path / "once.nwb", tmp_path / "twice.nwb", "register", series=made, options=options)
    with pynwb.NWBHDF5IO(tmp_path / "twice.nwb", "r") as io:
        stacks = io.read().processing["ophys"]["MotionCorrection"].corrected_image_stacks
        again = stacks["RegisteredRegisteredTwoPhotonSeries"]
        assert again.original is stacks["RegisteredTwoPhotonSeries"].corrected
        assert np.abs(again.xy_translation.data[:]).max() <= 1  # it holds still by now
