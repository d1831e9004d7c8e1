"""What is compiled is kept where it can be, and works where it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nwbridge
import nwbridge_render_smlm

SCRIPT = """
import numpy as np
from nwbridge_render_smlm import kernels
image = np.zeros((4, 6), np.float32)
kernels.histogram(image, 0, np.array([1.5, 1.2]), np.array([2.5, 2.1]), np.ones(1, np.float32))
print(kernels.__file__, image[1, 2], image.sum(), type(kernels.histogram._cache).__name__)
"""


def installed(folder):
    """Copy the plugin to where nothing can be kept: a file stands where each cache would be a folder."""
    source = Path(nwbridge_render_smlm.__file__).parent
    copy = folder / "nwbridge_render_smlm"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run(folder, home):
    names = ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE")
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    clean |= dict.fromkeys(names, str(home)) | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, *values = done.stdout.split()
    assert Path(file).is_relative_to(folder)
    return values


def test_an_install_that_cannot_be_written_to_compiles_in_memory(tmp_path):
    copy = installed(tmp_path)
    (copy / "__pycache__").write_text("no folder")
    home = tmp_path / "home"
    home.write_text("no folder")
    assert run(tmp_path, home) == ["2.0", "2.0", "NullCache"]


def test_what_was_compiled_is_kept_beside_the_module(tmp_path):
    copy = installed(tmp_path)
    assert run(tmp_path, tmp_path) == ["2.0", "2.0", "FunctionCache"]
    assert list((copy / "__pycache__").glob("kernels.histogram*.nbc"))


def test_a_missing_numba_is_one_clear_line(smlm, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(nwbridge.MissingDependency, match=r"numba cannot be loaded .*: python -m pip install numba"):
        smlm.render(smlm.table(smlm.molecules()), smlm.movie())
