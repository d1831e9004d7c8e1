"""How large a file will be, judged before it is written."""

import numpy as np
import pytest

import nwbridge
from nwbridge import Column, Session, Source, Table
from nwbridge.plugins import Plugin, Registry, installed


def of(*elements):
    """A registry whose source describes these elements."""
    source = Source("made", "", lambda path: "x", lambda path, options: Session("a", "A session.", elements), print)
    return Registry((Plugin("made", "nwbridge-made", "1", sources=(source,)),))


@pytest.mark.parametrize("rows", [0, 10, 40_000])
def test_values_that_are_in_memory_count_too(tmp_path, rows):
    values = np.random.default_rng(0).random(max(rows, 1))
    elements = (Table("t", (Column("a", values), Column("b", values, "other numbers"))),) if rows else ()
    (tmp_path / "x").touch()
    guess = nwbridge.inspect(tmp_path / "x", registry=of(*elements)).estimate
    written = nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=of(*elements))
    assert guess.array_bytes == written.array_bytes
    assert 0.8 < guess.file_bytes / written.file_bytes < 1.25


@pytest.mark.parametrize("source", installed().sources())
def test_the_file_of_each_example_is_about_as_large_as_estimated(source, tmp_path):
    (tmp_path / "in").mkdir()
    path = installed().source(source)[0].example(tmp_path / "in")
    guess = nwbridge.inspect(path, source=source).estimate
    written = nwbridge.convert(path, tmp_path / "x.nwb", source=source)
    assert 0.8 < guess.file_bytes / written.file_bytes < 1.25
