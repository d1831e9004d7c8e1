"""The path from a recording to a file: whole and equal to the source, or refused in one line with nothing left."""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest
import tifffile
from recordings import lazy, registry_of

import nwbridge
from nwbridge.cli import main

MOUSE = {"Subject": {"species": "Mus musculus"}}
LOW = "1_550Vx575H_FOV_30Hz_0.2power_00001_lowSNR_MC.tif"


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_result_says_what_was_written_and_that_it_was_verified(neurofinder, tmp_path):
    result = nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    assert result.ok
    assert result.verified
    assert (result.source, result.session_id) == ("neurofinder", "neurofinder.99.00")
    assert result.elements[0]["shape"] == [60, 40, 52]
    assert result.array_bytes == 60 * 40 * 52 * 2 + 207 * 12  # and the pixels of the masks
    assert result.file_bytes == (tmp_path / "x.nwb").stat().st_size
    assert result.seconds["total"] >= result.seconds["write"]
    json.dumps(result.as_json(), default=str)


def test_source_files_stand_in_the_file_with_size_and_sha256(neurofinder, tmp_path):
    nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    with h5py.File(tmp_path / "x.nwb") as file:
        table = file["analysis/source_files"]
        listed = dict(
            zip(
                table["path"].asstr()[()], zip(table["size"][()], table["sha256"].asstr()[()], strict=True), strict=True
            )
        )
    files = [path for path in neurofinder.rglob("*") if path.is_file()]
    assert listed.keys() == {path.relative_to(neurofinder).as_posix() for path in files}
    for path in files:
        content = path.read_bytes()
        assert listed[path.relative_to(neurofinder).as_posix()] == (len(content), hashlib.sha256(content).hexdigest())


def test_no_folder_of_the_user_stands_in_the_file(neurofinder, tmp_path):
    nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    assert str(tmp_path).encode() not in (tmp_path / "x.nwb").read_bytes()


def test_the_first_frames_alone_are_converted_when_asked(neurofinder, tmp_path):
    result = nwbridge.convert(neurofinder, tmp_path / "x.nwb", first=7)
    with h5py.File(tmp_path / "x.nwb") as file:
        frames = np.stack([tifffile.imread(path) for path in sorted((neurofinder / "images").iterdir())[:7]])
        np.testing.assert_array_equal(file["acquisition/TwoPhotonSeries/data"][()], frames.transpose(0, 2, 1))
        assert "only the first 7 of 60 frames" in file["session_description"][()].decode()
    assert result.elements[0]["shape"] == [7, 40, 52]


@pytest.mark.parametrize("compression", ["fast", "small", "none"])
def test_every_compression_holds_the_same_values(neurofinder, tmp_path, compression):
    nwbridge.convert(neurofinder, tmp_path / "x.nwb", compression=compression, chunks=(11, 16, 20), threads=2)
    frames = np.stack([tifffile.imread(path) for path in sorted((neurofinder / "images").iterdir())])
    with h5py.File(tmp_path / "x.nwb") as file:
        data = file["acquisition/TwoPhotonSeries/data"]
        assert data.chunks == (11, 20, 16)  # stored as (time, x, y)
        assert data.compression == (None if compression == "none" else "gzip")
        np.testing.assert_array_equal(data[()], frames.transpose(0, 2, 1))


def test_without_verification_the_result_says_so(neurofinder, tmp_path):
    assert not nwbridge.convert(neurofinder, tmp_path / "x.nwb", verify=False).verified


def test_the_user_s_metadata_wins_and_is_in_the_file(neurofinder, tmp_path):
    metadata = tmp_path / "lab.yaml"
    metadata.write_text("NWBFile: {session_id: mine}\nSubject: {sex: F, age: P90D, subject_id: m1}\n", "utf-8")
    result = nwbridge.convert(neurofinder, tmp_path / "x.nwb", metadata=metadata)
    with h5py.File(tmp_path / "x.nwb") as file:
        assert file["general/session_id"][()] == b"mine"
        assert file["general/subject/sex"][()] == b"F"
    origins = {field.key: field.origin for field in result.fields}
    assert (origins["Subject.sex"], origins["Subject.species"]) == ("user", "source")


