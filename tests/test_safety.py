"""HDF5 files made to harm are refused, in one line that names file and object."""

import re
import shutil

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import BadSource
from nwbridge.safety import check_hdf5


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """An ordinary NWB file; copy it before changing it."""
    folder = tmp_path_factory.mktemp("ordinary")
    path = nwbridge.plugins.installed().source("neurofinder")[0].example(folder)
    nwbridge.convert(path, folder / "ordinary.nwb")
    return folder / "ordinary.nwb"


def external_storage(file, folder):
    (folder / "secret.bin").write_bytes(b"secret")
    file.create_dataset("analysis/stolen", (6,), "u1", external=[(str(folder / "secret.bin"), 0, 6)])
    return "/analysis/stolen keeps its values in another file (.*secret.bin)"


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["values"] = np.arange(3)
    file["analysis/linked"] = h5py.ExternalLink(str(folder / "other.h5"), "/values")
    return r"/analysis/linked is a link into another file \(.*other\.h5\)"


def dangling_external_link(file, folder):
    file["analysis/linked"] = h5py.ExternalLink("/nowhere.h5", "/values")
    return r"/analysis/linked is a link into another file \(/nowhere\.h5\)"


def soft_link_to_an_external_link(file, folder):
    external_link(file, folder)
    file.move("analysis/linked", "scratch_of_mine/deep/linked")
    file["analysis/innocent"] = h5py.SoftLink("/scratch_of_mine/deep/linked")
    return "/scratch_of_mine/deep/linked is a link into another file"


def external_link_behind_a_cycle(file, folder):
    file["analysis/again"] = file["/"]
    external_link(file, folder)
    return "is a link into another file"


def virtual_data_set(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["values"] = np.arange(3)
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "values", (3,))
    file.create_virtual_dataset("analysis/virtual", layout)
    return "/analysis/virtual is assembled from other files"


def huge_claim(file, folder):
    file.create_dataset("analysis/huge", (1 << 40,), "u1", chunks=(1 << 20,))
    return r"/analysis/huge claims 1,099,511,627,776 bytes and stores 0"


def huge_contiguous_claim(file, folder):
    file.create_dataset("analysis/huge", (1 << 40,), "u1")
    return r"/analysis/huge claims 1,099,511,627,776 bytes and stores 0"


def huge_claim_of_a_type_without_a_numpy_name(file, folder):
    space = h5py.h5s.create_simple((1 << 38,))
    h5py.h5d.create(file["analysis"].id, b"huge", h5py.h5t.UNIX_D32LE, space)
    return r"/analysis/huge claims 1,099,511,627,776 bytes and stores 0"


def giant_chunk(file, folder):
    file.create_dataset("analysis/giant", (1,), "u1", maxshape=(None,), chunks=((1 << 30) + 1,), compression="gzip")
    return r"/analysis/giant has chunks of \(1073741825,\)"


def chunk_that_inflates_beyond_deflate(file, folder):
    dataset = file.create_dataset(
        "analysis/bomb", (1,), "u1", maxshape=(None,), chunks=(500 << 20,), compression="gzip"
    )
    dataset.id.write_direct_chunk((0,), b"x" * 1000)
    return "/analysis/bomb claims 524,288,000 bytes and stores 1,000"


HARMFUL = [
    external_storage,
    external_link,
    dangling_external_link,
    soft_link_to_an_external_link,
    external_link_behind_a_cycle,
    virtual_data_set,
    huge_claim,
    huge_contiguous_claim,
    huge_claim_of_a_type_without_a_numpy_name,
    giant_chunk,
    chunk_that_inflates_beyond_deflate,
]


def test_an_ordinary_file_passes(ordinary):
    before = ordinary.read_bytes()
    check_hdf5(ordinary)
    assert ordinary.read_bytes() == before


