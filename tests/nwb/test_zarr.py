"""NWB in Zarr holds what NWB in HDF5 holds, and is whole or absent like it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from recordings import lazy, registry_of, several

import nwbridge
from nwbridge import Column, Intervals, Plane, Region, Segmentation, Session, Table, conversion
from nwbridge.model import Device, Electrode, Series
from nwbridge.nwb import backend
from nwbridge.plugins import installed
from nwbridge.validation import validate

zarr = pytest.importorskip("zarr", reason="needs the extra nwbridge[zarr]")
hdmf_zarr = pytest.importorskip("hdmf_zarr", reason="needs the extra nwbridge[zarr]")

# of a file itself: two files of one recording differ in these
OWN = {"identifier", "file_create_date", "general/source_script"}
RECORDINGS = "general/intracellular_ephys/intracellular_recordings"
SAMPLES = [
    "caiman_inscopix/sample_cellset_msr_1.hdf5",
    "caiman_inscopix/runs/real1p_tiff63_v1113_with_movie_metadata.hdf5",
    "caiman_inscopix/runs/real2p_eval_dff_v1113.hdf5",
    "caiman_inscopix/movie_part2_108x123x63.isxd",
    "caiman_inscopix/edge/eventset_one_empty.isxd",
    "caiman_inscopix/edge/movie_f32_dropped_cropped.isxd",
    "allen_oephys/HYBRID_102525_6s.h5",
    "neurofinder/neurofinder.00.00_legacy",
]


def in_hdf5(path):
    """Return every data set and every attribute of an HDF5 file, as h5py reads them."""
    values, attributes = {}, {}

    def visit(name, found):
        if name.startswith("specifications"):
            return
        attributes[name] = dict(found.attrs)
        if isinstance(found, h5py.Dataset):
            values[name] = np.asarray(found.asstr()[()] if h5py.check_string_dtype(found.dtype) else found[()])

    with h5py.File(path) as file:
        file.visititems(visit)
    return values, attributes


def in_zarr(path):
    """Return the same of a Zarr folder, as zarr reads them; hdmf-zarr keeps single values in arrays, dates in bytes."""
    values, attributes = {}, {}

    def visit(name, found):
        if name.startswith("specifications"):
            return
        attributes[name] = found.attrs.asdict()
        if isinstance(found, zarr.Array):
            stored = found[0] if found.attrs["zarr_dtype"] == "scalar" else found[:]
            values[name] = np.asarray(stored)
            if values[name].dtype.kind == "S":
                values[name] = np.char.decode(values[name], "utf-8")

    zarr.open_consolidated(str(path), mode="r").visititems(visit)
    return values, attributes


def same(one, other):
    """Whether two arrays hold the same bits of the same type, or the same texts."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "OUS" or other.dtype.kind in "OUS":
        return [str(value) for value in one.ravel()] == [str(value) for value in other.ravel()]
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def assert_equal(file, folder):
    """Every data set of one is in the other, with the same values; and so is every attribute that is no reference."""
    (expected, attributes), (found, others) = in_hdf5(file), in_zarr(folder)
    kept = {name for name in expected if not name.startswith(RECORDINGS)}
    assert kept == set(found)
    assert [name for name in kept - OWN if not same(expected[name], found[name])] == []
    for name in attributes:
        if name in others:
            for key, value in attributes[name].items():
                if not isinstance(value, h5py.Reference) and key != "object_id":
                    assert plain(value) == plain(others[name][key]), (name, key)


def both(path, folder, **arguments):
    """Convert to both backends; return the paths and the results."""
    results = [nwbridge.convert(path, folder / f"x{suffix}", **arguments) for suffix in (".nwb", ".nwb.zarr")]
    return folder / "x.nwb", folder / "x.nwb.zarr", results


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", sorted(installed().sources()))
def test_the_example_of_every_source_is_the_same_in_both(name, tmp_path):
    (tmp_path / "in").mkdir()
    path = installed().source(name)[0].example(tmp_path / "in")
    file, folder, (one, other) = both(path, tmp_path, source=name)
    assert_equal(file, folder)
    assert other.verified
    assert one.ok is other.ok
    assert one.array_bytes == other.array_bytes
    assert other.file_bytes == sum((folder / found).stat().st_size for found in files(folder))
    problems = [{f.message for f in result.findings if f.severity == "error"} for result in (one, other)]
    assert problems[0] == problems[1]


