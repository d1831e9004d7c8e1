"""A recording as pynwb writes it: three cells, two of them with recorded spikes."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.file import Subject
from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, RoiResponseSeries
from scipy.signal import lfilter

RATE = 31.25


def traces_of(spikes, rate=RATE, frames=2500, noise=0.05, seed=0):
    """ΔF/F of a calcium indicator, a row for each list of spike times."""
    edges = (np.arange(frames + 1) - 0.5) / rate
    counts = np.stack([np.histogram(times, edges)[0] for times in spikes])
    calcium = 0.3 * lfilter([1], [1, -1.5, 0.53], counts)
    return calcium + np.random.default_rng(seed).normal(0, noise, calcium.shape)


def spikes_of(seed=0, seconds=80.0):
    """Spike times of three cells."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(2, seconds - 2, count)) for count in (30, 45, 12)]


def write(path, data, spikes, timestamps=None, start=0.0, observed=None):
    """Write an NWB file with ΔF/F (region, time) and, if there are any, units."""
    file = NWBFile("simulated", "simulated", datetime(2026, 1, 1, tzinfo=UTC), session_id="simulated")
    file.subject = Subject(subject_id="mouse", species="Mus musculus", sex="U", age="P60D")
    device = file.create_device("microscope")
    channel = OpticalChannel(name="channel", description="green", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="layer 2/3",
        device=device,
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=RATE,
    )
    module = file.create_processing_module("ophys", "optical physiology")
    masks = ImageSegmentation()
    table = masks.create_plane_segmentation(description="cells", imaging_plane=plane, name="cells")
    for number in range(len(data)):
        table.add_roi(id=10 + number, pixel_mask=[(number, 2 * number + 1, 1.0), (number + 1, 3, 0.5)])
    module.add(masks)
    rows = table.create_roi_table_region(region=list(range(len(data))), description="all")
    clock = {"timestamps": timestamps} if timestamps is not None else {"rate": RATE, "starting_time": start}
    ratios = DfOverF()
    module.add(ratios)
    ratios.add_roi_response_series(RoiResponseSeries(name="raw_dff", data=data.T, rois=rows, unit="n.a.", **clock))
    for number, times in enumerate(spikes):
        given = {} if observed is None else {"obs_intervals": observed[number]}
        file.add_unit(spike_times=times, **given)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.fixture(scope="session")
def lab():
    """Return what makes recordings."""
    return SimpleNamespace(rate=RATE, traces_of=traces_of, spikes_of=spikes_of, write=write)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return the path of a file of three cells with their spikes."""
    return write(tmp_path_factory.mktemp("lab") / "recording.nwb", traces_of(spikes_of()), spikes_of())
