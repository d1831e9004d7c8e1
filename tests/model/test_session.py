"""The records between a source and NWB refuse what cannot be, by name."""

import dataclasses
import math
from datetime import datetime

import numpy as np
import pytest

from nwbridge import (
    BadSource,
    Channel,
    Column,
    Device,
    Electrode,
    Events,
    Finding,
    Image,
    Intervals,
    LazyArray,
    Localizations,
    Movie,
    Plane,
    PluginFault,
    Region,
    Segmentation,
    Session,
    Subject,
    Table,
    Traces,
    Units,
)
from nwbridge.arrays import from_numpy
from nwbridge.errors import BadOption

TIMES = (Column("start_time", [0.0]), Column("stop_time", [1.0]))
PIXELS = np.array([[1, 2], [3, 40]])


def movie(name="TwoPhotonSeries", frames=20, **changes):
    data = from_numpy(np.zeros((frames, 30, 50), np.int16))
    return Movie(**({"name": name, "data": data, "plane": Plane(), "rate_hz": 30.0} | changes))


def segmentation(*regions, image_shape=(30, 50), **changes):
    return Segmentation("Cells", tuple(regions), image_shape, Plane(**changes))


@pytest.mark.parametrize(
    "record",
    [
        movie(),
        movie().data,
        Plane(),
        Device(),
        Channel(),
        Subject(),
        Region(PIXELS),
        segmentation(Region(PIXELS)),
        Session("a", "A session.", ()),
        Finding("hint", "seen"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_frozen(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, dataclasses.fields(record)[0].name, None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: movie(data=from_numpy(np.zeros((20, 30), np.int16))), r"TwoPhotonSeries .*\(20, 30\).*row, column"),
        (lambda: movie(data=from_numpy(np.zeros((0, 30, 50), np.int16))), "TwoPhotonSeries .*none of them 0"),
        (lambda: movie(data=from_numpy(np.zeros((2, 3, 5), complex))), "TwoPhotonSeries: values are complex128"),
        (lambda: movie(data=from_numpy(np.zeros((2, 3, 5), bool))), "TwoPhotonSeries: values are bool"),
        (lambda: movie(rate_hz=0), "TwoPhotonSeries: a rate of 0 Hz"),
        (lambda: movie(rate_hz=-7.0), "TwoPhotonSeries: a rate of -7.0 Hz"),
        (lambda: movie(rate_hz=math.nan), "TwoPhotonSeries: a rate of nan Hz"),
        (lambda: movie(rate_hz=math.inf), "TwoPhotonSeries: a rate of inf Hz"),
        (lambda: movie(timestamps=from_numpy(np.arange(19.0))), r"TwoPhotonSeries: .*\(19,\).* 20 samples"),
        (lambda: movie(timestamps=from_numpy(np.zeros((20, 1)))), r"TwoPhotonSeries: .*\(20, 1\).* 20 samples"),
        (lambda: LazyArray((), np.dtype("u2"), None), "at least one axis"),
        (lambda: LazyArray((3, -1), np.dtype("u2"), None), r"\(3, -1\)"),
        (lambda: Plane("Depth1", channels=()), r"imaging plane Depth1 has the channels \[\]; expected one or more"),
        (lambda: Plane("Depth1", channels=(Channel("red"),) * 2), "imaging plane Depth1 .*each name once"),
    ],
)
def test_movies_and_their_parts_say_what_is_wrong_with_them(make, words):
    with pytest.raises(BadSource, match=words):
        make()


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (
            [[29, 49], [30, 0]],
            "1 of 2 pixels outside the image, the first at row 30, column 0; .*30 rows and 50 columns",
        ),
        ([[0, 50], [7, 51]], "2 of 2 pixels outside the image, the first at row 0, column 50"),
        ([[4, -1]], "row 4, column -1"),
        ([1, 2, 3], r"shape \(3,\)"),
        ([[1, 2, 3]], r"shape \(1, 3\)"),
        (np.empty((0, 2), int), r"shape \(0, 2\).*at least one"),
        ([[1.5, 2.0]], "float64; expected whole numbers"),
        ([[True, False]], "bool; expected whole numbers"),
    ],
)
def test_a_region_s_pixels_lie_inside_the_image(pixels, words):
    with pytest.raises(BadSource, match=r"Cells: region 1 \(id 7\) has .*" + words):
        segmentation(Region(PIXELS), Region(np.array(pixels), id=7))


def test_a_region_may_reach_into_the_last_row_and_column():
    assert segmentation(Region(np.array([[29, 49], [0, 0]], dtype=np.uint8))).image_shape == (30, 50)


def test_a_region_has_as_many_weights_as_pixels():
    with pytest.raises(BadSource, match="Cells: region 0 has 2 pixels and 3 weights"):
        segmentation(Region(PIXELS, np.ones(3)))


