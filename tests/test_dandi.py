"""DANDI's own client has nothing against what a user's metadata completes, at validation and at upload."""

import os
import subprocess
import sys

import pytest

import nwbridge
from nwbridge.plugins import installed

METADATA = """
NWBFile:
  session_start_time: 2020-01-31T12:00:00+01:00
  experimenter: ["Doe, Jane"]
  institution: Example Institute
  keywords: [two-photon]
  experiment_description: An example.
Subject: {subject_id: mouse-7, species: Mus musculus, sex: F, age: P90D}
Ophys:
  ImagingPlane: [{location: VISp, indicator: GCaMP6s}]
"""

UPLOAD = """
import sys
from dandi.metadata.nwb import nwb2asset
from dandi.misctypes import DUMMY_DANDI_ETAG
from dandischema.models import BareAsset
asset = BareAsset(**nwb2asset(sys.argv[1], digest=DUMMY_DANDI_ETAG).model_dump())
print(asset.wasAttributedTo[0].identifier, asset.wasAttributedTo[0].species.name)
"""


def client(*words, **kwargs):
    """Run in a process of its own, without the client's look for a newer version."""
    environment = os.environ | {"DANDI_NO_ET": "1"}
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False, env=environment, **kwargs
    )


@pytest.mark.parametrize("source", ["neurofinder", "deepcad"])
def test_dandi_accepts_a_file_completed_by_metadata(tmp_path, source):
    pytest.importorskip("dandi", reason="dandi is not installed: pip install dandi")
    (tmp_path / "in").mkdir()
    (tmp_path / "lab.yaml").write_text(METADATA, "utf-8")
    folder = tmp_path / "dandiset" / "sub-mouse-7"
    folder.mkdir(parents=True)
    (tmp_path / "dandiset" / "dandiset.yaml").write_text("identifier: DANDI:000027\n", "utf-8")
    out = folder / "sub-mouse-7_ophys.nwb"
    path = installed().source(source)[0].example(tmp_path / "in")
    assert nwbridge.convert(path, out, metadata=tmp_path / "lab.yaml").ok
    validated = client(
        "-c", "from dandi.cli.command import main; main()", "validate", "--min-severity", "ERROR", out, cwd=tmp_path
    )
    assert validated.returncode == 0, validated.stdout + validated.stderr
    assert "No errors found" in validated.stdout + validated.stderr
    uploaded = client("-c", UPLOAD, out)
    assert uploaded.stdout.strip() == "mouse-7 Mus musculus - House mouse", uploaded.stderr
