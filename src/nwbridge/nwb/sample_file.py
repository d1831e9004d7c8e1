"""A small NWB file as another program would write it, for tests and demonstrations."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.file import Subject
from pynwb.ophys import OpticalChannel, TwoPhotonSeries

FRAMES, ROWS, COLUMNS = 40, 24, 30


def write_sample(path: Path) -> Path:
    """Write a made-up movie with pynwb alone, and return its path."""
    file = NWBFile(
        session_description="made up to show the format",
        identifier=str(uuid.UUID(int=0)),
        session_id="example",
        session_start_time=datetime(2020, 1, 31, 12, tzinfo=UTC),
        subject=Subject(subject_id="mouse-1", species="Mus musculus", sex="F", age="P90D"),
    )
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="Green", description="green light", emission_lambda=520.0),
        description="layer 2/3",
        device=file.create_device("Microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=10.0,
    )
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    light = 100 + 200 * (np.hypot(rows - 9, columns - 19) < 4) * rng.random((FRAMES, 1, 1))
    frames = rng.poisson(light).astype(np.uint16)
    file.add_acquisition(
        TwoPhotonSeries(
            name="TwoPhotonSeries",
            description="made-up frames with one cell",
            data=frames.transpose(0, 2, 1),  # (time, x, y)
            imaging_plane=plane,
            rate=10.0,
            unit="n.a.",
        )
    )
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path
