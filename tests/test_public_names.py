"""The names that nwbridge offers, and what importing it costs."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import nwbridge


def names_declared_for_type_checkers() -> dict[str, str]:
    tree = ast.parse(Path(nwbridge.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {alias.asname or alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("name", nwbridge.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(nwbridge, name) is not None


def test_type_checkers_and_python_see_the_same_names():
    loaded = {name: room for room, names in nwbridge._ROOMS.items() for name in names}
    assert names_declared_for_type_checkers() == loaded | {"arrays": "nwbridge"}


def test_the_public_names_are_listed_once():
    assert len(set(nwbridge.__all__)) == len(nwbridge.__all__)
    assert dir(nwbridge) == sorted(nwbridge.__all__)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("convert", "conversion"),
        ("inspect", "inspection"),
        ("validate", "validation"),
        ("score", "scoring"),
        ("export", "exports"),
    ],
)
def test_functions_stay_functions_when_their_modules_are_imported(name, module):
    room = importlib.import_module(f"nwbridge.{module}")
    assert inspect.isfunction(getattr(nwbridge, name))
    assert getattr(nwbridge, name) is getattr(room, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'convrt'"):
        nwbridge.convrt  # noqa: B018


def test_importing_it_imports_neither_numpy_nor_pynwb():
    code = "import sys, nwbridge; print([m for m in ('numpy', 'h5py', 'hdmf', 'pynwb', 'pluggy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
