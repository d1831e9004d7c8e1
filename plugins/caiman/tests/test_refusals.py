"""What cannot be true is refused in one line that names the file, the member, what was found and what was expected."""

import re

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadSource
from nwbridge_caiman import Options, describe, example

TOO_MANY = np.zeros((5, 80))


@pytest.mark.parametrize("tenths", range(10))
def test_refuses_a_file_that_was_cut_off(tmp_path, tenths):
    path = example(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * tenths // 10])
    out = tmp_path / "out.nwb"
    with pytest.raises(BadSource, match=r"^caiman_example\.hdf5.*\S$"):
        nwbridge.convert(path, out, source="caiman", metadata={"Subject": {"species": "Mus musculus"}})
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"estimates": ...},
            "estimates/A is absent or None: there are no components; the file has dims, dview, params",
        ),
        ({"estimates/A": ...}, "estimates/A is absent or None"),
        ({"estimates/A": None}, "estimates/A is absent or None"),
        ({"estimates/A": np.ones((1320, 4))}, "estimates/A is a dense array; expected a group with data, indices,"),
        ({"estimates/A/data": ...}, "estimates/A has no data; it has indices, indptr, shape"),
        ({"estimates/A/indptr": None}, "estimates/A has no indptr"),
        ({"estimates/A/shape": np.array([1320])}, r"estimates/A/shape is \[1320\]; expected \(rows, columns\)"),
        ({"estimates/A/shape": np.array([1320.0, 4])}, "estimates/A/shape is float64 .* whole numbers"),
        ({"estimates/A/shape": np.array([1320, 5])}, "indptr has 5 entries; expected 6 for 5 columns"),
        (
            {"estimates/A/shape": np.array([1310, 4])},
            r"estimates/A has 1310 rows; expected 1320, the pixels of dims = \(30, 44\)",
        ),
        (
            {"estimates/A/shape": np.array([1400, 4])},
            r"A has 1400 rows; expected 1320, the pixels of dims = \(30, 44\)",
        ),
        ({"estimates/A/data": np.ones(7)}, r"has 7 data and \d+ indices, and indptr goes from 0 to"),
        ({"estimates/A/data": np.ones((7, 2))}, r"estimates/A/data is float64 of shape \(7, 2\); expected a row"),
        (
            {"estimates/A/indptr": np.array([0, 9, 5, 20, 40])},
            "indptr goes from 0 to 40; expected as many, and indptr from 0",
        ),
        ({"dims": ..., "estimates/dims": ..., "params/data/dims": ...}, "has no dims; expected"),
        ({"dims": [44, 30]}, r"estimates/dims is \(30, 44\) and dims is \(44, 30\); expected the same"),
        ({"params/data/dims": [44, 30]}, r"params/data/dims is \(44, 30\) and dims is \(30, 44\); expected the same"),
        ({"dims": [30, 44, 1, 1]}, r"dims is \[30, 44, 1, 1\]; expected \(rows, columns"),
        ({"dims": [30, 0]}, r"dims is \[30, 0\]"),
        ({"dims": [30.0, 44.0]}, r"dims is \[30.0, 44.0\]"),
        ({"dims": 1320}, "dims is 1320"),
        ({"dims": "30x44"}, "dims is 30x44"),
        ({"estimates/C": TOO_MANY}, r"C has the shape \(5, 80\); expected \(4, any\).*: A has 4 components"),
        ({"estimates/S": TOO_MANY}, r"S has the shape \(5, 80\); expected \(4, 80\) as \(component, frame\)"),
        ({"estimates/YrA": np.zeros((4, 79))}, r"YrA has the shape \(4, 79\); .* and the traces 80 frames"),
        ({"estimates/F_dff": np.zeros((80, 4))}, r"F_dff has the shape \(80, 4\)"),
        ({"estimates/R": np.zeros(80)}, r"R has the shape \(80,\)"),
        ({"estimates/C": np.zeros((4, 0))}, "estimates/C holds traces of 0 frames"),
        ({"estimates/C": np.zeros((80, 4))}, r"C has the shape \(80, 4\); expected \(4, any\)"),
        ({"estimates/C": np.ones((4, 80), bool)}, "estimates/C holds bool; expected numbers"),
        ({"estimates/C": np.ones((4, 80), np.float16)}, "estimates/C holds float16; expected numbers"),
        ({"estimates/C": ..., "estimates/C/data": np.ones(3)}, "estimates/C is a group of data; expected a data set"),
        ({"estimates/SNR_comp": np.ones(4, complex)}, "estimates/SNR_comp holds complex128; expected numbers or text"),
        ({"estimates/C": np.full((4, 80), b"x")}, "estimates/C holds .S1; expected numbers"),
        ({f"estimates/{key}": None for key in ("C", "S", "YrA", "R", "F_dff", "f")}, "has no traces: C, YrA and S"),
        ({"estimates/b": np.zeros((1300, 2))}, r"b has the shape \(1300, 2\); expected \(1320, any\)"),
        ({"estimates/b": np.zeros(1320)}, r"b has the shape \(1320,\)"),
        ({"estimates/b": np.zeros((1320, 3))}, r"f has the shape \(2, 80\); expected \(3, 80\)"),
        ({"estimates/f": np.zeros((2, 81))}, r"f has the shape \(2, 81\); expected \(2, 80\)"),
        ({"estimates/f": None}, "b has 2 components and estimates/f is absent; expected both"),
        ({"estimates/Cn": np.zeros((44, 30))}, r"Cn has the shape \(44, 30\); expected \(30, 44\)"),
        ({"estimates/Cn": np.zeros((3, 30, 44))}, r"Cn has the shape \(3, 30, 44\)"),
        ({"estimates/sn": np.zeros(1300)}, "sn has 1300 values; expected 1320, one for each pixel"),
        ({"estimates/b0": np.full(1320, b"x")}, "b0 holds .S1; expected numbers"),
        ({"estimates/SNR_comp": np.zeros(3)}, r"SNR_comp has the shape \(3,\); .* each of A's 4 components"),
        ({"estimates/g": np.zeros((4, 2, 2))}, r"g has the shape \(4, 2, 2\)"),
        ({"estimates/idx_components": [0, 4]}, "idx_components names component 4; A has 4 components, from 0"),
        ({"estimates/idx_components": [-1]}, "idx_components names component -1"),
        ({"estimates/idx_components": [0.5]}, "idx_components is float64 of shape"),
        ({"estimates/idx_components": [[0]]}, r"idx_components is int64 of shape \(1, 1\)"),
        ({"estimates/idx_components": [0, 2]}, "names component 2 in idx_components and in idx_components_bad"),
        ({"estimates/idx_components": [True, False, True, True]}, "idx_components is bool of shape"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_refuses_what_cannot_be_true(edited, changes, message):
    with pytest.raises(BadSource, match=message) as refusal:
        describe(edited(changes), Options())
    assert str(refusal.value).startswith("caiman_example.hdf5")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (3, 1320, "indices holds 1320; expected 0 to 1319, as it has 1320 rows"),
        (0, -1, "indices holds -1; expected 0 to 1319"),
        (5, None, "holds row .* of column 0 twice; expected once"),
        (1, None, "holds row .* of column 0 twice; expected once"),
    ],
)
def test_refuses_indices_that_are_no_pixels(edited, place, value, message):
    path = edited()
    with h5py.File(path, "r+") as file:
        indices = file["estimates/A/indices"]
        indices[place] = indices[0] if value is None else value
    with pytest.raises(BadSource, match=message):
        describe(path, Options())


