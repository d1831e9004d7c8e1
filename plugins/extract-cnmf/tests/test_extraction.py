"""The whole extraction on simulated movies: cells are found, and every parameter counts."""

from contextlib import nullcontext
from dataclasses import fields

import numpy as np
import pytest

from nwbridge_extract_cnmf.extraction import extract
from nwbridge_extract_cnmf.movies import BadMovie, scratch
from nwbridge_extract_cnmf.parameters import Parameters, preset
from nwbridge_extract_cnmf.simulated import matched, simulate

ONE = {"min_corr": 0.6, "min_pnr": 6.0, "gSiz": (11, 11), "n_processes": 1}
TWO = {"K": 5, "gSiz": (13, 13), "n_processes": 1}
DENDRITES = {"K": 6, "method_init": "sparse_NMF", "n_processes": 1}


@pytest.fixture(scope="module")
def one():
    return simulate("one-photon", (300, 48, 60), 6, sigma=2.5, seed=1)


@pytest.fixture(scope="module")
def two():
    return simulate("two-photon", (400, 40, 52), 5, sigma=3, seed=2)


@pytest.fixture(scope="module")
def found(one, two):
    """Results by preset and parameters, each run once."""
    known = {}

    def run(name, **more):
        key = (name, repr(sorted(more.items())))
        if key not in known:
            base, movie = (ONE, one.movie) if name == "1p" else (TWO, two.movie)
            known[key] = extract(movie, preset(name, **{**base, **more}), rate_hz=10.0)
        return known[key]

    return run


def same(x, y):
    for entry in fields(x):
        a, b = getattr(x, entry.name), getattr(y, entry.name)
        if entry.name == "parameters":
            continue
        a, b = (part.toarray() if hasattr(part, "toarray") else part for part in (a, b))
        np.testing.assert_array_equal(a, b, err_msg=entry.name)


def cosines(truth, x):
    return [cosine for _, _, cosine in matched(truth.footprints, x.footprints.T.toarray().reshape(-1, *x.shape))]


def correlation(truth, x):
    pairs = matched(truth.footprints, x.footprints.T.toarray().reshape(-1, *x.shape))
    return np.mean([np.corrcoef(truth.traces[i], x.denoised[j])[0, 1] for i, j, _ in pairs])


@pytest.mark.parametrize(
    "more", [{}, {"rf": 20, "stride": 12}, {"only_init": False}, {"p": 2}, {"ssub": 2, "ssub_B": 4}, {"rf": None}]
)
def test_one_photon_cells_are_found_with_their_traces(one, found, more):
    x = found("1p", **more)
    assert len(x) == len(cosines(one, x)) == 6
    assert np.mean(cosines(one, x)) > 0.95
    assert min(cosines(one, x)) > 0.8
    assert correlation(one, x) > 0.85
    assert x.accepted.all()


@pytest.mark.parametrize(
    "more", [{}, {"K": None}, {"only_init": False}, {"nb": 0, "nb_patch": 0}, {"center_psf": True}]
)
def test_two_photon_cells_are_found_with_their_traces(two, found, more):
    x = found("2p", **more)
    assert len(x) == len(cosines(two, x)) == 5
    assert min(cosines(two, x)) > 0.9
    assert correlation(two, x) > 0.85


def test_sparse_nmf_finds_components_that_need_not_be_discs(two, found):
    x = found("2p", **DENDRITES)
    assert len(cosines(two, x)) >= 4
    assert np.mean(cosines(two, x)) > 0.8


def test_what_was_found_is_in_the_unit_of_the_movie_and_a_footprint_has_norm_one(one, found):
    x = found("1p")
    assert (x.raw.shape, x.footprints.shape) == ((6, 300), (2880, 6))
    np.testing.assert_allclose(x.footprints.power(2).sum(axis=0), 1, rtol=1e-5)
    blocks = (x.ring @ np.zeros((x.ring.shape[1], 1))).shape[0]
    assert blocks == x.ring_grid[0] * x.ring_grid[1] == 24 * 30
    np.testing.assert_allclose(
        x.constant.reshape(48, 60),
        one.movie.mean(axis=0) - (x.footprints @ x.denoised.mean(axis=1)).reshape(48, 60),
        rtol=0.02,
    )


