"""Registered movies become CorrectedImageStacks and read back, ours and those of other programs."""

from dataclasses import replace

import h5py
import numpy as np
import pynwb
import pytest
from pynwb.image import ImageSeries
from pynwb.ophys import CorrectedImageStack, MotionCorrection, TwoPhotonSeries

import nwbridge
from nwbridge import Column, Localizations, Movie, Plane, Series, Session, Source, Subject
from nwbridge.arrays import from_numpy
from nwbridge.dandi import names
from nwbridge.nwb.read import read
from nwbridge.nwb.sample_file import write_sample
from nwbridge.plugins import Plugin, Registry
from nwbridge.testing.holdings import arrays_of, content_of, read_all, values_in

FRAMES, ROWS, COLUMNS = 40, 11, 17
STACK = "processing/ophys/MotionCorrection/Still"
MOUSE = Subject("mouse-1", "Mus musculus", "F", "P90D", "birth")
RNG = np.random.default_rng(4)
SHIFTS = RNG.normal(0, 3, (FRAMES, 2))
RAW = Movie(
    "Raw",
    from_numpy(RNG.integers(0, 900, (FRAMES, ROWS, COLUMNS)).astype(np.int16)),
    Plane("Plane", rate_hz=7.5),
    rate_hz=7.5,
    start_s=0.5,
    unit="counts",
)
STILL = replace(
    RAW,
    name="Still",
    data=from_numpy(RNG.integers(0, 900, (FRAMES, ROWS, COLUMNS)).astype(np.int16)),
    description="registered [to itself]",
    made_from="Raw",
    shifts=from_numpy(SHIFTS),
)


def converted(folder, *elements, name="out.nwb"):
    """Convert a session of these elements; return the file and what was found."""
    folder.mkdir(exist_ok=True)
    (folder / "in").write_text("x", "utf-8")
    session = Session("s", "Registered.", elements, subject=MOUSE)
    source = Source("x", "x", lambda path: "it is here", lambda path, options: session, lambda folder: folder)
    registry = Registry((Plugin("x", "nwbridge-x", "0", sources=(source,)),))
    result = nwbridge.convert(folder / "in", folder / name, registry=registry)
    assert result.verified
    assert result.ok
    return folder / name, result.findings


def assert_reads_back(path, *elements):
    session = Session("s", "Registered.", elements, subject=MOUSE)
    found = content_of(read(path))
    assert found == content_of(session)
    with h5py.File(path) as stored:
        values = values_in(stored)
    for holder in (session, found):
        for name, array in arrays_of(holder).items():
            np.testing.assert_array_equal(read_all(array, 7), values[name], err_msg=name)
            assert array.dtype == values[name].dtype, name
    assert [finding.message for finding in read(path).findings] == []


def test_a_registered_movie_lies_where_pynwb_users_look_for_it(tmp_path):
    path, _ = converted(tmp_path / "a", STILL, RAW)  # whatever the order
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        stack = file.processing["ophys"]["MotionCorrection"]["Still"]
        assert type(stack.corrected) is TwoPhotonSeries
        assert stack.corrected.imaging_plane is file.imaging_planes["Plane"]
        assert stack.original is file.acquisition["Raw"]
        assert stack.xy_translation.unit == "pixels"
        assert (stack.xy_translation.rate, stack.xy_translation.starting_time) == (7.5, 0.5)
        assert (stack.corrected.rate, stack.corrected.starting_time) == (7.5, 0.5)
        np.testing.assert_array_equal(stack.xy_translation.data[:], SHIFTS[:, [1, 0]])  # x is columns
        np.testing.assert_array_equal(stack.corrected.data[:], read_all(STILL.data).transpose(0, 2, 1))
        assert "at (column + x, row + y) of the corrected one" in stack.xy_translation.description


TIMES = from_numpy(np.cumsum(RNG.random(FRAMES)))
VOLUMES = from_numpy(RNG.random((FRAMES, 5, 7, 3)).astype(np.float32))
CAMERA = replace(RAW, name="Camera", kind="one-photon", exposure_s=0.05, binning=2)