@pytest.mark.skipif("NWBRIDGE_SAMPLES" not in os.environ, reason="NWBRIDGE_SAMPLES names no folder of real samples")
@pytest.mark.parametrize("name", SAMPLES)
def test_real_recordings_are_the_same_in_both(name, tmp_path):
    file, folder, _ = both(Path(os.environ["NWBRIDGE_SAMPLES"]) / name, tmp_path)
    assert_equal(file, folder)


@pytest.mark.parametrize("compression", ["fast", "small", "none"])
def test_every_compression_holds_the_same_values(neurofinder, tmp_path, compression):
    out = tmp_path / "x.nwb.zarr"
    nwbridge.convert(neurofinder, out, compression=compression, chunks=(11, 16, 20), threads=2)
    frames = np.stack([tifffile.imread(path) for path in sorted((neurofinder / "images").iterdir())])
    data = zarr.open(str(out), mode="r")["acquisition/TwoPhotonSeries/data"]
    assert data.chunks == (11, 20, 16)  # stored as (time, x, y)
    assert (data.compressor is None) is (compression == "none")
    np.testing.assert_array_equal(data[:], frames.transpose(0, 2, 1))


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f4", "f8", "i8"])
def test_every_type_of_number_is_kept_to_the_bit(tmp_path, dtype):
    values = np.random.default_rng(3).integers(0, 120, (7, 12, 17)).astype(dtype)
    if values.dtype.kind == "f":
        values[0, 0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    (tmp_path / "x").touch()
    nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb.zarr", registry=registry_of(lazy(values)))
    data = zarr.open(str(tmp_path / "x.nwb.zarr"), mode="r")["acquisition/TwoPhotonSeries/data"]
    assert data.dtype == values.dtype
    assert data[:].tobytes() == values.transpose(0, 2, 1).tobytes()


def cells():
    return Segmentation(
        "Cells",
        (
            Region(np.array([[2, 9], [11, 3]]), np.array([0.1, 2 / 3]), id=7),
            Region(np.array([[5, 6]]), np.array([1 / 7]), id=4),
        ),
        (12, 17),
        Plane(),
        status=("accepted", "rejected"),
        columns=(
            Column("word", np.array(["a", "β"])),
            Column("yes", np.array([True, False])),
            Column.ragged("nothing", [np.empty(0), np.empty(0)]),
            Column.ragged("g", [[0.9], [0.8, -0.1]]),
        ),
    )


def recording(*elements):
    return several({"a": lambda: Session("s", "S.", elements)})


def test_masks_keep_the_type_of_their_weights_and_tables_the_order_of_their_columns(tmp_path):
    (tmp_path / "x").touch()
    table = Table("t", (Column("zz", np.array([1, 2])), Column("aa", np.array([0.5, np.nan]))))
    trials = Intervals(
        "trials", (Column("start_time", np.array([0.0, 2.0])), Column("stop_time", np.array([1.0, 3.0])))
    )
    file, folder, _ = both(tmp_path / "x", tmp_path, registry=recording(cells(), table, trials))
    assert_equal(file, folder)
    group = zarr.open(str(folder), mode="r")
    mask = group["processing/ophys/ImageSegmentation/Cells/pixel_mask"]
    assert mask.dtype == [("x", "<u4"), ("y", "<u4"), ("weight", "<f8")]
    assert mask[:]["weight"].tolist() == [0.1, 2 / 3, 1 / 7]
    assert group["analysis/t"].attrs["colnames"] == ["zz", "aa"]


def test_references_still_lead_somewhere_when_the_folder_has_moved(tmp_path):
    example = installed().source("caiman")[0].example(tmp_path)
    nwbridge.convert(example, tmp_path / "x.nwb.zarr", source="caiman")
    (tmp_path / "far").mkdir()
    moved = (tmp_path / "x.nwb.zarr").rename(tmp_path / "far" / "y.nwb.zarr")
    with hdmf_zarr.NWBZarrIO(str(moved), mode="r") as io:
        ophys = io.read().processing["ophys"]
        masks = next(iter(ophys["ImageSegmentation"].plane_segmentations.values()))
        assert masks.imaging_plane.device.name
        traces = next(iter(ophys["Fluorescence"].roi_response_series.values()))
        assert traces.rois.table is masks
        assert list(traces.rois.data[:]) == list(range(len(masks)))


def test_metadata_in_one_file_says_what_that_of_each_array_says(neurofinder, tmp_path):
    out = tmp_path / "x.nwb.zarr"
    nwbridge.convert(neurofinder, out)
    together = json.loads((out / ".zmetadata").read_bytes())["metadata"]
    each = {name: json.loads((out / name).read_bytes()) for name in files(out) if Path(name).name.startswith(".z")}
    del each[".zmetadata"]
    assert together == each


def test_nothing_is_a_pickle_and_schemas_are_those_that_the_file_uses(tmp_path):
    for name, used in (("dl-smlm", {"ndx-smlm"}), ("ideas", set())):
        (tmp_path / name).mkdir()
        out = tmp_path / f"{name}.nwb.zarr"
        nwbridge.convert(installed().source(name)[0].example(tmp_path / name), out, source=name)
        for found in out.rglob(".zarray"):
            assert not [one for one in json.loads(found.read_bytes())["filters"] or () if one["id"] == "pickle"]
        assert set(names(out / "specifications")) - {".zgroup"} == {"core", "hdmf-common", "hdmf-experimental"} | used


def test_the_table_of_intracellular_recordings_is_left_out_and_that_is_said_once(tmp_path):
    (tmp_path / "x").touch()
    electrode = Electrode("e", "a pipette", Device("Amplifier"), "c1")
    voltages = [
        Series(
            name, lazy(np.arange(9.0) + number), kind="current clamp", rate_hz=9.0, unit="volts", electrode=electrode
        )
        for number, name in enumerate(("one", "two"))
    ]
    file, folder, (one, other) = both(tmp_path / "x", tmp_path, registry=recording(*voltages))
    assert_equal(file, folder)
    said = [finding for finding in other.findings if finding.check == "zarr"]
    assert [finding.severity for finding in said] == ["warning"]
    assert not [finding for finding in one.findings if finding.check == "zarr"]
    with hdmf_zarr.NWBZarrIO(str(folder), mode="r") as io:
        assert io.read().acquisition["two"].electrode.cell_id == "c1"


@pytest.mark.parametrize(
    ("out", "arguments", "message"),
    [
        ("x.zarr", {}, r"should end in \.nwb, or in \.nwb\.zarr"),
        (".nwb.zarr", {}, r"should end in \.nwb"),
        ("x.nwb", {"backend": "zarr"}, r"should end in \.nwb\.zarr"),
        ("x.nwb.zarr", {"backend": "hdf5"}, r"should end in \.nwb:"),
        ("x.nwb", {"backend": "n5"}, "expected hdf5 or zarr"),
        ("file.nwb.zarr", {}, "is a file, and Zarr is a folder"),
        ("link.nwb.zarr", {"overwrite": True}, "is a link, and Zarr is a folder"),
        ("other.nwb.zarr", {"overwrite": True}, "holds no Zarr; it is left alone"),
        ("there.nwb.zarr", {}, "exists already"),
        ("none/x.nwb.zarr", {}, "create it first"),
        ("n" * 250 + ".nwb.zarr", {}, "too long"),
    ],
)
def test_bad_targets_are_refused_before_anything_is_read(neurofinder, tmp_path, out, arguments, message):
    (tmp_path / "file.nwb.zarr").touch()
    (tmp_path / "other.nwb.zarr").mkdir()
    (tmp_path / "link.nwb.zarr").symlink_to(tmp_path / "other.nwb.zarr")
    zarr.open_group(str(tmp_path / "there.nwb.zarr"), mode="w")
    before = names(tmp_path)
    with pytest.raises(nwbridge.NwbridgeError, match=message):
        nwbridge.convert(neurofinder, tmp_path / out, **arguments)
    assert names(tmp_path) == before


def test_dandi_s_checks_are_refused_for_zarr_before_anything_is_read(neurofinder, tmp_path):
    pytest.importorskip("dandi")
    for out, arguments in (("x.nwb.zarr", {}), ("folder", {"backend": "zarr"})):
        with pytest.raises(nwbridge.BadOption, match="is for HDF5"):
            nwbridge.convert(neurofinder, tmp_path / out, archive="dandi", **arguments)
    assert names(tmp_path) == ["neurofinder"]


def test_a_folder_is_replaced_whole_and_only_by_one_that_is_whole(tmp_path, values):
    out = tmp_path / "x.nwb.zarr"
    (tmp_path / "x").touch()
    nwbridge.convert(tmp_path / "x", out, registry=registry_of(lazy(values)), chunks=(1, 9, 9))
    before = {name: (out / name).read_bytes() for name in files(out)}
    with pytest.raises(nwbridge.BadSource):
        nwbridge.convert(tmp_path / "x", out, registry=registry_of(lazy(values, fail_at=9)), overwrite=True)
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    nwbridge.convert(tmp_path / "x", out, registry=registry_of(lazy(values[:5])), overwrite=True)
    assert zarr.open(str(out), mode="r")["acquisition/TwoPhotonSeries/data"].shape[0] == 5
    assert len(files(out)) < len(before)
    assert names(tmp_path) == ["x", "x.nwb.zarr"]


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path, values):
    out = tmp_path / "x.nwb.zarr"
    (tmp_path / "x").touch()

    def progress(phase, done, total):
        if phase == "done":
            zarr.open_group(str(out), mode="w")

    with pytest.raises(nwbridge.CannotWrite, match="exists already"):
        nwbridge.convert(tmp_path / "x", out, registry=registry_of(lazy(values)), progress=progress)
    assert files(out) == [".zgroup"]
    assert names(tmp_path) == ["x", "x.nwb.zarr"]