def test_refuses_ends_that_fall(edited):
    path = edited()
    with h5py.File(path, "r+") as file:
        ends = file["estimates/A/indptr"]
        ends[1], ends[2] = int(ends[2]), int(ends[1])
        low, high = sorted((int(ends[1]), int(ends[2])))
    with pytest.raises(BadSource, match=f"estimates/A/indptr falls from {high} to {low}; expected that it grows"):
        describe(path, Options())


def test_refuses_ends_that_begin_late(edited):
    path = edited()
    with h5py.File(path, "r+") as file:
        file["estimates/A/indptr"][0] = 1
    with pytest.raises(BadSource, match=r"estimates/A has .* and indptr goes from 1 to"):
        describe(path, Options())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1320, 1319), "W is 1320 × 1319; expected as many rows as columns"),
        ((700, 700), r"W has 700 rows; that is no grid of blocks in an image of \(30, 44\)"),
    ],
)
def test_refuses_a_ring_model_of_another_image(edited, shape, message):
    parts = {"data": np.zeros(0), "indices": np.zeros(0, np.int32), "indptr": np.zeros(shape[1] + 1, np.int32)}
    changes = {"estimates/W": ..., "estimates/W/shape": np.array(shape)}
    changes |= {f"estimates/W/{name}": value for name, value in parts.items()}
    with pytest.raises(BadSource, match=message):
        describe(edited(changes), Options())


def test_refuses_members_that_claim_more_than_they_hold(edited):
    path = edited({"estimates/C": ...})
    with h5py.File(path, "r+") as file:
        file["estimates"].create_dataset("C", (4, 1 << 40), np.float64, chunks=(4, 1024))
    with pytest.raises(BadSource, match=r"estimates/C claims .* bytes and stores 0; refused"):
        describe(path, Options())


@pytest.mark.parametrize("name", ["C", "S", "YrA", "SNR_comp", "idx_components"])
def test_refuses_values_of_components_where_a_has_none(edited, name):
    nothing = {"data": np.zeros(0), "indices": np.zeros(0, np.int32), "indptr": np.zeros(1, np.int32)}
    changes = {f"estimates/A/{part}": value for part, value in nothing.items()} | {
        f"estimates/{key}": None for key in ("F_dff", "R", "SNR_comp", "r_values", "g", "bl", "c1", "lam", "neurons_sn")
    }
    changes |= {f"estimates/{key}": np.zeros((0, 80)) for key in ("C", "S", "YrA")}
    changes |= {"estimates/A/shape": np.array([1320, 0]), "estimates/idx_components": None}
    changes |= {"estimates/idx_components_bad": None}
    assert len(describe(edited(changes), Options()).elements[0]) == 0
    path = edited()
    with h5py.File(path) as file:
        changes[f"estimates/{name}"] = file[f"estimates/{name}"][()]
    with pytest.raises(BadSource, match=f"estimates/{name} .* A('s| has) [04]"):
        describe(edited(changes), Options())


def test_mixed_parts_of_two_analyses_are_refused(edited):
    """Footprints of one analysis with the traces of another do not pass as either."""
    path = edited({"estimates/nr": 6, **{f"estimates/{key}": np.zeros((6, 80)) for key in ("C", "S", "YrA")}})
    expected = "estimates/C has the shape (6, 80); expected (4, any) as (component, frame): A has 4 components"
    with pytest.raises(BadSource, match=re.escape(expected)):
        describe(path, Options())
