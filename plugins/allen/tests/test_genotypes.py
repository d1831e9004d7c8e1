"""What a genotype says of indicator and line."""

import pytest

from nwbridge_allen.genotypes import indicator_of, line_of


@pytest.mark.parametrize(
    ("genotype", "indicator"),
    [
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai94", "GCaMP6s"),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai93", "GCaMP6f"),
        ("Cux2-CreERT2;Camk2a-tTA;Ai93", "GCaMP6f"),
        ("Cux2-CreERT2/wt;Camk2a-tTA/wt;Ai93(TITL-GCaMP6f)/wt", "GCaMP6f"),
        ("emx1-ires-cre; camk2a-tta; AI94", "GCaMP6s"),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai93;Ai94", None),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai94(TITL-GCaMP6f)", None),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai148", None),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai940", None),
        ("", None),
        (None, None),
    ],
)
def test_derives_the_indicator_or_leaves_it_unknown(genotype, indicator):
    assert indicator_of(genotype) == indicator


@pytest.mark.parametrize(
    ("genotype", "line"),
    [
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai94", "driver line Emx1-IRES-Cre, Emx1-s in the publications"),
        ("Emx1-IRES-Cre;Camk2a-tTA;Ai93", "driver line Emx1-IRES-Cre, Emx1-f in the publications"),
        ("Cux2-CreERT2;Camk2a-tTA;Ai93", "driver line Cux2-CreERT2, Cux2-f in the publications"),
        ("Cux2-CreERT2;Camk2a-tTA", "driver line Cux2-CreERT2"),
    ],
)
def test_names_the_driver_line(genotype, line):
    assert line_of(genotype) == f"transgenic mouse, {line}"


@pytest.mark.parametrize("genotype", ["Rbp4-Cre;Ai93", "Emx1-IRES-Cre;Cux2-CreERT2;Ai93", "wild type", None])
def test_names_no_line_that_it_does_not_know(genotype):
    assert line_of(genotype) is None