def test_a_replaced_folder_comes_back_where_the_new_one_cannot_take_its_name(tmp_path):
    kind = backend.of(tmp_path / "x.nwb.zarr")
    zarr.open_group(str(tmp_path / "x.nwb.zarr"), mode="w")
    with pytest.raises(FileNotFoundError):
        kind.publish(tmp_path / "x.part.nwb.zarr", tmp_path / "x.nwb.zarr", overwrite=True)
    assert files(tmp_path) == ["x.nwb.zarr/.zgroup"]


def test_a_recording_inside_the_output_is_not_overwritten(tmp_path, values):
    out = tmp_path / "x.nwb.zarr"
    zarr.open_group(str(out), mode="w")
    (out / "movie").touch()
    with pytest.raises(nwbridge.BadOption, match="a file of the recording itself"):
        nwbridge.convert(out / "movie", out, overwrite=True, registry=registry_of(lazy(values)))
    assert (out / "movie").exists()


def test_what_dead_runs_left_is_removed_or_put_back(tmp_path, values):
    from nwbridge.nwb.parts import _HOST, remove_abandoned

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=60)
    out = tmp_path / "x.nwb.zarr"
    part, old, living = (
        tmp_path / f"x.{_HOST}-{process}-0123abcd.{kind}.nwb.zarr"
        for process, kind in ((dead.pid, "part"), (dead.pid, "old"), (os.getppid(), "part"))
    )
    for place in (part, old, living):
        zarr.open_group(str(place), mode="w")
    remove_abandoned(out)
    assert names(tmp_path) == sorted([living.name, out.name])
    zarr.open_group(str(old), mode="w")  # there is a whole one now
    remove_abandoned(out)
    assert names(tmp_path) == sorted([living.name, out.name])


