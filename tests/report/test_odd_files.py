"""Files of other programs, and values that no axis or picture holds: what is odd spoils nothing else."""

from datetime import UTC, datetime

import numpy as np
import pynwb
import pytest
from pynwb.behavior import Position, SpatialSeries
from pynwb.ophys import ImageSegmentation, OpticalChannel, TwoPhotonSeries

from nwbridge import report


@pytest.fixture
def foreign(tmp_path):
    """A function that writes a file with plain pynwb, after letting things be put in."""

    def write(put, name="theirs.nwb"):
        file = pynwb.NWBFile("theirs", name, datetime(2020, 1, 31, tzinfo=UTC), session_id="theirs")
        put(file)
        with pynwb.NWBHDF5IO(tmp_path / name, "w") as io:
            io.write(file)
        return tmp_path / name

    return write


def series(name, values, **more):
    return pynwb.TimeSeries(name=name, data=values, unit="V", **({"rate": 10.0} | more))


def plane(file):
    channel = OpticalChannel(name="green", description="green", emission_lambda=525.0)
    device = file.create_device(name="microscope")
    return file.create_imaging_plane(
        name="plane", optical_channel=channel, description="x", device=device, excitation_lambda=920.0,
        indicator="GCaMP6f", location="VISp",
    )  # fmt: skip


def notes(page):
    return [note.text for note in next(page.all("article")).all("p", class_="note")]


def test_values_that_no_axis_holds_spoil_no_other_figure(foreign, page_of):
    def put(file):
        values = np.random.default_rng(0).integers(0, 99, (5, 6, 7))
        times = np.array([0, 1, 2, 3, np.inf])
        file.add_acquisition(
            TwoPhotonSeries(name="movie", imaging_plane=plane(file), data=values, unit="n.a.", timestamps=times)
        )
        file.add_acquisition(series("huge", np.array([1e308, -1e308])))

    page = page_of(foreign(put))
    assert page.figure("Two-photon movie").one("div", class_="panes")
    assert notes(page) == ["Over time could not be drawn: no axis holds its values."]


@pytest.mark.parametrize("odd", [np.inf, np.nan, -4.0, 1e12])
def test_times_that_jump_or_are_no_times_leave_the_rest_on_the_axis(foreign, page_of, odd):
    times = np.array([0.0, 1.0, 2.0, 3.0, odd])

    def put(file):
        values = np.random.default_rng(0).integers(0, 99, (5, 6, 7))
        movie = {"imaging_plane": plane(file), "data": values, "unit": "n.a.", "timestamps": times}
        file.add_acquisition(TwoPhotonSeries(name="movie", **movie))

    page = page_of(foreign(put))
    assert list(page.all("p", class_="note")) == []
    axis = page.figure("Over time").json()["axis"]
    known = times[np.isfinite(times)]
    assert (axis[0], axis[1]) == (pytest.approx(known.min()), pytest.approx(known.max()))


@pytest.mark.parametrize("values", [[1e308, -1e308, 5.0], [np.inf, np.nan, 1.0], [np.nan] * 3])
def test_no_number_on_the_page_is_not_a_number(foreign, page_of, values):
    page = page_of(foreign(lambda file: file.add_acquisition(series("huge", np.array(values * 10)))))
    assert next(page.all("article")).one("p", class_="status").text == "Read"
    assert not any("NaN" in one.text or "Infinity" in one.text for one in page.all("script", class_="data"))


def test_a_picture_one_pixel_wide_is_drawn(foreign, page_of, tools):
    values = np.random.default_rng(0).integers(0, 65535, (3, 1, 250), np.uint16)  # time, x, y

    def put(file):
        file.add_acquisition(
            TwoPhotonSeries(name="line", imaging_plane=plane(file), data=values, unit="n.a.", rate=9.0)
        )

    drawing = next(page_of(foreign(put)).figure("Two-photon movie").all("svg", class_="picture"))
    low, high = (float(drawing.attributes[f"data-{name}"]) for name in ("low", "high"))
    expected = np.round((np.clip(values.mean(axis=0).T, low, high) - low) / (high - low) * 255)
    assert np.abs(tools.png(drawing.one("image").attributes["href"]) - expected).max() <= 1


def test_a_region_far_outside_of_any_field_takes_no_memory(foreign, page_of):
    def put(file):
        masks = ImageSegmentation()
        file.create_processing_module("ophys", "x").add(masks)
        table = masks.create_plane_segmentation(name="cells", description="x", imaging_plane=plane(file))
        table.add_roi(pixel_mask=[(0, 0, 1.0), (4_000_000_000, 3_000_000_000, 1.0)])
        file.add_acquisition(series("speed", np.arange(9.0)))

    page = page_of(foreign(put))
    assert "is too large" in notes(page)[0]
    assert page.figure("Over time").json()["tracks"][0]["label"] == "speed"


def test_of_very_many_series_the_first_are_drawn(foreign, page_of):
    def put(file):
        for number in range(75):
            file.add_acquisition(series(f"s{number:02d}", np.arange(4.0) + number))

    figure = page_of(foreign(put)).figure("Over time")
    assert [track["label"] for track in figure.json()["tracks"]] == [f"s{number:02d}" for number in range(60)]
    assert "The first 60 of 75, on one clock." in figure.text


def test_what_is_not_drawn_is_named_without_the_words_of_a_conversion(foreign, tmp_path, parsed):
    def put(file):
        where = SpatialSeries(name="pos", data=np.ones((5, 2)), reference_frame="x", rate=1.0)
        file.create_processing_module("behavior", "x").add(Position(spatial_series=where))
        plane(file)

    report.write([foreign(put)], tmp_path / "page.html", workers=1)
    card = parsed(tmp_path / "page.html").one("article")
    hints = [one.text for one in card.all("li", class_="hint")]
    assert any(hint.startswith("Hint pos (SpatialSeries) is not drawn: ") for hint in hints)
    assert not any("(ImagingPlane) is not drawn" in hint for hint in hints)
    assert "carried over" not in card.text
    assert "keep the original file" not in card.text


HOSTILE = "</script><script>window.hacked=1</script>'\"&\u202e\u2067" + "A" * 10_000


def test_endless_and_hostile_words_stay_short_and_harmless(foreign, page_of, tmp_path):
    def put(file):
        file.add_acquisition(series("<b>bold'\"", np.arange(5.0), comments=HOSTILE, description=HOSTILE))
        file.add_trial_column("kind", HOSTILE)
        file.add_trial(0.0, 1.0, kind=HOSTILE)
        file.subject = pynwb.file.Subject(subject_id="m<b>", species=HOSTILE, sex="M", age="P1D")

    page = page_of(foreign(put))
    kinds = [one.attributes.get("type") for one in page.all("script")]
    assert kinds.count(None) == 1
    assert not any("\u202e" in node.text or "\u2067" in node.text for node in page.all("p"))
    assert (tmp_path / "report.html").stat().st_size < 200_000
