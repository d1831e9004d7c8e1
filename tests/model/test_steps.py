"""Steps of processing as data."""

from pathlib import Path

import pytest

from nwbridge import PluginFault, Step


def test_parameters_become_plain_values():
    step = Step("a", "nwbridge-a", "1", ("Raw",), ("New",), {"n": (1, 2), "file": Path("weights.npz"), "none": None})
    assert step.parameters == {"n": [1, 2], "file": "weights.npz", "none": None}


def test_a_parameter_that_refers_to_itself_is_the_plugin_s_fault():
    endless = []
    endless.append(endless)
    with pytest.raises(PluginFault, match="step a: a parameter is no plain value"):
        Step("a", "nwbridge-a", "1", (), (), {"endless": endless})


def test_what_is_given_stays_as_it_is():
    given = {"n": [1]}
    step = Step("a", "nwbridge-a", "1", (), (), given)
    given["n"].append(2)
    assert step.parameters == {"n": [1]}