@contextmanager
def _damaging(monkeypatch, damage):
    """Change the part folder when verification begins, as a bad disk would."""
    check = conversion.check

    def check_after_damage(part, *arguments):
        damage(part)
        check(part, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "check", check_after_damage)
        yield


DATA = "acquisition/TwoPhotonSeries/data"


def flip(part):
    chunk = part / DATA / "2.0.0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0x55
    chunk.write_bytes(content)


def swap(part):
    one, other = part / DATA / "1.0.0", part / DATA / "2.0.0"
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])


def change(part):
    zarr.open(str(part), mode="r+")[DATA][-1, -1, -1] ^= 1


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        swap,
        change,
        lambda part: (part / DATA / "0.0.0").unlink(),
        lambda part: (part / DATA / "0.0.0").write_bytes(b""),
        lambda part: (part / DATA / "0.0.0").write_bytes((part / DATA / "0.0.0").read_bytes()[:-9]),
    ],
    ids=["flipped byte", "swapped chunks", "changed value", "missing chunk", "empty chunk", "short chunk"],
)
@pytest.mark.parametrize("compression", ["fast", "none"])
def test_verification_finds_damage_and_keeps_nothing(tmp_path, monkeypatch, values, damage, compression):
    (tmp_path / "x").touch()
    with _damaging(monkeypatch, damage), pytest.raises(nwbridge.InvalidOutput, match="nothing was kept"):
        nwbridge.convert(
            tmp_path / "x",
            tmp_path / "x.nwb.zarr",
            registry=registry_of(lazy(values)),
            chunks=(5, 37, 53),
            compression=compression,
        )
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("place", "value"), [("id", 8), ("status", "undecided"), ("pixel_mask_index", 1), ("word", "A"), ("g", 0.95)]
)
def test_values_that_pynwb_wrote_are_compared_with_the_source(tmp_path, monkeypatch, place, value):
    def damage(part):
        zarr.open(str(part), mode="r+")[f"processing/ophys/ImageSegmentation/Cells/{place}"][0] = value

    (tmp_path / "x").touch()
    registry = recording(cells())
    with (
        _damaging(monkeypatch, damage),
        pytest.raises(nwbridge.InvalidOutput, match=f"{place} read back from the file"),
    ):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb.zarr", registry=registry)
    assert names(tmp_path) == ["x"]


