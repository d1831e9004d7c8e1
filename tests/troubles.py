"""What batches start from: the examples of all sources, and a plugin whose recordings make trouble when asked to."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typed import typed

from nwbridge.plugins import installed

TROUBLE = """
    import json
    import os
    import signal
    import time
    from contextlib import contextmanager
    from pathlib import Path

    import numpy as np

    import nwbridge

    def detect(path):
        return "its name ends in .trbl" if path.suffix == ".trbl" else None

    def detect_also(path):
        return "it says both" if path.suffix == ".trbl" and '"both"' in path.read_text() else None

    def describe(path, options):
        told = json.loads(path.read_text())
        if told.get("fork") == "raises" and os.fork() == 0:
            raise ValueError("a process of the plugin's own")
        if told.get("fork") == "stays" and not os.path.exists(told["marker"]):
            Path(told["marker"]).write_text("")
            if os.fork() == 0:
                time.sleep(120)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        if "closes" in told:
            os.close(told["closes"])
        values = np.random.default_rng(told["seed"]).integers(0, 1000, (told.get("frames", 40), 11, 7)).astype("u2")

        class Reader:
            def __getitem__(self, key):
                print("plugins may print", flush=True)
                if "deaths" in told:
                    marker = Path(told["marker"])
                    died = marker.read_text() if marker.exists() else ""
                    if len(died) < told["deaths"]:
                        marker.write_text(died + "x")
                        os.kill(os.getpid(), signal.SIGKILL)
                if "begun" in told:
                    Path(told["begun"]).write_text(str(os.getpid()))
                time.sleep(told.get("wait", 0))
                return values[key]

        @contextmanager
        def opened():
            yield Reader()

        movie = nwbridge.Movie(
            "TwoPhotonSeries",
            nwbridge.LazyArray(values.shape, values.dtype, opened),
            nwbridge.Plane(),
            rate_hz=told.get("rate", 10.0),
        )
        subject = nwbridge.Subject(subject_id=told.get("subject"), species="Mus musculus")
        name = told.get("session", path.stem)
        return nwbridge.Session(name, "Trouble.", (movie,), subject=subject, files=(path,))

    @nwbridge.hookimpl
    def register_sources():
        return [
            nwbridge.Source("trouble", "recordings that make trouble", detect, describe, lambda folder: folder),
            nwbridge.Source("trouble-also", "those of another lab", detect_also, describe, lambda folder: folder),
        ]
"""


NWBRIDGE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs the tests in the background ignores it
from nwbridge.cli import main
sys.exit(main())
"""


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """The example of each source of the repository, by its name."""
    folder = tmp_path_factory.mktemp("examples")
    found = {}
    for name in ("allen", "caiman", "deepcad", "dl-smlm", "ideas", "neurofinder", "tiff"):
        (folder / name).mkdir()
        found[name] = installed().source(name)[0].example(folder / name)
    return found


@pytest.fixture
def put(examples):
    """A function that copies an example to a path of its own."""

    def copy(name: str, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if examples[name].is_dir() else shutil.copy)(examples[name], path)
        return path

    return copy


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder with the plugin, as an installer leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "nwbt_trouble.py").write_text(textwrap.dedent(TROUBLE), "utf-8")
    info = folder / "nwbridge_trouble-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nwbridge-trouble\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[nwbridge]\ntrouble = nwbt_trouble\n", "utf-8")
    return folder


@pytest.fixture
def start(site):
    """A function that starts `nwbridge batch` in a process of its own."""

    def begin(*words, **more) -> subprocess.Popen:
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-c", NWBRIDGE, "batch", *map(str, words)]
        pipe = subprocess.PIPE
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, **more)

    return begin


@pytest.fixture
def batch(site, start):
    """A function that runs `nwbridge batch` and returns exit code, standard output and errors."""

    def run(*words, report=False):
        few = [] if {"--workers", "--dask"} & set(words) else ["--workers", "1"]
        words = [*words, *few, *([] if report else ["--no-report"])]
        if "--dask" not in words:  # its threads stay until the process ends
            return typed(["batch", *words], site)
        process = start(*words)
        out, errors = process.communicate(timeout=120)
        return process.returncode, out, errors

    return run


def trouble(path: Path, seed: int = 0, **told) -> Path:
    """Write a recording that makes trouble."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seed": seed, **told}), "utf-8")
    return path


@pytest.fixture(name="trouble")
def trouble_(tmp_path):
    """The function that writes such a recording."""
    return trouble
