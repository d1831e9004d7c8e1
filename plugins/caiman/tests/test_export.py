"""The export writes what CaImAn would have: real results, through NWB and back, are compared with what they were."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import (
    BadOption,
    BadSource,
    Image,
    Images,
    InvalidOutput,
    Parameters,
    Plane,
    Region,
    Segmentation,
    Session,
    Traces,
    arrays,
)
from nwbridge_caiman import Options, describe, example, export
from nwbridge_caiman.choosing import ExportOptions
from nwbridge_caiman.example import footprints, sparse

MOUSE = {"Subject": {"species": "Mus musculus"}}
FOLDER = "caiman_inscopix"
FILES = (
    "sample_cellset_msr_1.hdf5",
    "runs/real2p_eval_dff_v1113.hdf5",
    "runs/real2p_bare_v1113.hdf5",
    "runs/real1p_nwb200_v1113.hdf5",
    "runs/real1p_tiff63_v1113_with_movie_metadata.hdf5",
    "runs/real1p_series163_v1113.hdf5",
    "runs/real1p_avi100_zero_v1113.hdf5",
    "derived_1p/caiman_output.hdf5",
    "derived_2p/caiman_2p_neurofinder0000.hdf5",
)
AS_TEXT = ("bl", "c1", "lam", "neurons_sn")  # numbers that CaImAn stored as text, and that are numbers again
PLACES = ("mmap_file", "fnames", "movie_name_online", "path_to_model")  # folders are left out
ROWS, COLUMNS, FRAMES = 5, 7, 30


def members(path):
    """Every data set, and every attribute, by its name."""
    found = {}

    def visit(name, item):
        found.update({f"{name}/{key}".lstrip("/"): ("attribute", value) for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = ("data set", item[()])

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return found


def load(path):
    """Read a file as CaImAn's own programs do: nested, sparse matrices by scipy, None for its word."""
    sparse = pytest.importorskip("scipy.sparse")

    def tree(group):
        found = dict(group.attrs)
        for key, item in group.items():
            if isinstance(item, h5py.Dataset):
                found[key] = None if item.shape == () and item[()] == b"NoneType" else item[()]
            elif key in ("A", "W"):
                data, indices, ends, shape = (item[part][()] for part in ("data", "indices", "indptr", "shape"))
                found[key] = sparse.csc_matrix((data, indices, ends), shape)
            else:
                found[key] = tree(item)
        return found

    with h5py.File(path) as file:
        return tree(file)


def last(text):
    return (text.decode() if isinstance(text, bytes) else str(text)).split("/")[-1]


def differences(original, written):
    """What differs, apart from what the docs say is not kept."""
    one, other = members(original), members(written)
    found = sorted(
        name
        for name in one.keys() ^ other.keys()
        if not (
            name in one and np.array_equal(one[name][1], b"NoneType")
        )  # a member that stands for None may be absent
    )
    for name in one.keys() & other.keys():
        key, (how, value), (where, mine) = name.split("/")[-1], one[name], other[name]
        value, mine = np.asarray(value), np.asarray(mine)
        if key in PLACES:
            same = [last(text) for text in value.ravel()] == [last(text) for text in mine.ravel()]
        elif key in AS_TEXT and value.dtype.kind == "S" and value.ndim:
            same = mine.dtype == np.float64 and np.array_equal(value.astype(float), mine)
        elif name == "estimates/R" and value.ndim:  # CaImAn takes YrA where there is no R
            same = mine == b"NoneType" and np.array_equal(value, one["estimates/YrA"][1])
        elif name == "estimates/YrA" and value.size:
            most = np.abs(value + one["estimates/C"][1]).max()
            same = mine.dtype == np.float64 and np.allclose(mine, value, rtol=0, atol=1e-14 * most)
        elif name == "estimates/nr":
            same = mine == one["estimates/A/shape"][1][1]
        elif value.dtype.kind in "SU":
            same = np.array_equal(value, mine)
        else:
            same = value.dtype == mine.dtype and np.array_equal(value, mine, equal_nan=value.dtype.kind == "f")
        found += [name] if how != where or not same else []
    return found


# real results


