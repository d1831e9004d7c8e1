"""Which TIFFs make one recording, in which order; and whether there are any."""

import fnmatch
import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nwbridge import BadOption, BadSource, Finding, arrays
from nwbridge_tiff.ome import is_ome
from nwbridge_tiff.said import warning

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def detect(path: Path) -> str | None:
    """Look for one TIFF, or at least two of equal shape in one folder or zip."""
    try:
        return _evidence(path)
    except (BadSource, OSError, ValueError):
        return None


def _evidence(path: Path) -> str | None:
    names = _nearest(arrays.peek(path))
    if not path.is_dir():
        files = arrays.files_in(path)
        if path.suffix.lower() in SUFFIXES:
            return _one(files[path.name])
        blobs = [files[name] for name in names[:2]]
        count = f"{len(names)} TIFFs" if len(names) > 1 else "one TIFF"
        alone = len(names) > 1 or len(files.blobs) == 1  # one TIFF beside other files is part of something else
        return f"a zip of {count}" if blobs and alone and all(map(_is_tiff, blobs)) else None
    if len(names) < 2 or len({PurePosixPath(name).parent for name in names}) > 1:
        return None
    blobs = [arrays.files_in(path / name)[PurePosixPath(name).name] for name in names[:2]]
    one, other = map(arrays.tiff_tags, blobs)
    return f"a folder of {len(names)} TIFFs of equal shape" if one.shape == other.shape else None


def _one(blob: arrays.Blob) -> str:
    """Name the program whose description it has; one that cannot be read is claimed too: to say why."""
    try:
        text = arrays.tiff_tags(blob).description
    except BadSource:
        return "a TIFF"
    return f"a TIFF ({'OME' if is_ome(text) else 'ImageJ' if text.startswith('ImageJ=') else 'plain'})"


def _is_tiff(blob: arrays.Blob) -> bool:
    with blob.open() as handle:
        return handle.read(0, 4) in MAGIC


def _nearest(names: Sequence[str]) -> list[str]:
    """Return the TIFFs that lie least deep."""
    tiffs = [name for name in names if name.lower().endswith(SUFFIXES) and not name.split("/")[-1].startswith(".")]
    depth = min((name.count("/") for name in tiffs), default=0)
    return sorted(name for name in tiffs if name.count("/") == depth)


def select(files: arrays.Files, pattern: str | None) -> tuple[list[arrays.Blob], list[Finding]]:
    """Return the TIFFs of one recording in the order of their numbers, and what is worth knowing about them.

    BadSource where they are of several kinds, or a number is missing between two others.
    """
    names = [name for name in files if pattern is None or fnmatch.fnmatch(name.lower(), pattern.lower())]
    single = files.path.name in files and len(files.blobs) == 1
    names = names if single else _nearest(names)
    if not names:
        what = "has no TIFF" if pattern is None else f"has no TIFF that fits --files {pattern}"
        raise (BadSource if pattern is None else BadOption)(f"{files.path.name} {what}")
    if len(names) == 1:
        return [files[names[0]]], []
    advice = "choose with --files PATTERN, such as --files '*_ch1_*'"
    folders = sorted({str(PurePosixPath(name).parent) for name in names})
    if len(folders) > 1:
        raise BadSource(f"{files.path.name}: TIFFs lie in {len(folders)} folders, {_some(folders)}; {advice}")
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(re.sub(r"\d+", "#", PurePosixPath(name).name), []).append(name)
    if len(kinds) > 1:
        one_each = [group[0] for group in kinds.values()]
        raise BadSource(f"{files.path.name}: its TIFFs have {len(kinds)} kinds of name, {_some(one_each)}; {advice}")
    numbers = {name: [int(n) for n in re.findall(r"\d+", PurePosixPath(name).name)[-8:]] for name in names}
    varying = [place for place, column in enumerate(zip(*numbers.values(), strict=True)) if len(set(column)) > 1]
    if len(varying) != 1:
        raise BadSource(
            f"{files.path.name}: {len(varying)} numbers vary in the names of its {len(names)} TIFFs, such as "
            f"{_some(names)}; expected one, the frame's; {advice}"
        )
    order = {name: found[varying[0]] for name, found in numbers.items()}
    return [files[name] for name in sorted(names, key=order.__getitem__)], _gaps(
        files.path.name, sorted(order.values())
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _gaps(where: str, numbers: Sequence[int]) -> list[Finding]:
    """Refuse a number that is missing between two others or stands twice; say where the first is not 0 or 1."""
    for before, after in itertools.pairwise(numbers):
        if after == before:
            raise BadSource(f"{where}: two TIFFs have the number {after}; expected one")
        if after > before + 1:
            missing = numbers[-1] - numbers[0] + 1 - len(numbers)
            several = f", and {missing - 1} more" if missing > 1 else ""
            raise BadSource(f"{where}: the TIFF with number {before + 1} is missing{several}; expected all")
    if numbers[0] > 1:
        text = f"the TIFFs begin with number {numbers[0]}; expected 0 or 1"
        return [warning(text, "make sure that none is missing before it")]
    return []
