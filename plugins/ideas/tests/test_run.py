"""Runs of the CaImAn tool: one session of CaImAn's file, cell sets, events and movie, checked against each other."""

import shutil

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, Events, Intervals, Movie, Segmentation
from nwbridge_ideas import Options, describe, example

MOUSE = {"Subject": {"species": "Mus musculus"}}
ROWS, COLUMNS, CELLS = 5, 7, 3
NAMES = [f"C{n:03d}" for n in range(CELLS)]


@pytest.fixture
def caiman():
    pytest.importorskip("nwbridge_caiman", reason="nwbridge-caiman, which reads CaImAn's files, is not installed")


class Run:
    """A made-up run of one or more movies, as the tool writes it: CaImAn's arrays follow the movies' start times."""

    def __init__(self, folder, isxd, lengths=(40,), starts=None):
        self.folder, self.isxd, self.lengths = folder, isxd, lengths
        self.starts = starts or [1_700_000_000 + 100 * n for n in range(len(lengths))]
        rng = np.random.default_rng(21)
        self.images = np.where(rng.random((CELLS, ROWS, COLUMNS)) < 0.4, rng.random((CELLS, ROWS, COLUMNS)), 0)
        self.images = self.images.astype("<f4")
        self.images[:, 0, 1] = 0.5  # no cell without a pixel
        total = sum(lengths)
        self.c, self.yra = rng.random((CELLS, total)).astype("f4"), rng.normal(0, 0.1, (CELLS, total))
        self.s = np.where(rng.random((CELLS, total)) < 0.2, rng.random((CELLS, total)), 0).astype("f4")
        folder.mkdir()
        for number in range(len(lengths)):
            self.write_part(number)

    def span(self, number):
        """Return where a part's samples are in CaImAn's arrays."""
        order = sorted(range(len(self.lengths)), key=lambda n: self.starts[n])
        before = sum(self.lengths[n] for n in order[: order.index(number)])
        return slice(before, before + self.lengths[number])

    def start(self, number):
        return {"secsSinceEpoch": {"num": self.starts[number], "den": 1}, "utcOffset": 3600}

    def write_part(self, number):
        at, start = self.span(number), self.start(number)
        for name, traces in (("denoised", self.c), ("raw", self.c + self.yra.astype("f4"))):
            path = self.folder / f"cellset_{name}.{number:03d}.isxd"
            self.isxd.cells(path, self.images, traces[:, at], NAMES, [0, 2, 0])
            self.isxd.change(path, "timingInfo", "start", value=start)
        cell, sample = np.nonzero(self.s[:, at])
        packets = list(zip(100_000 * sample, cell, self.s[:, at][cell, sample], strict=True))
        path = self.folder / f"neural_events.{number:03d}.isxd"
        self.isxd.events(path, packets, NAMES, **{"global times": [start, start]})

    def write_movie(self, number, name, folder=None, start=None):
        rng = np.random.default_rng(number)
        frames = rng.integers(0, 4000, (self.lengths[number], ROWS, COLUMNS)).astype("u2")
        path = self.isxd.movie((folder or self.folder) / name, frames)
        self.isxd.change(path, "timingInfo", "start", value=start or self.start(number))
        return frames

    def write_caiman(self, **changes):
        """Write what CNMF.save writes, as far as these tests look at it."""
        flat = self.images.transpose(0, 2, 1).reshape(CELLS, -1)  # pixels in Fortran order
        ends = np.concatenate([[0], np.cumsum((flat != 0).sum(1))])
        values = {
            "estimates/A/data": flat[flat != 0],
            "estimates/A/indices": np.concatenate([np.flatnonzero(row) for row in flat]).astype("i4"),
            "estimates/A/indptr": ends.astype("i4"),
            "estimates/A/shape": np.array([ROWS * COLUMNS, CELLS]),
            "estimates/C": self.c,
            "estimates/S": self.s,
            "estimates/YrA": self.yra,
            "estimates/idx_components": np.array([0, 2]),
            "estimates/idx_components_bad": np.array([1]),
            "estimates/dims": np.array([ROWS, COLUMNS]),
            "dims": np.array([ROWS, COLUMNS]),
            "params/data/fr": 10.0,
            **changes,
        }
        with h5py.File(self.folder / "caiman_output.hdf5", "w") as file:
            for name in ("F_dff", "b", "f", "W", "b0", "Cn"):
                file[f"estimates/{name}"] = np.bytes_("NoneType")
            for name, value in values.items():
                file[name] = value


