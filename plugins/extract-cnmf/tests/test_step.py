"""From an NWB file to an NWB file, read with pynwb and h5py."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, Movie, Plane, Session, Source, Subject, arrays
from nwbridge.plugins import Plugin, Registry
from nwbridge_extract_cnmf import matched, simulate

RATE = 10.0
ONE_PHOTON = {"min_corr": 0.7, "min_pnr": 7.0, "gSiz": "13", "rf": "24", "stride": 12}
SAMPLES = os.environ.get("NWBRIDGE_SAMPLES")


def write(path, frames, kind="one-photon", rate_hz=RATE, **more):
    """Write a movie as an NWB file."""
    plane = Plane(pixel_um=(2.0, 2.0), excitation_nm=920.0, rate_hz=more.pop("plane_rate", None))
    movies = frames if isinstance(frames, list) else [frames]
    names = ["OnePhotonSeries", "Second"] if kind == "one-photon" else ["TwoPhotonSeries", "Second"]
    elements = tuple(
        Movie(name, arrays.from_numpy(one), plane, kind=kind, rate_hz=rate_hz, unit="counts", **more)
        for name, one in zip(names, movies, strict=False)
    )
    session = Session("simulated", "A simulated movie.", elements, subject=Subject("m1", "Mus musculus", "F", "P90D"))
    source = Source("made-up", "made up", lambda _: "made up", lambda _, __: session, lambda folder: folder)
    registry = Registry((Plugin("made-up", "made-up", "0", sources=(source,)),))
    (path.parent / "described").touch()
    nwbridge.convert(path.parent / "described", path, registry=registry)
    (path.parent / "described").unlink()
    return path


@pytest.fixture(scope="module")
def one_photon():
    return simulate(shape=(300, 44, 60), cells=6, brightness=1.5, seed=4)


@pytest.fixture(scope="module")
def two_photon():
    return simulate("two-photon", (400, 40, 56), 5, rate_hz=RATE, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("extracted")


@pytest.fixture(scope="module")
def result(one_photon, folder):
    path = write(folder / "one.nwb", one_photon.movie)
    nwbridge.process(path, folder / "cells.nwb", "extract-cnmf", options=ONE_PHOTON)
    return folder / "cells.nwb"


def footprints_in(file):
    """Return the masks as images (region, row, column), and the table, as pynwb reads them."""
    table = file.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
    series = next(iter(file.acquisition.values()))
    images = np.zeros((len(table.id), series.data.shape[2], series.data.shape[1]))
    for k in range(len(table.id)):
        for x, y, weight in table["pixel_mask"][k]:
            images[k, y, x] = weight
    return images, table


def test_cells_lie_where_they_are_and_have_their_activity(result, one_photon):
    with pynwb.NWBHDF5IO(result, "r") as io:
        file = io.read()
        images, _ = footprints_in(file)
        pairs = matched(one_photon.footprints, images)
        assert len(pairs) == len(one_photon.footprints) == len(images)
        assert np.mean([cosine for *_, cosine in pairs]) > 0.97
        denoised = file.processing["ophys"]["Fluorescence"]["denoised"].data[:]
        for cell, region, _ in pairs:
            assert np.corrcoef(one_photon.traces[cell], denoised[:, region])[0, 1] > 0.9


def test_the_ring_model_gives_the_background_again(result, one_photon):
    """What raw traces are made of can be computed from the file alone: W, b0, A and C."""
    with h5py.File(result) as file:
        table = file["analysis/ring_model"]
        grid = (int(table["row"][:].max()) + 1, int(table["column"][:].max()) + 1)
        ends, targets, weights = (table[name][:] for name in ("weights_index", "targets", "weights"))
        columns = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        ring = np.zeros((len(ends), len(ends)))
        ring[targets, columns] = weights
        base = file["processing/ophys/SummaryImages/b0"][:].T
        denoised = file["processing/ophys/Fluorescence/denoised/data"][:]
        raw = file["processing/ophys/Fluorescence/raw/data"][:]
    with pynwb.NWBHDF5IO(result, "r") as io:
        images, _ = footprints_in(io.read())
    movie = one_photon.movie.astype(float)
    left = movie - base - np.tensordot(denoised, images, 1)
    blocks = left.reshape(len(left), grid[0], 2, grid[1], 2).mean(axis=(2, 4))
    ground = (ring @ blocks.reshape(len(left), *grid).transpose(0, 2, 1).reshape(len(left), -1).T).T
    ground = ground.reshape(len(left), grid[1], grid[0]).transpose(0, 2, 1)
    clean = movie - base - np.kron(ground, np.ones((2, 2)))
    flat = images.reshape(len(images), -1)
    again = denoised.T + (flat @ clean.reshape(len(clean), -1).T - flat @ flat.T @ denoised.T)
    for k in range(len(images)):
        assert np.corrcoef(again[k], raw[:, k])[0, 1] > 0.98


def test_all_parameters_are_kept_as_data(result):
    session = nwbridge.describe(result)
    (found,) = [one for one in session.elements if one.name == "extraction_parameters"]
    assert found.values["init/min_pnr"] == 7.0
    assert found.values["init/gSiz"] == [13, 13]
    assert found.values["data/fr"] == RATE
    assert found.values["data/dxy"] == [0.5, 0.5]
    assert session.steps[-1].parameters["min_pnr"] == 7.0


def test_an_evaluation_that_never_ran_is_unknown(one_photon, folder):
    path = folder / "one.nwb"
    if not path.exists():
        write(path, one_photon.movie)
    nwbridge.process(path, folder / "unknown.nwb", "extract-cnmf", options=ONE_PHOTON | {"evaluate": False})
    with pynwb.NWBHDF5IO(folder / "unknown.nwb", "r") as io:
        assert "status" not in footprints_in(io.read())[1].colnames


def test_two_photon_movies_have_a_background_of_low_rank(two_photon, folder):
    path = write(folder / "two.nwb", two_photon.movie, "two-photon")
    found = nwbridge.process(path, folder / "two_cells.nwb", "extract-cnmf", options={"K": "auto", "gSiz": "13"})
    assert [finding for finding in found.findings if finding.severity == "error"] == []
    with pynwb.NWBHDF5IO(folder / "two_cells.nwb", "r") as io:
        file = io.read()
        images, _ = footprints_in(file)
        pairs = matched(two_photon.footprints, images)
        assert len(pairs) == 5
        assert np.mean([cosine for *_, cosine in pairs]) > 0.97
        ground = file.processing["ophys"]["ImageSegmentation"]["Background"]
        masks = ground["image_mask"][:].transpose(0, 2, 1)
        courses = file.processing["ophys"]["Fluorescence"]["background"].data[:]
        denoised = file.processing["ophys"]["Fluorescence"]["denoised"].data[:]
        model = np.tensordot(denoised, images, 1) + np.tensordot(courses, masks, 1)
        left = two_photon.movie - model
        assert left.std() < 1.1 * np.sqrt(two_photon.movie.mean())  # photon noise


def test_movies_of_a_series_get_the_same_cells_on_their_own_clocks(one_photon, tmp_path):
    parts = one_photon.movie[:170], one_photon.movie[170:]
    paths = [
        write(tmp_path / f"{name}.nwb", part, start_s=start)
        for name, part, start in zip("ab", parts, (0.0, 99.0), strict=True)
    ]
    nwbridge.process_series(paths, tmp_path / "out", "extract-cnmf", options=ONE_PHOTON)
    tables = []
    for name, part, start in zip("ab", parts, (0.0, 99.0), strict=True):
        with pynwb.NWBHDF5IO(tmp_path / "out" / f"{name}.nwb", "r") as io:
            file = io.read()
            tables.append(footprints_in(file)[0])
            raw = file.processing["ophys"]["Fluorescence"]["raw"]
            assert raw.data.shape == (len(part), len(tables[-1]))
            assert raw.starting_time == start
    np.testing.assert_array_equal(*tables)
    assert len(matched(one_photon.footprints, tables[0])) == len(one_photon.footprints)


def test_several_series_of_one_file_are_a_series(one_photon, tmp_path):
    path = write(tmp_path / "both.nwb", [one_photon.movie[:170], one_photon.movie[170:]])
    nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf", options=ONE_PHOTON, series="OnePhotonSeries,Second")
    session = nwbridge.describe(tmp_path / "out.nwb")
    one, other = [e for e in session.elements if isinstance(e, nwbridge.Segmentation) and e.role == "cells"]
    assert one.regions == other.regions
    assert [traces.data.shape[1] for traces in (one.traces[0], other.traces[0])] == [170, 130]


def test_a_movie_without_any_cell_gives_a_valid_file_that_says_so(tmp_path):
    noise = np.random.default_rng(0).poisson(50, (120, 30, 44)).astype(np.uint16)
    path = write(tmp_path / "noise.nwb", noise)
    found = nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf")
    said = [finding.message for finding in found.findings if finding.check == "extract-cnmf"]
    assert "no cell was found in OnePhotonSeries" in said
    assert [finding for finding in found.findings if finding.severity == "error"] == []
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        assert len(io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"].id) == 0


def test_dff_is_free_of_the_cameras_offset(two_photon, tmp_path):
    """A movie with 500 added to every value, and an offset that says so, has the same ΔF/F."""
    options = {"K": "5", "gSiz": "13"}
    found = []
    for name, more, offset in (("plain", 0, 0.0), ("added", 500, -500.0)):
        path = write(tmp_path / f"{name}.nwb", two_photon.movie + np.uint16(more), "two-photon", offset=offset)
        nwbridge.process(path, tmp_path / f"{name}_cells.nwb", "extract-cnmf", options=options)
        with pynwb.NWBHDF5IO(tmp_path / f"{name}_cells.nwb", "r") as io:
            found.append(io.read().processing["ophys"]["DfOverF"]["dff"].data[:])
    assert np.median(found[1].max(axis=0) / found[0].max(axis=0)) == pytest.approx(1, rel=0.1)


def test_a_rate_of_the_users_is_taken_and_said(one_photon, tmp_path):
    path = write(tmp_path / "one.nwb", one_photon.movie)
    found = nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf", options=ONE_PHOTON | {"fr": "20"})
    assert any("fr is 20 Hz and OnePhotonSeries says 10 Hz" in finding.message for finding in found.findings)
    (kept,) = [e for e in nwbridge.describe(tmp_path / "out.nwb").elements if e.name == "extraction_parameters"]
    assert kept.values["data/fr"] == 20.0


def test_a_parameter_file_counts_only_where_it_overwrites_the_table(one_photon, tmp_path):
    path = write(tmp_path / "one.nwb", one_photon.movie)
    (tmp_path / "mine.json").write_text(json.dumps({"init": {"min_pnr": 9, "K": None}, "motion": {"pw_rigid": True}}))
    options = ONE_PHOTON | {"parameters": str(tmp_path / "mine.json")}
    found = nwbridge.process(path, tmp_path / "table.nwb", "extract-cnmf", options=options)
    assert any("mine.json was not used" in finding.message for finding in found.findings)
    found = nwbridge.process(
        path, tmp_path / "file.nwb", "extract-cnmf", options=options | {"overwrite_analysis_table_parameters": True}
    )
    assert any("motion/pw_rigid" in finding.message for finding in found.findings)
    for name, expected in (("table", 7.0), ("file", 9.0)):
        (kept,) = [e for e in nwbridge.describe(tmp_path / f"{name}.nwb").elements if e.name == "extraction_parameters"]
        assert kept.values["init/min_pnr"] == expected


def test_frames_that_are_nan_everywhere_are_nan_in_the_traces(one_photon, tmp_path):
    frames = one_photon.movie.astype(np.float32)
    frames[[50, 51, 200]] = np.nan
    frames[:, 0, :3] = np.nan
    path = write(tmp_path / "one.nwb", frames)
    found = nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf", options=ONE_PHOTON)
    said = [finding.message for finding in found.findings]
    assert "3 of 300 frames are NaN everywhere: traces are NaN there" in said
    assert "3 of 2640 pixels have no number in some frames and are left out" in said
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        raw = io.read().processing["ophys"]["Fluorescence"]["raw"].data[:]
    assert np.flatnonzero(np.isnan(raw).any(axis=1)).tolist() == [50, 51, 200]


REFUSED = [
    ({"gSig": "0"}, BadOption, "gSig is 0, 0; expected 1 or more"),
    ({"stride": 90}, BadOption, "stride is 90 and a patch 80 wide"),
    ({"rf": "5", "gSiz": "13", "gSig": "20"}, BadOption, "; "),
    (
        {"parameters": "absent.json", "overwrite_analysis_table_parameters": True},
        BadOption,
        "absent.json cannot be read",
    ),
    ({"overwrite_analysis_table_parameters": True}, BadOption, "expected a file"),
    ({"border_pix": 30}, BadSource, "border_pix 30 leaves nothing of 44 × 60 pixels"),
    ({"method_init": "sparse_NMF"}, BadOption, "sparse_NMF with K auto"),
    ({"method_deconvolution": "cvxpy"}, BadOption, "expected one of oasis"),
]


@pytest.mark.parametrize(("options", "kind", "said"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line_and_leaves_nothing(options, kind, said, one_photon, tmp_path):
    path = write(tmp_path / "one.nwb", one_photon.movie[:40])
    with pytest.raises(kind) as caught:
        nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf", options=options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.nwb"]


def test_three_frames_and_other_fields_of_view_are_refused(one_photon, tmp_path):
    path = write(tmp_path / "short.nwb", one_photon.movie[:3])
    with pytest.raises(BadSource, match="the movie has 3 frames, 2 after averaging 2; expected 16 or more"):
        nwbridge.process(path, tmp_path / "out.nwb", "extract-cnmf")
    other = write(tmp_path / "narrow.nwb", one_photon.movie[:, :, :50])
    with pytest.raises(BadSource, match="expected one field of view"):
        nwbridge.process_series([path, other], tmp_path / "out", "extract-cnmf")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(SAMPLES is None, reason="NWBRIDGE_SAMPLES is not set")
def test_a_real_movie_of_the_ideas_tool_goes_through_with_its_parameters(tmp_path):
    folder = Path(str(SAMPLES)) / "caiman_inscopix"
    nwbridge.convert(folder / "movie_part2_108x123x63.isxd", tmp_path / "movie.nwb")
    options = {"parameters": str(folder / "params_source_extraction.json"), "overwrite_analysis_table_parameters": True}
    found = nwbridge.process(tmp_path / "movie.nwb", tmp_path / "cells.nwb", "extract-cnmf", options=options)
    assert [
        finding for finding in found.findings if finding.severity == "error" and "species" not in finding.message
    ] == []
    (cells,) = [e for e in nwbridge.describe(tmp_path / "cells.nwb").elements if e.name == "PlaneSegmentation"]
    assert len(cells) > 0
