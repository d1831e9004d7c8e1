"""Size, SHA-256 and change time of a file, and the checksums of a zip's stored members on the way."""

import hashlib
import zipfile

import numpy as np
import pytest

from nwbridge import BadSource
from nwbridge.arrays import files_in
from nwbridge.arrays.fingerprint import fingerprint

NOISE = np.random.default_rng(4).bytes(5 << 20)  # more than one piece


def stored(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name, content in (("a", NOISE), ("empty", b""), ("b", NOISE[::-1]), (".DS_Store", b"x"), ("c", b"last")):
            out.writestr(name, content)
        out.writestr("deflated", NOISE[:1000], zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize("content", [b"", b"a", NOISE, NOISE[: 4 << 20]])
def test_equals_what_the_system_says(tmp_path, content):
    path = tmp_path / "some.bin"
    path.write_bytes(content)
    found = fingerprint(path)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.size, found.changed) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_of_a_sound_zip_is_that_of_its_bytes(tmp_path):
    path = stored(tmp_path / "some.zip")
    assert fingerprint(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("part", [0, 0.5, 1])
def test_reports_a_corrupted_stored_member(tmp_path, name, part):
    path = stored(tmp_path / "some.zip")
    blob = files_in(path)[name]
    with path.open("r+b") as file:
        file.seek(blob.start + int(part * (blob.size - 1)))
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(BadSource, match=rf"^{name} does not match its checksum in some\.zip"):
        fingerprint(path)


def test_gives_up_when_asked(tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(NOISE)
    asked = iter([False, True])
    assert fingerprint(path, lambda: next(asked)).sha256 != hashlib.sha256(NOISE).hexdigest()
    assert next(asked, None) is None


def test_names_a_file_that_is_gone(tmp_path):
    with pytest.raises(BadSource, match=r"gone\.bin does not exist"):
        fingerprint(tmp_path / "gone.bin")
