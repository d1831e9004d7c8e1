"""Files of weights and checkpoints: whole, of ours, without code."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from nwbridge import BadSource, CannotWrite

pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.network import files

KIND = files.Kind("test weights", 3, "weights of the test", "ask for another")
ARRAYS = {"down.0": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "step": np.array(7.0, np.float32)}
SHAPES = {"down.0": (2, 3, 4), "step": ()}


@pytest.fixture
def written(tmp_path):
    files.write(tmp_path / "learnt", KIND, {"rate": 30.0}, ARRAYS)
    return tmp_path / "learnt"


def read(path, kind=KIND, shapes=SHAPES):
    return files.read(path, kind, lambda header: shapes)


def test_gives_back_header_and_arrays(written):
    header, arrays = read(written)
    assert header == {"format": "test weights", "version": 3, "rate": 30.0}
    assert arrays.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], value)


def test_numpy_alone_reads_it_without_pickles(written):
    with np.load(written, allow_pickle=False) as file:
        assert json.loads(str(file["header"]))["rate"] == 30.0
        np.testing.assert_array_equal(file["down.0"], ARRAYS["down.0"])


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_one_that_is_cut_short_is_refused_in_a_line(written, kept):
    content = written.read_bytes()
    written.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(BadSource, match=r"weights of the test(: ask for another)?$") as found:
        read(written)
    assert "\n" not in str(found.value)


def test_one_with_a_flipped_bit_is_refused(written):
    content = bytearray(written.read_bytes())
    content[content.index(ARRAYS["down.0"].tobytes()) + 5] ^= 4
    written.write_bytes(content)
    with pytest.raises(BadSource, match="damaged or cut short"):
        read(written)


def test_code_in_a_file_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").mkdir, ())

    (tmp_path / "a").write_bytes(pickle.dumps(Trap()))
    np.savez(tmp_path / "b.npz", header=np.array([Trap()], object))
    for name in ("a", "b.npz"):
        with pytest.raises(BadSource, match="is not weights of the test"):
            read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "is not weights"),
        (lambda path: np.savez(path.open("wb"), x=np.zeros(3)), "is not weights"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array("no json")), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array('"text"')), "holds something else; expected weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array("[" * 100_000)), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array(["{}"] * 3)), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array("{}" + " " * 2**20)), "is not weights"),
        (lambda path: np.savez_compressed(path.open("wb"), header=np.array("{}")), "is not weights"),
        (lambda path: files.write(path, files.Kind("other", 3, "", ""), {}, {}), "holds other; expected weights"),
        (lambda path: files.write(path, files.Kind("test weights", 4, "", ""), {}, {}), "version 4 .* reads version 3"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_what_is_no_file_of_ours_is_refused_in_a_line(tmp_path, make, says):
    make(tmp_path / "x")
    with pytest.raises(BadSource, match=says):
        read(tmp_path / "x")


def added(path, name, content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "a", compression) as file:
        file.writestr(name, content)


def header_of(shape, kind="<f4"):
    """What stands before the values of an array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def in_place_of(path, name, content, compression=zipfile.ZIP_STORED):
    """Replace one array of a file."""
    with zipfile.ZipFile(path) as file:
        others = {each: file.read(each) for each in file.namelist() if each != name}
    path.unlink()
    for each, values in others.items():
        added(path, each, values)
    added(path, name, content, compression)


def test_no_value_is_read_of_what_does_not_fit(written):
    """Files that say that they hold more than there is memory for, and one that is small only because it is packed."""
    size = 2**26
    for shape, kind, content, says in (
        ((10**13,), "<f4", b"", "is not weights of the test"),
        ((10**13, 0), "<f4", b"", r"down.0 is \(10000000000000, 0\) float32; expected \(2, 3, 4\) float32"),
        ((4, 3, 2), "<f4", bytes(96), r"down.0 is \(4, 3, 2\) float32; expected \(2, 3, 4\) float32.*ask for another"),
        ((2, 3, 4), "<f8", bytes(192), r"down.0 is \(2, 3, 4\) float64; expected \(2, 3, 4\) float32"),
        ((2, 3, 4), "<U99999999", b"", "is not weights of the test"),
        ((2, 3, 4), "|O", bytes(192), "is not weights of the test"),
    ):
        in_place_of(written, "down.0.npy", header_of(shape, kind) + content)
        with pytest.raises(BadSource, match=says):
            read(written)
    in_place_of(written, "down.0.npy", header_of((size,)) + bytes(4 * size), zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    for shapes in (SHAPES, SHAPES | {"down.0": (size,)}):
        with pytest.raises(BadSource, match="is not weights of the test"):
            read(written, shapes=shapes)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_header_with_a_text_of_gigabytes_is_not_read(written):
    in_place_of(written, "header.npy", header_of((), "<U999999999"))
    with pytest.raises(BadSource, match="is not weights of the test"):
        read(written)


def test_arrays_that_are_missing_or_too_many_are_refused(written):
    with pytest.raises(BadSource, match=r"up.0.npy is missing, .*: it has been changed, ask for another"):
        read(written, shapes=SHAPES | {"up.0": (3,)})
    added(written, "more.npy", b"")
    with pytest.raises(BadSource, match="it holds more than 3 arrays"):
        read(written)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(written):
    added(written, "step.npy", header_of(()) + bytes(4))
    with pytest.raises(BadSource, match="it holds more than 3 arrays"):
        read(written)


def test_a_file_that_cannot_be_finished_leaves_the_one_before(written):
    before = written.read_bytes()

    class Breaks:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write(written, KIND, {}, {"a": np.zeros(1000), "b": Breaks()})
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["learnt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match=r"learnt: weights of the test cannot be written"):
        files.write(tmp_path / "file" / "learnt", KIND, {}, ARRAYS)