def test_inspecting_writes_nothing_and_tells_what_is_missing(deepcad, tmp_path):
    before = tree(tmp_path)
    inspection = nwbridge.inspect(deepcad)
    assert tree(tmp_path) == before
    assert [element["shape"] for element in inspection.elements] == [[90, 44, 60], [90, 44, 60]]
    assert inspection.ok
    unknown = {field.key for field in inspection.fields if field.origin == "unknown"}
    assert {"Subject.species", "Subject.age", "NWBFile.session_start_time"} <= unknown
    written = nwbridge.convert(deepcad, tmp_path / "x.nwb")
    assert inspection.estimate.array_bytes == written.array_bytes
    with h5py.File(tmp_path / "x.nwb") as file:
        stored = sum(file[f"acquisition/{e['name']}/data"].id.get_storage_size() for e in written.elements)
    assert 0.9 < inspection.estimate.file_bytes / written.file_bytes < 1.1
    assert written.file_bytes > stored + 180_000  # what any file has, besides its arrays


def test_inspecting_reports_a_missing_rate_where_converting_refuses(tmp_path, values):
    registry = registry_of(lazy(values), rate_hz=None)
    (tmp_path / "x").touch()
    inspection = nwbridge.inspect(tmp_path / "x", registry=registry)
    assert inspection.findings[0].severity == "error"
    with pytest.raises(nwbridge.MissingMetadata, match="--set Ophys"):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry)
    settings = {"Ophys": {"TwoPhotonSeries": [{"rate": 7.0}]}}
    nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", metadata=settings | MOUSE, registry=registry)
    with h5py.File(tmp_path / "x.nwb") as file:
        assert file["acquisition/TwoPhotonSeries/starting_time"].attrs["rate"] == 7.0


def test_an_existing_output_is_kept_unless_told_otherwise(neurofinder, tmp_path):
    out = tmp_path / "x.nwb"
    out.write_text("precious", "utf-8")
    with pytest.raises(nwbridge.CannotWrite, match="--overwrite"):
        nwbridge.convert(neurofinder, out)
    assert out.read_text("utf-8") == "precious"
    assert nwbridge.convert(neurofinder, out, overwrite=True).ok
    assert h5py.is_hdf5(out)


def test_a_failed_conversion_keeps_the_existing_output(tmp_path, values):
    out = tmp_path / "x.nwb"
    out.write_text("precious", "utf-8")
    (tmp_path / "x").touch()
    with pytest.raises(nwbridge.BadSource):
        nwbridge.convert(tmp_path / "x", out, overwrite=True, registry=registry_of(lazy(values, fail_at=9)))
    assert out.read_text("utf-8") == "precious"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("x.h5", "should end in .nwb"),
        ("absent/x.nwb", "does not exist: create it first"),
        ("folder.nwb", "is a folder"),
    ],
)
def test_an_impossible_target_is_refused_before_anything_is_read(neurofinder, tmp_path, out, message):
    (tmp_path / "folder.nwb").mkdir()
    with pytest.raises(nwbridge.CannotWrite, match=message):
        nwbridge.convert(neurofinder, tmp_path / out)


def test_a_recording_is_never_overwritten_by_its_own_output(tmp_path, values):
    (tmp_path / "x.nwb").write_text("source", "utf-8")
    with pytest.raises(nwbridge.BadOption, match="a file of the recording itself"):
        nwbridge.convert(tmp_path / "x.nwb", tmp_path / "x.nwb", overwrite=True, registry=registry_of(lazy(values)))
    assert (tmp_path / "x.nwb").read_text("utf-8") == "source"


