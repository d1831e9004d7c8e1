"""Several movies at once: a step that can works on all of them, and their files are written together or not at all."""

import json
import tracemalloc
from dataclasses import replace

import h5py
import numpy as np
import pynwb
import pytest
from foreign import COLUMNS, ROWS, begun, frames, movie, plain, save, sha256, with_regions
from steps import ADD, ALL, DOUBLE, FIND, SHARE, means, offering, over, share

import nwbridge
from nwbridge import (
    BadOption,
    BadSource,
    CannotWrite,
    Finding,
    InvalidOutput,
    Movie,
    PluginFault,
    Processor,
    Segmentation,
    Traces,
)
from nwbridge.nwb.copying import names_in

DAYS = {"monday": (40, {"rate": 15.0, "starting_time": 2.5}), "tuesday": (25, {"rate": 10.0}), "friday": (31, None)}
CLOCK = np.cumsum(np.random.default_rng(5).random(31))


def day(path, seed=0, count=30, subject=None, names=("TwoPhotonSeries",), **clock):
    """A file of one session, with an identifier of its own."""
    file, plane = begun(session_id=path.stem, subject=subject)
    for number, name in enumerate(names):
        file.add_acquisition(movie(name, plane, frames(seed + number, count), **clock))
    save(file, path)
    with h5py.File(path, "r+") as stored:
        stored["identifier"][()] = f"id of {path.stem}"
    return path


@pytest.fixture
def days(tmp_path):
    """Three files of movies with other frames, lengths and clocks."""
    (tmp_path / "in").mkdir()
    return [
        day(tmp_path / "in" / f"{name}.nwb", seed, count, **({"timestamps": CLOCK} if clock is None else clock))
        for seed, (name, (count, clock)) in enumerate(DAYS.items())
    ]


def process(paths, folder, steps="share", registry=ALL, **more):
    return nwbridge.process_series(paths, folder, steps, registry=registry, **more)


def brightest(movies, amount=2):
    """The brightest pixels (row, column) of the mean over all frames of all movies."""
    mean = np.concatenate(movies).astype(float).mean(axis=0)
    return [divmod(int(place), COLUMNS) for place in np.argsort(-mean, axis=None, kind="stable")[:amount]], mean


def taken():
    return [frames(seed, count) for seed, (count, _) in enumerate(DAYS.values())]


def rows_of(out):
    """The history as somebody reads it who has pynwb alone."""
    with pynwb.NWBHDF5IO(out, "r") as io:
        table = io.read().analysis["processing_steps"]
        return [{name: table[name][row] for name in table.colnames} for row in range(len(table.id))]


