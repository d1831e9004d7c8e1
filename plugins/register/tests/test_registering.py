"""A movie is steadier after registration, each frame's shift is what it was, and bad movies are told in a line."""

import re

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from nwbridge import BadOption, BadSource, Finding, Movie, Parameters, Plane
from nwbridge.arrays import from_function, from_numpy
from nwbridge_register import RegisterOptions, run

ROWS, COLUMNS, FRAMES, EDGE = 60, 84, 70, 12


def made_up(seed=3):
    """Cells in a dim background, wider than the field of view."""
    random = np.random.default_rng(seed)
    scene = np.zeros((ROWS + 2 * EDGE, COLUMNS + 2 * EDGE))
    scene[tuple(random.integers(0, size, 160) for size in scene.shape)] = random.random(160) + 0.5
    return ndimage.gaussian_filter(scene, 2.0) * 2000 + 15


def path(frames=FRAMES, most=6.0):
    """A walk of the field of view: what lies at (r, c) of the scene is seen at (r, c) + path."""
    walk = np.cumsum(np.random.default_rng(4).normal(0, 0.6, (frames, 2)), axis=0)
    return np.clip(walk - np.median(walk, axis=0), -most, most)


def frames_of(scene, walk, seed=5):
    seen = np.stack([ndimage.shift(scene, by, order=3, mode="reflect") for by in walk])[:, EDGE:-EDGE, EDGE:-EDGE]
    return np.random.default_rng(seed).poisson(np.maximum(seen, 0))


def movie_of(frames, **changes):
    return Movie("Raw", from_numpy(frames), Plane("Plane"), **({"rate_hz": 30.0} | changes))


def values(array):
    with array.open() as reader:
        return np.asarray(reader[0 : array.shape[0]])


def registered(movie, **options):
    """Return the movie that was made, the parameters, and the findings."""
    made, parameters, *findings = run((movie,), RegisterOptions(**options))
    assert isinstance(made, Movie)
    assert isinstance(parameters, Parameters)
    assert all(isinstance(finding, Finding) for finding in findings)
    return made, parameters.values, findings


SCENE = made_up()
WALK = path()
NOISY = frames_of(SCENE, WALK).astype(np.uint16)


def away(shifts, walk):
    """How far shifts are from undoing a walk, but for where the picture as a whole lies."""
    error = shifts + walk
    return np.hypot(*(error - np.median(error, axis=0)).T)


def test_sub_pixel_shifts_are_found_in_noise():
    made, told, findings = registered(movie_of(NOISY))
    assert np.sqrt(np.mean(away(values(made.shifts), WALK) ** 2)) < 0.15
    assert away(values(made.shifts), WALK).max() < 0.5
    assert findings == []
    assert told["correlation_after"] > told["correlation_before"] + 0.1
    assert told["crispness_after"] > 1.3 * told["crispness_before"]


def test_whole_pixels_are_undone_exactly():
    walk = np.rint(WALK)
    clean = np.stack([np.roll(SCENE, by.astype(int), (0, 1))[EDGE:-EDGE, EDGE:-EDGE] for by in walk]).astype(
        np.int16
    ) - np.int16(100)
    made, told, _ = registered(movie_of(clean), whole_pixels=True)
    shifts = values(made.shifts)
    assert np.array_equal(shifts, np.rint(shifts))
    assert np.ptp(shifts + walk, axis=0).max() == 0  # all of them, but for where the picture as a whole lies
    assert made.data.dtype == np.int16
    (top, bottom), (left, right) = told["true_rows"], told["true_columns"]
    inner = values(made.data)[:, top:bottom, left:right]
    assert inner.shape[1] > ROWS // 2
    assert np.ptp(inner, axis=0).max() == 0  # every frame shows the same, value for value