def test_nothing_is_left_where_the_source_fails_in_the_middle(tmp_path, values):
    (tmp_path / "x").touch()
    for error, kind in ((OSError, nwbridge.BadSource), (ValueError, nwbridge.PluginFault)):
        with pytest.raises(kind):
            nwbridge.convert(
                tmp_path / "x", tmp_path / "x.nwb", registry=registry_of(lazy(values, fail_at=9, error=error))
            )
        assert tree(tmp_path) == ["x"]


def failing(error):
    def open_array():
        raise error

    return nwbridge.LazyArray((20, 30, 40), np.dtype("u2"), open_array)


@pytest.mark.parametrize("run", ["convert", "inspect"])
def test_an_array_that_cannot_be_opened_is_the_source_s_or_the_plugin_s_fault(tmp_path, run):
    (tmp_path / "x").touch()
    out = [tmp_path / "x.nwb"] if run == "convert" else []
    for error, kind, said in (
        (ZeroDivisionError("nothing"), nwbridge.PluginFault, "nwbridge-memory 1.*ZeroDivisionError"),
        (FileNotFoundError(2, "No such file", "gone.tif"), nwbridge.BadSource, "opening the source failed.*gone.tif"),
    ):
        with pytest.raises(kind, match=said):
            getattr(nwbridge, run)(tmp_path / "x", *out, registry=registry_of(failing(error)))
    assert tree(tmp_path) == ["x"]


def test_a_plugin_that_fails_while_reading_is_named(tmp_path, values):
    (tmp_path / "x").touch()
    with pytest.raises(nwbridge.PluginFault, match="nwbridge-memory 1"):
        nwbridge.convert(
            tmp_path / "x", tmp_path / "x.nwb", registry=registry_of(lazy(values, fail_at=9, error=ValueError))
        )


def test_a_source_replaced_after_it_was_read_is_refused(neurofinder, tmp_path):
    last = neurofinder / "images" / "image00059.tiff"

    def progress(phase, done, total):
        if phase == "writing" and done == total:
            tifffile.imwrite(last, np.zeros((40, 52), np.uint16), metadata=None)

    with pytest.raises(nwbridge.BadSource, match=r"image00059\.tiff changed"):
        nwbridge.convert(neurofinder, tmp_path / "x.nwb", progress=progress)
    assert not (tmp_path / "x.nwb").exists()


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_texts_that_no_file_can_hold_are_refused(neurofinder, tmp_path, text):
    with pytest.raises(nwbridge.BadSource, match="characters that no NWB file can hold"):
        nwbridge.convert(neurofinder, tmp_path / "x.nwb", metadata={"NWBFile": {"lab": text}})
    assert not (tmp_path / "x.nwb").exists()


def test_a_chunk_that_would_cost_too_much_to_read_is_refused_at_once(tmp_path):
    array = lazy(np.zeros((600, 512, 512), np.uint16))
    (tmp_path / "x").touch()
    with pytest.raises(nwbridge.BadOption, match="one chunk would have 314,572,800 bytes"):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", chunks=(600, 512, 512), registry=registry_of(array))


@pytest.mark.parametrize("name", ["x" * 300 + ".nwb", "a\0b.nwb", "x" * 240 + ".nwb"])
def test_impossible_names_are_refused_in_one_line(neurofinder, tmp_path, name):
    with pytest.raises(nwbridge.CannotWrite):
        nwbridge.convert(neurofinder, tmp_path / name)


def test_a_link_is_never_written_through(neurofinder, tmp_path):
    (tmp_path / "precious").write_text("precious", "utf-8")
    (tmp_path / "x.nwb").symlink_to(tmp_path / "precious")
    with pytest.raises(nwbridge.CannotWrite, match="exists already"):
        nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    assert nwbridge.convert(neurofinder, tmp_path / "x.nwb", overwrite=True).ok
    assert (tmp_path / "precious").read_text("utf-8") == "precious"


