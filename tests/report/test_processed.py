"""Pages on processed files: history, before and after, what traces and images were made from, measures."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from recordings import lazy
from steps import offering

import nwbridge
from nwbridge import (
    Column,
    Image,
    Images,
    Localizations,
    Movie,
    Parameters,
    Processor,
    Segmentation,
    Table,
    Traces,
    Units,
)
from nwbridge.report.pictures import limits_of

SPOT = (8, 40)  # row and column of the pixel that changes most
HOSTILE = "</script><script>window.hacked=1</script>"


@dataclass(frozen=True)
class Options:
    """Of the step that halves."""

    factor: float = nwbridge.option(0.5, "what values are multiplied by")
    words: str = nwbridge.option("plain", "anything")
    radius: int | None = nwbridge.option(None, "says nothing")


def values_of(movie):
    with movie.data.open() as reader:
        return np.asarray(reader[0 : movie.data.shape[0]])


def dim(elements, options):
    """A movie whose values are multiplied, one row of measures, and settings."""
    movie = elements[0]
    values = (values_of(movie) * options.factor).astype(np.float32)
    columns = (
        Column("ratio_of_means", np.array([0.50012]), "mean after over mean before"),
        Column("seam", np.array([1.0]), "1: none", "1"),
    )
    settings = Parameters("Settings", {"held_out": {"gaussian": 1.25, "svd": 0.75}, "ranks": [3, 4]})
    return [replace(movie, name="Dim", data=lazy(values), made_from=movie.name), Table("Measures", columns), settings]


def shift(elements, options):
    """A movie whose frames were moved, by columns twice as far as by rows."""
    movie = elements[0]
    shifts = np.stack([np.sin(np.arange(movie.data.shape[0])), 2 * np.sin(np.arange(movie.data.shape[0]))], axis=1)
    moved = np.roll(values_of(movie), 1, axis=2)
    return [replace(movie, name="Moved", data=lazy(moved), shifts=lazy(shifts), made_from=movie.name)]


def infer(elements, options):
    """Denoised and deconvolved traces of what is there."""
    cells = elements[0]
    first = next(traces for traces in cells.traces if traces.kind == "dff")
    values = values_of(first)
    smooth = replace(first, name="Smooth", kind="denoised", data=lazy(values / 2), made_from=first.name)
    spiky = replace(first, name="Spiky", kind="deconvolved", data=lazy(np.abs(values)), made_from="Smooth")
    return [replace(cells, traces=(*cells.traces, smooth, spiky))]


def render(elements, options):
    """An image of molecules on pixels ten times finer, and a curve."""
    values = np.zeros((370, 530), np.float32)
    values[120:124, 200:207] = np.arange(28).reshape(4, 7) + 1
    image = Image("fine", lazy(values), pixel_um=(0.08, 0.05))
    columns = (
        Column("frequency", np.arange(1, 21) / 7, unit="1/nm"),
        Column("raw", np.linspace(1, 0, 20)),
        Column("smoothed", np.linspace(0.9, 0.1, 20)),
        Column("pixels", np.arange(20)),
    )
    return [Images("Rendered", (image,), made_from=elements[0].name), Table("Rings", columns, "correlation of halves")]


def rings(elements, options):
    """A curve that is held against 1/7."""
    values = np.array([1.0, 0.5, 0.1, 0.2, 0.05, 0.0, 0.0, 0.0, 0.0])
    columns = (Column("frequency", np.arange(9) / 10, unit="1/nm"), Column("smoothed", values, "held against 1/7"))
    return [Table("Held", columns, "correlation of halves")]


STEPS = offering(
    Processor("rings", "correlates", (Localizations,), rings),
    Processor("dim", "dims", (Movie,), dim, Options),
    Processor("shift", "moves", (Movie,), shift),
    Processor("infer", "infers", (Segmentation,), infer),
    Processor("render", "renders", (Localizations,), render),
)


@pytest.fixture
def processed(tmp_path, save):
    """A function that writes a session of elements, runs steps on it, and returns both files."""

    def make(steps, *elements, **arguments):
        before, after = save(*elements).out, tmp_path / "processed.nwb"
        nwbridge.process(before, after, steps, registry=STEPS, overwrite=True, verify=False, **arguments)
        return before, after

    return make


@pytest.fixture
def movie(tools, plane):
    values = tools.frames()
    values[:, *SPOT] += (np.arange(len(values)) % 30 * 100).astype(np.uint16)
    return Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=tools.RATE, unit="counts")


def panes(figure, tools):
    """Title, values, and lowest and highest of each picture."""
    for one in figure.all("div", class_="pane"):
        drawing = one.one("svg", class_="picture")
        low, high = (float(drawing.attributes[key]) for key in ("data-low", "data-high"))
        grey = tools.png(drawing.one("image").attributes["href"]).astype(float)
        yield one.one("h5").text, low + grey / 255 * (high - low), (low, high)


def stored(path, name="acquisition/TwoPhotonSeries/data"):
    """(time, row, column)."""
    with h5py.File(path) as file:
        return file[name][:].transpose(0, 2, 1).astype(float)


def test_the_history_says_what_ran_on_what(processed, movie, page_of):
    before, after = processed("shift,dim", movie, options={"factor": 0.25, "words": HOSTILE}, light=True)
    page = page_of(after)
    first, second = page.one("section", class_="history").all("li")
    assert first.text.startswith("shift made Moved from TwoPhotonSeries")
    assert second.text.startswith("dim made Dim, Measures, Settings from Moved")
    assert [one.text for one in second.all("dt")] == ["factor", "words"]
    assert [one.text for one in second.all("dd")] == ["0.25", HOSTILE]
    assert "Not set: radius." in second.text
    with h5py.File(before) as file:
        identifier = file["identifier"].asstr()[()]
    digest = hashlib.sha256(Path(before).read_bytes()).hexdigest()
    assert f"Read recording.nwb, identifier {identifier}, SHA-256 {digest}." in second.text
    assert "That file holds TwoPhotonSeries, which this one does not." in second.text
    assert "nwbridge-made-up 1.5" in first.text
    assert not list(page_of(before).all("section", class_="history"))


def test_the_history_names_the_movies_that_were_taken_together(save, movie, page_of, tmp_path):
    def both(series, options):
        return [dim(elements, options) for elements in series]

    together = Processor("both", "all at once", (Movie,), dim, Options, run_together=both)
    path, other = Path(save(movie).out), tmp_path / "other.nwb"
    other.write_bytes(path.read_bytes())
    (out, _) = nwbridge.process_series([path, other], tmp_path / "out", "both", registry=offering(together))
    (step,) = page_of(out.out).one("section", class_="history").all("li")
    assert step.text.startswith(
        "both made Dim, Measures, Settings from TwoPhotonSeries together with TwoPhotonSeries of other.nwb"
    )


def test_one_frame_stands_before_and_after_with_its_residual(processed, movie, page_of, tools):
    before, after = processed("dim", movie)
    figure = page_of(after).figure("Before and after")
    raw, dimmed = stored(before), stored(after, "processing/ophys/Dim/data")
    frame = int(dimmed[:, *SPOT].argmax())
    assert f"Frame {frame}, where the pixel at row {SPOT[0]}, column {SPOT[1]} is brightest" in figure.text
    shown = list(panes(figure, tools))
    assert [title for title, *_ in shown[:3]] == ["Before", "After", "Residual: before − after"]
    assert shown[0][2] == shown[1][2]
    expected = (
        raw[frame],
        dimmed[frame],
        raw[frame] - dimmed[frame],
        raw.mean(0),
        dimmed.mean(0),
        (raw - dimmed).mean(0),
    )
    for (title, values, (low, high)), wanted in zip(shown, expected, strict=True):
        assert np.abs(values - np.clip(wanted, low, high)).max() <= (high - low) / 500, title
    for _, _, (low, high) in shown[2::3]:
        assert low == -high
    assert len(list(page_of(after).all("figure", data_kind="picture"))) == 2  # no second pair of projections


def test_a_place_is_drawn_before_and_after_in_one_scale(processed, movie, page_of, tools):
    before, after = processed("dim", movie)
    (track,) = page_of(after).figure("Over time before and after").json()["tracks"]
    behind = track["under"]
    assert (track["label"], behind["label"]) == ("The pixel at row 8, column 40: Dim", "TwoPhotonSeries")
    for one, values in ((behind, stored(before)), (track, stored(after, "processing/ophys/Dim/data"))):
        wanted = values[:, *SPOT]
        assert np.abs(tools.numbers(one["low"], one["min"], one["max"]) - wanted).max() <= np.ptp(wanted) / 65534
    assert track["bounds"] == behind["bounds"]
    assert track["bounds"][1] > behind["max"] > track["max"]


def test_regions_are_compared_where_there_are_some(processed, imaging, page_of, tools):
    before, after = processed("dim", *imaging)
    (track,) = page_of(after).figure("Over time before and after").json()["tracks"]
    assert track["label"] == "Region 10: Dim"  # the accepted one
    rows, columns = np.array(tools.LETTER).T
    wanted = stored(before)[:, rows, columns].mean(axis=1)
    behind = track["under"]
    assert np.abs(tools.numbers(behind["low"], behind["min"], behind["max"]) - wanted).max() <= np.ptp(wanted) / 65534


def test_of_a_large_field_a_part_is_shown_pixel_by_pixel(processed, plane, page_of, tools):
    values = np.random.default_rng(2).integers(0, 50, (20, 300, 410)).astype(np.uint16)
    values[:, 200, 400] += (np.arange(20) * 100).astype(np.uint16)
    _, after = processed("dim", Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=10.0))
    figure = page_of(after).figure("Before and after")
    assert "Frame 19, rows 104 to 295, columns 218 to 409" in figure.text
    _, shown, (low, high) = next(panes(figure, tools))
    assert np.abs(shown - np.clip(values[19, 104:296, 218:410], low, high)).max() <= (high - low) / 500


def test_a_registered_movie_shows_its_means_and_its_shifts(processed, movie, page_of, tools):
    before, after = processed("shift", movie)
    page = page_of(after)
    figure = page.figure("Before and after registration")
    assert "Frames were moved by up to 1 rows and 2 columns." in figure.text
    (_, first, limits), (_, second, same) = panes(figure, tools)
    mean = stored(before).mean(axis=0)
    assert limits == same
    for shown, wanted in ((first, mean), (second, np.roll(mean, 1, axis=1))):
        assert np.abs(shown - np.clip(wanted, *limits)).max() <= (limits[1] - limits[0]) / 500
    tracks = {track["label"]: track for track in page.figure("Over time").json()["tracks"]}
    for words, factor in (("moved down by rows", 1), ("moved right by columns", 2)):
        track = tracks[f"Moved: {words}"]
        wanted = factor * np.sin(np.arange(90))
        assert np.abs(tools.numbers(track["low"], track["min"], track["max"]) - wanted).max() < 1e-4
        assert track["unit"] == "pixels"


def test_a_light_file_shows_what_is_there(processed, movie, page_of, tools):
    _, after = processed("dim", movie, light=True)
    page = page_of(after)
    figure = page.figure("Two-photon movie")
    assert "Made from TwoPhotonSeries, which is not in this file" in figure.text
    (_, mean, (low, high)), _ = panes(figure, tools)
    wanted = stored(after, "processing/ophys/Dim/data").mean(axis=0)
    assert np.abs(mean - np.clip(wanted, low, high)).max() <= (high - low) / 500
    assert not [one for one in page.all("figure") if "Before" in one.one("h4").text]


def test_two_acquired_movies_stay_a_pair_beside_what_was_made_from_one(processed, movie, tools, page_of):
    other = replace(movie, name="HighPower")
    _, after = processed("dim", movie, other, series="TwoPhotonSeries")
    names = [figure.one("h4").text for figure in page_of(after).all("figure", data_kind="picture")]
    assert names[0].endswith("HighPower and TwoPhotonSeries")
    assert names[1] == "Before and after Dim"


def test_traces_stand_with_what_they_were_made_from_and_the_recorded_spikes(processed, imaging, page_of, tools):
    spikes = [np.array([0.5, 2.25]), np.array([1.0]), np.array([]), np.array([])]
    units = Units(columns=(Column.ragged("spike_times", spikes), Column("cell", np.arange(4), rows_of="Cells")))
    before, after = processed("infer", *imaging[:2], units)
    figure = page_of(after).figure("Traces")
    tracks = [track for track in figure.json()["tracks"] if track["group"] == "0-0"]
    assert [one["label"] for one in tracks] == ["Region 10: denoised fluorescence", "Region 10: deconvolved activity"]
    assert tracks[0]["under"]["label"] == "ΔF/F"
    assert "under" not in tracks[1]
    with h5py.File(before) as file:
        dff = file["processing/ophys/DfOverF/dff/data"][:, 0]
    for one, wanted in ((tracks[0], dff / 2), (tracks[0]["under"], dff), (tracks[1], np.abs(dff))):
        assert np.abs(tools.numbers(one["low"], one["min"], one["max"]) - wanted).max() <= np.ptp(wanted) / 65534
    assert [(one["marks"], one["marked"]) for one in tracks] == [([0.5, 2.25], "2 spikes")] * 2
    groups = [one.text for one in figure.all("option")]
    assert groups[0].startswith("ΔF/F with denoised fluorescence and deconvolved activity")
    assert groups[-1].startswith("fluorescence")


def test_traces_that_name_each_other_in_a_circle_are_drawn_all_the_same(save, plane, page_of):
    data = lazy(np.random.default_rng(1).random((1, 40)))
    traces = (
        Traces("a", data, "denoised", rate_hz=5.0, made_from="b"),
        Traces("b", data, "deconvolved", rate_hz=5.0, made_from="a"),
    )
    regions = (nwbridge.Region(np.array([[1, 2]])),)
    cells = Segmentation("Cells", regions, (5, 9), plane, traces=traces)
    assert page_of(save(cells).out).figure("Traces").json()["tracks"]


def molecules(plane, tools):
    columns = tuple(Column(name, np.array([3.0, 10.0, 10.1]), unit="um") for name in "xy")
    table = Localizations("Molecules", columns, plane=plane, found_in="OnePhotonSeries")
    return Movie("OnePhotonSeries", lazy(tools.frames()), plane, "one-photon", rate_hz=20.0), table


def test_a_rendered_image_stands_beside_the_widefield_whole_and_closer(processed, plane, page_of, tools):
    _, after = processed("render", *molecules(plane, tools))
    figure = page_of(after).figure("Rendered localizations")
    titles = [one.text for one in figure.all("h5")]
    assert titles == ["fine", "Mean of OnePhotonSeries", "fine, closer", "Mean of OnePhotonSeries, closer"]
    assert figure.one("use").attributes["href"] == "#r0-i0"
    drawings = [tools.png(one.attributes["href"]) for one in figure.all("image")]
    wanted = np.arange(28).reshape(4, 7) + 1
    assert np.argwhere(drawings[1]).shape == (28, 2)
    rows, columns = np.argwhere(drawings[1]).min(axis=0)
    assert np.abs(drawings[1][rows : rows + 4, columns : columns + 7] / 255 * 28 - wanted).max() < 0.3
    assert drawings[2].shape == (19, 20)  # the same part, in the camera's pixels


def test_a_rendered_image_is_nowhere_called_widefield(processed, plane, page_of, tools):
    _, after = processed("render", replace(molecules(plane, tools)[1], found_in=None))
    beside = page_of(after).figure("Localizations")
    assert [one.text for one in beside.all("h5")] == ["How densely they lie", "Rendered: fine"]
    assert "idefield" not in beside.text


def test_beside_localizations_a_recorded_image_comes_before_a_rendered_one(processed, plane, page_of, tools):
    wide = Images("Widefield", (Image("WF", lazy(tools.frames()[0].astype(np.float32)), pixel_um=(0.8, 0.5)),))
    _, both = processed("render", wide, replace(molecules(plane, tools)[1], found_in=None))
    titles = [one.text for one in page_of(both).figure("Localizations").all("h5")]
    assert titles == ["How densely they lie", "Widefield: WF"]


def test_a_curve_that_is_held_against_a_level_shows_it_and_where_it_falls_below(plane, processed, page_of, tools):
    figure = page_of(processed("rings", *molecules(plane, tools))[1]).figure("Curve")
    at = 0.1 + 0.1 * (0.5 - 1 / 7) / 0.4  # between 0.5 at 0.1 and 0.1 at 0.2 1/nm
    assert f"Level line: 1/7, which the curve falls below at {at:.3g} 1/nm" in figure.text
    assert f"a resolution of {1 / at:.4g} nm." in figure.text
    low, high = figure.json()["y"][1:]
    lines = figure.one("path", class_="bf").attributes["d"].split("M")[1:]
    heights = [float(one.split()[1].partition("H")[0]) for one in lines if "H" in one]
    assert heights == [pytest.approx(100 * (high - 1 / 7) / (high - low), abs=0.01)]


def test_several_traces_of_a_kind_are_told_apart_by_their_names(save, imaging, page_of):
    movie, cells = imaging[:2]
    dff = next(traces for traces in cells.traces if traces.kind == "dff")
    twice = replace(cells, traces=(*cells.traces, replace(dff, name="again")))
    labels = [track["label"] for track in page_of(save(movie, twice).out).figure("Traces").json()["tracks"]]
    assert "Region 10: ΔF/F (dff)" in labels
    assert "Region 10: ΔF/F (again)" in labels
    assert "Region 10: fluorescence" in labels


def test_a_table_whose_first_column_grows_is_a_curve(processed, plane, page_of, tools):
    figure = page_of(processed("render", *molecules(plane, tools))[1]).figure("Curve")
    columns = figure.json()["columns"]
    assert list(columns) == ["frequency", "raw", "smoothed"]
    shown = tools.numbers(*(columns["smoothed"][key] for key in ("values", "min", "max")))
    assert np.abs(shown - np.linspace(0.9, 0.1, 20)).max() < 1e-4
    assert "Drawn: smoothed; grey: raw." in figure.text


def test_measures_stand_with_what_they_mean(processed, movie, page_of):
    page = page_of(processed("dim", movie)[1])
    rows = [[cell.text for cell in row.children] for row in page.figure("Measures").one("tbody").all("tr")]
    assert rows == [["ratio_of_means", "0.50012", "Mean after over mean before."], ["seam", "1", "1: none."]]
    cells = [[cell.text for cell in row.children] for row in page.figure("Settings").one("tbody").all("tr")]
    assert dict(cells)["ranks"] == "3, 4"
    assert [value for key, value in cells if "svd" in key or "svd" in value] in (["gaussian 1.25, svd 0.75"], ["0.75"])
    assert not [one for one in page.one("div", class_="more").all("figure") if "Measures" in one.text]


def test_grey_is_found_among_what_is_there_where_most_pixels_are_empty():
    values = np.zeros((100, 130))
    values[3, :20] = np.arange(1, 21)
    values[50, 60] = 1e6  # one outlier
    low, high = limits_of(values)
    assert low == 0
    assert high >= 20
    full = np.random.default_rng(1).random((100, 130))
    assert limits_of(full) == pytest.approx(tuple(np.percentile(full, (1, 99.8))))


@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_movies_are_compared_as_well(processed, plane, page_of, length):
    values = np.random.default_rng(4).integers(0, 99, (length, 11, 17)).astype(np.uint16)
    _, after = processed("dim", Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=10.0))
    titles = [one.one("h4").text for one in page_of(after).all("figure")]
    assert "Before and after Dim" in titles
    assert ("Over time before and after Dim" in titles) == (length > 1)


def test_values_that_are_no_numbers_spoil_no_comparison(processed, plane, page_of):
    values = np.random.default_rng(5).random((12, 11, 17)).astype(np.float32)
    values[3:5] = np.nan
    values[7, 2, 2] = np.inf
    _, after = processed("dim", Movie("TwoPhotonSeries", lazy(values), plane, rate_hz=10.0))
    page = page_of(after)
    assert page.figure("Before and after")
    assert not [note for note in page.all("p", class_="note") if "could not be drawn" in note.text]
