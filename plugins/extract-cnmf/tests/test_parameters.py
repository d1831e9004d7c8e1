"""Parameters that cannot be are named, all in one line, with the way out."""

import pytest

from nwbridge_extract_cnmf.parameters import BadParameters, preset

WRONG = {
    "p": 3, "gSig": 3, "gSiz": (2, 9), "K": 0, "rf": 2, "stride": 80, "tsub": 0, "ssub": 0, "ssub_B": 0, "nb": -1,
    "nb_patch": -1, "border_pix": -1, "n_processes": 0, "min_pnr": float("nan"), "seed": -1, "fr": 0.0,
    "decay_time": -1.0, "dxy": (1.0, 0.0), "ring_size_factor": 0.0,
    "min_corr": 1.1, "merge_thr": -0.1,
    "method_init": "other",
    "method_deconvolution": "cvxpy",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_cannot_be_is_named(name):
    with pytest.raises(BadParameters, match=name) as said:
        preset("1p", **{name: WRONG[name]})
    assert "\n" not in str(said.value)
    assert "expected" in str(said.value)


def test_several_are_named_together():
    with pytest.raises(BadParameters, match=r"K is 0.*tsub is 0"):
        preset("2p", K=0, tsub=0)


@pytest.mark.parametrize(
    ("name", "values", "advice"),
    [
        ("2p", {"method_init": "sparse_NMF", "K": None}, "give K"),
        ("1p", {"rf": 5, "stride": 10}, "overlap smaller"),
        ("1p", {"rf": 5, "stride": 2, "gSiz": (13, 13)}, "a larger rf"),
        ("1p", {"gSig": (9, 3)}, "4 gSig"),
        ("1p", {"low_rank_background": True}, "give nb"),
        ("2p", {"low_rank_background": False, "nb_patch": 0}, "give nb_patch"),
    ],
)
def test_parameters_that_make_no_sense_together_are_refused_with_the_way_out(name, values, advice):
    with pytest.raises(BadParameters, match=advice):
        preset(name, **values)


def test_the_radius_of_the_ring_follows_gsig_as_the_documentation_says_and_not_gsiz():
    assert preset("1p", gSiz=(15, 15)).radius == preset("1p").radius == pytest.approx(1.4 * 13)
    assert preset("1p", gSig=(4, 4)).radius > preset("1p").radius
