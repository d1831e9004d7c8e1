"""The envelope of .isxd files: what is cut off, contradicts itself or is absurd is refused in one clear line."""

import struct

import numpy as np
import pytest

import nwbridge
from nwbridge import BadSource
from nwbridge_ideas import Options, describe, detect


@pytest.fixture
def movie(tmp_path, isxd):
    return isxd.movie(tmp_path / "movie.isxd", np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6))


def refusal(path):
    with pytest.raises(BadSource) as caught:
        describe(path, Options())
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("place", range(10))
def test_refuses_a_file_cut_off_anywhere(movie, tmp_path, place):
    data = movie.read_bytes()
    cut = tmp_path / "cut.isxd"
    cut.write_bytes(data[: len(data) * place // 10])
    assert detect(cut) == ("the name ends with .isxd" if place else None)
    assert any(words in refusal(cut) for words in ("cut off", "ends with its footer"))


def test_refuses_a_footer_longer_than_the_file(movie, isxd):
    payload, footer = isxd.read(movie)
    isxd.write(movie, payload, footer, tail=b"\x00" + struct.pack("<Q", 1 << 50))
    assert f"{1 << 50:,} bytes" in refusal(movie)


@pytest.mark.parametrize("text", [b"{not JSON", b"\xff\xfe{}", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_refuses_a_footer_that_is_not_json(movie, isxd, text):
    isxd.write(movie, isxd.read(movie)[0], text)
    assert "footer is not JSON" in refusal(movie)


def test_refuses_a_footer_that_is_a_list(movie, isxd):
    isxd.write(movie, b"", b"[1, 2]")
    assert "the footer is a list; expected a JSON object" in refusal(movie)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (2, "a behaviour movie (type 2)"),
        (3, "a GPIO recording (type 3)"),
        (6, "a metrics (type 6)"),
        (7, "an IMU recording (type 7)"),
        (8, "a vessel set (type 8)"),
        (99, "of the unknown type 99"),
    ],
)
def test_refuses_other_kinds_in_words(movie, isxd, number, words):
    isxd.change(movie, "type", value=number)
    assert words.split(" ", 1)[1] in refusal(movie)
    assert "reads movies, images, cell sets and event sets" in refusal(movie)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("timingInfo", "numTimes"), 10**15, "the footer declares 1,000,000,000,000,000"),
        (("timingInfo", "numTimes"), 10**30, "footer's timingInfo/numTimes is 1000000000"),
        (("timingInfo", "numTimes"), -5, "footer's timingInfo/numTimes is -5; expected a whole number from 0"),
        (("timingInfo", "numTimes"), 4.5, "footer's timingInfo/numTimes is 4.5"),
        (("timingInfo", "numTimes"), True, "footer's timingInfo/numTimes is True"),
        (("timingInfo", "numTimes"), 6, "holds 5 frames of 48 bytes each, the footer declares 6"),
        (("timingInfo", "period"), {"num": 0, "den": 1}, "footer's timingInfo/period is 0; expected more than 0"),
        (("timingInfo", "period"), {"num": 1, "den": 0}, "den above 0"),
        (("timingInfo", "period"), {"num": -1, "den": 10}, "expected more than 0"),
        (("timingInfo", "period"), 0.1, "expected {num, den}"),
        (("timingInfo", "dropped"), [5], "footer's timingInfo/dropped is 5 - 5; expected samples from 0 to 4"),
        (("timingInfo", "dropped"), ["x"], "footer's timingInfo/dropped is x"),
        (("timingInfo", "dropped"), [1, 1], "names sample 1 twice"),
        (("timingInfo", "dropped"), 3, "footer's timingInfo/dropped is 3; expected a list"),
        (("timingInfo", "cropped"), ["3 - 2"], "footer's timingInfo/cropped is 3 - 2"),
        (("timingInfo", "cropped"), ["0 - 4"], "the footer declares 0"),
        (("timingInfo", "start", "secsSinceEpoch"), {"num": 1 << 62, "den": 1}, "a date that a calendar has"),
        (("timingInfo", "start", "utcOffset"), 90_000, "footer's timingInfo/start/utcOffset is 90000"),
        (("spacingInfo", "numPixels", "x"), 0, "footer's spacingInfo/numPixels/x is 0"),
        (("spacingInfo", "numPixels", "y"), 10**15, "footer's spacingInfo/numPixels/y is 1000000000000000"),
        (("spacingInfo", "numPixels", "x"), 7, "holds 4 frames and 16 bytes of 56 bytes each, the footer declares 5"),
        (("spacingInfo", "pixelSize", "x"), {"num": 0, "den": 1}, "footer's spacingInfo/pixelSize/x is 0"),
        (("dataType",), 3, "holds 3 frames and 24 bytes of 72 bytes"),
        (("dataType",), 7, "footer's dataType is 7; expected 0 (uint16), 1 (float32), 2 (uint8) or 3 (RGB888)"),
        (("fileVersion",), 9, "footer's fileVersion is 9"),
    ],
)
def test_names_the_value_that_cannot_be_true(movie, isxd, keys, value, words):
    isxd.change(movie, *keys, value=value)
    assert words in refusal(movie)


@pytest.mark.parametrize("keys", [("timingInfo",), ("timingInfo", "period"), ("spacingInfo", "numPixels"), ("type",)])
def test_names_the_value_that_is_missing(movie, isxd, keys):
    isxd.change(movie, *keys, drop=True)
    assert f"the footer has no {'/'.join(keys)}" in refusal(movie)


def test_carries_the_whole_footer(movie, isxd):
    isxd.change(movie, "extraProperties", value={"a": {"b": [1, 2.5, None]}, "c": "words"})
    (parameters,) = describe(movie, Options()).of(nwbridge.Parameters)
    assert parameters.name == "isxd_footer"
    assert parameters.values["extraProperties/a/b"] == [1, 2.5, None]
    assert parameters.values["timingInfo/period/den"] == 1000
    assert parameters.values["extraProperties/c"] == "words"
    assert parameters.values["type"] == 0


def test_repeats_no_list_that_stands_in_columns(tmp_path, isxd):
    cells = isxd.cells(tmp_path / "c.isxd", np.ones((2, 3, 4)), np.ones((2, 5)), CellColors=[1, 2], cellMetrics=None)
    events = isxd.events(tmp_path / "e.isxd", [(0, 0, 1.0)], ["a", "b"])
    for path, gone, kept in (
        (cells, "CellNames, CellStatuses, cellMetrics", "dataType"),
        (events, "signalTypes", "type"),
    ):
        (parameters,) = describe(path, Options()).of(nwbridge.Parameters)
        lists = {key.split("/")[0] for key in parameters.values}
        assert not lists & {"CellNames", "CellStatuses", "CellColors", "cellMetrics"}
        assert not lists & {"channel list", "numSamples", "startOffsets", "signalSteps", "signalTypes"}
        assert kept in lists
        assert gone in parameters.description
        assert path.name in parameters.description


def test_leaves_other_files_to_others(tmp_path):
    (tmp_path / "movie.tif").write_bytes(b"II*\x00")
    assert detect(tmp_path / "movie.tif") is None
    assert detect(tmp_path) is None
    assert detect(tmp_path / "absent.isxd") is None
