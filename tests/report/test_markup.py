import json

import pytest

from nwbridge.report.figures import ticks
from nwbridge.report.markup import clean, count, data, el, number, sentence, size
from nwbridge.report.pictures import nice

HOSTILE = """</script><img src=x onerror='alert(1)'>"&\u202e\x00\ud800"""


def test_text_is_escaped_wherever_it_stands():
    made = el("p", HOSTILE, title=HOSTILE)
    assert made.count("<") == 2
    assert "<img" not in made
    assert "\u202e" not in made
    made.encode("utf-8")


def test_elements_stay_elements():
    assert el("p", el("b", "a"), [" ", el("i", 1)]) == "<p><b>a</b> <i>1</i></p>"
    assert el("meta", charset="utf-8", hidden=True, id=None, data_x=0) == '<meta charset="utf-8" hidden data-x="0">'


def test_json_cannot_end_its_script():
    made = data({"name": HOSTILE, "values": [1, None]})
    inside = made.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside)["name"] == HOSTILE


def test_what_cannot_be_seen_is_shown_as_such():
    assert clean("a\u202eb\x07c\nd") == "a\ufffdb\ufffdc\nd"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (1234567, "1\u202f234\u202f567"),
        (-0.5, "−0.5"),
        (12.345, "12.3"),
        (1e-7, "1e−7"),
        (2.5e9, "2.5e9"),
        (100, "100"),
    ],
)
def test_numbers_are_short(value, words):
    assert number(value) == words


def test_words_follow_their_number():
    assert (count(1, "frame"), count(2, "frame")) == ("1 frame", "2 frames")
    assert (size(999), size(3_583_895), size(2e9)) == ("999 bytes", "3.58 MB", "2 GB")
    assert (sentence("as it is"), sentence("Done."), sentence(None)) == ("As it is.", "Done.", "")


@pytest.mark.parametrize(("value", "below"), [(1, 1), (1.9, 1), (2, 2), (7, 5), (0.3, 0.2), (130.5, 100), (0, 1)])
def test_scale_bars_are_of_round_length(value, below):
    assert nice(value) == below


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [(0, 10, 5, [0, 2, 4, 6, 8, 10]), (0.13, 0.87, 4, [0.2, 0.4, 0.6, 0.8]), (-3, 3, 3, [-2, 0, 2]), (5, 5, 3, [5])],
)
def test_ticks_are_round(low, high, most, found):
    assert ticks(low, high, most) == pytest.approx(found)