def test_the_command_stands_in_the_file_without_folders(neurofinder, tmp_path):
    nwbridge.convert(neurofinder, tmp_path / "x.nwb", first=5)
    with h5py.File(tmp_path / "x.nwb") as file:
        script = file["general/source_script"][()].decode()
    assert script == "nwbridge convert neurofinder.99.00 x.nwb --source neurofinder --first 5"


def test_the_command_in_the_file_makes_the_file_again(tmp_path):
    (tmp_path / "deep").mkdir()
    tifffile.imwrite(tmp_path / "deep" / "my movie.tif", np.zeros((3, 5, 4), np.uint16), photometric="minisblack")
    lab = tmp_path / "lab.yaml"
    lab.write_text(
        "NWBFile: {experimenter: ['Doe, Jane', 'Roe, Jo']}\nOphys: {ImagingPlane: [{grid_spacing: [1, 2]}]}\n",
        "utf-8",
    )
    words = ["--metadata", str(lab), "--rate", "7.5", "--set", "Subject.species=Mus musculus"]
    assert main(["convert", str(tmp_path / "deep" / "my movie.tif"), str(tmp_path / "x.nwb"), *words, "--quiet"]) == 0
    with h5py.File(tmp_path / "x.nwb") as file:
        script = file["general/source_script"].asstr()[()]
    assert str(tmp_path) not in script
    again = shlex.split(script)
    assert again[:4] == ["nwbridge", "convert", "my movie.tif", "x.nwb"]
    out = tmp_path / "again.nwb"
    assert main(["convert", str(tmp_path / "deep" / again[2]), str(out), *again[4:], "--quiet"]) == 0
    with pynwb.NWBHDF5IO(out, "r") as io:
        file = io.read()
        assert file.acquisition["TwoPhotonSeries"].rate == 7.5
        assert file.subject.species == "Mus musculus"
        assert list(file.experimenter) == ["Doe, Jane", "Roe, Jo"]
        assert next(iter(file.imaging_planes.values())).grid_spacing[:].tolist() == [1.0, 2.0]  # µm


def test_a_value_that_pynwb_refuses_is_its_plugin_s_fault(tmp_path, values):
    (tmp_path / "x").touch()
    registry = registry_of(lazy(values), description=5)
    with pytest.raises(nwbridge.PluginFault, match=r"nwbridge-memory 1 failed while laying out the file: "):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry)
    assert tree(tmp_path) == ["x"]


def test_a_source_that_changes_meanwhile_is_refused(tmp_path, values):
    path = tmp_path / "x"
    path.write_text("before", "utf-8")
    array = lazy(values)

    def progress(phase, done, total):
        path.write_text("after and longer", "utf-8")

    with pytest.raises(nwbridge.BadSource, match="changed while it was converted"):
        nwbridge.convert(path, tmp_path / "x.nwb", registry=registry_of(array), progress=progress)
    assert tree(tmp_path) == ["x"]


def test_values_that_differ_after_writing_keep_the_file_from_existing(tmp_path, values, monkeypatch):
    """A disk that loses a bit is played by changing the part file when verification begins."""
    (tmp_path / "x").touch()

    def progress(phase, done, total):
        if phase == "writing" and done == total:
            changed.append(True)

    changed = []
    from nwbridge import conversion

    check = conversion.check

    def check_after_damage(part, written, threads, progress):
        with h5py.File(part, "r+") as file:
            file["acquisition/TwoPhotonSeries/data"][3, 2, 1] ^= 1
        check(part, written, threads, progress)

    monkeypatch.setattr(conversion, "check", check_after_damage)
    with pytest.raises(nwbridge.InvalidOutput, match="differ from the source"):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry_of(lazy(values)), progress=progress)
    assert changed
    assert tree(tmp_path) == ["x"]


