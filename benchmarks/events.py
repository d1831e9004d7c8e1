"""Spikes from fluorescence: `python -m benchmarks.events speed` and `… real` print JSON.

`speed` times the inference on made-up traces in one thread. `real` compares estimates with recorded spikes: those
recordings of the Allen Institute's Dataset II that lie below the folder NWBRIDGE_SAMPLES, as they are and with noise
added.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RATE = 30.0
TRACES, LENGTHS = 20, (4_000, 40_000)
NOISE, SEEDS = 8.0, 10  # % per √Hz, and how often it is drawn
SCALES = (0.04, 0.2, 1.0)  # seconds: standard deviations of both Gaussians


def _methods(rate: float) -> dict[str, Callable[[Any], Any]]:
    from nwbridge_events import deconvolve, rectified_derivative

    return {
        "rectified derivative": lambda trace: rectified_derivative(trace),
        "rectified derivative after 40 ms": lambda trace: rectified_derivative(trace, 0.04 * rate),
        "OASIS, AR(1)": lambda trace: deconvolve(trace, order=1).s,
        "OASIS, AR(2)": lambda trace: deconvolve(trace, order=2).s,
    }


def speed() -> dict[str, Any]:
    """Return traces per second of CPU of each method, by length."""
    import numpy as np

    from nwbridge_events import from_times

    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for length in LENGTHS:
        g1, g2 = from_times(0.6, 0.06, RATE)
        kernel = np.zeros(400)
        kernel[0], kernel[1] = 1, g1
        for k in range(2, 400):
            kernel[k] = g1 * kernel[k - 1] + g2 * kernel[k - 2]
        spikes = rng.poisson(0.5 / RATE, (TRACES, length))
        calcium = np.stack([np.convolve(row, kernel)[:length] for row in spikes])
        traces = calcium + rng.normal(0, 0.5 * kernel.max(), calcium.shape)
        for name, method in _methods(RATE).items():
            method(traces[0])  # compiled here
            begin = time.process_time()
            for trace in traces:
                method(trace)
            found.setdefault(name, {})[str(length)] = TRACES / (time.process_time() - begin)
    return found


def _recordings(folder: Path) -> dict[str, tuple[Any, Any, float]]:
    """Return ΔF/F at about 30 Hz, counts of spikes a frame, and the rate, of each recording."""
    import numpy as np
    from scipy.io import loadmat

    found = {}
    for path in sorted((folder / "allen_oephys").glob("*.mat")):
        cell = loadmat(path, squeeze_me=True, struct_as_record=False)["CAttached"]
        frames = len(cell.fluo_mean) // 5 * 5
        dff = cell.fluo_mean[:frames].reshape(-1, 5).mean(axis=1)  # 158 Hz, as before Dataset II's down-sampling
        clock = cell.fluo_time[:frames].reshape(-1, 5).mean(axis=1)
        step = float(np.mean(np.diff(clock)))
        edges = np.append(clock - step / 2, clock[-1] + step / 2)
        counts = np.histogram(np.atleast_1d(cell.events_AP) / 1e4, edges)[0].astype(float)
        found[path.name.removeprefix("CAttached_Allen_").removesuffix("_mini.mat")] = dff, counts, 1 / step
    return found


def real(folder: Path) -> dict[str, Any]:
    """Return Pearson's r at zero lag of each recording and method, as recorded and with noise added."""
    import numpy as np

    from nwbridge_events.measures import correlations, noise_level

    found: dict[str, Any] = {}
    for name, (dff, counts, rate) in _recordings(folder).items():
        level = noise_level(dff, rate)
        more = np.sqrt(max(0.0, NOISE**2 - level**2)) / 100 * np.sqrt(rate) / (0.67449 * np.sqrt(2))
        noisy = [dff + more * np.random.default_rng(seed).normal(size=len(dff)) for seed in range(SEEDS)]
        entry: dict[str, Any] = {"spikes": int(counts.sum()), "noise": level, "r": {}}
        for method, infer in _methods(rate).items():
            plain = [correlations(counts, infer(dff), scale * rate, 0)[0] for scale in SCALES]
            drawn = [[correlations(counts, infer(one), scale * rate, 0)[0] for scale in SCALES] for one in noisy]
            entry["r"][method] = plain, np.nan_to_num(drawn).mean(axis=0).tolist()  # no estimate at all counts 0
        found[name] = entry
    return found


def table(found: dict[str, Any]) -> list[str]:
    """Return the Markdown table of the speeds."""
    lines = [f"### Spikes of {TRACES} traces, one thread, after compilation", ""]
    lines += ["| traces per CPU s | " + " | ".join(f"{length:,} samples" for length in LENGTHS) + " |", "|---|---|---|"]
    lines += [f"| {name} | " + " | ".join(f"{by[str(n)]:.0f}" for n in LENGTHS) + " |" for name, by in found.items()]
    return lines


def real_table(found: dict[str, Any]) -> list[str]:
    """Return the Markdown table of the correlations."""
    if not found:
        return ["", "No recordings of Dataset II below the folder that NWBRIDGE_SAMPLES names: skipped."]
    heads = [f"{scale * 1000:.0f} ms" for scale in SCALES]
    lines = ["", "### Correlation with recorded spikes, zero lag, both smoothed with Gaussians", ""]
    lines += ["| recording, ν %/√Hz | estimate | " + " | ".join(heads) + f" | with ν = {NOISE:g}: " + " | ".join(heads)]
    lines[-1] += " |"
    lines.append("|---|---|" + "---|" * (2 * len(heads)))
    for name, entry in found.items():
        for method, (plain, noisy) in entry["r"].items():
            cells = " | ".join(f"{r:.2f}" for r in (*plain, *noisy))
            lines.append(f"| {name}, {entry['noise']:.1f} | {method} | {cells} |")
    for method in next(iter(found.values()))["r"]:
        both = zip(*([*entry["r"][method][0], *entry["r"][method][1]] for entry in found.values()), strict=True)
        lines.append(
            f"| median | {method} | " + " | ".join(f"{statistics.median(column):.2f}" for column in both) + " |"
        )
    return lines


if __name__ == "__main__":
    samples = os.environ.get("NWBRIDGE_SAMPLES")
    print(json.dumps(speed() if sys.argv[1:] == ["speed"] else real(Path(samples)) if samples else {}))