CODE = "import sys, nwbridge.cli; sys.exit(nwbridge.cli.main())"


def start(*words, **kwargs):
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); " + CODE  # nohup ignores it
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


@pytest.fixture
def long_recording(tmp_path):
    path = tmp_path / "1_550Vx575H_FOV_30Hz_0.2power_00001_lowSNR_MC.tif"
    tifffile.imwrite(path, np.random.default_rng(9).integers(0, 2**16, (300, 256, 300), np.uint16))
    return path


def test_ctrl_c_leaves_nothing(long_recording, tmp_path):
    process = start("convert", long_recording, tmp_path / "x.nwb.zarr", "--chunks", "1,64,64", "--threads", 1)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("*.part.nwb.zarr/acquisition/*/data/*"))) < 100:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "nwbridge: interrupted; nothing was written")
    assert names(tmp_path) == [long_recording.name]


@pytest.mark.skipif(os.name != "posix", reason="limits on file sizes are POSIX's")
@pytest.mark.parametrize("size", [64, 4096, 80_000, 500_000])
def test_a_full_disk_ends_in_one_line_wherever_it_strikes(long_recording, tmp_path, size):
    import resource

    process = start(
        "convert",
        long_recording,
        tmp_path / "x.nwb.zarr",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (2, 1), said
    assert "there is not enough space for" in said
    assert names(tmp_path) == [long_recording.name]


def run(code, *words):
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_without_hdmf_zarr_one_line_says_how_to_install_it_and_hdf5_is_written(neurofinder, tmp_path):
    code = "import sys; sys.modules['hdmf_zarr'] = None; " + CODE
    status, said = run(code, "convert", neurofinder, tmp_path / "x.nwb.zarr")
    assert (status, said.count("\n")) == (2, 1), said
    assert "hdmf-zarr, which is not installed: python -m pip install 'nwbridge[zarr]'" in said
    status, said = run(code, "convert", neurofinder, tmp_path / "x.nwb")
    assert status in (0, 1), said
    assert names(tmp_path) == ["neurofinder", "x.nwb"]


def test_who_writes_hdf5_does_not_load_this_backend(neurofinder, tmp_path):
    code = "import sys, nwbridge; nwbridge.convert(*sys.argv[1:]); print('nwbridge.nwb.zarr' in sys.modules)"
    for out, loaded in (("x.nwb", "False"), ("x.nwb.zarr", "True")):
        status, said = run(code, neurofinder, tmp_path / out)
        assert (status, said.strip().splitlines()[-1]) == (0, loaded)


def test_each_recording_of_a_path_becomes_a_folder_when_asked(three, tmp_path):
    results = list(nwbridge.convert_each(tmp_path / "in", tmp_path / "out", registry=three, backend="zarr"))
    assert [type(result).__name__ for result in results] == ["Result", "BadSource", "Result"]
    assert names(tmp_path / "out") == ["a.nwb.zarr", "c.nwb.zarr"]


def test_a_folder_named_zarr_alone_is_no_place_to_write_to(three, tmp_path):
    with pytest.raises(nwbridge.CannotWrite, match="is no place to write to"):
        list(nwbridge.convert_each(tmp_path / "in", tmp_path / "x.zarr", registry=three))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    example = installed().source("neurofinder")[0].example(folder)
    nwbridge.convert(example, folder / "x.nwb.zarr")
    return folder / "x.nwb.zarr"


@pytest.fixture
def written(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "x.nwb.zarr"))


