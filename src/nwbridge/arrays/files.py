"""The files of a recording by name: those of a folder, the members of a zip left as it is, or one file."""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from nwbridge.arrays.blobs import Blob, readable
from nwbridge.errors import BadSource
from nwbridge.forms import fault

MAX_MEMBERS = 1_000_000
MAX_RATIO = 1040  # deflate cannot exceed 1032:1
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
T = TypeVar("T")


@dataclass(frozen=True)
class Files:
    """The files below `path` by name: a folder's, a zip's members, or the one file itself.

    Names are relative with ``/``. Where everything lies in one outer folder, as zips are commonly made, that folder is
    `prefix` and not part of the names.
    """

    path: Path
    blobs: dict[str, Blob] = field(repr=False)
    prefix: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.blobs

    def __iter__(self) -> Iterator[str]:
        return iter(self.blobs)

    def __getitem__(self, name: str) -> Blob:
        try:
            return self.blobs[name]
        except KeyError:
            raise BadSource(f"{self.path.name} has no {name}") from None

    def matching(self, *patterns: str) -> list[Blob]:
        """Return the blobs whose name fits one of the patterns (``images/*.tif*``, in any case), sorted by name."""
        fits = [re.compile(fnmatch.translate(pattern), re.IGNORECASE).match for pattern in patterns]
        return [blob for name, blob in self.blobs.items() if any(fit(name) for fit in fits)]

    def numbered(self, *patterns: str) -> list[Blob]:
        """Return what `matching` does as a sequence of frames: by folder, then by number.

        BadSource where nothing is there, a file has no number, or a number is missing or stands twice. The numbers
        of several folders may go on from one to the next, or begin again in each.
        """
        places: dict[tuple[str, int], Blob] = {}
        for blob in self.matching(*patterns):
            folder, name = os.path.split(blob.name)
            number = _last_number(name)
            if number is None:
                raise BadSource(f"{self.path.name}: {blob.name} has no number; expected numbered frames only")
            if (other := places.setdefault((folder, number), blob)) is not blob:
                raise BadSource(f"{self.path.name}: {other.name} and {blob.name} have the same number; expected one")
        if not places:
            raise BadSource(f"{self.path.name} has no {' or '.join(patterns)}")
        groups: dict[str, list[str]] = {}
        restarts = len({number for _, number in places}) < len(places)
        for folder, number in places:
            groups.setdefault(folder if restarts else "", []).append(str(number))
        if missing := [number for names in groups.values() for number in missing_numbers(names)]:
            several = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise BadSource(f"{self.path.name}: number {missing[0]} of {patterns[0]} is missing{several}")
        return [places[place] for place in sorted(places)]

    def json(self, name: str, kind: type[T], form: Mapping[str, Any] | None = None) -> T:
        """Return a JSON file's content, a dict or list as asked; BadSource if it is absent or anything else.

        With a JSON schema as `form` also where it breaks that. NaN and Infinity, which JSON has not, are refused.
        """
        try:
            content = json.loads(self[name].read().decode("utf-8-sig"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, nested too deep, a number too long
            raise BadSource(f"{self.path.name}: {name} is not valid JSON ({error})") from error
        if not isinstance(content, kind):
            raise BadSource(f"{self.path.name}: {name} holds a {type(content).__name__}; expected a {kind.__name__}")
        if form is not None and (wrong := fault(content, form)):
            raise BadSource(f"{self.path.name}: {name}: {wrong}")
        return content


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def files_in(path: Path, keep: Sequence[str] = ()) -> Files:
    """Return the files of a folder, a zip or a single file; BadSource where that cannot be.

    A zip's one outer folder is dropped from the names, unless its name is in `keep`: then it belongs to the format.
    """
    path = Path(path)
    if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a folder above may not be entered
        return Files(path, _folder(path))
    if is_zip(readable(path)):
        return _without_outer_folder(path, _zip(path), keep)
    if path.suffix.lower() == ".zip":
        raise BadSource(f"{path.name} is not a complete zip: its list of members is missing; download it again")
    return Files(path, {path.name: Blob(path, path.name, 0, path.stat().st_size)})


def is_zip(path: Path) -> bool:
    """Whether a file is a zip from its first byte on; a TIFF that happens to end like a zip is none."""
    with path.open("rb") as file:
        return file.read(2) == b"PK" and zipfile.is_zipfile(file)


def _folder(folder: Path) -> dict[str, Blob]:
    """Return every file below a folder, links followed; BadSource for what is there and cannot be reached."""

    def refuse(error: OSError) -> None:
        raise BadSource(f"{error.filename} cannot be read: {error.strerror}")

    blobs: dict[str, Blob] = {}
    above: dict[str, frozenset[tuple[int, int]]] = {}  # of each folder: itself and those that it lies in
    for top, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        stat = os.stat(top)  # noqa: PTH116
        known = above.get(os.path.dirname(top), frozenset())  # noqa: PTH120
        if (stat.st_dev, stat.st_ino) in known:  # a link that leads back up
            folders.clear()
            continue
        above[top] = known | {(stat.st_dev, stat.st_ino)}
        folders[:] = [name for name in folders if not _hidden(name)]
        for name in names:
            file = Path(top, name)
            relative = file.relative_to(folder).as_posix()
            if not _hidden(name) and file.is_symlink() and not os.path.exists(file):  # noqa: PTH110
                raise BadSource(f"{relative} is a link to a file that is not there: fetch it first")
            if not _hidden(name) and file.is_file():
                blobs[relative] = Blob(file, relative, 0, file.stat().st_size)
    return dict(sorted(blobs.items()))


def _hidden(name: str) -> bool:
    """Whether a file manager or archiver left it there (.DS_Store, __MACOSX, Thumbs.db)."""
    return (name.startswith(".") and name not in (".", "..")) or name in (
        "__MACOSX",
        "Thumbs.db",
        "desktop.ini",
        "Icon\r",
    )


def _zip(path: Path) -> dict[str, Blob]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except Exception as error:
        raise BadSource(f"{path.name} cannot be read as a zip ({error}): download it again") from error
    if len(members) > MAX_MEMBERS:
        raise BadSource(f"{path.name} has {len(members):,} members; expected at most {MAX_MEMBERS:,}")
    blobs: dict[str, Blob] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        end = 0
        for member in sorted(members, key=lambda m: m.header_offset):
            if member.header_offset < end:
                raise BadSource(f"{path.name}: member {member.filename!r} overlaps another member; refused")
            hidden = any(_hidden(part) for part in member.filename.split("/"))
            if not hidden:
                _check_member(path, member)
            blob = _locate(path, file, member, size)
            end = blob.start + member.compress_size
            if hidden:
                continue
            if blob.name in blobs:
                raise BadSource(f"{path.name} has two members named {blob.name}")
            blobs[blob.name] = blob
    return dict(sorted(blobs.items()))


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse a member of a zip that may be made to harm, or that cannot be read here."""
    name = member.filename
    where = f"{path.name}: member {name!r}"
    if "\\" in name:
        raise BadSource(f"{where} has a backslash in its name; refused: zip the folder again with another program")
    if name.startswith("/") or ".." in name.split("/"):
        raise BadSource(f"{where} points outside the zip; refused")
    if not name.isprintable():
        raise BadSource(f"{where} has control characters in its name; refused")
    if member.flag_bits & 0x1:
        raise BadSource(f"{where} is encrypted; give an unencrypted zip")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadSource(
            f"{where} is packed with method {member.compress_type}; expected stored or deflated, unzip it first"
        )
    if member.file_size > MAX_RATIO * member.compress_size + MAX_RATIO:
        raise BadSource(
            f"{where} claims {member.file_size:,} bytes from {member.compress_size:,}, more than deflate can"
        )
    if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
        raise BadSource(f"{where} claims {member.file_size:,} bytes and stores {member.compress_size:,}; refused")


def _locate(path: Path, file: BinaryIO, member: zipfile.ZipInfo, size: int) -> Blob:
    """Return where the bytes of a member lie in a zip of `size` bytes."""
    where = f"{path.name}: member {member.filename!r}"
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise BadSource(f"{where} is not where the zip's list says: download it again")
    *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if start + member.compress_size > size:
        raise BadSource(
            f"{where} ends at byte {start + member.compress_size:,}, the zip at {size:,}: download it again"
        )
    packed = member.compress_size if member.compress_type == zipfile.ZIP_DEFLATED else None
    return Blob(path, member.filename, start, member.file_size, packed, member.CRC)


def _without_outer_folder(path: Path, blobs: dict[str, Blob], keep: Sequence[str]) -> Files:
    """Drop the one folder that everything lies in, for zips made of a folder."""
    tops = {name.split("/", 1)[0] for name in blobs}
    if len(tops) != 1 or tops.intersection(keep) or not all("/" in name for name in blobs):
        return Files(path, blobs)
    (top,) = tops
    return Files(path, {name.split("/", 1)[1]: blob for name, blob in blobs.items()}, top)


def peek(path: Path, keep: Sequence[str] = ()) -> list[str]:
    """Return the names of the files two levels deep, opening no more than a zip's list of members.

    Nothing where the path cannot be read.

    Of a zip it gives all names, as `files_in` does. For `Source.detect`, which has to be quick on any folder and must
    not raise.
    """
    try:
        path = Path(path)
        if not path.is_dir():
            return list(files_in(path, keep))
        return sorted(_two_levels(path))
    except (BadSource, OSError, ValueError):
        return []


def _two_levels(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.name
                continue
            # a folder that may not be entered hides only its own files
            with suppress(OSError), os.scandir(entry.path) as inside:
                yield from [f"{entry.name}/{inner.name}" for inner in inside if inner.is_file()]


def missing_numbers(names: Sequence[str], limit: int = 1000) -> list[int]:
    """Return the first numbers absent from a numbered sequence of file names (the last digits of each name count).

    A sequence starts at 0 or 1; ``["image00000.tif", "image00002.tif"]`` lacks ``[1]``.
    """
    numbers = sorted({number for name in names if (number := _last_number(name)) is not None})
    if not numbers:
        return []
    before = [min(numbers[0], 1) - 1, *numbers]
    gaps = (range(low + 1, high) for low, high in itertools.pairwise(before))
    return list(itertools.islice(itertools.chain.from_iterable(gaps), limit))


def _last_number(name: str) -> int | None:
    digits = re.findall(r"\d+", name)
    return int(digits[-1]) if digits and len(digits[-1]) <= 18 else None