@pytest.fixture
def run(tmp_path, isxd):
    return Run(tmp_path / "run", isxd)


def cells_of(session):
    return next(s for s in session.of(Segmentation) if s.role == "cells")


def first_of(folder, options):
    found = describe(folder, options)
    return found if isinstance(found, nwbridge.Session) else next(iter(found.values()))()


def refusal(folder, options=None):
    with pytest.raises(BadSource) as caught:
        first_of(folder, options or Options())
    assert "\n" not in str(caught.value)
    return str(caught.value)


# without CaImAn's file


def test_puts_cell_sets_and_events_of_one_movie_together(run, values):
    session = describe(run.folder, Options())
    cells = cells_of(session)
    assert [t.name for t in cells.traces] == ["raw", "denoised"]
    assert [t.kind for t in cells.traces] == ["fluorescence", "denoised"]
    np.testing.assert_array_equal(values(cells.regions), run.images)
    np.testing.assert_array_equal(values(cells.traces[1].data, 2), run.c)
    (events,) = session.of(Events)
    assert events["channel"].rows_of == "PlaneSegmentation"
    assert len(events) == np.count_nonzero(run.s)
    assert session.id == "run"
    assert any("no caiman_output.hdf5" in f.message for f in session.findings)


def test_adds_the_movie_of_the_same_time_and_size(run, values):
    frames = run.write_movie(0, "recording.isxd")
    session = describe(run.folder, Options())
    (movie,) = session.of(Movie)
    np.testing.assert_array_equal(values(movie.data, 9), frames)
    assert movie.plane == cells_of(session).plane


def test_marks_the_motion_corrected_movie_as_computed(run):
    run.write_movie(0, "mc_movie.000.isxd")
    run.write_movie(0, "recording.isxd")
    movies = {movie.name: movie.made_from for movie in describe(run.folder, Options()).of(Movie)}
    assert movies == {"OnePhotonSeries": None, "MotionCorrected": "OnePhotonSeries"}


def test_takes_movies_from_another_folder(run, tmp_path, values):
    (tmp_path / "raw").mkdir()
    frames = run.write_movie(0, "recording.isxd", tmp_path / "raw")
    (movie,) = describe(run.folder, Options(movies=tmp_path / "raw")).of(Movie)
    np.testing.assert_array_equal(values(movie.data), frames)


def test_takes_a_movie_once_that_is_in_the_folder_and_named(run):
    run.write_movie(0, "recording.isxd")
    assert len(describe(run.folder, Options(movies=run.folder / "recording.isxd")).of(Movie)) == 1


def test_refuses_movies_of_another_time(run, tmp_path):
    (tmp_path / "raw").mkdir()
    run.write_movie(
        0, "recording.isxd", tmp_path / "raw", start={**run.start(0), "secsSinceEpoch": {"num": 1, "den": 1}}
    )
    with pytest.raises(
        BadOption, match=r"none of its 1 movies has the start, period, number of samples and image size"
    ):
        describe(run.folder, Options(movies=tmp_path / "raw"))


