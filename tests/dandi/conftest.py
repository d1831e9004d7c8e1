"""Small NWB files that DANDI takes, and an archive on loopback that takes them."""

import importlib.util
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pynwb
import pytest

import nwbridge
from nwbridge import Movie, Subject
from nwbridge.plugins import installed


def load(name):
    """A module beside this file: the folder is called as DANDI's client, so its name leads to that."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUBJECT = {"subject_id": "m", "species": "Mus musculus", "sex": "F", "age": "P90D", "description": "a mouse"}
SESSION = {
    "session_description": "A session.",
    "session_start_time": datetime(2020, 1, 31, 12, tzinfo=UTC),
    "experimenter": ["Doe, Jane"],
    "institution": "Example Institute",
    "keywords": ["speed"],
    "experiment_description": "An example.",
}


def write_nwb(path, session="1", subject=SUBJECT, **values):
    """Write a file with nothing against it, but for what is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = None if subject is None else pynwb.file.Subject(**subject)
    file = pynwb.NWBFile(identifier=f"{path.stem}-{session}", session_id=session, subject=known, **(SESSION | values))
    speed = np.random.default_rng(int(session) if session.isdigit() else 0).normal(size=4000)
    file.add_acquisition(pynwb.TimeSeries(name="Speed", description="of a wheel", data=speed, unit="m/s", rate=30.0))
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture
def client():
    """DANDI's client must be installed."""
    return pytest.importorskip("dandi", reason="dandi is not installed: pip install 'nwbridge[dandi]'")


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    """A dandiset with the example of every source, converted for it; and the session behind each file."""
    pytest.importorskip("dandi", reason="dandi is not installed: pip install 'nwbridge[dandi]'")
    folder = tmp_path_factory.mktemp("every")
    root, sessions = folder / "dandiset", {}
    root.mkdir()
    (root / "dandiset.yaml").write_text("{identifier: DANDI:000027, name: x, description: y}\n", "utf-8")
    for name, (source, _) in sorted(installed().sources().items()):
        (folder / name).mkdir()
        path = source.example(folder / name)
        for only in nwbridge.recordings(path, source=name) or [None]:
            session = nwbridge.describe(path, source=name, only=only)
            untimed = {m.series_type for m in session.of(Movie) if m.rate_hz is None and m.timestamps is None}
            given = {"Subject": {"species": "Mus musculus", "subject_id": name}}
            given |= {"Ophys": {kind: [{"rate": 5.0}] for kind in untimed}} if untimed else {}
            result = nwbridge.convert(path, root, source=name, only=only, metadata=given, archive="dandi")
            assert result.ok, result.findings
            sessions[Path(result.out)] = replace(session, subject=Subject(name))
    return root, sessions


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """Two files in their places, which no test changes."""
    folder = tmp_path_factory.mktemp("pair") / "dandiset"
    for session in ("1", "2"):
        write_nwb(folder / "sub-m" / f"sub-m_ses-{session}.nwb", session)
    return folder


@pytest.fixture
def two(tmp_path, pair, client):
    """A folder with two files in their places."""
    return shutil.copytree(pair, tmp_path / "dandiset")


@pytest.fixture
def archive(client, monkeypatch):
    """An archive that runs; its key is where the client looks for it."""
    from dandischema.consts import DANDI_SCHEMA_VERSION

    server = load("archive_server")
    monkeypatch.setenv("CUSTOM_DANDI_API_KEY", server.KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    held = server.Archive(DANDI_SCHEMA_VERSION)
    with server.serving(held):
        yield held


@pytest.fixture
def tools():
    """What tests of this folder share."""
    return SimpleNamespace(write_nwb=write_nwb, SUBJECT=SUBJECT, **vars(load("archive_server")))
