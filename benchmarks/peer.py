"""NeuroConv's default conversion of one TIFF movie: `PYTHON benchmarks/peer.py MOVIE.tif OUT.nwb`.

Runs under any Python that has neuroconv[tiff]; uses nothing of nwbridge.
"""

import sys
from datetime import UTC, datetime

from neuroconv.datainterfaces import TiffImagingInterface

movie, out = sys.argv[1:]
interface = TiffImagingInterface(file_paths=[movie], sampling_frequency=30.0)
metadata = interface.get_metadata()
metadata["NWBFile"]["session_start_time"] = datetime(2026, 1, 1, tzinfo=UTC)
interface.run_conversion(nwbfile_path=out, metadata=metadata, overwrite=True)
