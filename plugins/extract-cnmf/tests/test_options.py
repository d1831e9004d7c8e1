"""What a user may choose, and how it is said."""

from dataclasses import fields

import pytest

from nwbridge import BadOption
from nwbridge_extract_cnmf import Parameters
from nwbridge_extract_cnmf.options import ExtractOptions, table_of


def test_every_parameter_can_be_given():
    known = {entry.name for entry in fields(ExtractOptions)}
    assert {entry.name for entry in fields(Parameters)} <= known


def test_what_is_not_given_is_left_to_the_preset():
    assert table_of(ExtractOptions()) == {}


def test_numbers_pairs_and_words_are_understood():
    given = ExtractOptions(
        K="auto", gSig="4", gSiz="9,11", rf="none", fr="12.5", dxy="[1.5, 2]", n_processes="auto", p=2
    )
    assert table_of(given) == {
        "K": None,
        "gSig": (4, 4),
        "gSiz": (9, 11),
        "rf": None,
        "fr": 12.5,
        "dxy": (1.5, 2.0),
        "n_processes": None,
        "p": 2,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"K": "many"}, "--K many: expected a whole number or auto"),
        ({"gSig": "1,2,3"}, "--gSig 1,2,3: expected a whole number, or two as rows,columns"),
        ({"gSig": "2.5"}, "--gSig 2.5: expected a whole number"),
        ({"rf": "0.5"}, "--rf 0.5: expected a whole number or none"),
        ({"fr": "fast"}, "--fr fast: expected a number or auto"),
        ({"n_processes": "x"}, "--n-processes x: expected a whole number or auto"),
    ],
)
def test_what_is_no_value_is_refused_in_a_line(given, said):
    with pytest.raises(BadOption, match="expected") as caught:
        table_of(ExtractOptions(**given))
    assert str(caught.value).startswith(said)
