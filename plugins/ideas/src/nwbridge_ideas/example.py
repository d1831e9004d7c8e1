"""A tiny run in the tool's layout, made up but true to format: movie, cell sets and events; two frames are missing."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS, SAMPLES = 20, 28, 40
DROPPED, CROPPED = [7], "20 - 21"
NAMES = ["C000", "C001", "C002"]


def example(folder: Path) -> Path:
    """Write ``example-run`` with a movie, two cell sets and an event set, and return its path."""
    target = folder / "example-run"
    target.mkdir()
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    images = np.stack(
        [np.exp(-(((rows - r) / 3) ** 2) - ((columns - c) / 2) ** 2) for r, c in ((6, 8), (8, 11), (14, 21))]
    )
    images = np.where(images > 0.1, images, 0).astype("<f4")
    spikes = rng.random((len(NAMES), SAMPLES)) < 0.15
    denoised = np.stack([np.convolve(s, np.exp(-np.arange(12) / 4))[:SAMPLES] for s in spikes])
    missing = np.isin(np.arange(SAMPLES), [*DROPPED, 20, 21])
    movie = rng.poisson(400 + 200 * np.tensordot(denoised.T, images, 1))[~missing].astype("<u2")
    common = {"fileVersion": 1, "producer": {"name": "isxcore", "version": [2, 0, 1]}, **_place()}
    _write(target / "movie.isxd", movie, {"type": 0, "dataType": 0, "hasFrameHeaderFooter": False, **common})
    lists = {"CellNames": NAMES, "CellStatuses": [0, 0, 2], "cellMetrics": None}
    cells = {**common, **lists, "type": 1, "dataType": "float", "fileVersion": 5}
    for name, traces in (("denoised", denoised), ("raw", denoised + rng.normal(0, 0.05, denoised.shape))):
        values = np.where(missing, np.nan, traces).astype("<f4")
        records = np.concatenate([images.reshape(len(NAMES), -1), values], axis=1)
        _write(target / f"cellset_{name}.000.isxd", records, cells)
    _write(target / "neural_events.000.isxd", *_events(spikes & ~missing, common))
    return target


def _place() -> dict[str, Any]:
    start = {"secsSinceEpoch": {"num": 1_700_000_000_250, "den": 1000}, "utcOffset": -18000}
    timing = {"numTimes": SAMPLES, "period": {"num": 100, "den": 1000}, "start": start}
    corner = {axis: {"num": 12, "den": 1} for axis in "xy"}
    spacing = {"numPixels": {"x": COLUMNS, "y": ROWS}, "pixelSize": {axis: {"num": 6, "den": 1} for axis in "xy"}}
    animal = {"id": "example-mouse", "species": "mouse", "sex": "f", "dob": "2023-08-01"}
    scope = {"type": "NVista3", "serial": "EXAMPLE-1", "gain": 2, "focus": 100, "exp": 50}
    return {
        "timingInfo": {**timing, "dropped": DROPPED, "cropped": [CROPPED], "blank": []},
        "spacingInfo": {**spacing, "topLeft": corner},
        "extraProperties": {"animal": animal, "microscope": scope, "personnel": {"name": "Jane Doe"}},
    }


def _events(spikes: np.ndarray, common: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the packets, channel after channel, and their footer."""
    channel, sample = np.nonzero(spikes)
    packets = np.empty(len(channel), [("offset", "<u8"), ("channel", "<u8"), ("value", "<f4")])
    packets["offset"], packets["channel"], packets["value"] = 100_000 * sample, channel, 1 + 0.25 * channel
    counts = np.bincount(channel, minlength=len(NAMES)).tolist()
    first = [int(100_000 * np.argmax(row)) for row in spikes]
    start = common["timingInfo"]["start"]
    stop = {**start, "secsSinceEpoch": {"num": start["secsSinceEpoch"]["num"] + 100 * SAMPLES, "den": 1000}}
    lists = {"channel list": NAMES, "numSamples": counts, "startOffsets": first, "global times": [start, stop]}
    steps = {"signalSteps": [{"num": 100, "den": 1000}] * len(NAMES), "signalTypes": [0] * len(NAMES), "metrics": None}
    extra = {"extraProperties": common["extraProperties"], "producer": common["producer"]}
    return packets, {"type": 5, "fileType": 1, "fileVersion": 2, **lists, **steps, **extra}


def _write(path: Path, payload: np.ndarray, footer: dict[str, Any]) -> None:
    text = json.dumps(footer).encode("utf-8")
    path.write_bytes(payload.tobytes() + text + b"\x00" + struct.pack("<Q", len(text)))