@pytest.mark.parametrize("name", FILES)
def test_writes_the_file_that_it_was_before_it_went_through_nwb(samples, tmp_path, name):
    source, nwb, out = samples / FOLDER / name, tmp_path / "a.nwb", tmp_path / "a.hdf5"
    nwbridge.convert(source, nwb, metadata=MOUSE)
    nwbridge.export("caiman", nwb, out)
    assert differences(source, out) == []


def test_writes_the_cells_of_a_run_on_ideas(samples, tmp_path):
    pytest.importorskip("nwbridge_ideas", reason="nwbridge-ideas, which reads .isxd files, is not installed")
    run = samples / FOLDER / "derived_1p"
    nwbridge.convert(run, tmp_path / "a.nwb", metadata=MOUSE)
    nwbridge.export("caiman", tmp_path / "a.nwb", tmp_path / "a.hdf5")
    found = differences(run / "caiman_output.hdf5", tmp_path / "a.hdf5")
    assert found == ["estimates/YrA"]  # the cell sets' raw traces are float32
    one, other = load(run / "caiman_output.hdf5")["estimates"], load(tmp_path / "a.hdf5")["estimates"]
    raw = one["C"] + one["YrA"]
    np.testing.assert_allclose(other["C"] + other["YrA"], raw, rtol=0, atol=1e-7 * np.abs(raw).max())


# made up


@pytest.fixture
def made(tmp_path):
    """Export the example as it is, or with members changed, through NWB; return both paths."""

    def export_example(path=None, **options):
        path = path or example(tmp_path)
        nwbridge.convert(path, tmp_path / "a.nwb", metadata=MOUSE)
        nwbridge.export("caiman", tmp_path / "a.nwb", tmp_path / "a.hdf5", options=options)
        return path, tmp_path / "a.hdf5"

    return export_example


def test_writes_a_made_up_result_as_it_was(made):
    source, out = made()
    extra = set(differences(source, out))
    assert all(np.array_equal(members(out)[name][1], b"NoneType") for name in extra)  # what CaImAn always has


def test_writes_the_same_of_caiman_s_own_file_and_of_nwb(made, tmp_path):
    source, out = made()
    nwbridge.export("caiman", source, tmp_path / "b.hdf5")
    assert (tmp_path / "b.hdf5").read_bytes() == out.read_bytes()
    assert nwbridge.inspect(out).source == "caiman"


def test_programs_read_matrices_traces_and_parameters(made):
    source, out = made()
    one, other = load(source), load(out)
    estimates = other["estimates"]
    np.testing.assert_array_equal(estimates["A"].toarray(), one["estimates"]["A"].toarray())
    assert estimates["A"].shape == (30 * 44, 4)
    assert tuple(other["dims"]) == tuple(estimates["dims"]) == tuple(other["params"]["data"]["dims"]) == (30, 44)
    assert (estimates["W"], estimates["b0"], estimates["discarded_components"], other["dview"]) == (None,) * 4
    assert estimates["idx_components"].tolist() == [0, 1, 3]
    assert other["params"]["init"]["method_init"] == "greedy_roi"
    assert other["params"]["patch"]["rf"] is None
    assert other["params"]["temporal"]["solvers"].tolist() == [b"ECOS", b"SCS"]
    assert other["mmap_file"] == "memmap_d1_30_d2_44_d3_1_order_C_frames_80_.mmap".replace("_.", ".")


@pytest.mark.parametrize(
    ("accepted", "rejected"), [([], [0, 1, 2, 3]), ([0, 1, 2, 3], []), (None, None), ([2], [1]), ([], [])]
)
def test_keeps_apart_what_was_rejected_and_what_was_never_evaluated(edited, made, accepted, rejected):
    numbers = [None if one is None else np.array(one, np.int64) for one in (accepted, rejected)]
    names = ("estimates/idx_components", "estimates/idx_components_bad")
    _, out = made(edited(dict(zip(names, numbers, strict=True))))
    estimates = load(out)["estimates"]
    found = [estimates[name.partition("/")[2]] for name in names]
    if accepted is None:
        assert found == [None, None]
    else:
        assert [one.tolist() for one in found] == [accepted, rejected]
        assert {one.dtype for one in found} == {np.dtype(np.int64)}