def test_the_true_area_holds_no_pixel_from_outside():
    made, told, _ = registered(movie_of(NOISY.astype(np.float32)), interpolation="linear")
    (top, bottom), (left, right) = told["true_rows"], told["true_columns"]
    for frame, shift, found in zip(NOISY, values(made.shifts), values(made.data), strict=True):
        expected = ndimage.shift(frame.astype(np.float32), shift, order=1, mode="constant", cval=np.nan)
        assert np.isfinite(expected[top:bottom, left:right]).all()
        np.testing.assert_allclose(found[top:bottom, left:right], expected[top:bottom, left:right], atol=0.01)
    assert np.isfinite(values(made.data)).all()


def test_the_movie_keeps_its_clock_its_plane_and_its_type():
    times = from_numpy(np.arange(FRAMES) * 0.1 + 0.003)
    movie = movie_of(NOISY, rate_hz=None, timestamps=times, description="awake [x]", unit="counts", conversion=0.5)
    made, _, _ = registered(movie)
    assert made.timestamps is times
    assert (made.plane, made.unit, made.conversion, made.kind) == (movie.plane, "counts", 0.5, "two-photon")
    assert (made.data.shape, made.data.dtype, made.shifts.shape) == (NOISY.shape, np.uint16, (FRAMES, 2))
    assert (made.name, made.made_from) == ("RegisteredRaw", "Raw")
    assert "rounded to uint16" in made.description
    assert "repeats the nearest pixel" in made.description
    assert made.description.endswith("awake [x]")


def test_the_same_result_whatever_the_threads_and_however_it_is_read():
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return NOISY[start:stop]

    stream = from_function(NOISY.shape, NOISY.dtype, read, parallel=False)
    one, told, _ = registered(movie_of(NOISY))
    other, also, _ = registered(Movie("Raw", stream, Plane("Plane"), rate_hz=30.0))
    assert told == also
    np.testing.assert_array_equal(values(one.shifts), values(other.shifts))
    np.testing.assert_array_equal(values(one.data), values(other.data))
    assert (0, FRAMES) in asked


def test_the_input_is_not_changed():
    before = NOISY.copy()
    made, _, _ = registered(movie_of(NOISY))
    values(made.data)
    np.testing.assert_array_equal(NOISY, before)


def test_a_movie_that_holds_still_is_left_where_it_is():
    still = np.random.default_rng(6).poisson(SCENE[EDGE:-EDGE, EDGE:-EDGE], (20, ROWS, COLUMNS)).astype(np.uint16)
    made, told, findings = registered(movie_of(still), whole_pixels=True)
    assert [finding.message for finding in findings] == ["Raw holds still: no frame had to be moved"]
    np.testing.assert_array_equal(values(made.data), still)
    assert told["true_rows"] == [0, ROWS]


def test_volumes_are_moved_by_what_their_planes_have_in_common():
    planes = [frames_of(made_up(plane), WALK, plane) for plane in range(3)]
    volumes = np.stack(planes, axis=3).astype(np.float32)
    made, _, _ = registered(movie_of(volumes))
    assert made.data.shape == (FRAMES, ROWS, COLUMNS, 3)
    assert np.sqrt(np.mean(away(values(made.shifts), WALK) ** 2)) < 0.15


def test_parameters_name_what_was_chosen():
    _, told, _ = registered(movie_of(NOISY), smoothing=2, template_frames=30)
    chosen = {"max_shift": 10, "upsample": 10, "whole_pixels": False, "interpolation": "cubic", "smoothing": 2}
    assert {name: told[name] for name in chosen} == chosen
    assert told["measured_on_frames"] == 30


def test_progress_is_shown():
    told = []
    from nwbridge.running import running

    with running(lambda doing, done, total: told.append((doing, done, total)), 2):
        registered(movie_of(NOISY))
    assert told[-1] == ("finding shifts", FRAMES, FRAMES)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_type_of_movie_is_registered(dtype):
    frames = NOISY.clip(0, 250) // 2  # as an 8-bit camera would show it, the brightest cells saturated
    shown = frames.astype(dtype) if dtype != np.int16 else frames.astype(dtype) - np.int16(2000)
    made, _, findings = registered(movie_of(shown))
    assert made.data.dtype == dtype
    assert away(values(made.shifts), WALK).max() < 0.6
    assert findings == []
    if dtype == np.int16:
        assert values(made.data).max() < 0  # negative ones stay negative


