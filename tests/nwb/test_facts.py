"""What NWB has no field for stands in descriptions and is found there again."""

import pytest

from nwbridge.nwb.facts import stated, stating

WORDS = [None, "cells", "cells [of two kinds]", "a; b: c", "50 % [x: y]z", "x [kind: y]", "[unit: m]", "x []"]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "facts",
    [{}, {"kind": "denoised"}, {"made_from": "a; b] 50 % [x", "unit": "dB; 20 log10 [ratio]"}, {"made_from": ""}],
)
def test_facts_and_words_read_back(words, facts):
    assert stated(stating(words, **facts)) == (words, facts)


def test_facts_that_nobody_knows_are_not_written():
    assert stating("cells", kind=None) == "cells"
    assert stating(None) == "no description"


def test_other_programs_descriptions_have_no_facts():
    assert stated("ROI [1]") == ("ROI [1]", {})
    assert stated("GCaMP6f [dilution: 1 to 5]") == ("GCaMP6f [dilution: 1 to 5]", {})
    assert stated("") == (None, {})
