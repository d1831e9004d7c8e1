"""The source files of a conversion: named by checksum beside it, and the same from first to last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from nwbridge.arrays.fingerprint import Fingerprint, fingerprint
from nwbridge.errors import BadSource


@contextmanager
def watched(files: Sequence[Path]) -> Iterator[Callable[[], list[Fingerprint]]]:
    """Read the files once more in a thread; yield the function that waits for their fingerprints.

    It raises BadSource where a file is not what it was at the beginning.
    """
    before = {file: _state(file) for file in files}
    stop = threading.Event()
    with ThreadPoolExecutor(1, "nwbridge-fingerprint") as pool:
        prints = [pool.submit(fingerprint, file, stop.is_set) for file in files]

        def found() -> list[Fingerprint]:
            try:
                known = [future.result() for future in prints]
            except OSError as error:
                raise BadSource(f"{error.filename} cannot be read any more: {error.strerror}") from error
            for file, state in before.items():
                if _state(file) != state:
                    raise BadSource(
                        f"{file.name} changed while it was converted: wait until it is complete, then try again"
                    )
            return known

        try:
            yield found
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _state(file: Path) -> tuple[int, int, int]:
    """Return what changes when a file does."""
    try:
        stat = file.stat()
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror}") from error
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
