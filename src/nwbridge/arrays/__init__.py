"""Lazy arrays over TIFF, raw binary, HDF5 and numpy, in folders and zips; described from headers, read by blocks."""

from nwbridge.arrays.blobs import Blob
from nwbridge.arrays.files import Files, files_in, missing_numbers, peek
from nwbridge.arrays.movies import from_binary, from_hdf5, from_npy, from_numpy, from_tiff

__all__ = [
    "Blob",
    "Files",
    "files_in",
    "from_binary",
    "from_hdf5",
    "from_npy",
    "from_numpy",
    "from_tiff",
    "missing_numbers",
    "peek",
]
