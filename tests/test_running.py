"""What a step may ask of the run that it is part of."""

import pytest

import nwbridge
from nwbridge import processors
from nwbridge.running import about, running


def test_outside_of_a_run_progress_is_for_nobody():
    nwbridge.progress("training", 1, 2)
    assert nwbridge.threads() == processors.few()


def test_inside_of_a_run_its_words_and_threads_count():
    told = []
    with running(lambda *words: told.append(words), 3):
        nwbridge.progress("training, loss 0.1", 1, 2)
        assert nwbridge.threads() == 3
    nwbridge.progress("later", 2, 2)
    assert told == [("training, loss 0.1", 1, 2)]
    assert nwbridge.threads() == processors.few()


def test_a_run_inside_of_a_run_gives_back_the_outer_one():
    outer, inner = [], []
    with running(lambda *words: outer.append(words), 2):
        with running(lambda *words: inner.append(words), 5):
            nwbridge.progress("a", 0, 1)
        nwbridge.progress("b", 1, 1)
        assert nwbridge.threads() == 2
    assert (outer, inner) == ([("b", 1, 1)], [("a", 0, 1)])


def test_a_run_that_fails_is_over():
    with pytest.raises(KeyError), running(lambda *words: None, 7):
        raise KeyError
    assert nwbridge.threads() == processors.few()


def test_what_is_told_of_one_of_several_says_which_beside_the_phase():
    told = []
    tell = about(lambda *words: told.append(words), "b.nwb (2 of 3)")
    tell("writing", 5, 10)
    tell("training, loss 0.1, slowly", 1, 2)
    assert told == [("writing, b.nwb (2 of 3)", 5, 10), ("training, b.nwb (2 of 3): loss 0.1, slowly", 1, 2)]
