"""Missing frames stay visible: true timestamps, and a table of what is missing and why."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from nwbridge import Intervals, Movie
from nwbridge_ideas import Options, describe


def movie_with(isxd, path, samples, present, **gaps):
    isxd.movie(path, np.ones((present, 3, 4), np.uint8))
    for name, value in {"numTimes": samples, **gaps}.items():
        isxd.change(path, "timingInfo", name, value=value)
    return path


def test_gives_a_rate_where_no_frame_is_missing(tmp_path, isxd):
    (movie,) = describe(isxd.movie(tmp_path / "m.isxd", np.ones((7, 3, 4), np.uint8)), Options()).of(Movie)
    assert (movie.rate_hz, movie.timestamps, movie.start_s) == (10.0, None, 0.0)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_gives_true_timestamps_where_frames_are_missing(tmp_path, isxd, values, size):
    gaps = {"dropped": [0, 5, 6], "cropped": ["8 - 10", "23 - 23"], "blank": [12]}
    (movie,) = describe(movie_with(isxd, tmp_path / "m.isxd", 24, 16, **gaps), Options()).of(Movie)
    present = [n for n in range(24) if n not in {0, 5, 6, 8, 9, 10, 12, 23}]
    assert movie.rate_hz is None
    np.testing.assert_array_equal(values(movie.timestamps, size), [n * 100 / 1000 for n in present])


def test_lists_what_is_missing_and_why(tmp_path, isxd):
    gaps = {"dropped": [6, 5, 0], "cropped": ["8 - 10"], "blank": [12]}
    (table,) = describe(movie_with(isxd, tmp_path / "m.isxd", 24, 17, **gaps), Options()).of(Intervals)
    assert table.name == "missing_frames"
    assert table["reason"].values.tolist() == ["dropped", "dropped", "cropped", "blank"]
    assert table["first_frame"].values.tolist() == [0, 5, 8, 12]
    assert table["last_frame"].values.tolist() == [0, 6, 10, 12]
    np.testing.assert_array_equal(table["start_time"].values, [0, 0.5, 0.8, 1.2])
    np.testing.assert_array_equal(table["stop_time"].values, [0.1, 0.7, 1.1, 1.3])


def test_allocates_nothing_for_absurd_numbers_of_cropped_frames(tmp_path, isxd, values):
    path = movie_with(isxd, tmp_path / "m.isxd", 10**15, 2, cropped=[f"1 - {10**15 - 2}"])
    (movie,) = describe(path, Options()).of(Movie)
    np.testing.assert_array_equal(values(movie.timestamps), [0, (10**15 - 1) / 10])


def test_takes_the_period_as_the_quotient_that_it_is(tmp_path, isxd, values):
    path = movie_with(isxd, tmp_path / "m.isxd", 1001, 1000, dropped=[0])
    isxd.change(path, "timingInfo", "period", value={"num": 603240466, "den": 12074000000})
    (movie,) = describe(path, Options()).of(Movie)
    np.testing.assert_array_equal(values(movie.timestamps), [n * 603240466 / 12074000000 for n in range(1, 1001)])


def test_reads_the_start_with_the_offset_of_the_local_clock(tmp_path, isxd):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((2, 3, 4), np.uint8))
    start = {"secsSinceEpoch": {"num": 1648798026332, "den": 1000}, "utcOffset": 25200}
    session = describe(isxd.change(path, "timingInfo", "start", value=start), Options())
    east = timezone(timedelta(hours=7))
    assert session.start_time == datetime(2022, 4, 1, 14, 27, 6, 332000, tzinfo=east)
    assert session.start_time.utcoffset() == timedelta(hours=7)
    assert "timingInfo/start" in session.origins["NWBFile.session_start_time"]


def test_shows_the_local_time_that_the_vendor_shows(tmp_path, isxd, isx):
    path = str(tmp_path / "m.isxd")
    start = isx.Time._from_secs_since_epoch(isx.Duration.from_msecs(1648798026332), 25200)
    timing = isx.Timing(num_samples=3, period=isx.Duration.from_msecs(100), start=start)
    movie = isx.Movie.write(path, timing, isx.Spacing(num_pixels=(3, 4)), np.uint16)
    for n in range(3):
        movie.set_frame_data(n, np.full((3, 4), n, np.uint16))
    movie.flush()
    found = describe(tmp_path / "m.isxd", Options()).start_time
    assert str(start) == found.replace(tzinfo=None).isoformat(" ")


@pytest.mark.parametrize(("seconds", "said"), [(0, False), (30.1, True)])
def test_knows_no_start_where_no_clock_was_set(tmp_path, isxd, seconds, said):
    path = isxd.movie(tmp_path / "m.isxd", np.ones((2, 3, 4), np.uint8))
    ratio = {"num": round(seconds * 1000), "den": 1000}
    session = describe(isxd.change(path, "timingInfo", "start", "secsSinceEpoch", value=ratio), Options())
    assert session.start_time is None
    assert "NWBFile.session_start_time" not in session.origins
    assert any("30.1 s after 1970 began" in f.message for f in session.findings) == said


@pytest.mark.parametrize("kind", ["movie", "events"])
def test_says_where_in_the_footer_the_start_stands(tmp_path, isxd, kind):
    start = {"secsSinceEpoch": {"num": 1_700_000_000, "den": 1}, "utcOffset": 3600}
    if kind == "movie":
        path = isxd.movie(tmp_path / "m.isxd", np.ones((2, 3, 4), np.uint8))
        isxd.change(path, "timingInfo", "start", value=start)
    else:
        path = isxd.events(tmp_path / "m.isxd", [(0, 0, 1.0)], ["a"], **{"global times": [start, start]})
    session = describe(path, Options())
    assert session.start_time.isoformat() == "2023-11-14T23:13:20+01:00"
    words = {"movie": "timingInfo/start", "events": "global times"}[kind]
    assert session.origins["NWBFile.session_start_time"] == f"m.isxd: footer's {words}"


def test_says_that_no_clock_was_set_for_events_as_well(tmp_path, isxd):
    start = {"secsSinceEpoch": {"num": 301, "den": 10}, "utcOffset": 0}
    path = isxd.events(tmp_path / "e.isxd", [(0, 0, 1.0)], ["a"], **{"global times": [start, start]})
    assert [f.message for f in describe(path, Options()).findings] == [
        "the recording starts 30.1 s after 1970 began: no clock was set, so the start is not known"
    ]
