"""What lies where in a CaImAn file, and which elements come of it.

Elements, by names that do not change: ``PlaneSegmentation`` (footprints A, status, qualities) with the traces
``denoised`` (C), ``raw`` (C + YrA), ``deconvolved`` (S), ``dff`` or ``detrended`` (F_dff as what it is; ``F_dff`` where
that is unknown) and ``residual`` (R, where it is not YrA); ``Background`` (masks b) with the traces ``background``
(f); ``SummaryImages`` with ``Cn``, ``sn``, ``b0``; ``ring_model`` (W); ``caiman_parameters`` and ``movie_metadata``;
``DiscardedComponents`` with traces named ``discarded_…``; ``OnePhotonSeries`` or ``TwoPhotonSeries`` (option movie).

Pixels count down the columns (Fortran order) over ``dims`` = (rows, columns[, planes]); a matrix is stored by columns
as ``data, indices, indptr, shape``; None is the text ``NoneType``; text is a data set up to version 1.9.8, an attribute
since.
"""

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from nwbridge import BadOption, BadSource, Plane, Segmentation, Session, arrays, option
from nwbridge_caiman import background, images, mat, provenance
from nwbridge_caiman.cells import segmentation
from nwbridge_caiman.movie import beside
from nwbridge_caiman.results import Results
from nwbridge_caiman.sparse import Columns, columns
from nwbridge_caiman.traces import Movement, frames

MAGIC = b"\x89HDF\r\n\x1a\n"
DISCARDED = "estimates/discarded_components"
UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py makes of HDF5's errors


@dataclass(frozen=True)
class Options:
    """What the user may choose."""

    movie: Path | None = option(  # noqa: RUF009
        None, "the movie that was analysed, to be written as well: .tif, .npy, .h5 or .hdf5"
    )
    kind: Literal["one-photon", "two-photon"] | None = option(None, "how it was taken; one-photon where CNMF-E ran")
    rate: float | None = option(None, "frames a second, where the file states none or a wrong one")


def detect(path: Path) -> str | None:
    """Look for sparse footprints and what stands beside them, or for an older file of MATLAB."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if start == MAGIC:
            return _evidence(path)
        names = mat.of_caiman(path) if start.startswith(mat.MAGIC) else []
    except (*UNREADABLE, struct.error, zlib.error):
        return None
    return f"a MATLAB file with {', '.join(names)}, as of CaImAn" if names else None


def _evidence(path: Path) -> str | None:
    with h5py.File(path, "r") as file:
        if not _own(file, "estimates") or not _own(file["estimates"], "A"):
            return None
        found = [name for name in ("dims", "params") if _own(file, name)]
        found += ["estimates/dims"] if _own(file["estimates"], "dims") else []
    return f"estimates/A and {found[0]} of CaImAn" if found else None


def _own(group: Any, name: str) -> bool:
    """Whether a group holds something itself; links are not followed."""
    return isinstance(group, h5py.Group) and isinstance(group.get(name, getlink=True), h5py.HardLink)


def describe(path: Path, options: Options) -> Session:
    """Describe everything in the file, and the movie that the user names."""
    options = options or Options()
    if options.rate is not None and not 0 < options.rate < math.inf:
        raise BadOption(f"--rate {options.rate}: expected frames a second, above 0")
    if mat.is_mat(path):
        raise BadSource(
            f"{path.name} is a MATLAB file of an older CaImAn; expected its HDF5 results: "
            "save them in Python with CNMF.save, or analyse the movie again"
        )
    arrays.from_hdf5(path, _any_dataset(path))  # the file may not reach out of itself
    try:
        with h5py.File(path, "r") as file:
            return _session(Results(path, file), options)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise BadSource(f"{path.name} cannot be read as HDF5 ({reason}): it is damaged or of another kind") from error


def session_in(name: str, file: h5py.File, content: bytes) -> Session:
    """Describe an open file that is still in memory, and of which `content` are the bytes."""
    return _session(Results(Path(name), file, content=content), Options())


def _any_dataset(path: Path) -> str:
    """Return the name of a data set with values, which `arrays.from_hdf5` wants; links are not followed."""

    def valued(name: str, item: Any) -> str | None:
        return name if isinstance(item, h5py.Dataset) and item.shape else None

    try:
        with h5py.File(path, "r") as file:
            return file.visititems(valued) or "estimates/A/data"
    except UNREADABLE:
        return "estimates/A/data"  # `arrays.from_hdf5` says what is wrong


def _session(results: Results, options: Options) -> Session:
    footprints = columns(results, "estimates/A")
    if footprints is None:
        have = ", ".join(sorted(results.file)) or "nothing"
        raise results.bad("estimates/A", f"is absent or None: there are no components; the file has {have}")
    dims = _dims(results, footprints.shape[0])
    count = frames(results, footprints.shape[1])
    footer = provenance.footer(results, dims, count)
    rate, stated = provenance.rate(results, footer, options.rate)
    plane, movement = Plane(rate_hz=rate), Movement(count, rate)
    parameters = provenance.parameters(results)
    ring = background.ring_model(results, dims)
    ground = background.low_rank(results, dims, plane, movement)
    movie = beside(results, options.movie, options.kind or _kind(results, ring is not None), dims, plane, movement)
    elements = (
        movie,
        segmentation(results, "estimates", "PlaneSegmentation", footprints, dims, plane, movement, ground),
        _discarded(results, dims, plane, movement, ground),
        ground,
        images.summary(results, dims),
        ring,
        *parameters,
    )
    _compare(results, footprints, dims, count)
    names, name = provenance.movies(results), results.path.stem
    origins = {
        "NWBFile.session_id": "name of the file",
        "NWBFile.session_start_time": "movie_metadata/timingInfo/start",
    }
    timed = ("ImagingPlane.imaging_rate", "OnePhotonSeries.rate", "TwoPhotonSeries.rate")
    origins |= {f"Ophys.{key}": stated for key in timed}
    return Session(
        id=name,
        description=f"CaImAn results {name}" + (f" of the movie {', then '.join(names)}." if names else "."),
        elements=tuple(element for element in elements if element is not None),
        start_time=footer.start,
        files=_files(results.path, options.movie),
        findings=tuple(results.findings),
        origins=origins,
    )


def _files(path: Path, movie: Path | None) -> tuple[Path, ...]:
    """Return what is read; both absolute, since they may lie apart."""
    return (path,) if movie is None else (path.absolute(), movie.absolute())


def _dims(results: Results, pixels: int) -> tuple[int, ...]:
    """Return the size of the image: every place that states it says the same, and it has A's rows as pixels."""
    found: dict[str, tuple[int, ...]] = {}
    for name in ("dims", "estimates/dims", "params/data/dims"):
        value = results.value(name)
        if value is None:
            continue
        sizes = np.asarray(value)
        if sizes.ndim != 1 or len(sizes) not in (2, 3) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
            raise results.bad(name, f"is {np.asarray(value).tolist()}; expected (rows, columns[, planes])")
        found[name] = tuple(int(size) for size in sizes)
    if not found:
        raise BadSource(f"{results.path.name} has no dims; expected (rows, columns[, planes]) of the images")
    name, dims = next(iter(found.items()))
    for other, sizes_ in found.items():
        if sizes_ != dims:
            raise results.bad(other, f"is {sizes_} and {name} is {dims}; expected the same")
    if int(np.prod(dims, dtype=object)) != pixels:
        product = int(np.prod(dims, dtype=object))
        raise results.bad("estimates/A", f"has {pixels} rows; expected {product}, the pixels of {name} = {dims}")
    return dims