def test_says_where_the_named_movies_are_not(run, tmp_path):
    with pytest.raises(BadOption, match="there is no such file or folder"):
        describe(run.folder, Options(movies=tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadOption, match=r"it holds no \.isxd file"):
        describe(run.folder, Options(movies=tmp_path / "empty"))


def test_makes_a_recording_of_its_own_of_a_movie_of_another_time(run):
    run.write_movie(0, "other.isxd", start={**run.start(0), "secsSinceEpoch": {"num": 1, "den": 1}})
    found = describe(run.folder, Options())
    assert list(found) == ["run", "other"]
    assert found["run"]().of(Movie) == ()


def test_says_which_file_of_a_part_is_missing(run):
    (run.folder / "cellset_denoised.000.isxd").unlink()
    (run.folder / "neural_events.000.isxd").unlink()
    session = describe(run.folder, Options())
    messages = [finding.message for finding in session.findings]
    assert "000 has no cellset_denoised file" in messages
    assert "000 has no neural_events file" in messages
    assert [t.name for t in cells_of(session).traces] == ["raw"]


def test_refuses_cell_sets_of_two_runs(run, isxd):
    path = run.folder / "cellset_raw.000.isxd"
    isxd.change(path, "CellNames", value=["C000", "X", "C002"])
    assert (
        "cellset_raw.000.isxd and cellset_denoised.000.isxd are not of one run: name of cell 1 is X and C001"
        in refusal(run.folder)
    )


def test_refuses_cell_sets_of_other_images(run, isxd):
    payload, footer = isxd.read(run.folder / "cellset_raw.000.isxd")
    records = np.frombuffer(payload, "<f4").reshape(CELLS, -1).copy()
    records[2, :2] += 1
    isxd.write(run.folder / "cellset_raw.000.isxd", records, footer)
    words = "cell 2 (C002) differs from the footprint in cellset_denoised.000.isxd in 2 of 35 pixels"
    assert words in refusal(run.folder)


def test_refuses_cell_sets_of_other_times(run, isxd):
    isxd.change(run.folder / "cellset_raw.000.isxd", "timingInfo", "period", value={"num": 1, "den": 20})
    assert "period in s is 0.05 and 0.1" in refusal(run.folder)


def test_says_where_two_cell_sets_differ_in_a_status(run, isxd):
    isxd.change(run.folder / "cellset_raw.000.isxd", "CellStatuses", value=[0, 0, 0])
    session = describe(run.folder, Options())
    assert cells_of(session).status == ("accepted",) * 3
    assert any("C001 is accepted, and rejected" in f.message for f in session.findings)


def test_refuses_events_of_other_cells(run, isxd):
    isxd.change(run.folder / "neural_events.000.isxd", "channel list", value=["C000", "C002", "C001"])
    assert "channel 1 is C002, cell 1 is C001" in refusal(run.folder)


def test_refuses_events_of_another_time(run, isxd):
    isxd.change(run.folder / "neural_events.000.isxd", "global times", value=[{**run.start(0), "utcOffset": 0}] * 2)
    isxd.change(
        run.folder / "neural_events.000.isxd",
        "global times",
        value=[{"secsSinceEpoch": {"num": 1_600_000_000, "den": 1}, "utcOffset": 0}] * 2,
    )
    assert (
        "neural_events.000.isxd and cellset_raw.000.isxd do not belong together: they start at "
        "2020-09-13 12:26:40+00:00 and 2023-11-14 23:13:20+01:00; expected the same"
    ) in refusal(run.folder)


def test_compares_starts_of_which_none_is_a_date(run, isxd):
    for number, name in enumerate(("cellset_raw", "cellset_denoised", "neural_events")):
        start = {"secsSinceEpoch": {"num": 10 + number // 2, "den": 1}, "utcOffset": 0}
        keys, value = (("global times",), [start, start]) if number == 2 else (("timingInfo", "start"), start)
        isxd.change(run.folder / f"{name}.000.isxd", *keys, value=value)
    assert "they start at 11 s after 1970 began and 10 s after 1970 began" in refusal(run.folder)


def test_refuses_events_after_the_end_of_the_traces(run, isxd):
    path, start = run.folder / "neural_events.000.isxd", [run.start(0)] * 2
    isxd.events(path, [(0, 0, 1.0), (4_000_000, 2, 1.0)], NAMES, **{"global times": start})
    assert len(describe(run.folder, Options()).of(Events)) == 1
    isxd.events(path, [(4_000_001, 1, 1.0), (0, 0, 1.0)], NAMES, **{"global times": start})
    assert "an event lies 4 s after the start, and the traces last 4 s; expected none later" in refusal(run.folder)


def test_claims_no_series_that_nothing_proves(tmp_path, isxd):
    run = Run(tmp_path / "run", isxd, lengths=(12, 20))
    assert "analysed together" not in first_of(run.folder, Options()).description


def test_repeats_no_list_of_the_cell_set_whose_columns_are_written(run):
    footers = {p.name: p.values for p in describe(run.folder, Options()).of(nwbridge.Parameters)}
    assert "CellNames" not in footers["isxd_footer_cellset_raw.000"]
    assert footers["isxd_footer_cellset_denoised.000"]["CellNames"] == NAMES
    (run.folder / "cellset_raw.000.isxd").unlink()
    footers = {p.name: p.values for p in describe(run.folder, Options()).of(nwbridge.Parameters)}
    assert "CellNames" not in footers["isxd_footer_cellset_denoised.000"]


def test_takes_the_acquisition_from_the_first_file_that_says_it(run, isxd):
    for name in ("a.isxd", "b.isxd"):
        run.write_movie(0, name)
    extra = {"animal": {"id": "m7"}, "microscope": {"type": "NVista3", "exp": 20}}
    isxd.change(run.folder / "b.isxd", "extraProperties", value=extra)
    isxd.change(run.folder / "cellset_raw.000.isxd", "extraProperties", value={"animal": {"id": "other"}})
    session = describe(run.folder, Options())
    assert session.subject.subject_id == "m7"
    movies = session.of(Movie)
    assert [(m.name, m.exposure_s) for m in movies] == [("OnePhotonSeries", None), ("OnePhotonSeries_b", 0.02)]
    assert {m.plane.device.model for m in movies} == {"NVista3"} == {cells_of(session).plane.device.model}


def test_says_where_only_size_and_length_speak_for_a_movie(run, isxd):
    run.write_movie(0, "recording.isxd")
    messages = [f.message for f in describe(run.folder, Options()).findings]
    assert not any("neither has a date" in m for m in messages)
    for file in run.folder.glob("*.isxd"):
        keys = ("global times", 0) if "events" in file.name else ("timingInfo", "start")
        isxd.change(file, *keys, value={"secsSinceEpoch": {"num": 0, "den": 1}, "utcOffset": 0})
    messages = [f.message for f in describe(run.folder, Options()).findings]
    words = "recording.isxd has the size, period and number of samples of cellset_raw.000.isxd, and neither has a date"
    assert words in messages


def test_says_where_a_movie_misses_other_samples_than_the_cells(run, isxd):
    path = run.folder / "recording.isxd"
    run.write_movie(0, path.name)
    payload, footer = isxd.read(path)
    footer["timingInfo"]["dropped"] = [3]
    isxd.write(path, payload[: -2 * ROWS * COLUMNS], footer)
    session = describe(run.folder, Options())
    assert session.of(Movie)[0].data.shape[0] == 39
    assert "recording.isxd and cellset_raw.000.isxd miss other samples" in [f.message for f in session.findings]


def test_says_what_the_movie_of_a_run_is_taken_for(run):
    words = "the footer does not say how the movie was taken: it is written as one-photon"
    assert words not in [f.message for f in describe(run.folder, Options()).findings]
    run.write_movie(0, "recording.isxd")
    assert [f.message for f in describe(run.folder, Options()).findings].count(words) == 1
    session = describe(run.folder, Options(kind="two-photon"))
    assert words not in [f.message for f in session.findings]
    assert session.of(Movie)[0].name == "TwoPhotonSeries"


def test_refuses_a_file_that_is_not_what_its_name_says(run, isxd):
    run.write_movie(0, "cellset_raw.000.isxd")
    assert "cellset_raw.000.isxd is a movie; expected a cell set, as its name says" in refusal(run.folder)


def test_compares_some_images_of_very_large_sets(run, monkeypatch):
    monkeypatch.setattr("nwbridge_ideas.agreement.MOST", 4 * ROWS * COLUMNS * 2)
    messages = [f.message for f in describe(run.folder, Options()).findings]
    assert any(m.startswith("the images of 2 of 3 cells of cellset_raw.000.isxd were compared") for m in messages)


def test_compares_some_traces_of_very_large_sets(run, caiman, monkeypatch):
    run.write_caiman()
    monkeypatch.setattr("nwbridge_ideas.agreement.MOST", 4 * 40 * 2)
    messages = [f.message for f in describe(run.folder, Options()).findings]
    words = "the traces of 2 of 3 cells of cellset_raw.000.isxd were compared with caiman_output.hdf5, and are the same"
    assert words in messages


def test_reads_names_that_the_platform_gave_the_files(run, values):
    for file in sorted(run.folder.iterdir()):
        file.rename(run.folder / f"mouse 7-{file.name.replace('.000', '')}")
    session = describe(run.folder, Options())
    np.testing.assert_array_equal(values(cells_of(session).regions), run.images)
    assert len(session.of(Events)) == 1


def test_writes_events_that_point_to_their_regions(tmp_path):
    nwbridge.convert(example(tmp_path), tmp_path / "o.nwb", source="ideas", metadata=MOUSE)
    with h5py.File(tmp_path / "o.nwb") as file:
        channel = file["events/neural_events/channel"]
        assert file[channel.attrs["table"]].name == "/processing/ophys/ImageSegmentation/PlaneSegmentation"
        names = file["processing/ophys/ImageSegmentation/PlaneSegmentation/cell_name"].asstr()[()]
        assert names.tolist() == file["analysis/event_channels/channel_name"].asstr()[()].tolist()
        assert file["processing/ophys/ImageSegmentation/PlaneSegmentation/status"].asstr()[()].tolist() == [
            "accepted",
            "accepted",
            "rejected",
        ]


def test_shows_the_missing_frames_of_a_run_once(tmp_path):
    (table,) = describe(example(tmp_path), Options()).of(Intervals)
    assert table["first_frame"].values.tolist() == [7, 20]


# with CaImAn's file


def test_says_which_plugin_reads_caiman_s_file(run, monkeypatch):
    def refuse(path, source):
        raise nwbridge.BadOption(f"there is no source {source}; installed: ideas")

    run.write_caiman()
    monkeypatch.setattr(nwbridge, "describe", refuse, raising=False)
    with pytest.raises(nwbridge.MissingDependency, match="install nwbridge-caiman"):
        describe(run.folder, Options())


def test_joins_caiman_s_arrays_with_the_cell_sets(run, caiman, values):
    run.write_caiman()
    session = describe(run.folder, Options())
    cells = cells_of(session)
    traces = {t.name: values(t.data) for t in cells.traces}
    np.testing.assert_array_equal(traces["denoised"], run.c)
    np.testing.assert_array_equal(traces["raw"], run.c + run.yra.astype("f4"))
    np.testing.assert_array_equal(traces["deconvolved"], run.s)
    assert cells.status == ("accepted", "rejected", "accepted")
    for region, image in zip(cells.regions, run.images, strict=True):
        drawn = np.zeros((ROWS, COLUMNS), "f4")
        drawn[tuple(region.pixels.T)] = region.weights
        np.testing.assert_array_equal(drawn, image)
    assert {column.name for column in cells.columns} >= {"cell_name"}
    assert run.folder / "caiman_output.hdf5" in session.files


def test_says_once_that_the_start_is_not_known(tmp_path, isxd, caiman):
    run = Run(tmp_path / "run", isxd, starts=[30])
    start = {f"movie_metadata/timingInfo/start/secsSinceEpoch/{part}": n for part, n in (("num", 30), ("den", 1))}
    run.write_caiman(**start)
    alone = nwbridge.describe(run.folder / "caiman_output.hdf5", source="caiman")
    assert sum("1970" in f.message for f in alone.findings) == 1
    session = describe(run.folder, Options())
    assert session.start_time is None
    told = [f for f in session.findings if "1970" in f.message]
    assert [(f.check, f.advice) for f in told] == [
        ("ideas", "if you know it: --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00")
    ]


def test_slices_caiman_s_arrays_by_the_movies_start_times(tmp_path, isxd, caiman, values):
    run = Run(tmp_path / "run", isxd, lengths=(12, 20, 9), starts=[1_700_000_900, 1_700_000_000, 1_700_000_500])
    run.write_caiman()
    found = describe(run.folder, Options())
    assert list(found) == ["run_000", "run_001", "run_002"]
    for number, make in enumerate(found.values()):
        session = make()
        cells = cells_of(session)
        traces = {t.name: values(t.data, 2) for t in cells.traces}
        np.testing.assert_array_equal(traces["deconvolved"], run.s[:, run.span(number)])
        np.testing.assert_array_equal(traces["denoised"], run.c[:, run.span(number)])
        assert [region.id for region in cells.regions] == [0, 1, 2]
        assert int(session.start_time.timestamp()) == run.starts[number]


def test_writes_one_file_for_each_movie_of_a_series(tmp_path, isxd, caiman):
    run = Run(tmp_path / "run", isxd, lengths=(12, 20))
    run.write_caiman()
    for number, name in enumerate(("run_000", "run_001")):
        out = tmp_path / f"{name}.nwb"
        assert nwbridge.convert(run.folder, out, source="ideas", only=name, metadata=MOUSE).verified
        with h5py.File(out) as file:
            stored = file["processing/ophys/Fluorescence/deconvolved/data"][()]
            np.testing.assert_array_equal(stored.T, run.s[:, run.span(number)])
            assert file["processing/ophys/ImageSegmentation/PlaneSegmentation/id"][()].tolist() == [0, 1, 2]


def test_refuses_a_series_of_which_a_part_is_missing(tmp_path, isxd, caiman):
    run = Run(tmp_path / "run", isxd, lengths=(12, 20, 9))
    run.write_caiman()
    for file in run.folder.glob("*.001.isxd"):
        file.unlink()
    assert "caiman_output.hdf5 has traces of 41 samples, the cell sets of run 12 + 9 = 21" in refusal(run.folder)


def test_refuses_caiman_s_file_of_another_run(run, caiman):
    run.images[1, 2, 3] += 0.5
    run.write_caiman()
    words = "cell 1 (C001) differs from the footprint in caiman_output.hdf5 in 1 of 35 pixels"
    assert words in refusal(run.folder)


def test_refuses_footprints_that_are_transposed(run, caiman):
    flat = run.images.reshape(CELLS, -1)  # rows first, which CaImAn never writes
    ends = np.concatenate([[0], np.cumsum((flat != 0).sum(1))])
    run.write_caiman(
        **{
            "estimates/A/data": flat[flat != 0],
            "estimates/A/indices": np.concatenate([np.flatnonzero(row) for row in flat]).astype("i4"),
            "estimates/A/indptr": ends.astype("i4"),
        }
    )
    assert "cell 0 (C000) differs from the footprint in caiman_output.hdf5" in refusal(run.folder)


def test_refuses_traces_of_another_run(run, caiman):
    run.c[2, 5] += 1
    run.write_caiman()
    assert "cell 2 (C002) differs from the trace in caiman_output.hdf5 in 1 of 40 samples" in refusal(run.folder)


def test_refuses_raw_traces_of_another_run(run, caiman):
    run.yra[0, 7] += 1
    run.write_caiman()
    assert "cell 0 (C000) differs from the trace in caiman_output.hdf5 in 1 of 40 samples" in refusal(run.folder)


def test_takes_raw_traces_that_the_tool_added_in_float32(run, caiman, values):
    raw = {t.name: values(t.data) for t in cells_of(describe(run.folder, Options())).traces}["raw"]
    assert (raw != (run.c + run.yra).astype("f4")).any()  # the last digit
    run.write_caiman()
    cells_of(describe(run.folder, Options()))


def test_says_where_events_are_not_those_of_caiman_s_file(run, caiman):
    run.write_caiman()
    assert not any("samples above 0" in f.message for f in describe(run.folder, Options()).findings)
    count = (run.s[1] > 0).sum()
    run.s[1, np.argmin(run.s[1])], run.s[2] = 3, 0
    run.write_caiman()
    assert (
        f"neural_events.000.isxd has {count} events of C001, caiman_output.hdf5 a deconvolved trace with {count + 1} "
        "samples above 0; so it is for 2 of 3 cells"
    ) in [f.message for f in describe(run.folder, Options()).findings]


def test_refuses_traces_that_two_cells_exchanged(run, isxd, caiman):
    run.write_caiman()
    for name in ("cellset_raw", "cellset_denoised"):
        path = run.folder / f"{name}.000.isxd"
        payload, footer = isxd.read(path)
        records = np.frombuffer(payload, "<f4").reshape(CELLS, -1).copy()
        records[[0, 1], ROWS * COLUMNS :] = records[[1, 0], ROWS * COLUMNS :]
        isxd.write(path, records, footer)
    assert "cell 0 (C000) differs from the trace in caiman_output.hdf5 in 40 of 40 samples" in refusal(run.folder)


def test_compares_traces_where_samples_are_known(run, isxd, caiman):
    run.write_caiman()
    for name in ("cellset_raw", "cellset_denoised"):
        path = run.folder / f"{name}.000.isxd"
        payload, footer = isxd.read(path)
        records = np.frombuffer(payload, "<f4").reshape(CELLS, -1).copy()
        records[:, ROWS * COLUMNS + 3] = np.nan
        footer["timingInfo"]["dropped"] = [3]
        isxd.write(path, records, footer)
    session = describe(run.folder, Options())
    assert session.of(Intervals)[0]["first_frame"].values.tolist() == [3]


@pytest.mark.parametrize(("rate", "is_said"), [(10.009, False), (10.02, True), (9.98, True)])
def test_lets_the_rate_differ_by_a_thousandth(run, caiman, rate, is_said):
    run.write_caiman(**{"params/data/fr": rate})
    assert any("CaImAn took" in f.message for f in describe(run.folder, Options()).findings) == is_said


def test_refuses_two_outputs_of_caiman_in_a_folder(run, caiman):
    run.write_caiman()
    shutil.copy(run.folder / "caiman_output.hdf5", run.folder / "mouse-caiman_output.h5")
    assert "holds 2 outputs of CaImAn, caiman_output.hdf5 and mouse-caiman_output.h5; expected one" in refusal(
        run.folder
    )


def test_refuses_two_files_for_one_thing(run):
    shutil.copy(run.folder / "cellset_raw.000.isxd", run.folder / "cellset_raw.0.isxd")
    message = refusal(run.folder)
    assert "cellset_raw.0.isxd and cellset_raw.000.isxd are the same part's cellset_raw" in message


def test_takes_files_whose_names_no_nwb_name_can_be(run):
    for name in ("a.isxd", "10:00.isxd", "mc_movie.10:00.isxd"):
        run.write_movie(0, name)
    names = {movie.name for movie in describe(run.folder, Options()).of(Movie)}
    assert names == {"OnePhotonSeries", "OnePhotonSeries_a", "MotionCorrected"}


def test_keeps_both_verdicts_where_somebody_changed_the_status(run, isxd, caiman):
    run.write_caiman()
    for name in ("raw", "denoised"):
        isxd.change(run.folder / f"cellset_{name}.000.isxd", "CellStatuses", value=[0, 0, 1])
    session = describe(run.folder, Options())
    cells = cells_of(session)
    columns = {column.name: column.values.tolist() for column in cells.columns}
    assert cells.status == ("accepted", "accepted", "undecided")
    assert columns["caiman_status"] == ["accepted", "rejected", "accepted"]
    assert any("C001 (rejected, now accepted) and 1 more" in f.message for f in session.findings)


def test_says_where_caiman_took_another_rate(run, caiman):
    run.write_caiman(**{"params/data/fr": 30.0})
    messages = [f.message for f in describe(run.folder, Options()).findings]
    assert any("CaImAn took 30 frames a second (caiman_output.hdf5), the cell sets say 10" in m for m in messages)


# a real run


def test_joins_a_real_run_with_its_movie(real, tmp_path, caiman, isxd):
    folder = tmp_path / "derived_1p"
    shutil.copytree(real / "derived_1p", folder)
    movies = Options(movies=real / "movie_part2_108x123x63.isxd")
    session = describe(folder, movies)
    assert not any("differ" in f.message for f in session.findings)
    out = tmp_path / "o.nwb"
    result = nwbridge.convert(folder, out, source="ideas", options={"movies": str(movies.movies)}, metadata=MOUSE)
    assert result.verified
    assert [f.message for f in result.findings if f.severity == "error"] == []
    with h5py.File(folder / "caiman_output.hdf5") as source, h5py.File(out) as file:
        ophys = file["processing/ophys"]
        np.testing.assert_array_equal(ophys["Fluorescence/denoised/data"][()].T, source["estimates/C"][()])
        np.testing.assert_array_equal(ophys["Fluorescence/deconvolved/data"][()].T, source["estimates/S"][()])
        payload, footer = isxd.read(folder / "cellset_raw.000.isxd")
        raw = np.frombuffer(payload, "<f4").reshape(28, -1)[:, 108 * 123 :]
        np.testing.assert_array_equal(ophys["Fluorescence/raw/data"][()].T, raw)
        status = ophys["ImageSegmentation/PlaneSegmentation/status"].asstr()[()]
        assert np.flatnonzero(status == "rejected").tolist() == source["estimates/idx_components_bad"][()].tolist()
        assert file["events/neural_events/timestamp"].shape == (np.count_nonzero(source["estimates/S"][()] > 0),)
        assert file["acquisition/OnePhotonSeries/data"].shape == (63, 108, 123)
        assert footer["timingInfo"]["numTimes"] == 63