def test_keeps_a_component_without_pixels_volumes_and_what_was_taken_out(edited, made):
    dims, rng = (30, 11, 4), np.random.default_rng(3)
    lost = {"C": rng.random((1, 80)), "YrA": rng.random((1, 80)), "S": rng.random((1, 80))}
    place = "estimates/discarded_components"
    changes = {name: np.array(dims) for name in ("dims", "estimates/dims", "params/data/dims")}
    changes |= {f"{place}/{key}": value for key, value in lost.items()}
    changes |= {f"{place}/A/data": np.array([1.5, 2.5]), f"{place}/A/indices": np.array([7, 900], np.int32)}
    changes |= {f"{place}/A/indptr": np.array([0, 2], np.int32), f"{place}/A/shape": np.array([1320, 1])}
    path = edited({"mmap_file": ..., "estimates/Cn": rng.random(dims), **changes})
    dense = footprints()
    dense[:, 1] = 0
    with h5py.File(path, "r+") as file:
        del file["estimates/A"]
        sparse(file.create_group("estimates/A"), dense)
    source, out = made(path)
    one, other = load(source)["estimates"], load(out)["estimates"]
    np.testing.assert_array_equal(other["A"].toarray(), one["A"].toarray())
    assert np.diff(other["A"].indptr)[1] == 0
    np.testing.assert_array_equal(other["Cn"], one["Cn"])
    np.testing.assert_array_equal(other["b"], one["b"])
    np.testing.assert_array_equal(other["sn"], one["sn"])
    below = other["discarded_components"]
    np.testing.assert_array_equal(below["A"].toarray(), one["discarded_components"]["A"].toarray())
    np.testing.assert_array_equal(below["S"], lost["S"])
    np.testing.assert_allclose(below["YrA"], lost["YrA"], rtol=0, atol=1e-15)


# results of others


def traces(name, kind, count=2, frames=FRAMES, rate=10.0, times=None, seed=0):
    data = arrays.from_numpy(np.random.default_rng(seed).random((count, frames)))
    times = None if times is None else arrays.from_numpy(np.asarray(times, float))
    return Traces(name, data, kind, rate_hz=rate if times is None else None, timestamps=times)


REGIONS = (
    Region(np.array([[0, 1], [4, 6]]), np.array([0.5, 0.25], np.float32), 7),
    Region(np.array([[3, 2]]), np.array([2], np.float32), 9),
)
USUAL = (traces("denoised", "denoised"), traces("raw", "fluorescence", seed=1), traces("spikes", "deconvolved", seed=2))


def cells(*more, name="Cells", regions=REGIONS, **changes):
    return Segmentation(name, regions, (ROWS, COLUMNS), Plane(), traces=more or USUAL, **changes)


def session(*elements):
    return Session("m1", "made up", elements)


def written(tmp_path, *elements, **options):
    path = tmp_path / "out.hdf5"
    path.write_bytes(export.make((session(*elements),), ExportOptions(**options)))
    return load(path)


def test_writes_what_there_is_of_another_program_s_cells_and_none_elsewhere(tmp_path):
    found = written(tmp_path, cells(status=("undecided", "rejected")))
    estimates = found["estimates"]
    dense = estimates["A"].toarray()
    assert (dense[0 + 1 * ROWS, 0], dense[4 + 6 * ROWS, 0], dense[3 + 2 * ROWS, 1]) == (0.5, 0.25, 2)
    assert (estimates["A"].nnz, dense.shape, dense.dtype) == (3, (ROWS * COLUMNS, 2), np.float32)
    assert (estimates["idx_components"].tolist(), estimates["idx_components_bad"].tolist()) == ([], [1])
    assert [estimates[key] for key in ("F_dff", "b", "f", "W", "b0", "sn", "SNR_comp", "g")] == [None] * 8
    assert (found["params"]["data"]["fr"], found["mmap_file"], estimates["nr"]) == (10.0, None, 2)


def test_takes_images_as_masks(tmp_path):
    images = np.zeros((2, ROWS, COLUMNS), np.float32)
    images[0, 4, 6], images[1, 0, 3] = 0.5, 0.25
    dense = written(tmp_path, cells(regions=arrays.from_numpy(images)))["estimates"]["A"].toarray()
    np.testing.assert_array_equal(dense.reshape(ROWS, COLUMNS, 2, order="F").transpose(2, 0, 1), images)