@pytest.mark.parametrize(
    "elements",
    [
        (RAW, STILL),
        (CAMERA, replace(STILL, kind="one-photon", exposure_s=0.05, binning=2, made_from="Camera")),
        tuple(replace(one, rate_hz=None, start_s=0.0, timestamps=TIMES) for one in (RAW, STILL)),
        (
            replace(RAW, data=VOLUMES, plane=Plane("Plane", pixel_um=(1.0, 2.0, 5.0))),
            replace(STILL, data=VOLUMES, plane=Plane("Plane", pixel_um=(1.0, 2.0, 5.0))),
        ),
        (RAW, replace(STILL, shifts=from_numpy(SHIFTS.round().astype(np.int32)))),
        (RAW, STILL, replace(STILL, name="Another", field_of_view_um=(100.0, 50.0))),
        (RAW, replace(STILL, name="Cleaned", shifts=None), replace(STILL, made_from="Cleaned")),
        (RAW, STILL, replace(STILL, name="Again", made_from="Still"), replace(STILL, name="More", made_from="Again")),
        (RAW, STILL, replace(STILL, name="A second step", made_from="Still", shifts=None)),
    ],
    ids=["plain", "one-photon", "timestamps", "volumes", "integers", "two", "of-derived", "chain", "derived-of-it"],
)
def test_what_is_written_reads_back(tmp_path, elements):
    path, findings = converted(tmp_path / "a", *elements[::-1])
    assert_reads_back(path, *elements)
    assert not [finding for finding in findings if finding.severity == "error" or "not in the file" in finding.message]


def test_without_its_original_a_movie_has_its_shifts_beside_it(tmp_path):
    path, findings = converted(tmp_path / "a", STILL)
    assert "Raw, which Still was registered from, is not in the file" in " ".join(f.message for f in findings)
    with pynwb.NWBHDF5IO(path, "r") as io:
        module = io.read().processing["ophys"]
        assert set(module.data_interfaces) == {"Still", "Still_xy_translation"}
        np.testing.assert_array_equal(module["Still_xy_translation"].data[:], SHIFTS[:, [1, 0]])
        assert module["Still_xy_translation"].unit == "pixels"
    assert_reads_back(path, STILL)


def test_a_series_that_only_has_the_name_of_shifts_is_a_series(tmp_path):
    own = Series("Still_xy_translation", from_numpy(SHIFTS), "pixels", rate_hz=7.5, made_from="a program")
    path, _ = converted(tmp_path / "a", RAW, replace(STILL, shifts=None), own)
    assert read(path).of(Series) == (own,)


def test_molecules_may_be_found_in_a_registered_movie(tmp_path):
    table = Localizations("found", (Column("x", np.ones(3)), Column("y", np.ones(3))), found_in="Still")
    path, _ = converted(tmp_path / "a", RAW, STILL, table)
    with pynwb.NWBHDF5IO(path, "r") as io:
        ophys = io.read().processing["ophys"]
        assert ophys["found"].found_in is ophys["MotionCorrection"]["Still"].corrected
    assert read(path).of(Localizations)[0].found_in == "Still"


def test_the_archive_s_name_of_such_a_file_is_that_of_its_session(tmp_path):
    path, _ = converted(tmp_path / "a", RAW, STILL)
    session = Session("s", "Registered.", (RAW, STILL), subject=MOUSE)
    assert names.modalities(session) == ("ophys",)
    assert names.layout_of(path) == names.layout(session)


