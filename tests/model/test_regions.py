"""Regions and traces refuse what cannot be, by name."""

import numpy as np
import pytest

from nwbridge import BadSource, Column, Plane, PluginFault, Region, Segmentation, Session, Table, Traces, arrays

PIXELS = np.array([[1, 2], [3, 40]])


def lazy(*shape):
    return arrays.from_numpy(np.zeros(shape))


ONE = (Region(PIXELS),)


def cells(regions=ONE, shape=(30, 50), **changes):
    return Segmentation("Cells", regions, shape, Plane(), **changes)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: cells((Region(None), Region(PIXELS))), BadSource, "some regions have pixels and some have none"),
        (lambda: cells(shape=None), BadSource, "Cells: an image of None"),
        (lambda: cells(lazy(3, 30, 50), (30, 51)), BadSource, r"masks of \(30, 50\) for images of \(30, 51\)"),
        (lambda: cells(lazy(3, 30)), BadSource, "masks of"),
        (lambda: cells(status=("accepted", "rejected")), BadSource, "2 status values for 1 regions"),
        (lambda: cells(status=("good",)), BadSource, "each of accepted, undecided, rejected, not evaluated"),
        (lambda: cells(columns=(Column("a", [1, 2]),)), BadSource, "Cells: column a has 2 rows; expected 1"),
        (lambda: cells(columns=(Column("status", [1]),)), BadSource, "two columns are named status"),
        (lambda: cells(traces=(Traces("raw", lazy(2, 9)),)), BadSource, "Cells: raw has 2 traces for 1 regions"),
        (lambda: Traces("raw", lazy(9)), BadSource, r"traces raw were described as \(9,\)"),
        (lambda: Traces("raw", lazy(0, 9)), BadSource, r"\(0, 9\).*neither of them 0"),
        (lambda: Traces("raw", lazy(1, 9), "nice"), PluginFault, "kind 'nice'; expected one of fluorescence"),
        (lambda: Traces("raw", lazy(1, 9), rate_hz=-1), BadSource, "traces raw: a rate of -1 Hz"),
        (lambda: Traces("raw", lazy(1, 9), timestamps=lazy(8)), BadSource, r"timestamps of shape \(8,\).* 9 samples"),
        (lambda: Traces("raw", lazy(1, 9), start_s=np.inf), BadSource, "starts at inf s"),
        (
            lambda: cells((Region(np.array([[1, 2, 3]])),), (30, 50, 3)),
            BadSource,
            "pixels outside the image, the first at row 1, column 2, plane 3; .*30 rows and 50 columns and 3 planes",
        ),
    ],
)
def test_segmentations_say_what_is_wrong_with_them(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_regions_without_an_id_get_their_number():
    assert [region.id for region in cells((Region(PIXELS), Region(PIXELS))).regions] == [0, 1]


def test_without_regions_there_is_nothing_to_say_of_them():
    empty = cells((), status=(), columns=(Column("a", np.empty(0)),))
    assert (empty.status, empty.columns, len(empty)) == (None, (), 0)


def test_image_masks_tell_how_many_regions_there_are_and_how_large_the_image_is():
    masks = cells(lazy(3, 30, 50), None)
    assert (len(masks), masks.image_shape) == (3, (30, 50))


def test_masks_that_are_not_distributed_are_equal_by_their_id():
    assert Region(None, id=1) == Region(None, id=1)
    assert Region(None, id=1) != Region(None, id=2)
    assert Region(None, id=1) != Region(PIXELS, id=1)


def test_a_column_refers_to_a_segmentation_that_is_there():
    table = Table("t", (Column("cell", [0], rows_of="Cell"),))
    with pytest.raises(BadSource, match="column cell of t names rows of Cell; expected one of Cells"):
        Session("s", "A session.", (cells(), table))


def test_traces_have_names_of_their_own():
    one = cells(traces=(Traces("raw", lazy(1, 9)),))
    other = Segmentation("Others", one.regions, (30, 50), Plane(), traces=one.traces)
    with pytest.raises(BadSource, match="several elements are named raw"):
        Session("s", "A session.", (one, other))
