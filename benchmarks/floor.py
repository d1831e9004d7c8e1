"""What no converter can do without: `python -m benchmarks.floor FILE TIMES` reads and compresses an Allen recording."""

from __future__ import annotations

import sys

import h5py
import numpy as np

from nwbridge.nwb.chunks import compressor, row_chunks, shuffle


def main(path: str, times: int) -> None:
    """Read and compress the large arrays, with the chunks and the compressor that nwbridge uses."""
    deflate = compressor("fast")
    for _ in range(times):
        with h5py.File(path) as file:
            for name in ("ephys_raw", "ephys_baseline_subtracted", "dff"):
                data = file[name]
                (rows,) = row_chunks(data.shape, data.dtype.itemsize)
                for start in range(0, data.shape[0], rows):
                    block = data[start : start + rows]
                    deflate(shuffle(block, np.empty((8, len(block)), np.uint8)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