def test_writes_parameters_in_groups_that_caiman_knows_and_the_rest_beside_them(tmp_path):
    values = {"init": {"K": None, "gSig": [3, 3], "method_init": "corr_pnr"}, "data": {"fr": 10.0}, "run": {"seed": 3}}
    values |= {"spatial": {"odd": [1, None], "rows": [[1, 2], [3]], "big": [[1.5, 2], [3, 4]], "empty": []}}
    found = written(tmp_path, cells(), Parameters("extraction", values))
    assert (found["params"]["init"]["K"], found["params"]["init"]["gSig"].tolist()) == (None, [3, 3])
    assert found["params"]["init"]["method_init"] == "corr_pnr"
    assert found["params"]["spatial"]["odd"].tolist() == [b"1", b"null"]
    assert found["params"]["spatial"]["rows"].tolist() == [b"[1, 2]", b"[3]"]
    assert found["params"]["spatial"]["big"].tolist() == [[1.5, 2], [3, 4]]
    assert set(found["params"]) == {"init", "data", "spatial"}
    assert found["run"]["seed"] == 3


@pytest.mark.parametrize(("stated", "kept"), [(10.0001, 10.0001), (30.0, 10.0), (None, 10.0)])
def test_writes_the_traces_rate_where_the_parameter_is_another(tmp_path, stated, kept):
    found = written(tmp_path, cells(), Parameters("extraction", {"data": {"fr": stated}}))
    assert found["params"]["data"]["fr"] == kept


def test_takes_the_rate_from_even_times(tmp_path):
    even = 5 + np.arange(FRAMES) / 20 + np.random.default_rng(1).uniform(-1e-4, 1e-4, FRAMES)
    fr = written(tmp_path, cells(traces("denoised", "denoised", times=even)))["params"]["data"]["fr"]
    assert fr == pytest.approx(20, rel=1e-4)


def test_takes_the_user_s_rate_for_uneven_times(tmp_path):
    uneven = np.cumsum(np.random.default_rng(1).uniform(0.05, 0.2, FRAMES))
    clocked = cells(traces("denoised", "denoised", times=uneven))
    with pytest.raises(BadSource, match=r"denoised has uneven times, frame \d+ most of all; .* give it with --rate HZ"):
        written(tmp_path, clocked)
    assert written(tmp_path, clocked, rate=8.0)["params"]["data"]["fr"] == 8.0


def background(name="Background", seed=5):
    masks = np.random.default_rng(seed).random((1, ROWS, COLUMNS))
    own = traces(f"{name}_traces", "background", 1, seed=seed)
    return Segmentation(name, arrays.from_numpy(masks), None, Plane(), traces=(own,), role="background")


def images(name, value):
    return Images(name, (Image("Cn", arrays.from_numpy(np.full((ROWS, COLUMNS), value))),))


def test_takes_what_belongs_to_the_cells_by_its_name_where_a_file_holds_two_results(tmp_path):
    first = cells(name="PlaneSegmentation")
    second = cells(traces("denoised_2", "denoised", seed=9), name="PlaneSegmentation_2")
    grounds = background(), background("Background_2", 6)
    pictures = images("SummaryImages", 0.25), images("SummaryImages_2", 0.75)
    both = (first, second, *grounds, *pictures, Parameters("extraction", {"init": {"K": 3}}))
    for number, name in enumerate(("PlaneSegmentation", "PlaneSegmentation_2")):
        estimates = written(tmp_path, *both, segmentation=name)["estimates"]
        with grounds[number].regions.open() as masks:
            np.testing.assert_array_equal(estimates["b"][:, 0], masks[0:1][0].ravel(order="F"))
        assert estimates["Cn"][0, 0] == (0.25, 0.75)[number]
    other = cells(traces("dn", "denoised"), name="Other")
    found = written(tmp_path, first, other, *grounds, segmentation="Other", background="Background_2")
    assert found["estimates"]["f"].shape == (1, FRAMES)
    assert written(tmp_path, first, other, *grounds, segmentation="Other")["estimates"]["b"] is None
    with pytest.raises(BadOption, match="PlaneSegmentation, PlaneSegmentation_2: name one, --segmentation"):
        written(tmp_path, *both)