def test_a_saturated_movie_is_registered_by_what_is_left():
    made, _, _ = registered(movie_of(np.minimum(NOISY, 40)))
    assert np.median(away(values(made.shifts), WALK)) < 0.2
    assert values(made.data).max() <= 65535


def test_frames_of_nan_move_with_their_neighbours_and_are_named():
    frames = NOISY.astype(np.float32)
    frames[10] = np.nan
    frames[30, 5:9, 7] = np.nan
    made, told, findings = registered(movie_of(frames))
    assert told["frames_without_match"] == [10]
    assert told["frames_with_nan"] == [10, 30]
    assert [finding.message for finding in findings] == [
        "frames 10, 30 of Raw hold values that are not finite numbers: moved by whole pixels, "
        "so that no other pixel is spoiled",
        "frame 10 of Raw could not be laid on the others: moved as those before and after",
    ]
    shifts = values(made.shifts)
    np.testing.assert_array_equal(shifts[10], np.rint((shifts[9] + shifts[11]) / 2))
    np.testing.assert_array_equal(shifts[30], np.rint(shifts[30]))  # as it was moved
    kept = ndimage.shift(frames[30], shifts[30], order=0, mode="nearest")
    np.testing.assert_array_equal(values(made.data)[30], kept)
    assert np.isnan(values(made.data)[10]).all()
    assert np.isnan(values(made.data)).sum() == ROWS * COLUMNS + 4
    assert away(shifts, WALK)[[9, 11]].max() < 0.5
    assert away(shifts, WALK)[30] < 1


def test_a_volume_with_nan_in_one_plane_moves_as_it_is_told():
    volumes = np.stack([NOISY, NOISY[:, ::-1]], axis=3).astype(np.float32)
    volumes[:, :, :, 1] = NOISY
    volumes[30, 5, 7, 1] = np.nan
    made, _, _ = registered(movie_of(volumes))
    rows, columns = values(made.shifts)[30]
    assert (rows % 1, columns % 1) == (0, 0)
    moved = ndimage.shift(volumes[30, :, :, 0], (rows, columns), order=0, mode="nearest")
    np.testing.assert_array_equal(values(made.data)[30, :, :, 0], moved)


def test_frames_without_a_match_move_by_whole_pixels_too_where_all_do():
    walk = np.zeros((40, 2))
    walk[21:] = (3, -2)
    frames = frames_of(SCENE, walk).astype(np.uint16)
    frames[19:21] = 0
    frames[19:21, ::2, 3::5] = 900  # another scene
    made, told, _ = registered(movie_of(frames), whole_pixels=True)
    assert told["frames_without_match"] == [19, 20]
    shifts = values(made.shifts)
    np.testing.assert_array_equal(shifts[21] - shifts[18], (-3, 2))
    np.testing.assert_array_equal(shifts[19:21], np.rint([shifts[18] + np.array([-3, 2]) * p / 3 for p in (1, 2)]))
    assert set(np.unique(values(made.data)[19:21])) == {0, 900}


def test_where_few_frames_match_none_is_moved_and_one_warning_says_so():
    frames = np.random.default_rng(6).poisson(30, (60, ROWS, COLUMNS)).astype(np.float32)
    frames[::5] = NOISY[:60:5]  # 12 of 60
    frames[3] = np.nan
    made, told, findings = registered(movie_of(frames))
    assert told["largest_shift_px"] == 0
    np.testing.assert_array_equal(values(made.data), frames)
    hint, warning = findings
    assert hint.message == "frame 3 of Raw holds values that are not finite numbers"
    assert warning.severity == "warning"
    assert re.fullmatch(r"no frame of Raw was moved: only \d+ of 60 could be laid on the others", warning.message), (
        warning.message
    )


