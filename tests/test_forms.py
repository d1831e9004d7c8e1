"""What breaks a schema is said in one line: what was found and what was expected."""

import pytest

from nwbridge.forms import fault

FORM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rate"],
    "properties": {
        "rate": {"type": "number", "exclusiveMinimum": 0},
        "count": {"type": "integer", "minimum": 1},
        "name": {"type": ["string", "null"], "description": "the lab's"},
        "sex": {"enum": ["M", "F"]},
        "size": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "description": "rows, columns"},
        "inner": {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("content", [{"rate": 1}, {"rate": 0.5, "count": 3, "name": None, "sex": "F", "size": [1, 2]}])
def test_content_of_the_right_form_has_no_fault(content):
    assert fault(content, FORM) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "the file lacks rate"),
        ({"rate": 0}, "rate is 0; expected a number above 0"),
        ({"rate": "7"}, "rate is '7'; expected a number above 0"),
        ({"rate": 1, "count": 0}, "count is 0; expected a whole number from 1"),
        ({"rate": 1, "name": 3}, "name is 3; expected text: the lab's"),
        ({"rate": 1, "sex": "male"}, "sex is 'male'; expected M or F"),
        ({"rate": 1, "size": [1]}, "size is [1]; expected a list: rows, columns"),
        ({"rate": 1, "size": [1, "x"]}, "size.1 is 'x'; expected a whole number"),
        ({"rate": 1, "inner": {"a": 1}}, "inner.a is 1; expected true or false"),
        ({"rate": 1, "inner": 4}, "inner is 4; expected keys such as a, b"),
        ({"rate": 1, "nmae": "x"}, "the file has an unknown key nmae; did you mean name?"),
        ({"rate": 1, "zzz": 1}, "the file has an unknown key zzz; expected rate, count, name, sex, size, inner"),
    ],
)
def test_the_first_fault_is_said_in_one_line(content, said):
    assert fault(content, FORM) == said
