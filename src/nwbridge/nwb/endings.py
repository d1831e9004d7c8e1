"""What names of NWB files end in, which tells how they are stored."""

ZARR = ".nwb.zarr"  # a folder; anything else is HDF5
