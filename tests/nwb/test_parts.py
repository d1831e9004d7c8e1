"""Several files take their names together or not at all, whatever happens meanwhile."""

import subprocess
import sys

import pytest

from nwbridge import CannotWrite
from nwbridge.nwb.hdf5 import Hdf5
from nwbridge.nwb.parts import part_files


@pytest.mark.parametrize("there", ["none", "one", "all"])
@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_several_files_take_their_names_together_or_not_at_all(tmp_path, monkeypatch, there, overwrite, error):
    outs = [tmp_path / f"{name}.nwb" for name in "abc"]
    for out in outs[: {"none": 0, "one": 1, "all": 3}[there]]:
        out.write_text("older", "utf-8")
    before = {out.name: out.read_text("utf-8") for out in tmp_path.iterdir()}
    publish = Hdf5.publish

    def failing(self, part, out, *, overwrite):
        if out.name == "c.nwb":
            raise error
        return publish(self, part, out, overwrite=overwrite)

    def write():
        with part_files(outs, overwrite=overwrite) as parts:
            for part in parts:
                part.write_text("newer", "utf-8")

    taken = there != "none" and not overwrite
    monkeypatch.setattr(Hdf5, "publish", failing)
    kind = CannotWrite if taken or isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(kind):
        write()
    assert {out.name: out.read_text("utf-8") for out in tmp_path.iterdir()} == before
    monkeypatch.setattr(Hdf5, "publish", publish)
    if not taken:
        write()
        assert {out.name: out.read_text("utf-8") for out in tmp_path.iterdir()} == {out.name: "newer" for out in outs}


def test_a_file_that_was_kept_aside_by_a_killed_run_is_put_back(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from nwbridge.nwb.hdf5 import Hdf5\n"
        "from nwbridge.nwb.parts import part_files\n"
        "Hdf5.publish = lambda *a, **k: os._exit(9)\n"
        "with part_files([Path(out) for out in sys.argv[1:]], overwrite=True) as parts:\n"
        "    [part.write_text('newer') for part in parts]\n"
    )
    outs = [tmp_path / "a.nwb", tmp_path / "b.nwb"]
    outs[0].write_text("older", "utf-8")
    done = subprocess.run([sys.executable, "-c", script, *outs], check=False)
    assert done.returncode == 9
    assert not outs[0].exists()
    with pytest.raises(KeyError), part_files(outs, overwrite=True):
        raise KeyError
    assert {out.name: out.read_text("utf-8") for out in tmp_path.iterdir()} == {"a.nwb": "older"}
