"""Which files belong to which cell, what each of them is, and what a recording is called."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nwbridge import BadSource, arrays

ROLES = {  # what a file is -> its name, and the name as the data set has it
    "raw": (re.compile(r"WF_?raw[ _-]?(\d{0,9})\.tiff?", re.IGNORECASE), "WF_raw.tif"),
    "sum": (re.compile(r"WF_?(\d{0,9})\.tiff?", re.IGNORECASE), "WF<N>.tif"),
    "image": (re.compile(r"SR_?(\d{0,9})\.tiff?", re.IGNORECASE), "SR<N>.tif"),
    "table": (re.compile(r"SR_?locs[ _-]?(\d{0,9})\.csv", re.IGNORECASE), "SR_locs.csv"),
}


@dataclass(frozen=True)
class Structure:
    """What is labelled in a cell."""

    name: str  # as the data set writes it
    location: str
    target: str | None = None  # protein or signal that carries the label, where the name says it


STRUCTURES = {  # how a folder's name begins, letters and digits only -> structure
    "ccp": Structure("CCPs", "clathrin-coated pits"),
    "ersec61": Structure("ER-sec61β", "endoplasmic reticulum, membrane", "Sec61β"),
    "erkdel": Structure("ER-KDEL", "endoplasmic reticulum, lumen", "KDEL"),
    "microtubule": Structure("Microtubules", "microtubules"),
    "ommtomm20": Structure("OMM-tomm20", "outer mitochondrial membrane", "TOMM20"),
    "immcox8a": Structure("IMM-cox8a", "inner mitochondrial membrane", "COX8A"),
}


@dataclass(frozen=True)
class Cell:
    """The files of one cell by what they are."""

    name: str  # of the recording, ASCII
    label: str  # of the folder, as it is
    structure: Structure | None
    files: dict[str, tuple[arrays.Blob, ...]]  # by role
    others: tuple[str, ...] = ()  # names of files that are none of the four
    at_top: bool = True  # whether the files lie where the path leads, not in a folder below

    @property
    def number(self) -> int | None:
        """The number in the folder's name, of cell12 the 12."""
        match = re.fullmatch(r"cell[ _-]?(\d{1,9})", self.label, re.IGNORECASE)
        return int(match.group(1)) if match else None

    def only(self, role: str) -> arrays.Blob | None:
        """Return the file of a role, if it is there; BadSource where several are."""
        blobs = self.files.get(role, ())
        if len(blobs) > 1:
            names = " and ".join(blob.name for blob in blobs)
            raise BadSource(f"{self.name} holds {names}: the files of several cells; expected one {ROLES[role][1]}")
        return blobs[0] if blobs else None


def role_of(name: str) -> tuple[str, str] | None:
    """Return what a file is and the number in its name."""
    for role, (pattern, _) in ROLES.items():
        if match := pattern.fullmatch(PurePosixPath(name).name):
            return role, match.group(1)
    return None


def structure_of(part: str) -> Structure | None:
    """Return the structure that a folder or zip is named after; Greek letters may be lost in a zip."""
    plain = re.sub(r"[^a-z0-9]", "", ascii_of(part).lower())
    return next((structure for key, structure in STRUCTURES.items() if plain.startswith(key)), None)


def ascii_of(text: str) -> str:
    """Return text with Greek letters spelled out and accents dropped: sec61β is sec61beta."""
    return "".join(_ascii(letter) for letter in unicodedata.normalize("NFKD", text))


def _ascii(letter: str) -> str:
    if letter.isascii():
        return letter
    named = re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)", unicodedata.name(letter, ""))
    return named.group(1).lower() if named else "" if unicodedata.combining(letter) else "_"


def cells_in(path: Path) -> dict[str, Cell]:
    """Return the cells below a path by the name of their recording; BadSource where there is none."""
    files = arrays.files_in(path)
    groups: dict[tuple[str, ...], dict[str, list[arrays.Blob]]] = {}
    others: dict[tuple[str, ...], list[str]] = {}
    for name, blob in files.blobs.items():
        folder, found = PurePosixPath(name).parent.parts, role_of(name)
        if found is None:
            others.setdefault(folder, []).append(PurePosixPath(name).name)
        else:
            groups.setdefault(folder, {}).setdefault(found[0], []).append(blob)
    chains = {group: tuple(_chain(path, files, group)) for group in groups}
    names = {group: _name(chain, len(group)) for group, chain in chains.items()}
    if alike := _alike(names):
        names |= {group: _safe("_".join(group)) for group in alike}
    if alike := _alike(names):
        folders = ", ".join(sorted("/".join(group) for group in alike))
        raise BadSource(f"{path.name}: {folders} would give files of one name; rename the folders or remove copies")
    cells = {
        name: Cell(
            name,
            chains[group][-1],
            next(filter(None, map(structure_of, reversed(chains[group]))), None),
            {role: tuple(blobs) for role, blobs in groups[group].items()},
            tuple(others.get(group, ())),
            not group,
        )
        for group, name in names.items()
    }
    return dict(sorted(cells.items(), key=lambda item: _natural(item[0])))


def _alike(names: Mapping[tuple[str, ...], str]) -> list[tuple[str, ...]]:
    """Return the groups whose names differ from another's at most in case, which not every disk tells apart."""
    counts = Counter(name.casefold() for name in names.values())
    return [group for group, name in names.items() if counts[name.casefold()] > 1]


def _chain(path: Path, files: arrays.Files, group: tuple[str, ...]) -> Iterator[str]:
    """Yield the names from two folders above the path down to the cell, each once."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow links to other names
    stem = re.sub(r"\.(zip|tiff?|csv)$", "", whole.name, flags=re.IGNORECASE)
    last = None
    for part in (whole.parent.parent.name, whole.parent.name, stem, files.prefix, *group):
        if part and part != last:
            yield part
            last = part


def _name(chain: Sequence[str], depth: int) -> str:
    """Name a recording after the structure and what is below it; without one, after what was given."""
    start = max((number for number, part in enumerate(chain) if structure_of(part)), default=None)
    if start is None:
        return _safe("_".join(chain[-1 - depth :]))
    structure = structure_of(chain[start])
    return _safe("_".join([structure.name if structure else "", *chain[start + 1 :]]))


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_of(name)).strip("._") or "cell"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d{1,9})", name)]