def test_where_most_frames_moved_too_far_a_larger_limit_is_advised():
    walk = np.zeros((40, 2))
    walk[20:, 0] = np.linspace(-11, 11, 20)
    walk[:4] = (0.2, 0)
    walk[4:20, 1] = np.linspace(-11, 11, 16)
    _, told, (finding,) = registered(movie_of(frames_of(SCENE, walk).astype(np.uint16)), max_shift=2)
    assert told["largest_shift_px"] == 0
    assert finding.advice == "try a larger --max-shift"


def likeness_of(frames, shifts, span):
    """Mean correlation with the mean, as SciPy smooths and moves."""
    (top, bottom), (left, right) = span
    smooth = [ndimage.gaussian_filter(frame.astype(float), 1.0) for frame in frames]
    laid = np.stack(
        [ndimage.shift(frame, by, order=3, mode="nearest") for frame, by in zip(smooth, shifts, strict=True)]
    )
    laid = laid[:, top:bottom, left:right].reshape(len(frames), -1)
    return np.mean([np.corrcoef(frame, laid.mean(axis=0))[0, 1] for frame in laid])


def test_what_shifts_below_half_a_pixel_do_is_measured():
    walk = np.random.default_rng(1).uniform(-0.35, 0.35, (30, 2))
    frames = frames_of(SCENE, walk).astype(np.uint16)
    made, told, findings = registered(movie_of(frames))
    assert findings == []
    shifts, span = values(made.shifts), (told["true_rows"], told["true_columns"])
    assert 0.2 < np.abs(shifts).max() < 0.9
    assert told["correlation_before"] == pytest.approx(likeness_of(frames, shifts * 0, span), abs=2e-4)
    assert told["correlation_after"] == pytest.approx(likeness_of(frames, shifts, span), abs=2e-4)
    assert told["correlation_after"] > told["correlation_before"] + 1e-3
    assert "smoothed by a Gaussian of 1 pixel" in told["meaning"]


def test_moving_noise_between_pixels_makes_it_hardly_more_alike():
    from concurrent.futures import ThreadPoolExecutor

    from nwbridge_register.sampling import likeness

    still = SCENE[EDGE:-EDGE, EDGE:-EDGE] / 20
    frames = list(np.random.default_rng(1).poisson(still, (40, ROWS, COLUMNS)).astype(np.float32))
    area = ((2, ROWS - 2), (2, COLUMNS - 2))
    with ThreadPoolExecutor(2) as pool:
        before, after = (likeness(frames, np.full((40, 2), by), area, pool) for by in (0.0, 0.5))
    assert after.correlation == pytest.approx(before.correlation, abs=0.005)


def test_dark_frames_and_noise_are_named_and_move_with_their_neighbours():
    frames = NOISY.copy()
    frames[20:22] = 0
    frames[40] = np.random.default_rng(6).poisson(30, (ROWS, COLUMNS))
    made, told, findings = registered(movie_of(frames))
    assert told["frames_without_match"] == [20, 21, 40]
    assert findings[0].message.startswith("frames 20, 21, 40 of Raw could not be laid on the others")
    shifts = values(made.shifts)
    np.testing.assert_allclose(shifts[20], shifts[19] + (shifts[22] - shifts[19]) / 3)


def test_frames_that_moved_further_are_named_and_move_with_their_neighbours():
    walk = np.zeros((30, 2))
    walk[12] = (9, -4)
    walk[13:] = (2, 0)
    frames = frames_of(SCENE, walk).astype(np.uint16)
    made, told, findings = registered(movie_of(frames), max_shift=5)
    assert told["frames_beyond_max_shift"] == [12]
    shifts = values(made.shifts)
    np.testing.assert_allclose(shifts[12], (shifts[11] + shifts[13]) / 2)
    assert [(f.message, f.advice) for f in findings] == [
        (
            "frame 12 of Raw seems to have moved by more than 5 pixels: moved as those before and after",
            "look at it; try a larger --max-shift",
        )
    ]


