"""A tiny recording with the keys, types and units of Dataset II; its values are made up."""

from pathlib import Path

import h5py
import numpy as np

FRAMES, DTO = 60, 0.0315895
DTE = 4e-4  # the real recordings take a sample every 25 µs, which would make the example fifteen times as large
SPIKES = (0.2, 0.2212, 0.8004, 1.3006, 1.3209, 1.3503)  # seconds


def example(folder: Path) -> Path:
    """Write ``100001.h5``: one neuron that spikes six times, and the fluorescence that follows; return its path."""
    rng = np.random.default_rng(100001)
    times = np.arange(round(FRAMES * DTO / DTE)) * DTE
    spikes = np.array(SPIKES)
    subtracted = rng.normal(0, 3e-5, times.size)
    subtracted[np.rint(spikes / DTE).astype(int)] += 1e-3
    after = np.arange(FRAMES)[:, np.newaxis] * DTO - spikes
    dff = rng.normal(0, 0.03, FRAMES) + np.where(after > 0, 0.2 * np.exp(-after.clip(0) / 0.4), 0).sum(axis=1)
    path = folder / "100001.h5"
    with h5py.File(path, "w") as file:
        file["dff"], file["dto"], file["dte"] = dff, DTO, DTE
        file["ephys_raw"] = subtracted + 2e-4 * np.sin(2 * np.pi * 0.7 * times)
        file["ephys_baseline_subtracted"] = subtracted
        file["genotype"] = np.bytes_("Emx1-IRES-Cre;Camk2a-tTA;Ai94")
        file["quiroga"], file["sptimes"] = 5e-4, spikes
    return path
