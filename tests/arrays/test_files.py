"""Folders, zips and single files by name; what a zip from elsewhere may not do."""

import os
import random
import struct
import warnings
import zipfile

import numpy as np
import pytest

from nwbridge import BadSource, NwbridgeError
from nwbridge.arrays import files_in, missing_numbers, peek

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
NOISE = np.random.default_rng(3).bytes(5000)
TEXT = b"frame " * 700_000  # inflates over many pieces


def zip_of(path, members, method=zipfile.ZIP_DEFLATED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as out:
        warnings.simplefilter("ignore")  # zipfile warns of a name given twice
        for name, content in members:
            out.writestr(name, content, compress_type=method)
    return path


def contents_of(path):
    return {name: blob.read() for name, blob in files_in(path).blobs.items()}


def refuse(path, match):
    with pytest.raises(BadSource, match=match) as refused:
        contents_of(path)
    message = str(refused.value)
    assert path.name in message
    assert "\n" not in message
    assert isinstance(peek(path), list)


@pytest.mark.parametrize("method", METHODS)
def test_reads_the_members_of_a_zip(tmp_path, method):
    members = {"b.bin": NOISE, "a/text.txt": TEXT, "a/empty": b"", "a b/bärte µm.txt": b"blank and umlaut"}
    files = files_in(zip_of(tmp_path / "some.zip", members.items(), method))
    assert list(files) == sorted(members)
    assert {name: files[name].read() for name in files} == members
    assert files.prefix == ""


@pytest.mark.parametrize("method", METHODS)
def test_reads_any_part_of_a_member(tmp_path, method):
    content = NOISE + TEXT + NOISE
    blob = files_in(zip_of(tmp_path / "some.zip", [("x/some.bin", content), ("y", b"")], method))["x/some.bin"]
    numbers = random.Random(5)
    with blob.open() as handle:
        for _ in range(20):
            start = numbers.randrange(len(content))
            assert handle.read(start, 3_000) == content[start : start + 3_000]
        assert handle.read(len(content) - 10, 100) == content[-10:]
        with pytest.raises(BadSource, match="ends"):
            handle.read_into(len(content) - 10, memoryview(bytearray(11)))


@pytest.mark.parametrize("method", METHODS)
def test_drops_the_one_outer_folder_of_a_zip(tmp_path, method):
    members = [("set 1/images/0.tif", b"0"), ("set 1/info.json", b"{}"), ("__MACOSX/set 1/._info.json", b"x")]
    files = files_in(zip_of(tmp_path / "some.zip", members, method))
    assert (list(files), files.prefix) == (["images/0.tif", "info.json"], "set 1")
    assert files["images/0.tif"].name == "set 1/images/0.tif"
    assert files["images/0.tif"].read() == b"0"


@pytest.mark.parametrize("junk", [".DS_Store", "__MACOSX/._a.tif", "images/Thumbs.db", "images/._0.tif", "desktop.ini"])
def test_ignores_what_file_managers_leave(tmp_path, junk):
    files = files_in(zip_of(tmp_path / "some.zip", [("images/0.tif", b"0"), ("b", b"1"), (junk, b"x")]))
    assert list(files) == ["b", "images/0.tif"]
    folder = tmp_path / "folder"
    for name in ("images/0.tif", "b", junk):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert list(files_in(folder)) == ["b", "images/0.tif"]


def test_reads_a_folder_and_keeps_its_only_subfolder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.tif").write_bytes(NOISE)
    files = files_in(tmp_path)
    assert list(files) == ["images/0.tif"]
    assert files["images/0.tif"].read() == NOISE


def test_finds_files_by_pattern_in_order_of_name(tmp_path):
    files = files_in(zip_of(tmp_path / "some.zip", [(f"images/{n}.tif", b"") for n in "201"] + [("info.json", b"")]))
    assert [blob.name for blob in files.matching("images/*.tif", "*.tiff")] == [f"images/{n}.tif" for n in "012"]
    assert files.matching("*.csv") == []


def test_names_a_member_that_is_not_there(tmp_path):
    with pytest.raises(BadSource, match=r"some\.zip has no info\.json"):
        files_in(zip_of(tmp_path / "some.zip", [("a", b""), ("b", b"")]))["info.json"]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b""])
def test_refuses_what_is_no_json(tmp_path, content):
    (tmp_path / "info.json").write_bytes(content)
    with pytest.raises(BadSource, match=r"info\.json"):
        files_in(tmp_path).json("info.json", dict)


def test_reads_a_zip64(tmp_path):
    with zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for name in ("a.txt", "b.txt"):
            with out.open(name, "w", force_zip64=True) as member:
                member.write(TEXT)
    files = files_in(tmp_path / "big.zip")
    assert [files[name].read() == TEXT for name in files] == [True, True]


