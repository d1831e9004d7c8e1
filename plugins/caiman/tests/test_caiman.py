"""The caiman source meets the contract, and what it writes of real results is what h5py and scipy read in them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import nwbridge
from nwbridge import BadSource, Images, Movie, Parameters, Segmentation, Table
from nwbridge.testing import SourceContract
from nwbridge_caiman import Options, describe, detect, example

MOUSE = {"Subject": {"species": "Mus musculus"}}
FOLDER = "caiman_inscopix"
CNMF = ("runs/real2p_eval_dff_v1113.hdf5", "runs/real2p_bare_v1113.hdf5", "derived_2p/caiman_2p_neurofinder0000.hdf5")
RING = {
    "runs/real1p_nwb200_v1113.hdf5": ("runs/ideas_1p_nwb_200x35x29.npy",),
    "runs/real1p_tiff63_v1113_with_movie_metadata.hdf5": ("movie_part2_108x123x63.tiff",),
    "runs/real1p_series163_v1113.hdf5": ("runs/ideas_1p_part1_avi.npy", "runs/ideas_1p_part2_avi.npy"),
    "runs/real1p_avi100_zero_v1113.hdf5": ("runs/ideas_1p_part1_avi.npy",),
    "derived_1p/caiman_output.hdf5": ("movie_part2_108x123x63.tiff",),
}
FILES = ("sample_cellset_msr_1.hdf5", *CNMF, *RING)
OPHYS, TABLE = "processing/ophys", "processing/ophys/ImageSegmentation"


class TestCaiman(SourceContract):
    source = "caiman"

    def read(self, path):
        with h5py.File(path) as file:
            part = {key: file[f"estimates/{key}"][()] for key in ("C", "S", "YrA", "F_dff", "b", "f", "Cn", "sn")}
        return {
            "denoised": part["C"],
            "raw": part["C"] + part["YrA"],
            "deconvolved": part["S"],
            "dff": part["F_dff"],
            "background": part["f"],
            "Background": part["b"].reshape(30, 44, 2, order="F").transpose(2, 0, 1),
            "SummaryImages/Cn": part["Cn"],
            "SummaryImages/sn": part["sn"].reshape(44, 30).T,
        }

    def read_regions(self, path):
        with h5py.File(path) as file:
            indices, ends = file["estimates/A/indices"][()], file["estimates/A/indptr"][()]
        return {"PlaneSegmentation": [[(i % 30, i // 30) for i in part] for part in np.split(indices, ends[1:-1])]}


def matrix(group):
    """Read a sparse matrix with scipy."""
    sparse = pytest.importorskip("scipy.sparse")
    parts = (group["data"][()], group["indices"][()], group["indptr"][()])
    return sparse.csc_matrix(parts, shape=tuple(group["shape"][()]))


def images(flat, dims):
    """Return (n, row, column) of (pixel, n)."""
    return np.asarray(flat).reshape((*dims, -1), order="F").transpose(2, 0, 1)


def written_masks(file, dims):
    """Return footprints as dense images from a written file, and the type of their weights."""
    table = file[f"{TABLE}/PlaneSegmentation"]
    ends = table["pixel_mask_index"][()].astype(int)
    found = np.zeros((len(ends), *dims), table["pixel_mask"].dtype["weight"])
    for number, mask in enumerate(np.split(table["pixel_mask"][()], ends)[:-1]):
        found[number, mask["y"], mask["x"]] = mask["weight"]
    return found


def traces(file, name, group="Fluorescence"):
    return file[f"{OPHYS}/{group}/{name}/data"][()].T


def parameters(file, name="caiman_parameters"):
    table = file[f"analysis/{name}"]
    keys, values = table["key"].asstr()[()], table["value"].asstr()[()]
    return {key: json.loads(value) for key, value in zip(keys, values, strict=True)}


@pytest.fixture(scope="module")
def converted(samples, tmp_path_factory):
    """Convert a sample once; return the source, the written file and the result."""
    done = {}

    def convert(name, **options):
        key = (name, *options.items())
        if key not in done:
            out = tmp_path_factory.mktemp("caiman") / "out.nwb"
            result = nwbridge.convert(samples / FOLDER / name, out, metadata=MOUSE, options=options)
            done[key] = (samples / FOLDER / name, out, result)
        return done[key]

    return convert


# real results


@pytest.mark.parametrize("name", FILES)
def test_converts_real_results(converted, name):
    _, _, result = converted(name)
    assert (result.ok, result.verified, result.source) == (True, True, "caiman")
    assert [f.message for f in result.findings if f.severity == "error"] == []


@pytest.mark.parametrize("name", FILES)
def test_writes_every_footprint_with_its_weights(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        dims, footprints = tuple(file["dims"][()]), matrix(file["estimates/A"])
        if footprints.shape[1]:
            found = written_masks(nwb, dims)
            assert found.dtype == footprints.dtype
            np.testing.assert_array_equal(found, images(footprints.toarray(), dims))
        else:
            assert len(nwb[f"{TABLE}/PlaneSegmentation/id"]) == 0


@pytest.mark.parametrize("name", [name for name in FILES if "zero" not in name])
def test_writes_traces_columns_and_status(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        part, table = file["estimates"], nwb[f"{TABLE}/PlaneSegmentation"]
        np.testing.assert_array_equal(traces(nwb, "denoised"), part["C"][()])
        np.testing.assert_array_equal(traces(nwb, "raw"), part["C"][()] + part["YrA"][()])
        np.testing.assert_array_equal(traces(nwb, "deconvolved"), part["S"][()])
        assert traces(nwb, "denoised").dtype == part["C"].dtype
        rate = file["params/data/fr"][()]
        assert nwb[f"{OPHYS}/Fluorescence/raw/starting_time"].attrs["rate"] == rate
        for key in ("SNR_comp", "r_values", "bl", "c1", "g", "lam", "neurons_sn", "center"):
            values = part[key][()] if key in part else b"NoneType"
            if np.ndim(values):
                np.testing.assert_array_equal(table[key][()], np.asarray(values).astype(float), err_msg=key)
            else:
                assert key not in table
        if part["idx_components"].ndim:
            status = table["status"].asstr()[()]
            np.testing.assert_array_equal(np.flatnonzero(status == "accepted"), part["idx_components"][()])
            np.testing.assert_array_equal(np.flatnonzero(status == "rejected"), part["idx_components_bad"][()])
        else:
            assert "status" not in table


@pytest.mark.parametrize("name", FILES)
def test_writes_images_on_the_right_pixels(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        dims = tuple(file["dims"][()])
        for key in ("Cn", "sn", "b0"):
            item = file.get(f"estimates/{key}")
            if item is None or not item.ndim:
                assert f"{OPHYS}/SummaryImages/{key}" not in nwb
                continue
            expected = item[()].reshape(dims, order="F") if item.ndim == 1 else item[()]
            np.testing.assert_array_equal(nwb[f"{OPHYS}/SummaryImages/{key}"][()].T, expected)


@pytest.mark.parametrize("name", CNMF)
def test_the_background_can_be_made_from_the_written_file(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        dims = tuple(file["dims"][()])
        expected = file["estimates/b"][()] @ file["estimates/f"][()]
        masks = nwb[f"{TABLE}/Background/image_mask"][()].transpose(0, 2, 1)  # stored as x, y
        course = nwb[f"{OPHYS}/Fluorescence/background/data"][()]
        found = np.einsum("nrc,tn->rct", masks, course)
        np.testing.assert_allclose(found.reshape(-1, len(course), order="F"), expected)
        assert masks.shape == (2, *dims)


def blocks_of(dims, size):
    """Return the block of every pixel, both counted down the columns."""
    rows, columns = np.indices(dims) // size
    return (rows + columns * -(-dims[0] // size)).ravel(order="F")


def ring_background(movie, footprints, denoised, weights, b0, dims):
    """Return B = W (Y - A C - b0) + b0 as (pixel, frame), with W on blocks of pixels."""
    sparse = pytest.importorskip("scipy.sparse")
    pixels = movie.transpose(1, 2, 0).reshape(-1, len(movie), order="F").astype(float)
    size = round((np.prod(dims) / weights.shape[0]) ** 0.5)
    block = blocks_of(dims, size)
    share = 1 / np.bincount(block)[block]
    mean = sparse.csr_matrix((share, (block, np.arange(len(block)))))
    rest = pixels - footprints @ denoised - b0[:, None]
    return (weights @ (mean @ rest))[block] + b0[:, None], rest


@pytest.mark.parametrize("name", RING)
def test_the_ring_model_gives_the_same_background_from_the_written_file(samples, converted, name):
    sparse = pytest.importorskip("scipy.sparse")
    source, out, _ = converted(name)
    parts = [samples / FOLDER / part for part in RING[name]]
    movie = np.concatenate([np.load(p) if p.suffix == ".npy" else tifffile.imread(p) for p in parts])
    with h5py.File(source) as file, h5py.File(out) as nwb:
        dims, part = tuple(file["dims"][()]), file["estimates"]
        footprints, weights = matrix(part["A"]), matrix(part["W"])
        expected, rest = ring_background(movie, footprints, part["C"][()], weights, part["b0"][()], dims)
        table = nwb["analysis/ring_model"]
        column = np.repeat(np.arange(len(table["id"])), np.diff(table["weights_index"][()].astype(int), prepend=0))
        stored = sparse.csc_matrix((table["weights"][()], (table["targets"][()], column)), shape=weights.shape)
        b0 = nwb[f"{OPHYS}/SummaryImages/b0"][()].T.ravel(order="F")
        masks, denoised = np.zeros((np.prod(dims), 0)), np.zeros((0, len(movie)))
        if footprints.shape[1]:
            masks = written_masks(nwb, dims).transpose(1, 2, 0).reshape(np.prod(dims), -1, order="F")
            denoised = traces(nwb, "denoised")
        found, _ = ring_background(movie, masks, denoised, stored, b0, dims)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
        assert np.array_equal(table["row"][()] + table["column"][()] * -(-dims[0] // 2), np.arange(len(table["id"])))
        # this way round W explains the movie; turned around it would not
        assert np.std(rest + part["b0"][()][:, None] - found) < 0.5 * np.std(rest)


def test_calls_traces_detrended_that_were_not_divided_by_a_background(converted):
    source, out, _ = converted("runs/real1p_tiff63_v1113_with_movie_metadata.hdf5")
    with h5py.File(source) as file, h5py.File(out) as nwb:
        assert "DfOverF" not in nwb[OPHYS]
        np.testing.assert_array_equal(traces(nwb, "detrended"), file["estimates/F_dff"][()])
        words = nwb[f"{OPHYS}/Fluorescence/detrended"].attrs["description"]
        assert "not divided by a baseline; its changes are 1 times" in words


@pytest.mark.parametrize("name", [CNMF[0], CNMF[2]])
def test_puts_true_dff_into_dfoverf(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        np.testing.assert_array_equal(traces(nwb, "dff", "DfOverF"), file["estimates/F_dff"][()])


@pytest.mark.parametrize("name", FILES)
def test_keeps_every_parameter_as_data(converted, name):
    source, out, _ = converted(name)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        found, version = parameters(nwb), file["params/data"].attrs["caiman_version"]
        words = nwb["analysis/caiman_parameters"].attrs["description"]
        assert "CaImAn" in words
        assert version in words
        expected = {}
        for group, content in file["params"].items():
            expected |= {f"{group}/{key}": value for key, value in content.attrs.items()}
            for key, item in content.items():
                value = item[()].tolist() if hasattr(item[()], "tolist") else item[()]
                expected[f"{group}/{key}"] = None if value == b"NoneType" else value
        assert expected.keys() <= found.keys()
        for key, value in expected.items():
            if not isinstance(value, str) and not (isinstance(value, list) and value and isinstance(value[0], bytes)):
                assert found[key] == value, key
        assert found["init/method_init"] == file["params/init"].attrs["method_init"]
        assert found["motion/indices"] == ["slice(None, None, None)"] * 2
        assert found["online/max_comp_update_shape"] == float("inf")


@pytest.mark.parametrize("name", FILES)
def test_names_no_folder_of_whoever_ran_it(converted, name):
    _, out, _ = converted(name)
    texts = []
    with h5py.File(out) as nwb:
        nwb.visititems(lambda _, item: texts.extend(str(value) for value in item.attrs.values()))
        texts += [nwb[item].asstr()[()] for item in ("session_description", "general/notes")]
        texts += [str(value) for value in parameters(nwb).values()]
    assert not [text for text in texts if "/data/" in text or "/tmp/" in text or "/ideas/" in text]


def test_takes_the_rate_from_the_footer_of_the_first_movie_and_not_the_sensor_s_pixels(samples):
    session = describe(samples / FOLDER / "derived_1p/caiman_output.hdf5", Options())
    (cells,) = session.of(Segmentation)
    assert (cells.plane.rate_hz, cells.plane.pixel_um, session.start_time) == (10.0, None, None)
    assert ["1970-01-01T00:00:30.1" in f.message for f in session.findings] == [True]
    _, footer = session.of(Parameters)
    assert footer.values["timingInfo/numTimes"] == 63


def test_says_that_a_trimmed_file_is_not_what_its_movie_was(samples):
    session = describe(samples / FOLDER / "sample_cellset_msr_1.hdf5", Options())
    messages = [f.message for f in session.findings]
    assert "estimates/nr says 184 components, A has 5: A's are written" in messages
    assert any("12075 frames; the file holds (400, 640, 1) and 100" in message for message in messages)


def test_an_analysis_without_any_component_is_a_session(samples):
    session = describe(samples / FOLDER / "runs/real1p_avi100_zero_v1113.hdf5", Options())
    (cells,) = session.of(Segmentation)
    assert (len(cells), cells.image_shape, cells.traces, cells.status) == (0, (122, 108), (), None)
    assert [f.message for f in session.findings] == [
        "CaImAn found no component: there are no regions and no traces of any"
    ]
    assert [table.name for table in session.of(Table)] == ["ring_model"]


# the movie beside it


@pytest.mark.parametrize(
    ("name", "movie", "kind"),
    [
        (CNMF[0], "runs/real2p_1000x30x40.tif", "TwoPhotonSeries"),
        (next(iter(RING)), "runs/ideas_1p_nwb_200x35x29.npy", "OnePhotonSeries"),
        ("derived_1p/caiman_output.hdf5", "movie_part2_108x123x63.tiff", "OnePhotonSeries"),
    ],
)
def test_writes_the_movie_that_the_user_names(samples, converted, name, movie, kind):
    path = samples / FOLDER / movie
    source, out, result = converted(name, movie=str(path))
    expected = np.load(path) if path.suffix == ".npy" else tifffile.imread(path)
    with h5py.File(source) as file, h5py.File(out) as nwb:
        series = nwb[f"acquisition/{kind}"]
        np.testing.assert_array_equal(series["data"][()].transpose(0, 2, 1), expected)
        assert series["starting_time"].attrs["rate"] == file["params/data/fr"][()]
    guessed = ["does not say how the movie was taken" in f.message for f in result.findings]
    assert any(guessed) == (kind == "TwoPhotonSeries")


@pytest.mark.parametrize(
    ("name", "movie", "message"),
    [
        (
            "runs/real1p_series163_v1113.hdf5",
            "runs/ideas_1p_part1_avi.npy",
            "has 100 frames; .* of 163: it is one of a",
        ),
        ("runs/real1p_avi100_zero_v1113.hdf5", "runs/ideas_1p_part2_avi.npy", "has 63 frames; .* traces of 100"),
        (CNMF[0], "runs/ideas_1p_part2_avi.npy", r"has images of \(122, 108\); .* from \(30, 40\)"),
        (CNMF[0], "params_normcorre.json", "is no movie that can be read"),
        (CNMF[0], "absent.npy", "absent.npy cannot be read"),
    ],
)
def test_refuses_another_movie(samples, name, movie, message):
    with pytest.raises(BadSource, match=message):
        describe(samples / FOLDER / name, Options(movie=samples / FOLDER / movie))


@pytest.mark.parametrize("member", ["mov", "data"])
def test_reads_a_movie_in_hdf5_by_the_name_that_the_parameters_give(edited, tmp_path, member):
    path = edited({"params/data/var_name_hdf5": member})
    frames = np.random.default_rng(1).integers(0, 99, (80, 30, 44)).astype(np.uint16)
    with h5py.File(tmp_path / "movie.h5", "w") as file:
        file[member] = frames
    (movie,) = describe(path, Options(movie=tmp_path / "movie.h5", kind="one-photon")).of(Movie)
    with movie.data.open() as reader:
        np.testing.assert_array_equal(reader[0:80], frames)
    assert (movie.name, movie.kind, movie.rate_hz) == ("OnePhotonSeries", "one-photon", 15.0)


@pytest.mark.parametrize(
    ("changes", "name", "warned"),
    [
        ({}, "TwoPhotonSeries", True),
        ({"params/init/method_init": "corr_pnr"}, "OnePhotonSeries", False),
        ({"params/init/center_psf": True}, "OnePhotonSeries", False),
    ],
    ids=str,
)
def test_takes_a_movie_for_one_photon_where_cnmf_e_ran(edited, tmp_path, changes, name, warned):
    np.save(tmp_path / "movie.npy", np.zeros((80, 30, 44), np.uint8))
    session = describe(edited(changes), Options(movie=tmp_path / "movie.npy"))
    assert [movie.name for movie in session.of(Movie)] == [name]
    assert any("does not say how the movie was taken" in f.message for f in session.findings) == warned


@pytest.mark.parametrize(("frames", "ending"), [(79, "it is one of a series; give the movie of all frames"), (81, "")])
def test_refuses_a_movie_of_another_number_of_frames(tmp_path, frames, ending):
    np.save(tmp_path / "movie.npy", np.zeros((frames, 30, 44), np.uint8))
    with pytest.raises(BadSource, match=f"movie.npy has {frames} frames; .* has traces of 80.*{ending}$"):
        describe(example(tmp_path), Options(movie=tmp_path / "movie.npy"))


def test_takes_a_movie_by_a_relative_path(tmp_path, monkeypatch):
    path = example(tmp_path)
    np.save(tmp_path / "movie.npy", np.zeros((80, 30, 44), np.uint8))
    monkeypatch.chdir(tmp_path)
    options = {"movie": "movie.npy", "kind": "two-photon"}
    assert nwbridge.convert(path, Path("out.nwb"), source="caiman", options=options, metadata=MOUSE).ok
    with h5py.File("out.nwb") as nwb:
        assert sorted(nwb["analysis/source_files/path"].asstr()[()]) == ["caiman_example.hdf5", "movie.npy"]


# how it is found


def test_says_what_speaks_for_it(tmp_path):
    assert detect(example(tmp_path)) == "estimates/A and dims of CaImAn"


@pytest.mark.parametrize(
    ("removed", "found"),
    [(("dims",), "params"), (("dims", "params"), "estimates/dims"), (("dims", "params", "estimates/dims"), None)],
)
def test_wants_more_than_footprints(edited, removed, found):
    evidence = detect(edited(dict.fromkeys(removed, ...)))
    assert evidence == (found and f"estimates/A and {found} of CaImAn")


def test_follows_no_link_to_look(tmp_path):
    other = example(tmp_path)
    with h5py.File(tmp_path / "linked.hdf5", "w") as file:
        file["estimates"] = h5py.ExternalLink(other.name, "estimates")
        file["dims"] = [30, 44]
    assert detect(tmp_path / "linked.hdf5") is None
    with pytest.raises(BadSource, match=r"/estimates is a link into another file \(caiman_example.hdf5\); refused"):
        describe(tmp_path / "linked.hdf5", Options())


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("names", [("A_or", "C_or", "S_or", "P_or"), ("A", "C", "b", "f", "YrA")])
def test_recognises_older_results_of_matlab_and_says_so(tmp_path, names, compressed):
    pytest.importorskip("scipy")
    from scipy.io import savemat

    path = tmp_path / "results.mat"
    savemat(path, {"note": "x"} | {name: np.ones((3, 40)) for name in names}, do_compression=compressed)
    assert detect(path) == f"a MATLAB file with {names[0]}, {names[1]}, {min(names[2:], key=str)}, as of CaImAn"
    with pytest.raises(BadSource, match=r"results\.mat is a MATLAB file of an older CaImAn; expected its HDF5 results"):
        describe(path, Options())


def test_recognises_older_results_of_matlab_in_hdf5(tmp_path):
    path = tmp_path / "results.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name in ("A_keep", "C_keep", "Cn"):
            file[name] = np.ones((4, 3))
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    assert detect(path) == "a MATLAB file with A_keep, C_keep, Cn, as of CaImAn"
    with pytest.raises(BadSource, match="is a MATLAB file"):
        describe(path, Options())


@pytest.mark.parametrize("names", [("A", "C"), ("A", "b"), ("spikes",)])
def test_leaves_other_files_of_matlab_to_others(tmp_path, names):
    pytest.importorskip("scipy")
    from scipy.io import savemat

    savemat(tmp_path / "other.mat", {name: np.ones(3) for name in names})
    assert detect(tmp_path / "other.mat") is None


@pytest.mark.parametrize("content", [b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n", b"\x89HDF"])
def test_detects_nothing_in_a_beginning(tmp_path, content):
    (tmp_path / "cut.hdf5").write_bytes(content + b"\0" * 150)
    assert detect(tmp_path / "cut.hdf5") is None


def test_is_what_another_source_can_use(tmp_path):
    session = nwbridge.describe(example(tmp_path), source="caiman")
    names = [element.name for element in session.elements]
    assert names == ["PlaneSegmentation", "Background", "SummaryImages", "caiman_parameters"]
    assert [trace.name for trace in session.elements[0].traces] == ["denoised", "raw", "deconvolved", "dff"]
    assert [image.name for image in session.of(Images)[0].images] == ["Cn", "sn"]