def test_zarr_holds_the_same(tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs the extra nwbridge[zarr]")
    pytest.importorskip("hdmf_zarr", reason="needs the extra nwbridge[zarr]")
    timed = tuple(replace(one, rate_hz=None, start_s=0.0, timestamps=TIMES) for one in (RAW, STILL))
    path, _ = converted(tmp_path / "a", *timed, name="out.nwb.zarr")
    stack = zarr.open_consolidated(str(path), mode="r")[STACK]
    np.testing.assert_array_equal(stack["xy_translation/data"][:], SHIFTS[:, [1, 0]])
    np.testing.assert_array_equal(stack["corrected/data"][:], read_all(STILL.data).transpose(0, 2, 1))
    np.testing.assert_array_equal(stack["xy_translation/timestamps"][:], read_all(TIMES))


def by_others(path, frames=9, xy=None, kind=TwoPhotonSeries, name="Stack", **changes):
    """Write a stack as another program would, with pynwb alone; return the file."""
    write_sample(path)
    with pynwb.NWBHDF5IO(path, "a") as io:
        file = io.read()
        module = file.create_processing_module("ophys", "registered by others")
        data = np.arange(frames * 30 * 24, dtype=np.uint16).reshape(frames, 30, 24)
        plane = {"imaging_plane": file.imaging_planes["ImagingPlane"]} if kind is TwoPhotonSeries else {}
        corrected = kind(name="corrected", data=data, unit="n.a.", rate=10.0, **plane)
        xy = np.tile([1.5, -2.0], (frames, 1)) if xy is None else xy
        moved = pynwb.TimeSeries(**({"name": "xy_translation", "data": xy, "unit": "pixels", "rate": 10.0} | changes))
        original = file.acquisition["TwoPhotonSeries"]
        stack = CorrectedImageStack(name=name, corrected=corrected, original=original, xy_translation=moved)
        module.add(MotionCorrection(name="Corrections", corrected_image_stacks=[stack]))
        io.write(file)
    return path


def messages(session):
    return [finding.message for finding in session.findings]


def test_a_stack_of_another_program_is_a_movie_with_shifts(tmp_path):
    path = by_others(tmp_path / "x.nwb")
    session = read(path)
    movie = next(movie for movie in session.of(Movie) if movie.name == "Stack")
    assert (movie.made_from, movie.rate_hz, movie.data.shape) == ("TwoPhotonSeries", 10.0, (9, 24, 30))
    assert movie.plane == session.of(Movie)[0].plane
    np.testing.assert_array_equal(read_all(movie.shifts), np.tile([-2.0, 1.5], (9, 1)))  # rows, columns
    assert messages(session) == []
    nwbridge.convert(path, tmp_path / "again.nwb")
    assert content_of(read(tmp_path / "again.nwb")) == content_of(session)


@pytest.mark.filterwarnings("ignore:.*length of data does not match:UserWarning")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"xy": np.zeros((9, 3))},
            "the shifts of Stack are not carried over: the values are (9, 3) float64; expected x and y of 9 frames",
        ),
        (
            {"xy": np.zeros((8, 2))},
            "the shifts of Stack are not carried over: the values are (8, 2) float64; expected x and y of 9 frames",
        ),
        (
            {"unit": "meters"},
            "the shifts of Stack are not carried over: "
            "the values are in meters, conversion 1.0, offset 0.0; expected pixels",
        ),
        (
            {"conversion": 0.5},
            "the shifts of Stack are not carried over: "
            "the values are in pixels, conversion 0.5, offset 0.0; expected pixels",
        ),
    ],
)
def test_shifts_that_cannot_be_read_are_named_and_the_movie_is_kept(tmp_path, changes, said):
    session = read(by_others(tmp_path / "x.nwb", **changes))
    movie = next(movie for movie in session.of(Movie) if movie.name == "Stack")
    assert (movie.shifts, movie.made_from) == (None, "TwoPhotonSeries")
    assert messages(session) == [said]


def test_shifts_at_other_times_than_the_frames_are_named(tmp_path):
    session = read(by_others(tmp_path / "x.nwb", rate=5.0))
    assert messages(session) == ["xy_translation of Stack is taken to be at the times of the frames"]


def test_a_stack_of_images_in_no_plane_is_named(tmp_path):
    session = read(by_others(tmp_path / "x.nwb", kind=ImageSeries))
    assert [movie.name for movie in session.of(Movie)] == ["TwoPhotonSeries"]
    assert messages(session) == [
        "Stack (CorrectedImageStack) is not carried over: "
        "its frames are an ImageSeries; expected a TwoPhotonSeries or a OnePhotonSeries"
    ]


def test_a_damaged_stack_spoils_no_other(tmp_path):
    path, _ = converted(tmp_path / "a", RAW, STILL, replace(STILL, name="Another"))
    with h5py.File(path, "a") as file:
        file[f"{STACK}/corrected/starting_time"].attrs["rate"] = 0.0
    session = read(path)
    assert {movie.name for movie in session.of(Movie)} == {"Raw", "Another"}
    assert "Still (CorrectedImageStack) is not carried over: movie Still: a rate of 0.0 Hz" in "; ".join(
        messages(session)
    )