def test_validation_finds_in_a_folder_what_it_found_when_it_was_written(neurofinder, tmp_path):
    result = nwbridge.convert(neurofinder, tmp_path / "x.nwb.zarr")
    again = validate(tmp_path / "x.nwb.zarr")
    assert {finding.message for finding in again} <= {finding.message for finding in result.findings}
    assert [finding for finding in again if finding.severity == "error"] == []
    assert again


def test_validation_finds_what_breaks_the_schema(written):
    shutil.rmtree(written / "session_start_time")
    del zarr.open(str(written), mode="r+")["acquisition/TwoPhotonSeries"].attrs["description"]
    zarr.open(str(written), mode="r+")["acquisition/TwoPhotonSeries/data"].attrs["unit"] = 3
    zarr.consolidate_metadata(str(written))
    findings = [finding for finding in validate(written) if finding.severity == "error"]
    assert [finding for finding in findings if "session_start_time" in finding.message]
    assert [finding for finding in findings if "unit" in finding.message]


def pickled(folder):
    zarr.open(str(folder), mode="r+").create_dataset(
        "scratch", shape=1, dtype=object, object_codec=__import__("numcodecs").JSON()
    )
    place = folder / "scratch" / ".zarray"
    place.write_text(place.read_text("utf-8").replace("json2", "pickle"), "utf-8")


def elsewhere(folder):
    group = zarr.open(str(folder), mode="r+")["acquisition/TwoPhotonSeries"]
    group.attrs["zarr_link"] = [{"name": "imaging_plane", "path": "/x", "source": "../other.nwb.zarr"}]


def only_in_one_file(folder):
    place = folder / ".zmetadata"
    content = json.loads(place.read_bytes())
    content["metadata"]["identifier/.zarray"]["filters"] = [{"id": "pickle", "protocol": 5}]
    place.write_text(json.dumps(content), "utf-8")


def linked(folder):
    chunk = folder / "identifier" / "0"
    chunk.unlink()
    chunk.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (pickled, "scratch/.zarray is stored as Python's pickles, which can run code; refused"),
        (only_in_one_file, "identifier/.zarray is stored as Python's pickles"),
        (elsewhere, r"acquisition/TwoPhotonSeries/.zattrs refers to another file \(../other.nwb.zarr\); refused"),
        (linked, "identifier/0 is a link to another file; refused"),
        (lambda folder: (folder / ".zattrs").write_text("{", "utf-8"), "cannot be read as Zarr"),
        (lambda folder: (folder / ".zmetadata").write_text("[]", "utf-8"), "cannot be read as Zarr"),
        (lambda folder: (folder / "identifier" / ".zarray").write_text("7", "utf-8"), "cannot be read as Zarr"),
    ],
)
def test_a_folder_that_reaches_out_of_itself_or_is_damaged_is_refused_in_one_line(written, damage, message):
    damage(written)
    with pytest.raises(nwbridge.BadSource, match=message):
        validate(written)


def test_what_is_no_nwb_is_refused_in_one_line(tmp_path):
    zarr.open_group(str(tmp_path / "x.zarr"), mode="w")
    (tmp_path / "file.nwb.zarr").touch()
    for name, message in (
        ("x.zarr", "is Zarr but not NWB"),
        ("file.nwb.zarr", "is not a folder"),
        ("none.nwb.zarr", "does not exist"),
    ):
        with pytest.raises(nwbridge.BadSource, match=message):
            validate(tmp_path / name)


def test_as_a_recording_a_folder_is_recognized_and_refused_with_what_to_give(written):
    with pytest.raises(
        nwbridge.BadSource, match="is NWB in Zarr, which can be validated but not read: give NWB in HDF5"
    ):
        nwbridge.inspect(written)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_another_folder_is_left_to_other_sources(tmp_path, content):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".zattrs").write_text(content, "utf-8")
    with pytest.raises(nwbridge.NotRecognized):
        nwbridge.inspect(tmp_path / "x")
