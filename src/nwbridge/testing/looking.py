"""What the contract of processors looks with: threads that ask in any order, names in files, missing modules."""

from __future__ import annotations

import atexit
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge.errors import NwbridgeError
from nwbridge.model import LazyArray, Movie
from nwbridge.nwb.extend import without_known
from nwbridge.testing.holdings import read_all

_WITHOUT = """
import json, sys
module, name, path, out, options = sys.argv[1:]
sys.modules[module] = None
import nwbridge
try:
    nwbridge.process(path, out, name, options=json.loads(options))
except nwbridge.MissingDependency as error:
    print(error)
"""


def kept_folder() -> Path:
    """Return a folder that goes when Python does."""
    folder = Path(tempfile.mkdtemp(prefix="nwbridge-contract-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def read_in_threads(array: LazyArray) -> npt.NDArray[Any]:
    """Return all values, asked for by several threads in blocks of all sizes and in any order."""
    count = array.shape[0]
    rng = random.Random(0)  # noqa: S311 the order, not a secret
    blocks, start = [], 0
    while start < count:
        stop = min(count, start + rng.choice((1, 2, 5, 11, max(1, count // 3))))
        blocks.append((start, stop))
        start = stop
    rng.shuffle(blocks)
    values = np.empty(array.shape, array.dtype)
    with array.open() as reader, ThreadPoolExecutor(4) as pool:

        def read(block: tuple[int, int]) -> None:
            values[slice(*block)] = reader[slice(*block)]

        list(pool.map(read, blocks))
    return values


def is_float(array: LazyArray) -> bool:
    """Whether values may be NaN."""
    return array.dtype.kind == "f"


def clock_of(one: Any) -> tuple[Any, ...]:
    """Return the number of frames, the rate and the start, or the times."""
    count = one.data.shape[0 if isinstance(one, Movie) else 1]
    if one.timestamps is not None:
        return count, tuple(read_all(one.timestamps).tolist())
    return count, one.rate_hz, one.start_s


def without_old(results: Sequence[Any], element: Any) -> list[Any]:
    """Return results without the traces that the element had before."""
    old = {traces.name for traces in getattr(element, "traces", ())}
    return [without_known(made, old) if made.name == element.name else made for made in results]


def names_in(file: h5py.File) -> list[str]:
    """Return the path of every object."""
    names: list[str] = []
    file.visit(names.append)
    return names


def ids_in(file: h5py.File) -> Iterator[str]:
    """Yield the id of every object that has one."""
    for name in ("/", *names_in(file)):
        if (found := file[name].attrs.get("object_id")) is not None:
            yield str(found)


def refusal(kind: type[NwbridgeError], run: Any) -> str:
    """Return the one line of the error that has to come."""
    try:
        run()
    except kind as error:
        assert "\n" not in str(error), "the error has more than one line"
        return str(error)
    raise AssertionError(f"nothing was raised; expected {kind.__name__}")


@contextmanager
def blocked(name: str) -> Iterator[None]:
    """Let a module be missing."""
    hidden = {key: one for key, one in sys.modules.items() if key == name or key.startswith(f"{name}.")}
    for key in hidden:
        del sys.modules[key]
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(hidden)


def said_without(module: str, name: str, path: Path, out: Path, options: Mapping[str, Any]) -> str:
    """Return what an installed processor says of a missing module, in a process that never had it."""
    given = json.dumps(dict(options), default=str)
    words = [sys.executable, "-c", _WITHOUT, module, name, str(path), str(out), given]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"without {module} it fails otherwise: {done.stderr[-300:]}"
    assert len(done.stdout.splitlines()) == 1, f"without {module}: {done.stdout!r}; expected one line"
    return str(done.stdout)