def test_a_mask_that_differs_after_writing_keeps_the_file_from_existing(neurofinder, tmp_path, monkeypatch):
    from nwbridge import conversion

    check = conversion.check

    def check_after_damage(part, written, threads, progress):
        with h5py.File(part, "r+") as file:
            mask = file["processing/ophys/ImageSegmentation/PlaneSegmentation/pixel_mask"]
            pixel = mask[5]
            pixel["x"] += 1
            mask[5] = pixel
        check(part, written, threads, progress)

    monkeypatch.setattr(conversion, "check", check_after_damage)
    with pytest.raises(nwbridge.InvalidOutput, match=r"PlaneSegmentation/pixel_mask: .* differ from the source"):
        nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    assert not (tmp_path / "x.nwb").exists()


def test_an_output_that_appears_meanwhile_is_kept(tmp_path, values):
    (tmp_path / "x").touch()
    out = tmp_path / "x.nwb"

    def progress(phase, done, total):
        out.write_text("somebody else's", "utf-8")

    with pytest.raises(nwbridge.CannotWrite, match="exists already"):
        nwbridge.convert(tmp_path / "x", out, registry=registry_of(lazy(values)), progress=progress)
    assert out.read_text("utf-8") == "somebody else's"
    assert tree(tmp_path) == ["x", "x.nwb"]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">u2", ">i4", "u4", "i4", "u8", "i8", "f4", "f8", ">f8"])
def test_values_of_every_type_become_a_valid_file(tmp_path, values, dtype):
    movie = (values % 100).astype(dtype)
    (tmp_path / "x").touch()
    result = nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry_of(lazy(movie)), metadata=MOUSE)
    assert result.ok, result.findings
    with h5py.File(tmp_path / "x.nwb") as file:
        stored = file["acquisition/TwoPhotonSeries/data"]
        assert stored.dtype == movie.dtype
        np.testing.assert_array_equal(stored[()], movie.transpose(0, 2, 1))


def test_names_with_blanks_and_letters_beyond_ascii_work(neurofinder, tmp_path):
    folder = tmp_path / "Ärzte & Söhne 神経 ß"
    folder.mkdir()
    moved = shutil.move(neurofinder, folder / "neurofinder.99.00 копия")
    result = nwbridge.convert(moved, folder / "aus gäbe.nwb")
    assert result.ok
    assert Path(result.out).is_file()


def test_a_large_deflated_member_is_streamed_and_equal(tmp_path):
    movie = np.random.default_rng(8).poisson(30, (300, 90, 110)).astype(np.uint16)
    tifffile.imwrite(tmp_path / LOW, movie, imagej=True)
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / LOW, f"r/{LOW}")
    assert nwbridge.convert(tmp_path / "r.zip", tmp_path / "x.nwb", metadata=MOUSE).ok
    with h5py.File(tmp_path / "x.nwb") as file:
        np.testing.assert_array_equal(file["acquisition/TwoPhotonSeriesLowSNR/data"][()], movie.transpose(0, 2, 1))


def test_the_folder_one_stands_in_has_a_name_too(neurofinder, tmp_path, monkeypatch):
    monkeypatch.chdir(neurofinder)
    assert nwbridge.inspect(".").session_id == "neurofinder.99.00"
    assert nwbridge.convert(".", tmp_path / "x.nwb").ok


# what happens to a process

CODE = "import sys; from nwbridge.cli import main; sys.exit(main())"


def start(*words, **kwargs):
    """Run the command line in a process of its own."""
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); " + CODE  # nohup ignores it
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


@pytest.fixture
def long_recording(tmp_path):
    """A recording that takes seconds to convert with the strongest compression and one thread."""
    folder = tmp_path / "in"
    folder.mkdir()
    movie = np.random.default_rng(9).poisson(200, (600, 256, 300)).astype(np.uint16)
    tifffile.imwrite(folder / LOW, movie)
    return folder / LOW


