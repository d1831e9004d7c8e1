"""The step: what comes out, what is measured, what is said, and what is refused."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from nwbridge import BadOption, BadSource, Finding, LazyArray, Movie, Parameters, Plane, Table, arrays
from nwbridge_denoise import Options, register_processors
from nwbridge_denoise.choice import Chosen, choose
from nwbridge_denoise.frames import Frames

COUNT, ROWS, COLUMNS = 240, 19, 26


def scene(photons=3.0):
    """Spots whose light decays after random flashes: (time, row, column) of mean `photons`."""
    random = np.random.default_rng(12)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    truth = np.full((COUNT, ROWS, COLUMNS), 2.0)
    for _ in range(9):
        spot = np.exp(-((y - random.uniform(0, ROWS)) ** 2 + (x - random.uniform(0, COLUMNS)) ** 2) / 10)
        flashes = np.convolve(random.random(COUNT) < 0.03, np.exp(-np.arange(60) / 15))[:COUNT]
        truth += 6 * spot * (0.2 + flashes)[:, None, None]
    return truth * photons / truth.mean()


TRUTH = scene()
NOISY = np.random.default_rng(1).poisson(TRUTH).astype(np.uint16)
BRIGHT = np.random.default_rng(2).poisson(TRUTH * 10 + 5).astype(np.float32)


def movie(values=NOISY, name="Movie", **more):
    return Movie(name, arrays.from_numpy(np.asarray(values)), Plane(rate_hz=20.0), **{"rate_hz": 20.0, **more})


def run(element, *beside, **options):
    (step,) = register_processors()
    found = step.run((element, *beside), Options(**options))
    one = {kind: [entry for entry in found if isinstance(entry, kind)] for kind in (Movie, Parameters, Table, Finding)}
    (made,), (parameters,), (measures,) = one[Movie], one[Parameters], one[Table]
    return SimpleNamespace(movie=made, values=parameters.values, table=measures, findings=one[Finding], found=found)


def read(array, size=50):
    with array.open() as reader:
        return np.concatenate(
            [reader[n : min(n + size, len_)] for len_ in array.shape[:1] for n in range(0, len_, size)]
        )


def measured(table):
    return {column.name: float(read(column.values)[0]) for column in table.columns}


def said(result, severity):
    return " | ".join(finding.message for finding in result.findings if finding.severity == severity)


def test_gives_as_many_frames_on_the_same_clock_and_scale():
    times = arrays.from_numpy(np.arange(COUNT) / 20 + 3)
    source = movie(timestamps=times, rate_hz=None, unit="electrons", conversion=0.23, offset=-23.0, start_s=0.0)
    made = run(source, method="gaussian").movie
    assert made.name == "DenoisedMovie"
    assert made.made_from == "Movie"
    assert (made.data.shape, made.data.dtype) == (NOISY.shape, np.float32)
    assert made.timestamps is times
    same = ("rate_hz", "unit", "conversion", "offset", "start_s", "plane", "kind")
    assert [getattr(made, name) for name in same] == [getattr(source, name) for name in same]


def test_shifts_stay_with_the_movie_that_was_registered():
    source = movie(shifts=arrays.from_numpy(np.zeros((COUNT, 2))), made_from="Raw")
    assert run(source, method="gaussian").movie.shifts is None


def test_auto_takes_the_lowest_heldout_error_and_says_so():
    result = run(movie())
    errors = {name: result.values[f"heldout_error/{name}"] for name in ("gaussian", "svd")}
    best = min(errors, key=errors.get)
    assert result.values["method"] == best == "svd"
    assert said(result, "hint").startswith("svd was taken: it predicts held-out frames best")
    assert f"gaussian {errors['gaussian']:.6g}" in said(result, "hint")
    result = read(result.movie.data)
    assert ((result - TRUTH) ** 2).mean() < ((NOISY - TRUTH) ** 2).mean() / 20


@pytest.mark.parametrize("method", ["gaussian", "svd"])
def test_what_is_measured_is_measured_of_what_was_written(method):
    result = run(movie(), method=method)
    filled = measured(result.table)
    values = read(result.movie.data)
    again = run(movie(), method=method)
    read(again.movie.data, size=17)
    assert measured(again.table) == filled
    assert filled["ratio_of_means"] == pytest.approx(values.mean(dtype=np.float64) / NOISY.mean(), rel=1e-6)
    assert ("seam_rows" in filled) == (method == "svd")
    if method == "svd":
        change = np.abs(np.diff(values, axis=1)).mean(axis=(0, 2))  # [n]: between rows n and n + 1
        at, beside = ([3, 7, 10], [2, 4, 6, 8, 9, 11]) if result.values["patch"] == [8, 8] else ([2], [1, 3])
        assert filled["seam_rows"] == pytest.approx(change[at].mean() / change[beside].mean(), rel=1e-5)


def test_the_gain_against_a_reference_is_measured_before_and_after():
    result = run(movie(), movie(BRIGHT, "Bright"), method="gaussian", reference="Bright")
    values = measured(result.table)
    for when, x in (("before", NOISY.astype(float)), ("after", read(result.movie.data).astype(float))):
        r = BRIGHT.astype(float)
        gain, offset = np.polyfit(x.ravel(), r.ravel(), 1)
        x = gain * x + offset
        frames = 10 * np.log10((r**2).sum(axis=(1, 2)) / ((r - x) ** 2).sum(axis=(1, 2)))
        changing, of_x = r - r.mean(axis=0), x - x.mean(axis=0)
        tsnr = 10 * np.log10((changing**2).sum() / ((changing - of_x) ** 2).sum())
        assert values[f"snr_{when}"] == pytest.approx(frames.mean(), rel=1e-6)
        assert values[f"tsnr_{when}"] == pytest.approx(tsnr, rel=1e-6)
        assert values[f"pearson_{when}"] == pytest.approx(np.corrcoef(r.ravel(), x.ravel())[0, 1], rel=1e-6)
    assert values["snr_after"] > values["snr_before"] + 2


def test_values_of_the_same_type_are_rounded_and_stay_inside_it():
    values = np.clip(NOISY.astype(int) * 40 - 300, -128, 127).astype(np.int8)
    result = run(movie(values), method="gaussian", dtype="same", sigma_time=1.0, sigma_rows=0.5, sigma_columns=0.5)
    plain = run(movie(values), method="gaussian", sigma_time=1.0, sigma_rows=0.5, sigma_columns=0.5)
    rounded = read(result.movie.data)
    assert rounded.dtype == np.int8
    np.testing.assert_array_equal(rounded, np.clip(np.rint(read(plain.movie.data)), -128, 127))


def test_dim_and_negative_values_keep_their_mean():
    values = NOISY.astype(np.int16) - 200
    result = run(movie(values), method="svd")
    denoised = read(result.movie.data)
    assert denoised.mean() == pytest.approx(values.mean(), rel=1e-4)
    assert ((denoised + 200 - TRUTH) ** 2).mean() < ((NOISY - TRUTH) ** 2).mean() / 20


def test_a_method_that_loses_against_the_gaussian_is_said_to():
    result = run(movie(), method="svd", rank=1)
    assert result.values["heldout_error/svd"] > result.values["heldout_error/gaussian"]
    assert said(result, "warning").startswith("svd predicts held-out frames no better than a Gaussian filter")
    assert result.values["method"] == "svd"
    auto = choose(Frames(movie().data), Options(rank=1), movie())
    assert isinstance(auto, Chosen)
    assert auto.fitted.name == "gaussian"


def test_a_result_that_equals_its_source_is_said_to():
    result = run(movie(), method="gaussian", sigma_time=0.0, sigma_rows=0.0, sigma_columns=0.0)
    assert "the result equals its source" in said(result, "warning")
    np.testing.assert_array_equal(read(result.movie.data), NOISY)


@pytest.mark.parametrize("method", ["auto", "gaussian", "svd"])
def test_a_constant_movie_is_said_to_be_one(method):
    result = run(movie(np.full((40, 9, 13), 6, np.uint8)), method=method)
    assert "every value is 6" in said(result, "warning")
    assert [finding.severity for finding in result.findings] == ["warning"]  # and not that one method is better
    np.testing.assert_array_equal(read(result.movie.data), 6)
    assert measured(result.table)["ratio_of_means"] == 1


def test_saturated_values_are_counted():
    values = np.clip(NOISY * 40, 0, 255).astype(np.uint8)
    share = np.count_nonzero(values == 255) / values.size
    assert f"{share:.2%} of all values are 255" in said(run(movie(values), method="gaussian"), "warning")


def test_values_at_the_most_that_a_camera_of_fewer_bits_gives_are_saturated():
    values = np.clip(NOISY * 900, 0, 4095).astype(np.uint16)
    share = np.count_nonzero(values == 4095) / values.size
    warning = said(run(movie(values), method="gaussian"), "warning")
    assert f"{share:.2%} of all values are 4095, the most that 12 bits hold: saturated" in warning


@pytest.mark.parametrize("highest", [4094, 4096, 127])
def test_values_at_no_limit_are_not_called_saturated(highest):
    values = np.clip(NOISY * 900, 0, highest).astype(np.uint16)
    assert not run(movie(values), method="gaussian").findings


def test_one_value_at_a_camera_s_limit_is_chance():
    values = np.clip(NOISY * 900, 0, 4000).astype(np.uint16)
    values[7, 3, 4] = 4095
    assert not run(movie(values), method="gaussian").findings


def test_a_movie_of_one_frame_is_refused():
    with pytest.raises(BadSource, match=r"movie Movie has 1 frame; .* needs at least 8"):
        run(movie(NOISY[:1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_frame_that_is_not_finite_is_named(bad):
    values = NOISY.astype(np.float32)
    values[7, 3, 4] = values[9] = bad
    with pytest.raises(BadSource, match="movie Movie: frame 7 holds values that are not finite"):
        run(movie(values))


def test_volumes_are_refused():
    with pytest.raises(BadSource, match=r"movie Movie holds volumes \(10, 4, 5, 3\); expected \(time, row, column\)"):
        run(movie(np.zeros((10, 4, 5, 3))))


@pytest.mark.parametrize(
    ("beside", "options", "message"),
    [
        ([], {"reference": "Bright"}, "--reference Bright: expected the name of another movie; there is none"),
        ([movie(BRIGHT[:9], "Short")], {"reference": "Short"}, r"--reference Short is \(9, 19, 26\); expected"),
        ([], {"method": "svd", "rank": 0}, "--rank 0: expected 1 or more"),
        ([], {"method": "gaussian", "sigma_time": -1.0}, "--sigma-time -1.0: expected 0 or more"),
    ],
)
def test_options_that_cannot_be_are_refused(beside, options, message):
    with pytest.raises(BadOption, match=message):
        run(movie(), *beside, **options)


def test_only_what_the_method_used_stands_among_the_parameters():
    widths = {"sigma_time", "sigma_rows", "sigma_columns"}
    chosen = {"gaussian": widths, "svd": {"rank", "patch"}}
    for method, own in chosen.items():
        values = run(movie(), method=method).values
        assert own <= values.keys()
        others = {"rank", "model", "save", "steps", "seed", "device", "precision", *widths} - own
        assert not others & values.keys()


def test_nothing_stays_open():
    state = {"Movie": 0, "Bright": 0}

    def source(name, values):
        @contextmanager
        def opened():
            state[name] += 1
            yield values
            state[name] -= 1

        return Movie(name, LazyArray(values.shape, values.dtype, opened), Plane(), rate_hz=20.0)

    result, other = (
        run(source("Movie", NOISY), source("Bright", BRIGHT), method="svd", reference="Bright") for _ in range(2)
    )
    read(other.movie.data)
    whole = measured(other.table)
    assert state == {"Movie": 0, "Bright": 0}
    with result.movie.data.open() as reader:
        reader[0:20]
        assert state == {"Movie": 1, "Bright": 1}
    assert state == {"Movie": 0, "Bright": 0}
    assert measured(result.table)["snr_after"] == pytest.approx(whole["snr_after"], rel=1e-9)
    assert state == {"Movie": 0, "Bright": 0}


def test_measures_are_taken_also_of_a_movie_that_nobody_read():
    result = run(movie(), method="gaussian")
    first = measured(result.table)
    assert first["ratio_of_means"] == pytest.approx(
        read(result.movie.data).mean(dtype=np.float64) / NOISY.mean(), rel=1e-6
    )
