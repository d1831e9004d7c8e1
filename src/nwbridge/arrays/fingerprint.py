"""What identifies a source file: its size and SHA-256, and for a zip the checksums of its members on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isal import isal_zlib

from nwbridge.arrays.blobs import Blob, readable
from nwbridge.arrays.files import files_in, is_zip
from nwbridge.errors import BadSource

_PIECE = 256 << 10


@dataclass(frozen=True)
class Fingerprint:
    """Size in bytes, SHA-256 in hexadecimal, and the time of the last change in ns."""

    size: int
    sha256: str
    changed: int


def fingerprint(path: Path, stopped: Callable[[], bool] = lambda: False) -> Fingerprint:
    """Read a file once from front to back; BadSource where a stored member of a zip does not match its checksum.

    Deflated members are checked while they are inflated. `stopped` is asked now and then whether to give up.
    """
    stat = readable(path).stat()
    checks = _stored_members(path) if is_zip(path) else iter(())
    member, crc = next(checks, None), 0
    digest = hashlib.sha256()
    position = 0
    with path.open("rb", buffering=0) as file:
        buffer = memoryview(bytearray(_PIECE))
        while not stopped() and (count := file.readinto(buffer)):
            piece = buffer[:count]
            digest.update(piece)
            while member is not None and member.start < position + count:
                end = member.start + member.size
                crc = isal_zlib.crc32(piece[max(0, member.start - position) : end - position], crc)
                if end > position + count:
                    break
                if crc != member.crc:
                    raise BadSource(f"{member.name} does not match its checksum in {path.name}: download it again")
                member, crc = next(checks, None), 0
            position += count
    return Fingerprint(stat.st_size, digest.hexdigest(), stat.st_mtime_ns)


def _stored_members(path: Path) -> Iterator[Blob]:
    stored = (blob for blob in files_in(path).blobs.values() if not blob.sequential)
    yield from sorted(stored, key=lambda blob: blob.start)
