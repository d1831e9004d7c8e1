"""Writers and an independent reader of .isxd files for the tests."""

import copy
import json
import struct

import numpy as np
import pytest

START = {"secsSinceEpoch": {"num": 0, "den": 1}, "utcOffset": 0}


class Isxd:
    """Writes .isxd files byte by byte, and reads them back with struct, json and numpy alone."""

    @staticmethod
    def write(path, payload, footer, tail=None):
        text = json.dumps(footer).encode() if isinstance(footer, dict) else footer
        data = payload.tobytes() if isinstance(payload, np.ndarray) else payload
        path.write_bytes(data + text + (tail if tail is not None else b"\x00" + struct.pack("<Q", len(text))))
        return path

    @staticmethod
    def read(path):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[-8:])
        return data[: -9 - length], json.loads(data[-9 - length : -9])

    @classmethod
    def change(cls, path, *keys, value=None, drop=False, target=None):
        """Write a file again with one value of its footer changed."""
        payload, footer = cls.read(path)
        place = footer
        for key in keys[:-1]:
            place = place[key]
        if drop:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value
        return cls.write(target or path, payload, footer)

    @staticmethod
    def footer(rows, columns, samples, **more):
        timing = {"numTimes": samples, "period": {"num": 100, "den": 1000}, "start": copy.deepcopy(START)}
        size = {axis: {"num": 3, "den": 1} for axis in "xy"}
        spacing = {"numPixels": {"x": columns, "y": rows}, "pixelSize": size, "topLeft": copy.deepcopy(size)}
        gaps = {"dropped": [], "cropped": [], "blank": []}
        base = {"timingInfo": {**timing, **gaps}, "spacingInfo": spacing, "extraProperties": None, "fileVersion": 1}
        return {**base, **more}

    @classmethod
    def movie(cls, path, frames, **more):
        kind = {"uint16": 0, "float32": 1, "uint8": 2}[frames.dtype.name]
        footer = cls.footer(*frames.shape[1:], len(frames), type=0, dataType=kind, hasFrameHeaderFooter=False, **more)
        return cls.write(path, frames, footer)

    @classmethod
    def cells(cls, path, images, traces, names=None, status=None, **more):
        records = np.concatenate(
            [images.reshape(len(images), images[0].size if len(images) else 0), traces], axis=1
        ).astype("<f4")
        names = names or [f"C{n:03d}" for n in range(len(images))]
        lists = {"CellNames": names, "CellStatuses": status or [0] * len(names), "cellMetrics": None}
        footer = cls.footer(*images.shape[1:], traces.shape[1], type=1, dataType="float", **lists)
        return cls.write(path, records, {**footer, "fileVersion": 5, **more})

    @classmethod
    def events(cls, path, packets, names, **more):
        """Packets are (offset in µs, channel, value)."""
        rows = np.array(packets, [("o", "<u8"), ("c", "<u8"), ("v", "<f4")])
        known = [int((rows["c"] == n).sum()) for n in range(len(names))]
        footer = {
            "type": 5,
            "fileType": 1,
            "fileVersion": 2,
            "channel list": names,
            "numSamples": known,
            "startOffsets": [0] * len(names),
            "signalSteps": [{"num": 1, "den": 10}] * len(names),
            "signalTypes": [0] * len(names),
            "global times": [START, START],
            "metrics": None,
            "extraProperties": None,
        }
        return cls.write(path, rows, {**footer, **more})


@pytest.fixture
def isxd():
    return Isxd


@pytest.fixture
def isx():
    reason = "isx, the vendor's library, is not installed (x86-64 and Python below 3.13 only)"
    return pytest.importorskip("isx", reason=reason, exc_type=ImportError)


@pytest.fixture
def real(samples):
    folder = samples / "caiman_inscopix"
    if not folder.is_dir():
        pytest.skip(f"{samples.name} has no caiman_inscopix")
    return folder


@pytest.fixture
def values():
    """Return all values of a lazy array, in blocks."""

    def read(array, size=None):
        size = size or max(1, array.shape[0])
        with array.open() as reader:
            return np.concatenate([np.array(reader[n : n + size]) for n in range(0, array.shape[0], size)])

    return read