def _discarded(
    results: Results, dims: tuple[int, ...], plane: Plane, movement: Movement, ground: Segmentation | None
) -> Segmentation | None:
    """Return the components that were taken out, if they were kept."""
    footprints = columns(results, f"{DISCARDED}/A") if results.group(DISCARDED) is not None else None
    if footprints is None or not footprints.shape[1]:
        return None
    if footprints.shape[0] != int(np.prod(dims)):
        raise results.bad(
            f"{DISCARDED}/A", f"has {footprints.shape[0]} rows; expected the {np.prod(dims)} pixels of {dims}"
        )
    return segmentation(results, DISCARDED, "DiscardedComponents", footprints, dims, plane, movement, ground)


def _kind(results: Results, ring: bool) -> Literal["one-photon", "two-photon"] | None:
    """Return how the movie was taken where that is certain: the ring model and corr_pnr are CNMF-E's."""
    method, centred = results.text("params/init/method_init"), results.value("params/init/center_psf")
    return "one-photon" if ring or method == "corr_pnr" or centred is True else None


def _compare(results: Results, footprints: Columns, dims: tuple[int, ...], count: int) -> None:
    """Note where the file contradicts itself without harm, and what is not carried."""
    components = footprints.shape[1]
    if not components:
        results.note("warning", "CaImAn found no component: there are no regions and no traces of any")
    stated = results.value("estimates/nr")
    if isinstance(stated, int) and stated != components:
        results.note("hint", f"estimates/nr says {stated} components, A has {components}: A's are written")
    name = provenance.file_name(results.text("mmap_file") or "")
    named = provenance.sizes_in(name)
    if named is not None and named != ((*dims, 1)[:3], count):
        results.note(
            "warning",
            f"mmap_file {name} is named after images of {named[0]} and {named[1]} frames; "
            f"the file holds {(*dims, 1)[:3]} and {count}",
            "make sure that the file was cut on purpose",
        )
    if results.left:
        results.note("hint", f"not carried: {', '.join(sorted(results.left))}", "see the page of this source")
