"""The movie that CaImAn analysed, where the user names it."""

from pathlib import Path
from typing import Literal

from nwbridge import BadSource, LazyArray, Movie, Plane, arrays
from nwbridge_caiman.results import Results
from nwbridge_caiman.traces import Movement

Kind = Literal["one-photon", "two-photon"]
TIFF, NPY, HDF5 = (".tif", ".tiff", ".btf"), (".npy",), (".h5", ".hdf5")


def beside(
    results: Results, path: Path | None, kind: Kind | None, dims: tuple[int, ...], plane: Plane, movement: Movement
) -> Movie | None:
    """Return the movie; BadSource where its size or number of frames is another than the results'."""
    if path is None:
        return None
    data = _frames(results, path)
    if data.shape[1:] != dims:
        raise BadSource(f"{path.name} has images of {data.shape[1:]}; {results.path.name} was made from {dims}")
    if data.shape[0] != movement.frames:
        series = ": it is one of a series; give the movie of all frames" if data.shape[0] < movement.frames else ""
        raise BadSource(
            f"{path.name} has {data.shape[0]} frames; {results.path.name} has traces of {movement.frames}{series}"
        )
    if kind is None:
        results.note(
            "warning",
            "the file does not say how the movie was taken; it is written as a two-photon movie, CNMF's usual one",
            "give --kind one-photon if it was not",
        )
    name = "OnePhotonSeries" if kind == "one-photon" else "TwoPhotonSeries"
    words = "the movie that CaImAn analysed, as the user named it"
    return Movie(name, data, plane, kind or "two-photon", words, movement.rate_hz)


def _frames(results: Results, path: Path) -> LazyArray:
    suffix = path.suffix.lower()
    if suffix in HDF5:
        return arrays.from_hdf5(path, results.text("params/data/var_name_hdf5") or "mov")
    if suffix in NPY:
        return arrays.from_npy(path)
    if suffix in TIFF:
        files = arrays.files_in(path)
        return arrays.from_tiff([files[name] for name in files])
    raise BadSource(
        f"{path.name} is no movie that can be read beside CaImAn's results; expected .tif, .npy, .h5 or .hdf5"
    )