def wait_for_part(folder, process):
    """Wait until a run is in the middle of writing; return its part file."""
    until = time.monotonic() + 60
    while not (parts := [part for part in folder.glob("*.part.nwb") if part.stat().st_size > 1 << 20]):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return parts[0]


def test_ctrl_c_ends_in_one_line_and_leaves_nothing(long_recording, tmp_path):
    out = tmp_path / "x.nwb"
    process = start("convert", long_recording, out, "--compression", "small", "--threads", 1)
    wait_for_part(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "nwbridge: interrupted; nothing was written"
    assert tree(tmp_path) == [f"in/{LOW}"]


def test_after_kill_9_there_is_no_file_of_the_final_name_and_a_second_run_succeeds(long_recording, tmp_path):
    out = tmp_path / "x.nwb"
    process = start("convert", long_recording, out, "--compression", "small", "--threads", 1)
    wait_for_part(tmp_path, process)
    process.kill()
    process.communicate(timeout=60)
    assert not out.exists()
    assert nwbridge.convert(long_recording, out, metadata=MOUSE, first=20).ok
    assert tree(tmp_path) == [f"in/{LOW}", "x.nwb"]


def test_two_runs_for_one_output_do_not_mix(long_recording, tmp_path):
    out = tmp_path / "x.nwb"
    process = start("convert", long_recording, out, "--compression", "small", "--threads", 1)
    part = wait_for_part(tmp_path, process)
    assert nwbridge.convert(long_recording, out, first=20, metadata=MOUSE).ok
    assert part.exists(), "the other run's file was removed"
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "exists already" in said
    with h5py.File(out) as file:
        assert file["acquisition/TwoPhotonSeriesLowSNR/data"].shape[0] == 20
    assert tree(tmp_path) == [f"in/{LOW}", "x.nwb"]


def test_a_part_file_of_a_living_run_is_left_alone_and_one_of_a_dead_run_removed(neurofinder, tmp_path):
    from nwbridge.nwb.parts import _HOST

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(timeout=60)
    abandoned = tmp_path / f"x.{_HOST}-{dead.pid}-0123abcd.part.nwb"
    living = tmp_path / f"x.{_HOST}-{os.getppid()}-0123abcd.part.nwb"
    elsewhere = tmp_path / "x.another-1-0123abcd.part.nwb"
    for file in (abandoned, living, elsewhere):
        file.touch()
    nwbridge.convert(neurofinder, tmp_path / "x.nwb")
    assert (abandoned.exists(), living.exists(), elsewhere.exists()) == (False, True, True)


@pytest.mark.skipif(os.name != "posix", reason="limits on file sizes are POSIX's")
@pytest.mark.parametrize("blocks", [30, 60, 150, 250, 600])
def test_a_full_disk_ends_in_one_line_wherever_it_strikes(long_recording, tmp_path, blocks):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * 1024, blocks * 1024))

    out = tmp_path / "x.nwb"
    process = start("convert", long_recording, out, preexec_fn=limit)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (2, 1), said
    assert "there is not enough space for" in said
    assert tree(tmp_path) == [f"in/{LOW}"]