@pytest.mark.parametrize("shape", [(30,), (30, 50, 2, 2), (0, 50)])
def test_a_segmentation_needs_an_image_of_rows_and_columns(shape):
    with pytest.raises(BadSource, match=r"Cells: an image of .*rows, columns"):
        segmentation(image_shape=shape)


def test_region_ids_stand_once():
    with pytest.raises(BadSource, match=r"Cells: region 2 \(id 4\) has the id of region 0"):
        segmentation(Region(PIXELS, id=4), Region(PIXELS, id=5), Region(PIXELS, id=4))


def test_all_regions_have_an_id_or_none():
    with pytest.raises(BadSource, match="Cells: some regions have an id and some have none"):
        segmentation(Region(PIXELS, id=4), Region(PIXELS))


def test_regions_without_ids_may_overlap():
    assert len(segmentation(Region(PIXELS), Region(PIXELS)).regions) == 2


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Region(PIXELS), Region(PIXELS.copy()), True),
        (Region(PIXELS), Region(PIXELS, np.ones(2)), True),
        (Region(PIXELS), Region(PIXELS, np.array([1, 0.5])), False),
        (Region(PIXELS, np.array([1, math.nan])), Region(PIXELS, np.array([1, math.nan])), True),
        (Region(PIXELS, np.array([1, math.nan])), Region(PIXELS, np.array([math.nan, 1])), False),
        (Region(PIXELS, np.array([1, math.nan])), Region(PIXELS), False),
        (Region(PIXELS, np.ones(2)), Region(PIXELS, np.ones(3)), False),
        (Region(PIXELS), Region(PIXELS[:1]), False),
        (Region(PIXELS), Region(PIXELS[:, ::-1]), False),
        (Region(PIXELS, id=1), Region(PIXELS, id=2), False),
        (Region(PIXELS, id=0), Region(PIXELS), False),
        (Region(PIXELS), "a region", False),
    ],
)
def test_regions_are_equal_by_pixels_weights_and_id(one, other, equal):
    assert (one == other) is equal
    assert (other == one) is equal


def test_a_session_needs_an_id_and_a_description():
    with pytest.raises(BadSource, match="without an id or a description"):
        Session("", "A session.", ())
    with pytest.raises(BadSource, match="without an id or a description"):
        Session("a", "", ())


def test_element_names_stand_once():
    with pytest.raises(BadSource, match="session a: several elements are named Left; expected every name once"):
        Session("a", "A session.", (movie("Left"), movie("Right"), movie("Left")))


@pytest.mark.parametrize("name", ["left/right", "a:b"])
def test_element_names_can_be_names_in_the_file(name):
    with pytest.raises(BadSource, match=f"session a: an element is named {name!r}; expected a name without / and :"):
        Session("a", "A session.", (movie(name),))


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"start_time": datetime(2020, 1, 31, 12)}, "the start is 2020-01-31 12:00:00, without a time zone"),
        (
            {"subject": Subject(date_of_birth=datetime(2019, 11, 2))},
            "the date of birth is 2019-11-02 00:00:00, without",
        ),
    ],
)
def test_no_time_zone_is_made_up(stated, words):
    with pytest.raises(BadSource, match=f"session a: {words}"):
        Session("a", "A session.", (), **stated)


def test_two_planes_do_not_share_a_name():
    elements = movie("Left", plane=Plane(indicator="GCaMP6s")), movie("Right", plane=Plane(indicator="GCaMP6f"))
    with pytest.raises(BadSource, match="session a: two imaging planes are named ImagingPlane"):
        Session("a", "A session.", elements)


def test_one_plane_may_carry_several_elements():
    session = Session("a", "A session.", (movie(), segmentation(Region(PIXELS))))
    assert [type(e) for e in session.elements] == [Movie, Segmentation]
    assert session.of(Segmentation) == (session.elements[1],)


def test_first_shortens_frames_and_timestamps_and_says_so():
    timed = movie("Timed", frames=12, rate_hz=None, timestamps=from_numpy(np.arange(12.0)))
    session = Session("a", "A session.", (movie("Long", frames=20), timed, movie("Short", 3), segmentation()))
    short = session.first(5)
    assert [m.data.shape for m in short.of(Movie)] == [(5, 30, 50), (5, 30, 50), (3, 30, 50)]
    assert short.of(Movie)[1].timestamps.shape == (5,)
    assert short.description == "A session. This file holds only the first 5 of 20 frames."
    assert short.of(Segmentation) == session.of(Segmentation)
    assert session.description == "A session."


def test_first_says_what_stays_whole():
    cells = dataclasses.replace(
        segmentation(Region(PIXELS)), traces=(Traces("raw", from_numpy(np.zeros((1, 20))), rate_hz=10.0),)
    )
    events = Events("events", (Column("timestamp", [0.5, 1.9]),))
    session = Session("a", "A session.", (movie(frames=20), cells, events))
    short = session.first(5)
    assert [t.data.shape for t in short.of(Segmentation)[0].traces] == [(1, 20)]
    (finding,) = short.findings
    assert finding.severity == "hint"
    assert finding.message == "only movies were cut to 5 frames; kept whole: Cells, events"