def test_a_movie_of_noise_is_not_moved():
    noise = np.random.default_rng(6).poisson(30, (25, ROWS, COLUMNS)).astype(np.uint16)
    made, told, findings = registered(movie_of(noise))
    assert len(told["frames_without_match"]) > 12
    assert [finding.severity for finding in findings] == ["warning"]
    assert findings[0].message.startswith("no frame of Raw was moved: only ")
    assert np.abs(values(made.shifts)).max() == 0


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_a_movie_that_shows_nothing_is_refused(value):
    frames = np.full((5, ROWS, COLUMNS), value, np.float32)
    with pytest.raises(BadSource, match="Raw shows nothing, every frame is one value or NaN; expected a picture"):
        registered(movie_of(frames))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, ROWS, COLUMNS), "Raw has one frame; expected two or more"),
        ((5, 7, COLUMNS), "Raw has frames of 7 × 84 pixels; expected 8 or more a side"),
    ],
)
def test_what_cannot_be_registered_is_refused(shape, message):
    with pytest.raises(BadSource, match=message):
        registered(movie_of(np.ones(shape)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_shift": 30}, "--max-shift 30: expected 1 to 29, less than half of the shorter side of Raw"),
        ({"max_shift": 0}, "--max-shift 0: expected 1 to 29"),
        ({"upsample": 0}, "--upsample 0: expected 1 or more"),
        ({"smoothing": 0.1}, "--smoothing 0.1: expected 0.5 or more"),
        ({"smoothing": np.nan}, "--smoothing nan: expected 0.5 or more"),
        ({"high_pass": -1.0}, r"--high-pass -1.0: expected 0 or more"),
        ({"template_frames": 1}, "--template-frames 1: expected 2 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(BadOption, match=message):
        registered(movie_of(NOISY), **options)


def test_two_frames_are_enough():
    walk = np.array([[0.0, 0.0], [3.0, -2.0]])
    made, _, _ = registered(movie_of(frames_of(SCENE, walk).astype(np.uint16)))
    first, second = values(made.shifts)
    np.testing.assert_allclose(first - second, [3, -2], atol=0.21)


def real(samples, name):
    """A recorded picture, wider than the field of view: the mean of its frames where there are several."""
    stack = tifffile.imread(samples / name).astype(np.float64)
    mean = stack.mean(axis=0) if stack.ndim == 3 else stack
    return mean[: ROWS + 2 * EDGE, : COLUMNS + 2 * EDGE]


@pytest.mark.parametrize("name", ["deepcad/sima_example.tif", "neurofinder/neurofinder.00.00/images/image00000.tiff"])
def test_shifts_of_recorded_pictures_are_found(samples, name):
    scene = real(samples, name)
    scene = scene / scene.mean() * 60
    made, _, findings = registered(movie_of(frames_of(scene, WALK).astype(np.uint16)))
    assert np.sqrt(np.mean(away(values(made.shifts), WALK) ** 2)) < 0.15
    assert findings == []


def test_a_recording_is_no_less_alike_for_being_registered(samples):
    stack = tifffile.imread(samples / "caiman_inscopix/runs/real2p_1000x30x40.tif")
    made, told, _ = registered(movie_of(stack))
    assert told["correlation_after"] >= told["correlation_before"]
    assert made.data.shape == stack.shape


def test_cells_that_blink_in_turn_are_no_motion():
    random = np.random.default_rng(99)
    rows, columns = np.mgrid[:40, :52]
    cells = [np.hypot(rows - r, columns - c) < 5 for r, c in ((12, 14), (16, 20), (28, 40))]
    activity = np.convolve(random.random(80) < 0.1, np.exp(-np.arange(20) / 6))[:80]
    light = 80 + 40 * np.sin(columns / 9)
    shown = [light + sum(cell * 120 * activity[at + 5 * n] for n, cell in enumerate(cells)) for at in range(60)]
    frames = random.poisson(shown).astype(np.uint16)
    made, told, findings = registered(movie_of(frames))
    assert told["correlation_after"] < told["correlation_before"]
    assert told["largest_shift_px"] == 0
    assert (told["true_rows"], told["true_columns"]) == ([0, 40], [0, 52])
    np.testing.assert_array_equal(values(made.data), frames)
    (finding,) = findings
    assert finding.severity == "warning"
    assert finding.message.startswith("no frame of Raw was moved: the shifts found make them less alike")