def mounted(folder, *options):
    """Mount a small file system in memory, where this machine lets us."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a file system needs privileges that this machine does not give")


@pytest.mark.skipif(not shutil.which("mount"), reason="there is no mount command here")
def test_a_really_full_file_system_ends_in_one_line(long_recording, tmp_path):
    mounted(tmp_path / "disk", "-o", "size=900k")
    try:
        with pytest.raises(nwbridge.CannotWrite, match="not enough space"):
            nwbridge.convert(long_recording, tmp_path / "disk" / "x.nwb")
        assert tree(tmp_path / "disk") == []
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="there is no mount command here")
def test_a_read_only_folder_is_refused_at_once(neurofinder, tmp_path):
    mounted(tmp_path / "disk", "-o", "ro")
    try:
        with pytest.raises(nwbridge.CannotWrite, match=r"read-only|cannot be written"):
            nwbridge.convert(neurofinder, tmp_path / "disk" / "x.nwb")
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_each_recording_of_a_path_becomes_a_file_and_a_damaged_one_spoils_no_other(three, tmp_path):
    results = list(nwbridge.convert_each(tmp_path / "in", tmp_path / "out", registry=three, metadata=MOUSE))
    assert [type(result).__name__ for result in results] == ["Result", "BadSource", "Result"]
    assert str(results[1]) == "b.h5 is cut off"
    assert tree(tmp_path / "out") == ["a.nwb", "c.nwb"]
    assert [result.session_id for result in (results[0], results[2])] == ["a", "c"]


def test_each_recording_is_named_before_it_is_converted(three, tmp_path):
    told = []
    results = nwbridge.convert_each(
        tmp_path / "in", tmp_path / "out", registry=three, metadata=MOUSE, starting=lambda *words: told.append(words)
    )
    next(results)
    assert told == [("a", 1, 3)]
    list(results)
    assert told == [("a", 1, 3), ("b", 2, 3), ("c", 3, 3)]


def test_a_folder_for_which_nothing_was_written_is_not_left_behind(three, tmp_path):
    for made_before in (False, True):
        results = list(nwbridge.convert_each(tmp_path / "in", tmp_path / "out", registry=three, only="b"))
        assert [type(result).__name__ for result in results] == ["BadSource"]
        assert (tmp_path / "out").exists() is made_before
        (tmp_path / "out").mkdir(exist_ok=True)


@pytest.mark.parametrize("name", ["b.h5", "B.TIF", "b.nwb", "there"])
def test_a_recording_is_no_folder_to_write_to(three, tmp_path, name):
    (tmp_path / "there").touch()
    with pytest.raises(nwbridge.CannotWrite, match=r"expected a file that ends in \.nwb, or a folder"):
        list(nwbridge.convert_each(tmp_path / "in", tmp_path / name, registry=three))


def test_a_folder_that_is_there_may_have_any_name(three, tmp_path):
    (tmp_path / "of b.h5").mkdir()
    (result, *_) = nwbridge.convert_each(tmp_path / "in", tmp_path / "of b.h5", registry=three, metadata=MOUSE)
    assert result.out == str(tmp_path / "of b.h5" / "a.nwb")


def test_one_recording_can_be_written_to_a_folder(neurofinder, tmp_path):
    (result,) = nwbridge.convert_each(neurofinder, tmp_path / "out")
    assert result.out == str(tmp_path / "out" / "neurofinder.99.00.nwb")


def test_a_missing_rate_does_not_hide_how_large_the_file_will_be(tmp_path, values):
    (tmp_path / "x").touch()
    inspection = nwbridge.inspect(tmp_path / "x", registry=registry_of(lazy(values), rate_hz=None))
    assert not inspection.ok
    assert inspection.findings[0].message == (
        "the rate of TwoPhotonSeries is stated nowhere and NWB requires it: "
        "give it with --set Ophys.TwoPhotonSeries.rate=HZ"
    )
    assert inspection.estimate.array_bytes == values.nbytes


def test_the_exposure_and_the_binning_can_be_given(tmp_path, values):
    (tmp_path / "x").touch()
    given = {"Ophys": {"OnePhotonSeries": [{"exposure_time": 0.02, "binning": 4}]}, **MOUSE}
    registry = registry_of(lazy(values), kind="one-photon")
    result = nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry, metadata=given)
    assert {"Ophys.OnePhotonSeries.exposure_time", "Ophys.OnePhotonSeries.binning"} <= {f.key for f in result.fields}
    with h5py.File(tmp_path / "x.nwb") as file:
        said = file["acquisition/TwoPhotonSeries"].attrs
        assert (said["exposure_time"], said["binning"]) == (0.02, 4)