def test_first_of_a_recording_without_movies_is_refused():
    with pytest.raises(BadOption, match="--first takes the first frames of movies, and this recording has none"):
        Session("a", "A session.", (segmentation(Region(PIXELS)),)).first(5)


@pytest.mark.parametrize("count", [20, 21])
def test_first_of_more_than_there_is_changes_nothing(count):
    session = Session("a", "A session.", (movie(frames=20),))
    assert session.first(count) is session


@pytest.mark.parametrize("count", [0, -1])
def test_first_takes_at_least_one_frame(count):
    with pytest.raises(BadOption, match=f"--first {count}: expected at least 1 frame"):
        Session("a", "A session.", (movie(),)).first(count)


def test_a_lazy_array_knows_its_bytes_and_is_compared_by_form():
    one, other = (from_numpy(np.full((4, 3, 5), value, ">u2")) for value in (1, 2))
    assert one.nbytes == 4 * 3 * 5 * 2
    assert one.dtype == np.dtype(">u2")
    assert (one.shape, one.dtype) == (other.shape, other.dtype)
    assert dataclasses.replace(one, open=other.open) == one


def test_a_finding_is_one_line_whatever_it_was_made_of():
    finding = Finding("error", "no\n  such\tdata set\n", "write\nit again", "a\nb")
    assert (finding.message, finding.advice, finding.where) == ("no such data set", "write it again", "a b")


def test_a_finding_has_one_of_three_severities():
    with pytest.raises(PluginFault, match="severity 'fatal'; expected one of error, warning, hint"):
        Finding("fatal", "seen")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Device("a/b"), "a device is named 'a/b'; expected a name without / and :"),
        (lambda: Device(""), "a device is named ''"),
        (lambda: Channel("device"), "an optical channel is named device, which NWB uses itself"),
        (lambda: Plane("a:b"), "an imaging plane is named 'a:b'"),
        (lambda: Electrode(".."), r"an electrode is named '\.\.'"),
        (lambda: Image("object_id", movie().data.first(1)), "an image is named object_id, which NWB uses itself"),
        (lambda: Column("colnames", [1]), "a column is named colnames, which NWB uses itself"),
        (
            lambda: Session("a", "S.", (movie("source_files"),)),
            "an element is named source_files, which NWB uses itself",
        ),
        (lambda: Table("t", (Column("a_index", [1]), Column.ragged("a", [[1]]))), "t: two columns are named a_index"),
        (lambda: Intervals("i", (*TIMES, Column("timeseries", [1]))), "i has a column timeseries, which NWB uses for"),
        (
            lambda: Units(columns=(Column.ragged("spike_times", [[1.0]]), Column("electrodes", [1]))),
            "column electrodes",
        ),
        (
            lambda: Events("e", (Column("timestamp", ["noon"]),)),
            "e: column timestamp holds <U4; expected a number a row",
        ),
        (lambda: movie(binning=1.5), "binning is 1.5; expected a whole number"),
        (lambda: movie(timestamps=from_numpy(np.array([b"a"] * 20))), "timestamps of shape .* expected one number"),
    ],
)
def test_names_and_columns_that_no_file_can_have_are_refused(make, words):
    with pytest.raises(BadSource, match=words):
        make()


def test_two_devices_of_one_name_are_one():
    one, other = Plane("A", device=Device("Scope", model="1")), Plane("B", device=Device("Scope", model="2"))
    with pytest.raises(BadSource, match="two devices are named Scope"):
        Session("a", "S.", (movie("a", plane=one), movie("b", plane=other)))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 2], "column cell of t has rows 0 to 2; Cells has 2 regions"),
        ([-1, 0], "has rows -1 to 0"),
        ([0.0, 1.0], "holds float64; expected row numbers of Cells"),
    ],
)
def test_a_reference_to_regions_is_a_row_number(values, words):
    cells = segmentation(Region(PIXELS), Region(PIXELS))
    with pytest.raises(BadSource, match=words):
        Session("a", "S.", (cells, Table("t", (Column("cell", values, rows_of="Cells"),))))


def test_a_segmentation_does_not_refer_to_itself():
    cells = dataclasses.replace(segmentation(Region(PIXELS)), columns=(Column("next", [0], rows_of="Cells"),))
    with pytest.raises(
        BadSource, match="names rows of Cells; expected one of the segmentations, of which there is none"
    ):
        Session("a", "S.", (cells,))


def test_localizations_were_found_in_a_movie():
    found = Localizations("l", (Column("x", [1.0]), Column("y", [1.0])), found_in="Movie")
    with pytest.raises(BadSource, match="l was found in Movie; expected the name of a movie"):
        Session("a", "S.", (movie(), found))