@pytest.mark.parametrize("harm", HARMFUL)
@pytest.mark.parametrize("check", [check_hdf5, nwbridge.validate])
def test_harm_is_refused_by_file_and_object(tmp_path, ordinary, harm, check):
    path = tmp_path / "evil.nwb"
    shutil.copy(ordinary, path)
    with h5py.File(path, "r+") as file:
        words = harm(file, tmp_path)
    with pytest.raises(BadSource, match=r"^evil\.nwb: .*" + words) as caught:
        check(path)
    assert str(caught.value).endswith("refused")
    assert "\n" not in str(caught.value)


def test_loops_of_links_end(tmp_path):
    path = tmp_path / "loops.h5"
    with h5py.File(path, "w") as file:
        inner = file.create_group("a/b")
        inner["up"] = file["a"]
        inner["root"] = file["/"]
        inner["itself"] = inner
        file["soft"] = h5py.SoftLink("/soft")
        inner["values"] = np.arange(3)
        file["same values"] = inner["values"]
    check_hdf5(path)
    with pytest.raises(BadSource, match=r"loops\.h5 is HDF5 but not NWB"):
        nwbridge.validate(path)


def test_a_large_data_set_that_is_stored_passes(tmp_path):
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("zeros", data=np.zeros(70 << 20, np.uint8), chunks=(1 << 20,), compression="gzip")
        file.create_dataset("small and empty", (1000, 1000), "f8", chunks=(10, 10))
        file.create_dataset("nothing", dtype="f8", data=h5py.Empty("f8"))
        file.create_dataset("growing", (0,), "f8", maxshape=(None,), chunks=(1 << 20,))
        file.create_dataset("words", data=["a", "b"], dtype=h5py.string_dtype())
        file["type"] = np.dtype("f4")
    check_hdf5(tmp_path / "large.h5")


@pytest.mark.parametrize("check", [check_hdf5, nwbridge.validate])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no HDF5 file: it does not begin as one; copy or download it again, or give another"),
        (b"no HDF5 at all", "is no HDF5 file: it does not begin as one; copy or download it again, or give another"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), r"cannot be read as HDF5 \(.*\): it is damaged or of another kind"),
    ],
)
def test_what_is_not_hdf5_is_refused(tmp_path, content, words, check):
    path = tmp_path / "odd.nwb"
    path.write_bytes(content)
    with pytest.raises(BadSource, match=rf"^odd\.nwb {words}$"):
        check(path)


@pytest.mark.parametrize("check", [check_hdf5, nwbridge.validate])
@pytest.mark.parametrize("share", [0.02, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path, ordinary, share, check):
    path = tmp_path / "cut.nwb"
    data = ordinary.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    words = f"cut.nwb is cut off: it has {int(len(data) * share):,} of {len(data):,} bytes; copy or download it again"
    with pytest.raises(BadSource, match=f"^{re.escape(words)}$"):
        check(path)


def test_an_object_that_cannot_be_opened_is_refused(tmp_path):
    path = tmp_path / "broken.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["values"] = np.arange(100)
        place = h5py.h5o.get_info(file["values"].id).addr
    data = bytearray(path.read_bytes())
    data[place : place + 16] = b"\xff" * 16
    path.write_bytes(data)
    with pytest.raises(BadSource, match=r"^broken\.h5 cannot be read as HDF5 \("):
        check_hdf5(path)


def test_many_texts_that_share_one_long_text_are_refused(tmp_path):
    """Each of thousands of entries points to the same 1 MB: a small file that would fill the memory."""
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        texts = file.create_dataset("x", (3000,), h5py.string_dtype(), chunks=(3000,))
        texts[0] = "a" * (1 << 20)
        offset = texts.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    entry = content[offset : offset + 16]
    content[offset : offset + 16 * 3000] = entry * 3000
    path.write_bytes(content)
    with pytest.raises(BadSource, match=r"claims more than .* bytes of text in a smaller file; refused"):
        check_hdf5(path)