def test_a_file_that_only_ends_like_a_zip_is_one_file(tmp_path):
    archive = zip_of(tmp_path / "inner.zip", [("a", b"x")])
    path = tmp_path / "movie.tif"
    path.write_bytes(b"II*\0" + NOISE + archive.read_bytes())
    assert list(files_in(path)) == ["movie.tif"]


# damage


@pytest.mark.parametrize("method", METHODS)
def test_refuses_a_truncated_zip(tmp_path, method):
    path = zip_of(tmp_path / "some.zip", [("a", NOISE), ("b", NOISE)], method)
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        refuse(path, "complete zip|cannot be read as a zip")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [NOISE, TEXT])
def test_refuses_a_member_with_a_flipped_byte(tmp_path, method, content):
    path = zip_of(tmp_path / "some.zip", [("a", content), ("b", b"")], method)
    blob = files_in(path)["a"]
    data = bytearray(path.read_bytes())
    data[blob.start + (blob.packed or blob.size) // 2] ^= 0x10
    path.write_bytes(data)
    refuse(path, "a (in some.zip is damaged|does not match its checksum|in some.zip stops|in some.zip inflates)")


def central(path):
    """The zip's bytes and where the entry of its first member in the list lies."""
    data = bytearray(path.read_bytes())
    return data, data.index(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("at", "code", "value", "match"),
    [
        (8, "<H", 1, "encrypted"),
        (10, "<H", 12, "method 12"),
        (10, "<H", 99, "method 99"),
        (16, "<L", 1, "checksum"),
        (24, "<L", 2**31, "more than deflate can"),
        (24, "<L", 5001, "stops|ends|checksum"),
        (24, "<L", 4999, "inflates to more|checksum"),
        (20, "<L", 2**31, "ends at byte"),
        (42, "<L", 7, "not where"),
    ],
)
def test_refuses_a_doctored_entry(tmp_path, at, code, value, match):
    path = zip_of(tmp_path / "some.zip", [("a", NOISE)])
    data, entry = central(path)
    struct.pack_into(code, data, entry + at, value)
    path.write_bytes(data)
    refuse(path, match)


def test_refuses_a_stored_member_that_claims_more_than_it_stores(tmp_path):
    path = zip_of(tmp_path / "some.zip", [("a", b"12345"), ("b", NOISE)], zipfile.ZIP_STORED)
    data, entry = central(path)
    struct.pack_into("<L", data, entry + 24, 4000)
    path.write_bytes(data)
    refuse(path, "claims 4,000 bytes and stores 5")


def test_refuses_bzip2(tmp_path):
    refuse(zip_of(tmp_path / "some.zip", [("a", NOISE)], zipfile.ZIP_BZIP2), "method 12.*unzip it first")


def test_refuses_members_that_overlap(tmp_path):
    path = zip_of(tmp_path / "some.zip", [("a", TEXT), ("b", TEXT)])
    data, first = central(path)
    second = data.index(b"PK\x01\x02", first + 4)
    struct.pack_into("<L", data, second + 42, 0)  # both lie where the first does
    path.write_bytes(data)
    refuse(path, "overlap|cannot be read")


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "a\\..\\b", "a\nb", "a\x1b[31m"])
def test_refuses_names_that_point_outside_or_trick_a_terminal(tmp_path, name):
    refuse(zip_of(tmp_path / "some.zip", [("x", b""), (name, b"")]), "refused")


def test_refuses_a_name_given_twice(tmp_path):
    refuse(zip_of(tmp_path / "some.zip", [("a", b"1"), ("b", b""), ("a", b"2")]), "two members named a")


def test_flipped_bytes_of_a_zip_are_read_or_refused(tmp_path):
    path = zip_of(tmp_path / "some.zip", [("x/a", NOISE), ("x/b", NOISE[:100])])
    whole = path.read_bytes()
    places = [*range(60), *range(whole.index(b"PK\x01\x02"), len(whole))]
    numbers, refused = random.Random(7), 0
    for _ in range(400):
        data = bytearray(whole)
        for place in numbers.sample(places, numbers.choice([1, 2, 4])):
            data[place] = numbers.choice([0, 1, 0x7F, 0xFF, data[place] ^ 1 << numbers.randrange(8)])
        path.write_bytes(data)
        assert isinstance(peek(path), list)
        try:
            contents = [blob.read() for blob in files_in(path).blobs.values()]
        except NwbridgeError:
            refused += 1
        else:
            assert all(content in (NOISE, NOISE[:100], b"") for content in contents)
    assert refused > 100


