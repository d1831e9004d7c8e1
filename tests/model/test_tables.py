"""Tables refuse what cannot be, by name, and compare by their values."""

import numpy as np
import pytest

from nwbridge import BadSource, Column, Events, Intervals, Localizations, Parameters, PluginFault, Table, Units, arrays


def lazy(*shape):
    return arrays.from_numpy(np.zeros(shape))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Column("a", np.float64(1)), BadSource, "column a is a single value"),
        (lambda: Column("a", np.zeros(3, complex)), BadSource, "column a holds complex128; expected numbers or text"),
        (lambda: Column("a", np.array([b"x"])), BadSource, "column a holds .*S1"),
        (lambda: Column("a", np.array(["x", 1], object)), BadSource, "column a holds object"),
        (lambda: Column("a", np.zeros(3, np.float16)), BadSource, "column a holds float16"),
        (lambda: Column("a", np.zeros(3), ends=[1, 2]), BadSource, "column a: the rows' ends .* 3 values"),
        (lambda: Column("a", np.zeros(3), ends=[2, 1, 3]), BadSource, "column a: the rows' ends"),
        (lambda: Table("t", ()), PluginFault, "Table t has no column at all"),
        (lambda: Table("t", (Column("a", [1]), Column("a", [2]))), BadSource, "t: two columns are named a"),
        (lambda: Table("t", (Column("a", [1]), Column("b", lazy(2)))), BadSource, "t: column b has 2 rows; expected 1"),
        (lambda: Intervals("i", (Column("start_time", [1]),)), PluginFault, "Intervals i has no column stop_time"),
        (lambda: Events("e", (Column("time", [1]),)), PluginFault, "Events e has no column timestamp"),
        (lambda: Units("cells", (Column.ragged("spike_times", []),)), PluginFault, "units is named cells"),
        (lambda: Units(), PluginFault, "Units units has no column spike_times"),
        (lambda: Units(columns=(Column.ragged("spike_times", []),), resolution_s=0), BadSource, "resolution of 0 s"),
        (lambda: Localizations("l", (Column("x", [1]),)), PluginFault, "Localizations l has no column y"),
        (
            lambda: Localizations("l", (Column("x", [1]), Column("y", [1])), frame_base=2),
            BadSource,
            "l: the first frame has the number 2; expected 0 or 1",
        ),
        (lambda: Parameters("p", {"a": {"b": object()}}), BadSource, "p: the value of a/b is a object"),
        (lambda: Parameters("p", {"a": np.longdouble(1)}), BadSource, "p: the value of a is a longdouble"),
        (lambda: Parameters("p", {"a": [np.longdouble(1)]}), BadSource, "p: the value of a is a list"),
    ],
)
def test_tables_say_what_is_wrong_with_them(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_columns_take_lists_and_text_of_any_numpy_kind():
    assert Column("a", [1, 2]).values.dtype.kind == "i"
    assert Column("a", np.array(["x", "long"], object)) == Column("a", ["x", "long"])


def test_a_ragged_column_knows_its_rows():
    column = Column.ragged("a", [[1.0, 2.0], [], [3.0]])
    assert len(column) == 3
    assert column.ends.tolist() == [2, 2, 3]
    assert column.values.tolist() == [1, 2, 3]
    assert len(Column.ragged("a", [[], []])) == 2


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Column("a", [1.0, np.nan]), Column("a", [1.0, np.nan]), True),
        (Column("a", [1.0]), Column("b", [1.0]), False),
        (Column("a", [1.0], unit="nm"), Column("a", [1.0]), False),
        (Column("a", [1.0]), Column("a", [2.0]), False),
        (Column("a", [1]), Column("a", ["1"]), False),
        (Column("a", [1.0], ends=[1]), Column("a", [1.0]), False),
        (Column("a", lazy(3)), Column("a", np.ones(3)), True),  # nobody knows a lazy one's values yet
        (Column("a", lazy(3)), Column("a", lazy(4)), False),
        (Parameters("p", {"a": np.nan}), Parameters("p", {"a": np.nan}), True),
        (Parameters("p", {"a": 1}), Parameters("p", {"a": True}), False),
        (Parameters("p", {"a": {"b": 1}}), Parameters("p", {"a/b": 1}), True),
        (Parameters("p", {}, version="1"), Parameters("p", {}, version="2"), False),
    ],
)
def test_equality_is_that_of_the_values(one, other, equal):
    assert (one == other) is equal


def test_parameters_are_plain_values_under_flat_keys():
    values = Parameters("p", {"a": {"b": (1, np.int32(2))}, "c": [{"d": None}, {"e": np.arange(2)}], "f": {}}).values
    assert values == {"a/b": [1, 2], "c/0/d": None, "c/1/e": [0, 1], "f": {}}


def test_columns_are_found_by_name():
    table = Table("t", (Column("a", [1]), Column("b", [2])))
    assert table["b"].values.tolist() == [2]
    assert "c" not in table
    with pytest.raises(KeyError):
        table["c"]