@pytest.mark.parametrize(("name", "more"), [("1p", {"rf": 12, "stride": 8}), ("2p", {"rf": 12, "stride": 8, "K": 2})])
def test_results_are_the_same_whatever_the_number_of_workers(found, name, more):
    for workers in (2, 3):
        same(found(name, **more), found(name, **more, n_processes=workers))


@pytest.mark.parametrize(("name", "more"), [("1p", {}), ("2p", {})])
def test_results_are_the_same_from_arrays_and_from_a_scratch_file_and_again(one, two, found, name, more):
    movie = (one if name == "1p" else two).movie
    chosen = preset(name, **(ONE if name == "1p" else TWO), **more)
    with scratch([(movie.shape, movie.dtype, lambda: nullcontext(movie))]) as laid:
        same(found(name, **more), extract(laid, chosen, rate_hz=10.0))


EFFECTS = [
    ("1p", {"p": 2}), ("1p", {"p": 0}), ("1p", {"gSig": (2, 2)}), ("1p", {"gSiz": (7, 7)}), ("1p", {"K": 3}),
    ("1p", {"rf": 12, "stride": 8}), ("1p", {"tsub": 1}), ("1p", {"ssub": 2}), ("1p", {"ssub_B": 3}),
    ("1p", {"ring_size_factor": 1.0}), ("1p", {"update_background_components": False}),
    ("1p", {"min_corr": 0.99}), ("1p", {"min_pnr": 40.0}), ("1p", {"only_init": False}),
    ("1p", {"normalize_init": True}), ("1p", {"center_psf": False}), ("1p", {"border_pix": 14}),
    ("1p", {"refit": True}), ("1p", {"decay_time": 3.0}), ("1p", {"fr": 3.0}), ("1p", {"nb": 2}),
    ("1p", {"merge_thr": 0.0, "rf": 12, "stride": 8, "del_duplicates": False}), ("1p", {"evaluate": False}),
    ("1p", {"method_init": "greedy_roi", "nb": 1, "low_rank_background": True}), ("1p", {"bas_nonneg": True}),
    ("2p", {"p": 2}), ("2p", {"p": 0}), ("2p", {"K": 2}), ("2p", {"gSig": (2, 2)}), ("2p", {"gSiz": (9, 9)}),
    ("2p", {"tsub": 1}), ("2p", {"ssub": 2}), ("2p", {"nb": 1}), ("2p", {"low_rank_background": False}),
    ("2p", {"nb_patch": 3}), ("2p", {"rolling_sum": False, "K": 2}), ("2p", {"only_init": False}),
    ("2p", {"normalize_init": False}), ("2p", {"center_psf": True}), ("2p", {"border_pix": 12}),
    ("2p", {"refit": True}), ("2p", {"decay_time": 3.0, "K": None}),
    ("2p", {"update_background_components": False}), ("2p", {"rf": 12, "stride": 8}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more"), EFFECTS, ids=lambda value: str(value))
def test_every_parameter_has_an_effect(found, name, more):
    x, y = found(name), found(name, **more)
    with pytest.raises(AssertionError):
        same(x, y)


@pytest.mark.parametrize(
    "chosen", [{"stride": 14}, {"del_duplicates": False}, {"merge_thr": 0.99, "del_duplicates": False}]
)
def test_what_concerns_patches_has_an_effect_with_several(found, chosen):
    base = {"rf": 12, "stride": 8}
    with pytest.raises(AssertionError):
        same(found("1p", **base), found("1p", **{**base, **chosen}))


def test_every_parameter_is_in_a_test_of_its_effect():
    seen = {key for _, more in EFFECTS for key in more} | {"stride", "del_duplicates", "merge_thr"}
    elsewhere = {"dxy", "min_SNR", "rval_thr", "SNR_lowest", "rval_lowest"}  # test_evaluation
    nothing = {"n_processes", "seed", "method_deconvolution"}  # no effect on results, the start of a solver, one choice
    assert seen | elsewhere | nothing == {entry.name for entry in fields(Parameters)}


def test_without_evaluation_nothing_is_said_of_quality(found):
    x = found("1p", evaluate=False)
    assert x.snr is x.r_values is x.accepted is None


def test_without_deconvolution_there_are_no_spikes_and_a_nonnegative_baseline_holds(found):
    x = found("2p", p=0)
    assert x.deconvolved is None
    assert x.g.shape == (5, 0)
    assert found("2p", p=0).denoised.min() >= 0
    assert found("1p", bas_nonneg=True).baseline.min() >= 0 > found("1p").baseline.min()


@pytest.mark.parametrize("more", [{"nb": 2}, {"nb_patch": 2, "rf": 12, "stride": 8}])
def test_the_ring_model_is_told_as_components_as_well_where_they_are_asked_for(one, found, more):
    x = found("1p", **more)
    cells = (x.footprints @ x.denoised).reshape(48, 60, -1)
    left = one.movie.transpose(1, 2, 0) - cells
    shown = np.asarray(x.background_images @ x.background_courses).reshape(48, 60, -1)
    assert shown.min() >= 0
    assert np.abs(left - shown).mean() < 0.05 * left.mean()
    assert x.ring is not None
    same_cells = found("1p", **{key: value for key, value in more.items() if not key.startswith("nb")})
    np.testing.assert_array_equal(x.raw, same_cells.raw)
    assert not len(same_cells.background_courses)


def test_a_background_of_patches_has_components_in_each(found):
    x = found("2p", low_rank_background=False, nb_patch=2, rf=12, stride=8, K=2)
    overlap = (x.background_images > 0).astype(int)
    assert len(x.background_courses) == 2 * int(overlap.sum(axis=1).max() > 0) * (len(x.background_courses) // 2) > 2
    assert overlap.sum(axis=1).max() <= 2


def test_a_border_and_pixels_without_numbers_hold_no_cell(one):
    movie = one.movie.astype(np.float32)
    movie[:, 20:24, 30:33] = np.nan
    movie[7] = np.nan
    x = extract(movie, preset("1p", **ONE, border_pix=5), rate_hz=10.0)
    outside = np.ones((48, 60), bool)
    outside[5:-5, 5:-5] = False
    outside[20:24, 30:33] = True
    assert len(x)
    assert not x.footprints[outside.ravel()].nnz
    assert np.isfinite(x.raw).all()
    assert any("12 of 2880 pixels have no number" in note for note in x.notes)


def test_several_movies_of_odd_lengths_are_one_and_calcium_starts_anew(one, found):
    parts = [one.movie[:101], one.movie[101:102], one.movie[102:]]
    x = extract(parts, preset("1p", **ONE, tsub=3), rate_hz=10.0)
    assert x.starts == (0, 101, 102)
    assert not x.deconvolved[:, [0, 101, 102]].any()
    assert len(cosines(one, x)) == 6


FLAT = np.full((60, 12, 17), 1001.3, np.float32)


@pytest.mark.parametrize(
    "movie",
    [FLAT, 0 * FLAT, FLAT[:, :1], FLAT[:, :, :1], FLAT[:, :1, :1], np.random.default_rng(0).poisson(900, (60, 12, 17))],
)
@pytest.mark.parametrize(
    "chosen",
    [
        ("1p", {**ONE, "nb": 1}),
        ("1p", ONE),
        ("2p", TWO),
        ("2p", {**TWO, "low_rank_background": False}),
        ("2p", DENDRITES),
    ],
)
def test_where_there_is_no_cell_none_is_found(movie, chosen):
    name, more = chosen
    x = extract(movie, preset(name, **{**more, "tsub": 3, "gSiz": (11, 11)}))
    if more.get("method_init") != "sparse_NMF" or np.ptp(movie) == 0:
        assert len(x) <= (0 if np.ptp(movie) == 0 or name == "1p" else 1)
        assert ("no cell was found" in x.notes) == (len(x) == 0)
    assert x.raw.shape == x.dff.shape == (len(x), 60)
    assert x.deconvolved.shape == (len(x), 60)
    assert x.footprints.shape == (movie.shape[1] * movie.shape[2], len(x))


@pytest.mark.parametrize("name", ["1p", "2p"])
def test_constant_pixels_are_no_obstacle(one, two, name):
    truth, base = (one, ONE) if name == "1p" else (two, TWO)
    movie = truth.movie.copy()
    movie[:, :, :6] = 900
    x = extract(
        movie, preset(name, **base, normalize_init=True) if name == "1p" else preset(name, **base), rate_hz=10.0
    )
    assert np.isfinite(x.footprints.data).all()
    assert len(cosines(truth, x)) >= len(truth.footprints) - 2


@pytest.mark.parametrize("name", ["1p", "2p"])
def test_a_movie_with_values_below_zero_gives_the_same_cells(one, two, found, name):
    truth, base = (one, ONE) if name == "1p" else (two, TWO)
    x = extract(truth.movie.astype(np.int32) - 2000, preset(name, **base), rate_hz=10.0)
    assert len(x) == len(found(name))
    assert np.mean(cosines(truth, x)) > np.mean(cosines(truth, found(name))) - 0.02


@pytest.mark.parametrize(
    ("movie", "more", "said"),
    [
        (FLAT[:3], {}, "3 frames"),
        (FLAT, {"tsub": 30}, "2 after averaging 30"),
        (FLAT, {"border_pix": 6}, "border_pix 6 leaves nothing"),
        (FLAT * np.nan, {}, "no pixel has a number"),
        (np.where(np.arange(17) > 11, FLAT, np.nan), {"border_pix": 5}, "no pixel is left"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(movie, more, said):
    with pytest.raises(BadMovie, match=said) as error:
        extract(movie, preset("1p", **more))
    assert "\n" not in str(error.value)


def test_more_cells_asked_for_than_there_are_is_a_note(found):
    assert any("K 500 cells in a patch: no more than 6" in note for note in found("1p", K=500).notes)
    assert not any("K 3" in note for note in found("1p", K=3).notes)
    assert any("does not fit" in note for note in found("1p", rf=8, stride=4).notes)


# what the IDEAS tool does wrong


def test_a_patch_larger_than_the_field_is_a_note_and_no_crash(found):
    x = found("2p", rf=40, nb=2, nb_patch=1)
    assert any("one patch of 80 pixels" in note for note in x.notes)
    assert len(x) == 5


def test_one_patch_alone_has_spikes(found):
    assert found("2p", rf=None).deconvolved.any()
    assert found("1p", rf=None).deconvolved.any()


def test_refitting_keeps_the_ring_model_so_that_raw_traces_stay_where_they_are(found):
    once, twice = found("1p"), found("1p", refit=True)
    assert twice.ring is not None
    assert np.abs(np.median(once.raw, axis=1) - np.median(twice.raw, axis=1)).max() < 0.2 * once.raw.max()


def test_the_rate_that_the_user_gives_counts_and_the_files_does_not(found):
    assert found("1p").rate_hz == 10
    assert found("1p", fr=3.0).rate_hz == 3


def test_peaks_are_compared_with_the_same_noise_however_many_frames_are_averaged(found):
    """min_pnr means the same for any tsub: not multiplied by its root."""
    one, three = found("1p", tsub=1).pnr, found("1p", tsub=3).pnr
    assert np.median(three) < 1.1 * np.median(one)
    assert three.max() > one.max() / np.sqrt(3)  # means of frames flatten peaks, and no more
