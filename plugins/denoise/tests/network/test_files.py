"""Files of weights and checkpoints: whole, of ours, without code."""

import json
import pickle

import numpy as np
import pytest

from nwbridge import BadSource, CannotWrite

pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.network import files

KIND = files.Kind("test weights", 3, "weights of the test")
ARRAYS = {"down.0": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "step": np.array(7.0)}


@pytest.fixture
def written(tmp_path):
    files.write(tmp_path / "learnt", KIND, {"rate": 30.0}, ARRAYS)
    return tmp_path / "learnt"


def test_gives_back_header_and_arrays(written):
    header, arrays = files.read(written, KIND)
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
    with pytest.raises(BadSource, match=r"weights of the test") as found:
        files.read(written, KIND)
    assert "\n" not in str(found.value)


def test_one_with_a_flipped_bit_is_refused(written):
    content = bytearray(written.read_bytes())
    content[content.index(ARRAYS["down.0"].tobytes()) + 5] ^= 4
    written.write_bytes(content)
    with pytest.raises(BadSource, match="damaged or cut short"):
        files.read(written, KIND)


def test_code_in_a_file_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").mkdir, ())

    (tmp_path / "a").write_bytes(pickle.dumps(Trap()))
    np.savez(tmp_path / "b.npz", header=np.array([Trap()], object))
    for name in ("a", "b.npz"):
        with pytest.raises(BadSource, match="is not weights of the test"):
            files.read(tmp_path / name, KIND)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("a,b\n1,2\n"), "is not weights"),
        (lambda path: np.savez(path.open("wb"), x=np.zeros(3)), "is not weights"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array("no json")), "is not weights"),
        (lambda path: np.savez(path.open("wb"), header=np.array('"text"')), "holds something else; expected weights"),
        (lambda path: files.write(path, files.Kind("other", 3, ""), {}, {}), "holds other; expected weights"),
        (lambda path: files.write(path, files.Kind("test weights", 4, ""), {}, {}), "version 4 .* reads version 3"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_what_is_no_file_of_ours_is_refused_in_a_line(tmp_path, make, says):
    make(tmp_path / "x")
    with pytest.raises(BadSource, match=says):
        files.read(tmp_path / "x", KIND)


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
