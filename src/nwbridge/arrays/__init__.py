"""Lazy arrays over TIFF, raw binary, HDF5 and numpy, in folders and zips; described from headers, read by blocks."""

from nwbridge.arrays.blobs import Blob
from nwbridge.arrays.files import Files, files_in, missing_numbers, peek
from nwbridge.arrays.movies import from_function, from_hdf5, from_npy, from_numpy, only_frame
from nwbridge.arrays.rearranged import rearranged
from nwbridge.arrays.stacks import TiffPages, from_binary, from_tiff, tiff_pages
from nwbridge.arrays.tags import TiffTags, tiff_tags
from nwbridge.safety import check_hdf5

__all__ = [
    "Blob",
    "Files",
    "TiffPages",
    "TiffTags",
    "check_hdf5",
    "files_in",
    "from_binary",
    "from_function",
    "from_hdf5",
    "from_npy",
    "from_numpy",
    "from_tiff",
    "missing_numbers",
    "only_frame",
    "peek",
    "rearranged",
    "tiff_pages",
    "tiff_tags",
]