@pytest.mark.parametrize("name", ["missing", "missing/below", "a.txt/below", "x" * 300, "a\0b", "loop"])
def test_refuses_a_path_that_cannot_be_read(tmp_path, name):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(BadSource, match=r"does not exist|cannot be read"):
        files_in(tmp_path / name)
    assert peek(tmp_path / name) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadSource, match="ordinary file"):
        files_in(tmp_path / "pipe")
    assert peek(tmp_path / "pipe") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_refuses_a_file_without_permission(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(BadSource, match="permission denied"):
        files_in(path)
    assert peek(path) == []


# names


def test_peeks_two_levels_deep(tmp_path):
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for name in ("info.json", "images/0.tif", "images/deep/1.tif"):
        (tmp_path / name).write_bytes(b"")
    assert peek(tmp_path) == ["images/0.tif", "info.json"]
    assert peek(tmp_path / "info.json") == ["info.json"]
    assert peek(zip_of(tmp_path / "some.zip", [("x/a/0.tif", b""), ("x/b", b"")])) == ["a/0.tif", "b"]
    assert peek(tmp_path / "images" / "deep" / "none") == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + NOISE])
def test_peeking_at_a_damaged_zip_finds_nothing(tmp_path, content):
    (tmp_path / "some.zip").write_bytes(content)
    assert peek(tmp_path / "some.zip") == []


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["image00000.tif", "image00002.tif"], [1]),
        (["image1.tif", "image2.tif"], []),
        (["image0.tif", "image1.tif"], []),
        (["image3.tif"], [1, 2]),
        (["2024/run 7/image 5 b.tif", "2024/run 7/image 4 b.tif"], [1, 2, 3]),
        (["no number"], []),
        ([], []),
        (["9" * 5000 + ".tif", "0.tif"], []),
    ],
)
def test_finds_numbers_missing_from_a_sequence(names, missing):
    assert missing_numbers(names) == missing


def test_names_no_more_missing_numbers_than_asked():
    assert missing_numbers(["0.tif", f"{10**17}.tif"], limit=3) == [1, 2, 3]


def test_a_name_of_many_digits_is_looked_at_once():
    assert missing_numbers([("1" * 30_000 + "x") * 2]) == []


def folder_of(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return files_in(folder)


def test_a_numbered_sequence_is_sorted_by_number_also_without_leading_zeros(tmp_path):
    files = folder_of(tmp_path, *(f"i/image{n}.tif" for n in (10, 0, 2, 1, 3, 4, 5, 6, 7, 8, 9, 11)))
    assert [blob.name for blob in files.numbered("i/*.tif")] == [f"i/image{n}.tif" for n in range(12)]


def test_numbers_may_go_on_over_folders_or_begin_again_in_each(tmp_path):
    on = folder_of(tmp_path / "on", "i/0/a0.bin", "i/0/a1.bin", "i/1/a2.bin", "i/1/a3.bin")
    again = folder_of(tmp_path / "again", "i/0/a0.bin", "i/0/a1.bin", "i/1/a0.bin", "i/1/a1.bin")
    for files in (on, again):
        assert [blob.name for blob in files.numbered("i/*.bin")] == sorted(files)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a0.tif", "a2.tif"], r"number 1 of \*.tif is missing$"),
        (["a0.tif", "a4.tif"], r"number 1 of \*.tif is missing, and 2 more$"),
        (["a3.tif"], "number 1 of"),
        (["a0.tif", "a00.tif"], "a0.tif and a00.tif have the same number"),
        (["a0.tif", "mean.tif"], "mean.tif has no number"),
        (["a0.png"], "has no "),
        (["x/a0.tif", "x/a1.tif", "y/a0.tif", "y/a2.tif"], "number 1 of"),
    ],
)
def test_a_numbered_sequence_is_refused_unless_every_frame_is_there_once(tmp_path, names, message):
    with pytest.raises(BadSource, match=message):
        folder_of(tmp_path, *names).numbered("*.tif")


def test_a_folder_that_belongs_to_the_format_stays_in_the_names(tmp_path):
    path = zip_of(tmp_path / "some.zip", [("images/0.tif", b"0"), ("images/1.tif", b"1")])
    assert list(files_in(path)) == ["0.tif", "1.tif"]
    assert list(files_in(path, keep=("images",))) == peek(path, keep=("images",)) == ["images/0.tif", "images/1.tif"]


def test_follows_links_once_and_refuses_one_that_leads_nowhere(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.json").write_bytes(b"[]")
    folder = tmp_path / "recording"
    folder.mkdir()
    (folder / "regions").symlink_to(tmp_path / "real")
    (folder / "loop").symlink_to(folder)
    assert list(files_in(folder)) == ["regions/a.json"]
    (folder / "image1.tif").symlink_to(tmp_path / "absent")
    with pytest.raises(BadSource, match=r"image1\.tif is a link to a file that is not there: fetch it first"):
        files_in(folder)


def test_patterns_fit_names_in_any_case(tmp_path):
    names = ["i/image0.tiff", "i/image1.TIFF", "i/image2.Tif"]
    files = folder_of(tmp_path, *names)
    assert [blob.name for blob in files.numbered("i/*.tiff", "i/*.tif")] == names
