"""What pynwb wrote itself is compared too, and rows of text are read once for all their columns."""

from contextlib import contextmanager

import h5py
import numpy as np
import pytest
from recordings import lazy, several

import nwbridge
from nwbridge import Column, LazyArray, Plane, Region, Segmentation, Session, Table, conversion
from nwbridge.nwb.write import _forget_unused

CELLS = Segmentation(
    "Cells",
    (Region(np.array([[2, 9], [11, 3]]), id=7), Region(np.array([[5, 6]]), id=4)),
    (12, 17),
    Plane(),
    status=("accepted", "rejected"),
    columns=(
        Column("snr", np.array([1.5, np.nan])),
        Column("word", np.array(["a", "β"])),
        Column.ragged("g", [[0.9], [0.8, -0.1]]),
    ),
)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("id", 8),
        ("status", "undecided"),
        ("pixel_mask_index", 1),
        ("snr", np.nan),
        ("word", "A"),
        ("g", 0.95),
        ("g_index", 2),
    ],
)
def test_values_that_pynwb_wrote_are_compared_with_the_source(tmp_path, monkeypatch, place, value):
    """A disk that changes a value is played by changing the part file when verification begins."""
    check = conversion.check

    def check_after_damage(part, *arguments):
        with h5py.File(part, "r+") as file:
            file[f"processing/ophys/ImageSegmentation/Cells/{place}"][0] = value
        check(part, *arguments)

    monkeypatch.setattr(conversion, "check", check_after_damage)
    (tmp_path / "x").touch()
    registry = several({"a": lambda: Session("s", "S.", (CELLS,))})
    with pytest.raises(nwbridge.InvalidOutput, match=f"Cells/{place} read back from the file differs from the source"):
        nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry)
    assert not (tmp_path / "x.nwb").exists()


def test_rows_are_read_once_for_all_their_columns(tmp_path):
    rows = np.zeros(300_000, [("x", "f8"), ("frame", "i4"), ("y", "f8")])
    rows["x"], rows["y"] = np.random.default_rng(0).random((2, len(rows)))
    asked = []

    class Reader:
        def __getitem__(self, key):
            asked.append((key.start, key.stop))
            return rows[key]

    @contextmanager
    def opened():
        yield Reader()

    columns = LazyArray(rows.shape, rows.dtype, opened).fields()
    table = Table("t", tuple(Column(name, values) for name, values in columns.items()))
    (tmp_path / "x").touch()
    registry = several({"a": lambda: Session("s", "S.", (table,))})
    nwbridge.convert(tmp_path / "x", tmp_path / "x.nwb", registry=registry)
    assert sum(stop - start for start, stop in asked) == len(rows)
    with h5py.File(tmp_path / "x.nwb") as file:
        for name in rows.dtype.names:
            np.testing.assert_array_equal(file[f"analysis/t/{name}"][()], rows[name])


def test_the_schema_that_a_used_extension_builds_on_is_kept(tmp_path):
    with h5py.File(tmp_path / "x.nwb", "w") as file:
        for name in ("core", "hdmf-common", "ndx-used", "ndx-below", "ndx-far-below", "ndx-other"):
            file.create_group(f"specifications/{name}")
        file.create_group("analysis/thing").attrs["namespace"] = "ndx-used"
        _forget_unused(file, {"ndx-used": {"core", "ndx-below"}, "ndx-below": {"ndx-far-below"}, "ndx-other": {"core"}})
        assert set(file["specifications"]) == {"core", "hdmf-common", "ndx-used", "ndx-below", "ndx-far-below"}


def test_a_table_whose_only_column_is_filled_later_names_it(tmp_path):
    masks = np.random.default_rng(0).random((3, 12, 17))
    backdrop = Segmentation("Backdrop", lazy(masks), (12, 17), Plane())
    (tmp_path / "x").touch()
    nwbridge.convert(
        tmp_path / "x", tmp_path / "x.nwb", registry=several({"a": lambda: Session("s", "S.", (backdrop,))})
    )
    with h5py.File(tmp_path / "x.nwb") as file:
        table = file["processing/ophys/ImageSegmentation/Backdrop"]
        assert table.attrs["colnames"].tolist() == ["image_mask"]
        np.testing.assert_array_equal(table["image_mask"][()], masks.transpose(0, 2, 1))
