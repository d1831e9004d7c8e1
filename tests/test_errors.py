"""Every error of ours can be sent between processes."""

import inspect
import pickle

import pytest

from nwbridge import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_has_the_eleven_kinds_that_its_head_draws():
    drawn = {line.split()[1] for line in errors.__doc__.splitlines() if line.lstrip().startswith(("├", "└"))}
    assert {kind.__name__ for kind in KINDS} == drawn | {"NwbridgeError"}


@pytest.mark.parametrize("kind", KINDS)
def test_survives_pickling_with_its_message(kind):
    back = pickle.loads(pickle.dumps(kind("frame 12 is missing: download it again")))
    assert type(back) is kind
    assert str(back) == "frame 12 is missing: download it again"


@pytest.mark.parametrize("kind", KINDS)
def test_is_caught_as_one_of_ours(kind):
    assert issubclass(kind, errors.NwbridgeError)