def left_in(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.nwb"))


def test_each_movie_gets_the_regions_of_all_with_traces_on_its_own_clock(days, tmp_path):
    before = [sha256(path) for path in days]
    results = process(days, tmp_path / "out")
    assert [result.out for result in results] == [str(tmp_path / "out" / path.name) for path in days]
    assert [sha256(path) for path in days] == before
    assert all(result.verified for result in results)
    places, mean = brightest(taken())
    for out, shown in zip(results, taken(), strict=True):
        with pynwb.NWBHDF5IO(out.out, "r") as io:
            file = io.read()
            module, raw = file.processing["ophys"], file.acquisition["TwoPhotonSeries"]
            table = module["ImageSegmentation"]["Shared"]
            pixels = [(int(y), int(x)) for mask in table["pixel_mask"][:] for x, y, _ in mask]
            assert pixels == places
            traces = module["Fluorescence"]["Shared traces"]
            assert traces.rois.table is table
            np.testing.assert_array_equal(traces.data[:].T, [shown[:, row, column] for row, column in places])
            assert (traces.rate, traces.starting_time) == (raw.rate, raw.starting_time)
            if raw.rate is None:
                np.testing.assert_array_equal(traces.timestamps[:], CLOCK)
            np.testing.assert_allclose(module["Over all"]["mean"].data[:], mean.T, rtol=1e-6)
            assert file.identifier not in ("its-identifier", *(f"id of {name}" for name in DAYS))
        with h5py.File(out.out) as file:  # nothing leads to another file
            links = []
            file.visititems_links(lambda _, link, links=links: links.append(link))
            assert not any(isinstance(link, h5py.ExternalLink) for link in links)


def test_the_history_of_each_names_the_others_to_who_has_only_pynwb(days, tmp_path):
    results = process(days, tmp_path / "out", options={"amount": 1})
    for number, path in enumerate(days):
        (row,) = rows_of(tmp_path / "out" / path.name)
        assert json.loads(row["together_with"]) == [
            [other.name, f"id of {other.stem}", "TwoPhotonSeries", place]
            for place, other in enumerate(days, 1)
            if other != path
        ]
        assert (row["input_file"], row["input_sha256"]) == (path.name, sha256(path))
        assert json.loads(row["made"]) == ["Shared", "Shared traces", "Over all"]
        (step,) = results[number].steps
        assert [one.position for one in step.together_with] == sorted({1, 2, 3} - {number + 1})
        assert nwbridge.inspect(results[number].out).steps == (step,)
        with h5py.File(results[number].out) as file:
            words = file["general/source_script"].asstr()[()]
            described = file["processing/ophys"].attrs["description"]
        assert words == "nwbridge process share monday.nwb tuesday.nwb friday.nwb OUT --amount 1"
        others = ", ".join(f"TwoPhotonSeries of {other.name}" for other in days if other != path)
        assert f"share (nwbridge-made-up 1.5) on TwoPhotonSeries together with {others}: amount 1" in described
        assert Finding("hint", "3 movies were taken together", "nothing", check="share") in results[number].findings


def test_steps_that_take_one_movie_run_on_each_by_itself_in_the_same_chain(days, tmp_path):
    options = {"add.amount": 5.0, "share.amount": 3}
    results = process(days, tmp_path / "out", "add,share,double", options=options)
    chain = "add of TwoPhotonSeries → share of Brighter → double of Shared traces"
    assert {result.evidence for result in results} == {chain}
    places, _ = brightest(taken(), 3)
    for path, shown in zip(days, taken(), strict=True):
        added, shared, doubled = rows_of(tmp_path / "out" / path.name)
        assert [json.loads(row["together_with"]) for row in (added, doubled)] == [[], []]
        assert [one[2] for one in json.loads(shared["together_with"])] == ["Brighter", "Brighter"]
        with h5py.File(tmp_path / "out" / path.name) as file:
            stored = file["processing/ophys/Fluorescence/Doubled/data"][()]
        expected = np.column_stack([shown[:, row, column] + 5.0 for row, column in places])
        np.testing.assert_array_equal(stored, 2 * expected)


def test_of_one_movie_the_step_runs_as_for_one(days, tmp_path):
    def never(series, options):
        raise AssertionError

    registry = offering(replace(SHARE, run_together=never))
    (result,) = process(days[:1], tmp_path / "out", "share", registry)
    alone = nwbridge.process(days[0], tmp_path / "alone.nwb", "share", registry=registry)
    for out in (result.out, alone.out):
        (row,) = rows_of(out)
        assert json.loads(row["together_with"]) == []
    with h5py.File(result.out) as one, h5py.File(alone.out) as other:
        place = "processing/ophys/Fluorescence/Shared traces/data"
        np.testing.assert_array_equal(one[place][()], other[place][()])
    assert names_in(tmp_path / "alone.nwb") == names_in(tmp_path / "out" / "monday.nwb")


def test_several_series_of_one_file_go_into_one_file(tmp_path):
    path = day(tmp_path / "in.nwb", names=("Left", "Right", "Other"))
    result = nwbridge.process(path, tmp_path / "out.nwb", "add,share,double", series="Right, Left", registry=ALL)
    assert result.evidence == (
        "add of Right, Left → share of Brighter, Brighter_2 → double of Shared traces, Shared traces_2"
    )
    rows = rows_of(tmp_path / "out.nwb")
    assert [row["step"] for row in rows] == ["add", "add", "share", "share", "double", "double"]
    shared = [json.loads(row["together_with"]) for row in rows[2:4]]
    assert shared == [[["in.nwb", "id of in", "Brighter_2", 2]], [["in.nwb", "id of in", "Brighter", 1]]]
    assert {row["input_sha256"] for row in rows} == {sha256(path)}
    places, _ = brightest([frames(0), frames(1)])
    with h5py.File(tmp_path / "out.nwb") as file:
        holder = file["processing/ophys/Fluorescence"]
        for name, table, shown in (("Doubled", "Shared", frames(1)), ("Doubled_2", "Shared_2", frames(0))):
            np.testing.assert_array_equal(holder[name]["data"][()].T, [2 * (shown[:, *at] + 1.0) for at in places])
            rois = holder[name]["rois"].attrs["table"]
            assert file[rois].name == f"/processing/ophys/ImageSegmentation/{table}"
        assert file["general/source_script"].asstr()[()].endswith("in.nwb out.nwb --series 'Right, Left'")


def test_a_series_whose_own_name_has_a_comma_is_that_one(tmp_path):
    path = day(tmp_path / "in.nwb", names=("A", "A,B", "B"))
    result = nwbridge.process(path, tmp_path / "out.nwb", "share", series="A,B", registry=ALL)
    assert [step.made_from for step in result.steps] == [("A,B",)]


def test_traces_of_several_movies_for_regions_that_are_there_stay_apart_in_a_chain(tmp_path):
    path = with_regions(tmp_path / "in.nwb")
    with pynwb.NWBHDF5IO(path, "r+") as io:
        file = io.read()
        file.add_acquisition(movie("Second", file.imaging_planes["Plane"], frames(1)))
        io.write(file)

    def trace(series, options):
        made = []
        for shown, *beside in series:
            cells = next(one for one in beside if isinstance(one, Segmentation))
            traces = Traces("Of movie", means(shown.data, FOUND), rate_hz=15.0, made_from=shown.name)
            made.append((replace(cells, traces=(*cells.traces, traces)),))
        return made

    def last(elements, options):
        cells = elements[0]
        new = replace(cells.traces[-1], name="Last", made_from=cells.traces[-1].name)
        return (replace(cells, traces=(*cells.traces, new)),)

    one = replace(SHARE, name="trace", run=lambda e, o: trace((e,), o)[0], run_together=trace, beside=(Segmentation,))
    registry = offering(one, Processor("last", "the last", (Segmentation,), last))
    nwbridge.process(path, tmp_path / "out.nwb", "trace,last", series="TwoPhotonSeries,Second", registry=registry)
    with h5py.File(tmp_path / "out.nwb") as file:
        assert list(file["processing/ophys/ImageSegmentation"]) == ["PlaneSegmentation"]
        holder = file["processing/ophys/Fluorescence"]
        for name, shown in (("Last", frames(0)), ("Last_2", frames(1))):
            np.testing.assert_array_equal(holder[name]["data"][:, 0], shown[:, 1, 2].astype(float))
    made = [json.loads(row["made_from"]) for row in rows_of(tmp_path / "out.nwb")]
    assert made == [["TwoPhotonSeries"], ["Second"], ["Of movie"], ["Of movie_2"]]


FOUND = [nwbridge.Region(np.array([[1, 2]])) for _ in range(3)]


def wrong(change):
    """The step, whose results for all movies are changed."""
    return offering(replace(SHARE, run_together=lambda series, options: change(share(series, options))))


def spoilt(error, place=-1):
    """The step, whose traces of one movie cannot be computed."""

    def fail(_):
        raise error

    def change(made):
        cells, *rest = made[place]
        traces = replace(cells.traces[0], data=over(cells.traces[0].data, fail, np.float64))
        made = [*made]
        made[place] = (replace(cells, traces=(traces,)), *rest)
        return made

    return wrong(change)


def raising(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize(
    ("registry", "kind", "message"),
    [
        (wrong(lambda made: made[:2]), PluginFault, "share returned results for 2; expected them for each of 3"),
        (wrong(lambda made: None), PluginFault, "1.5: share returned a NoneType; expected a tuple of results"),
        (wrong(lambda made: [made[0], made[1], None]), PluginFault, "friday.nwb: .* returned a NoneType"),
        (wrong(lambda made: [made[0], (), made[2]]), PluginFault, "tuesday.nwb: .*made nothing"),
        (wrong(raising(ZeroDivisionError("no"))), PluginFault, "made-up 1.5 failed while running share: Zero"),
        (wrong(raising(MemoryError())), BadSource, "there is not enough memory for running share"),
        (wrong(raising(BadSource("the fields of view differ"))), BadSource, "^the fields of view differ"),
        (wrong(raising(KeyboardInterrupt())), KeyboardInterrupt, "^$"),
        (spoilt(ValueError("odd")), PluginFault, "^friday.nwb: .*1.5.*ValueError: odd"),
        (spoilt(ValueError("odd"), 0), PluginFault, "^monday.nwb: .*1.5.*ValueError: odd"),
        (spoilt(KeyboardInterrupt()), KeyboardInterrupt, "^$"),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("there", [True, False])
def test_where_one_fails_none_is_written_and_nothing_is_replaced(days, tmp_path, registry, kind, message, there):
    out = tmp_path / "out"
    if there:
        out.mkdir()
        (out / "friday.nwb").write_text("precious", "utf-8")
    with pytest.raises(kind, match=message) as caught:
        process(days, out, "share", registry, overwrite=True)
    assert "\n" not in str(caught.value)
    assert out.exists() == there
    assert left_in(tmp_path) == [f"in/{path.name}" for path in sorted(days)] + ["out/friday.nwb"] * there
    assert not there or (out / "friday.nwb").read_text("utf-8") == "precious"


def test_a_step_for_one_movie_that_fails_names_the_file(days, tmp_path):
    def add(elements, options):
        if elements[0].data.shape[0] == 25:
            raise BadSource("the movie is too dark")
        return ADD.run(elements, options)

    registry = offering(replace(ADD, run=add), SHARE)
    with pytest.raises(BadSource, match=r"^tuesday\.nwb: the movie is too dark$"):
        process(days, tmp_path / "out", "add,share", registry, options={"add.amount": 1.0})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", ["check", "_validated"])
def test_where_the_last_file_is_not_as_it_should_be_none_is_kept(days, tmp_path, monkeypatch, bad):
    import nwbridge.processing as room

    real = getattr(room, bad)

    def check(part, *more):
        if part.name.startswith("friday"):
            raise InvalidOutput("it differs")
        return real(part, *more)

    monkeypatch.setattr(room, bad, check)
    with pytest.raises(InvalidOutput, match=r"friday\.nwb: it differs"):
        process(days, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_taken_meanwhile_undoes_the_others(days, tmp_path):
    out = tmp_path / "out"

    def late(series, options):
        (out / "tuesday.nwb").write_text("somebody else's", "utf-8")
        return share(series, options)

    with pytest.raises(CannotWrite, match=r"tuesday\.nwb exists already"):
        process(days, out, "share", offering(replace(SHARE, run_together=late)))
    assert [file.name for file in out.iterdir()] == ["tuesday.nwb"]
    assert (out / "tuesday.nwb").read_text("utf-8") == "somebody else's"


def test_files_that_are_there_are_replaced_only_when_told_to(days, tmp_path):
    process(days, tmp_path / "out")
    before = {path.name: sha256(tmp_path / "out" / path.name) for path in days}
    with pytest.raises(CannotWrite, match=r"monday\.nwb exists already"):
        process(days, tmp_path / "out")
    assert {path.name: sha256(tmp_path / "out" / path.name) for path in days} == before
    process(days, tmp_path / "out", overwrite=True)
    assert all(sha256(tmp_path / "out" / name) != digest for name, digest in before.items())
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(before)


def test_progress_says_which_file_it_is_about(days, tmp_path):
    told = []
    process(days, tmp_path / "out", "add,share", options={"add.amount": 1.0}, progress=lambda *w: told.append(w))
    words = list(dict.fromkeys(doing for doing, _, _ in told))
    assert words[:3] == [f"copying, {path.name} ({n} of 3)" for n, path in enumerate(days, 1)]
    assert words[3:5] == ["running add, monday.nwb (1 of 3)", "adding, monday.nwb (1 of 3)"]
    for doing in ("running share", "averaging"):  # of all
        assert doing in words
    for phase in ("writing", "verifying", "validating"):
        assert [w for w in words if w.startswith(phase)] == [
            f"{phase}, {p.name} ({n} of 3)" for n, p in enumerate(days, 1)
        ]
    assert told[-1] == ("done", 1, 1)


def test_movies_of_one_file_are_told_apart_by_name(tmp_path):
    path, told = day(tmp_path / "in.nwb", names=("A", "B")), []
    nwbridge.process(
        *(path, tmp_path / "out.nwb", "add,share"),
        series="A,B",
        registry=ALL,
        options={"add.amount": 1.0},
        progress=lambda *words: told.append(words[0]),
    )
    assert {"copying", "adding, A (1 of 2)", "adding, B (2 of 2)", "averaging", "writing", "validating"} <= {*told}


def test_memory_does_not_grow_with_the_length_of_the_movies(tmp_path):
    def peak(count):
        paths = [day(tmp_path / f"{name}{count}.nwb", seed, count, rate=15.0) for seed, name in enumerate("ab")]

        def brighter(series, options):
            return [
                (replace(e[0], name="B", made_from=e[0].name, data=over(e[0].data, lambda block: block + 1)),)
                for e in series
            ]

        one = Processor("one", "", (Movie,), lambda e, o: brighter((e,), o)[0], run_together=brighter)
        more = {"threads": 1, "chunks": (16, ROWS, COLUMNS), "overwrite": True}
        process(paths, tmp_path / "out", "one", offering(one), **more)  # what is loaded once
        tracemalloc.start()
        process(paths, tmp_path / "out", "one", offering(one), **more)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few, many = peak(100), peak(2100)
    assert many < few + 1_000_000  # the movies have 5 MB more, as float32


def test_light_files_each_name_the_file_that_has_the_movie(days, tmp_path):
    process(days, tmp_path / "out", light=True)
    for path in days:
        (row,) = rows_of(tmp_path / "out" / path.name)
        assert json.loads(row["left_out"]) == ["TwoPhotonSeries"]
        with h5py.File(tmp_path / "out" / path.name) as file:
            assert list(file["acquisition"]) == []


def test_for_dandi_files_are_named_as_it_wants(tmp_path):
    mouse = {"subject_id": "m1", "species": "Mus musculus", "sex": "F", "age": "P90D"}
    paths = [
        day(tmp_path / f"{name}.nwb", seed, subject=pynwb.file.Subject(**mouse), rate=15.0)
        for seed, name in enumerate(("one", "two"))
    ]
    results = process(paths, tmp_path / "set", archive="dandi")
    assert left_in(tmp_path / "set") == [f"sub-m1/sub-m1_ses-{ses}_desc-share_ophys.nwb" for ses in ("one", "two")]
    assert [result.out for result in results] == [str(tmp_path / "set" / name) for name in left_in(tmp_path / "set")]
    for path in paths:
        with h5py.File(path, "r+") as file:
            file["general/session_id"][()] = "same"
    with pytest.raises(BadOption, match=r"would become sub-m1_ses-same_desc-share_ophys\.nwb.*session_id"):
        process(paths, tmp_path / "other", archive="dandi")
    assert not (tmp_path / "other").exists()


def test_a_file_that_was_written_before_there_were_series_keeps_its_history(days, tmp_path):
    (first,) = process(days[:1], tmp_path / "out", options={"amount": 1})
    with h5py.File(first.out, "r+") as file:
        table = file["analysis/processing_steps"]
        del table["together_with"]
        table.attrs["colnames"] = [name for name in table.attrs["colnames"] if name != "together_with"]
    results = process([first.out, days[1]], tmp_path / "again", options={"amount": 1})
    assert [(step.name, len(step.together_with)) for step in results[0].steps] == [("share", 0), ("share", 1)]
    assert [len(json.loads(row["together_with"])) for row in rows_of(results[0].out)] == [0, 1]


@pytest.mark.parametrize(
    ("registry", "steps", "words"),
    [
        (ALL, "add", "there are 3 files: add works on each movie by itself; .*nwbridge batch ROOT OUT --process add$"),
        (
            offering(FIND, DOUBLE),
            ["find", "double"],
            "find and double work on each movie.*batch.*--process find,double",
        ),
        (offering(SHARE), "share", "--series A,B: several series are picked of one file only"),
    ],
)
def test_what_no_step_can_take_together_is_refused(days, tmp_path, registry, steps, words):
    more = {"series": "A,B"} if steps == "share" else {}
    for path in days if more else ():
        day(path, names=("A", "B"))
    with pytest.raises(BadOption, match=words) as caught:
        process(days, tmp_path / "out", steps, registry, **more)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_paths_that_make_no_sense_are_refused_in_words(days, tmp_path):
    other = plain(tmp_path / "monday.nwb")
    (tmp_path / "link.nwb").symlink_to(days[0])
    (tmp_path / "file").write_text("", "utf-8")
    for paths, out, kind, message in (
        ([days[0], other], "out", BadOption, "would become one file: give files that differ, each of its name"),
        ([days[0], tmp_path / "link.nwb"], "out", BadOption, "would become one file"),
        (days, "in", BadOption, "is the file that is read: choose another folder"),
        (days, "out.nwb", CannotWrite, r"out\.nwb is no folder: of several files"),
        (days, "file", CannotWrite, "file is no folder"),
        (days, "file/out", CannotWrite, "cannot be made"),
        ([], "out", BadOption, "expected a list of paths"),
        (str(days[0]), "out", BadOption, "expected a list of paths"),
        ([days[0], tmp_path / "absent.nwb"], "out", BadSource, "absent.nwb does not exist"),
        ([days[0], tmp_path / "in"], "out", BadSource, "is a folder"),
    ):
        with pytest.raises(kind, match=message) as caught:
            process(paths, tmp_path / out)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_series_of_one_file_that_make_no_sense_are_refused(tmp_path):
    path = day(tmp_path / "in.nwb", names=("A", "B"))
    for series, steps, message in (
        ("A,C", "share", "--series C: in.nwb has A, B"),
        ("A,A", "share", "--series A,A: expected names that differ"),
        ("A,", "share", "--series A,: expected names that differ"),
        ("A,B", "add", "--series A,B: add works on each movie by itself; name one at a time"),
    ):
        with pytest.raises(BadOption, match=message):
            nwbridge.process(path, tmp_path / "out.nwb", steps, series=series, registry=ALL)
    assert left_in(tmp_path) == ["in.nwb"]
