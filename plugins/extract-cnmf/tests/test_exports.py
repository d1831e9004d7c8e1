"""What was extracted, as CaImAn's and the vendor's programs read it."""

import sys

import h5py
import numpy as np
import pytest
from scipy import sparse

import nwbridge
from nwbridge_extract_cnmf import matched, preset, simulate
from nwbridge_extract_cnmf.elements import elements_of
from nwbridge_extract_cnmf.extraction import extract

RATE = 10.0


@pytest.fixture(scope="module")
def truth():
    return simulate(shape=(240, 44, 60), cells=5, brightness=1.5, seed=6)


@pytest.fixture(scope="module")
def extracted(truth, tmp_path_factory):
    """Write what was extracted as an NWB file, and return both."""
    found = extract(truth.movie, preset("1p", min_corr=0.7, min_pnr=7.0, gSiz=(13, 13), rf=None), rate_hz=RATE)
    plane = nwbridge.Plane(pixel_um=(2.0, 2.0), excitation_nm=920.0)
    movie = nwbridge.Movie(
        "OnePhotonSeries", nwbridge.arrays.from_numpy(truth.movie), plane, kind="one-photon", rate_hz=RATE
    )
    everything = slice(0, len(truth.movie))
    elements = (movie, *elements_of(found, movie, everything, np.zeros(len(truth.movie), bool)))
    session = nwbridge.Session("simulated", "A simulated movie.", elements)
    source = nwbridge.Source("made-up", "made up", lambda _: "made up", lambda _, __: session, lambda folder: folder)
    from nwbridge.plugins import Plugin, Registry

    folder = tmp_path_factory.mktemp("exported")
    (folder / "described").touch()
    registry = Registry((Plugin("made-up", "made-up", "0", sources=(source,)),))
    nwbridge.convert(folder / "described", folder / "cells.nwb", registry=registry)
    return found, folder / "cells.nwb"


def test_caimans_file_has_the_factors_in_its_own_order_of_pixels(extracted, tmp_path):
    found, path = extracted
    nwbridge.export("caiman", path, tmp_path / "cells.hdf5")
    with h5py.File(tmp_path / "cells.hdf5") as file:
        part = file["estimates"]
        triple = tuple(part[f"A/{key}"][:] for key in ("data", "indices", "indptr"))
        a = sparse.csc_matrix(triple, part["A/shape"][:]).toarray().reshape(*found.shape, -1, order="F")
        ours = found.footprints.toarray().reshape(*found.shape, -1)
        np.testing.assert_array_equal(a, ours)
        np.testing.assert_array_equal(part["C"][:], found.denoised)
        np.testing.assert_array_equal(part["S"][:], found.deconvolved)
        np.testing.assert_allclose(part["C"][:] + part["YrA"][:], found.raw, atol=1e-3)
        assert part["idx_components"][:].tolist() == np.flatnonzero(found.accepted).tolist()
        triple = tuple(part[f"W/{key}"][:] for key in ("data", "indices", "indptr"))
        w = sparse.csr_matrix(triple, part["W/shape"][:]) if len(triple[2]) else None
        assert w is not None
        assert w.shape == found.ring.shape
        assert w.nnz == found.ring.nnz
        np.testing.assert_array_equal(
            part["b0"][:].reshape(found.shape, order="F"), found.constant.reshape(found.shape)
        )
        assert file["params/init/min_pnr"][()] == 7.0


def test_the_vendors_library_reads_cells_and_events(extracted, truth, tmp_path):
    isx = pytest.importorskip("isx", reason="the vendor's library is not installed")
    found, path = extracted
    for what in ("raw", "denoised", "events"):
        nwbridge.export("isxd", path, tmp_path / f"{what}.isxd", options={"what": what})
    for what, traces in (("raw", found.raw), ("denoised", found.denoised)):
        cells = isx.CellSet.read(str(tmp_path / f"{what}.isxd"))
        assert cells.num_cells == len(found)
        images = np.stack([cells.get_cell_image_data(k) for k in range(cells.num_cells)])
        assert len(matched(truth.footprints, images)) == len(truth.footprints)
        for k in range(cells.num_cells):
            np.testing.assert_array_equal(cells.get_cell_trace_data(k), traces[k])
    events = isx.EventSet.read(str(tmp_path / "events.isxd"))
    assert events.num_cells == len(found)
    offsets, sizes = events.get_cell_data(0)
    np.testing.assert_array_equal(np.round(offsets / 1e5).astype(int), np.flatnonzero(found.deconvolved[0]))
    np.testing.assert_array_equal(sizes, found.deconvolved[0][found.deconvolved[0] > 0])
    assert sys.version_info < (3, 13)