# what is refused

TWICE = (Region(np.array([[0, 1], [0, 1]]), np.ones(2), 0), REGIONS[1])
NOTHING = (Region(None), Region(None))


@pytest.mark.parametrize(
    ("elements", "options", "words"),
    [
        ((), {}, "m1 has no segmentation of cells"),
        ((Segmentation("Cells", REGIONS, (ROWS, COLUMNS), Plane()),), {}, "m1: Cells has no traces; expected at least"),
        (
            (cells(traces("F", "fluorescence")),),
            {},
            "Cells has no denoised traces, which are CaImAn's C (its traces: F",
        ),
        (
            (cells(traces("a", "denoised"), traces("b", "denoised")),),
            {},
            "several denoised traces, a, b: name one with",
        ),
        ((cells(),), {"denoised": "x"}, "--denoised x: Cells has no traces of that name; it has denoised, raw, spikes"),
        ((cells(),), {"segmentation": "x"}, "--segmentation x: m1 has none of that name; it has Cells"),
        ((cells(),), {"rate": -1.0}, "--rate -1.0: expected frames a second, above 0"),
        ((cells(traces("dn", "denoised", times=np.r_[0:29, np.inf])),), {}, "m1: dn has uneven times"),
        ((cells(regions=TWICE),), {}, "Cells: region 0 has a pixel twice"),
        ((Segmentation("Cells", NOTHING, None, Plane(), traces=USUAL),), {}, "Cells has no masks: they are not"),
        ((Segmentation("Cells", (), (5, 7), Plane()),), {}, "Cells has no region, and nothing says how many frames"),
        (
            (cells(traces("denoised", "denoised"), traces("s", "deconvolved", frames=20)),),
            {},
            "s has 20 frames, denoised 30; expected as many",
        ),
        (
            (cells(), Parameters("a", {"init": {"K": 1}}), Parameters("b", {"init": {"K": 2}})),
            {},
            "a, b could all be the parameters of Cells: name one with --parameters",
        ),
        ((cells(), background("a"), background("b")), {}, "a, b could all be the background of Cells: name one with"),
    ],
)
def test_says_in_one_line_why_not(tmp_path, elements, options, words):
    with pytest.raises((BadSource, BadOption)) as caught:
        written(tmp_path, *elements, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_several_recordings(tmp_path):
    with pytest.raises(BadOption, match="2 recordings were given, m1, m1; expected one"):
        export.make((session(cells()),) * 2, ExportOptions())


def test_keeps_nothing_that_does_not_read_back(monkeypatch):
    def spoilt(*arguments):
        content = bytearray(true(*arguments))
        value = np.float64(USUAL_SPIKE).tobytes()
        content[content.index(value)] ^= 1
        return bytes(content)

    with USUAL[2].data.open() as reader:
        USUAL_SPIKE = reader[0:1][0, 3]
    true = export.content_of
    monkeypatch.setattr(export, "content_of", spoilt)
    with pytest.raises(InvalidOutput, match="S does not read back as it was"):
        export.make((session(cells()),), ExportOptions())


def test_sums_that_are_not_numbers_stay_so(tmp_path):
    data = np.random.default_rng(0).random((2, FRAMES))
    data[0, 3], data[1, 4] = np.nan, np.inf
    raw = Traces("raw", arrays.from_numpy(data), "fluorescence", rate_hz=10.0)
    estimates = written(tmp_path, cells(traces("denoised", "denoised"), raw))["estimates"]
    np.testing.assert_allclose(estimates["C"] + estimates["YrA"], data, rtol=1e-12)


def test_the_export_is_described_again_as_it_was(made, tmp_path):
    source, out = made()
    one, other = describe(source, Options()), describe(out, Options())
    names = [element.name for element in one.elements]
    assert [element.name for element in other.elements] == names
    for a, b in zip(one.of(Segmentation), other.of(Segmentation), strict=True):
        assert (a.regions, a.status, [t.kind for t in a.traces]) == (b.regions, b.status, [t.kind for t in b.traces])
