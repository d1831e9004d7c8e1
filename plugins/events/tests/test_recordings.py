"""Real recordings of the Allen Institute: inferred beside recorded spikes."""

import h5py
import numpy as np
import pytest

import nwbridge

CELLS = {
    "CAttached_Allen_Cux2f_102525_neuropil_subtracted_mini.mat": (206, 0.93, 0.75),
    "CAttached_Allen_Emx1_102978_mini.mat": (45, 0.26, 0.8),
    "CAttached_Allen_Emx1_102978_neuropil_subtracted_mini.mat": (45, 0.68, 0.8),
}


@pytest.mark.parametrize("name", CELLS)
def test_estimates_follow_the_recorded_spikes_about_as_published(samples, lab, tmp_path, name):
    from scipy.io import loadmat

    cell = loadmat(samples / "allen_oephys" / name, squeeze_me=True, struct_as_record=False)["CAttached"]
    dff = cell.fluo_mean.reshape(-1, 5).mean(axis=1)
    clock = cell.fluo_time.reshape(-1, 5).mean(axis=1)
    path = lab.write(tmp_path / "cell.nwb", dff[None], [cell.events_AP / 1e4], timestamps=clock)
    nwbridge.process(path, tmp_path / "events.nwb", "events")
    inferred, derivative = nwbridge.score("spikes", path, tmp_path / "events.nwb").rows
    spikes, level, least = CELLS[name]
    assert inferred["spikes"] == spikes
    assert inferred["ν %/√Hz"] == pytest.approx(level, abs=0.01)
    for row in (inferred, derivative):  # at this noise neither is clearly better
        assert least < row["r 200 ms"] < 0.95
        assert abs(row["lag 40 ms"]) < 0.1


def test_a_converted_recording_keeps_its_spikes_beside_the_inferred_ones(samples, tmp_path):
    source = samples / "allen_oephys" / "HYBRID_102525_6s.h5"
    nwbridge.convert(source, tmp_path / "cell.nwb", source="allen")
    nwbridge.process(tmp_path / "cell.nwb", tmp_path / "events.nwb", "events", options={"method": "oasis-ar1"})
    with h5py.File(source) as file, h5py.File(tmp_path / "events.nwb") as made:
        np.testing.assert_array_equal(made["units/spike_times"][:], file["sptimes"][:])
        found = made["processing/ophys/Fluorescence/deconvolved/data"][:].ravel()
        assert len(found) == file["dff"].size
        assert found.min() == 0
        times = np.arange(found.size) * file["dto"][()]
        near = [found[np.abs(times - spike) < 0.3].sum() for spike in file["sptimes"][:]]
        assert np.mean(near) > 2 * found.mean() * 0.6 / file["dto"][()]
    rows = nwbridge.score("spikes", tmp_path / "cell.nwb", tmp_path / "events.nwb").rows
    assert [row["estimate"] for row in rows] == ["deconvolved", "derivative"]
    assert rows[0]["r 200 ms"] > 0.6
