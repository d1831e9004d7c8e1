"""The first line of a localization table: its columns, their units, and which program wrote it."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nwbridge import BadSource, Finding, arrays

FIRST_LINE = 1 << 16  # bytes
OTHERS = {  # how tables of other programs begin
    "rapidSTORM": re.compile(rb"#\s*<localizations"),
    "Zeiss Elyra (ZEN)": re.compile(rb"Index\tFirst Frame\t"),
    "ONI Nanoimager": re.compile(rb"Channel,Frame,X \(nm\)"),
    "Picasso": re.compile(rb"\x89HDF"),
}
UNITS = {
    "length": ("nm",),
    "light": ("photon", "photons"),
    "number": ("",),
}  # kind of value -> as ThunderSTORM writes it
OTHER_UNITS = {
    "length": ("px", "pixel", "pixels", "um", "µm", "μm", "mm", "m", "pm", "Å"),
    "light": ("ADU", "adu", "au", "a.u.", "count", "counts", "e-", "electron", "electrons"),
    "number": (),
}
KNOWN = {  # as ThunderSTORM calls it -> column, kind, description
    "id": ("source_id", "number", "number of the localization in the source's table"),
    "frame": ("frame", "number", "frame in which it was found"),
    "x": ("x", "length", "position along the columns of the image, from its left edge"),
    "y": ("y", "length", "position along the rows of the image, from its upper edge"),
    "z": ("z", "length", "axial position"),
    "sigma": ("sigma", "length", "standard deviation of the fitted Gaussian"),
    "sigma1": ("sigma1", "length", "standard deviation of the fitted elliptical Gaussian along its first axis"),
    "sigma2": ("sigma2", "length", "standard deviation of the fitted elliptical Gaussian along its second axis"),
    "intensity": ("intensity", "light", "light of the molecule"),
    "offset": ("offset", "light", "background in each pixel, as fitted"),
    "bkgstd": ("bkgstd", "light", "standard deviation of the background"),
    "chi2": ("chi2", "number", "chi-squared of a least squares fit"),
    "uncertainty": ("uncertainty", "length", "localization uncertainty"),
    "uncertainty_xy": ("uncertainty_xy", "length", "lateral localization uncertainty"),
    "uncertainty_z": ("uncertainty_z", "length", "axial localization uncertainty"),
    "detections": ("detections", "number", "localizations in consecutive frames that were merged into this one"),
    "loglikelihood": ("loglikelihood", "number", "log-likelihood of a maximum likelihood fit"),
}
WHOLE = ("source_id", "frame", "detections")  # columns that count


@dataclass(frozen=True)
class Heading:
    """One column of the table."""

    name: str
    unit: str | None
    text: str  # as it stands in the file
    description: str


@dataclass(frozen=True)
class Header:
    """The columns, and the byte where the rows begin."""

    headings: tuple[Heading, ...]
    start: int
    findings: tuple[Finding, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in the model."""
        return tuple(heading.name for heading in self.headings)

    def unit(self, name: str) -> str | None:
        """Return a column's unit."""
        return next((heading.unit for heading in self.headings if heading.name == name), None)


def written_by(blob: arrays.Blob) -> str | None:
    """Return the other program that wrote a table, where it is known."""
    with blob.open() as handle:
        head = handle.read(0, 256)
    return next((program for program, begins in OTHERS.items() if begins.match(head.lstrip(b"\xef\xbb\xbf"))), None)


def read_header(blob: arrays.Blob) -> Header:
    """Return a ThunderSTORM table's columns; BadSource where it is none."""
    if other := written_by(blob):
        raise BadSource(f"{blob.name} is a table of {other}; dl-smlm reads the tables of ThunderSTORM only")
    with blob.open() as handle:
        head = handle.read(0, FIRST_LINE)
    line, end, _ = head.partition(b"\n")
    names = [] if b"\r" in line.strip() else _split(line)
    if not end or not names or not "".join(names).replace("\t", "").isprintable():
        expected = "a text table in UTF-8, with lines that end in LF or CR LF"
        raise BadSource(f"{blob.name} has no line of column names within {len(head):,} bytes; expected {expected}")
    headings = [_heading(text) for text in names]
    names = [heading.name for heading in headings]
    shown = ", ".join(heading.text for heading in headings)
    shown = shown if len(shown) < 200 else f"{shown[:200]}…"
    for name in ("x", "y"):
        if name not in names:
            expected = f"a ThunderSTORM table, separated by commas, with {name} [nm]"
            raise BadSource(f"{blob.name} has no column {name}; its first line is {shown}; expected {expected}")
    for name in names:
        if not name or names.count(name) > 1:
            what = f"two columns {name}" if name else "a column without a name"
            raise BadSource(f"{blob.name} has {what}; its first line is {shown}; expected every name once")
    return Header(tuple(headings), len(line) + 1, tuple(_judge_units(headings, blob.name)))


def _split(line: bytes) -> list[str]:
    """Return the names; a line that was quoted as one cell is split once more."""
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = line.decode("cp1252", "replace")  # µ as Windows writes it
    for _ in range(2):
        cells = next(csv.reader([text.strip()], skipinitialspace=True), [])
        if len(cells) != 1:
            break
        (text,) = cells
    return [cell.strip() for cell in cells]


def _heading(text: str) -> Heading:
    match = re.fullmatch(r"([^\[\]]*?)\s*(?:\[\s*([^\[\]]*?)\s*\])?", text)
    word, unit = match.groups() if match else (text, None)
    plain = re.sub(r"[/:]|^\.+$", "_", word)  # what HDF5 takes as a name
    name, _, description = KNOWN.get(word.lower(), (plain, "", f"{word}, as the source has it"))
    return Heading(name, unit or None, text, description)


def _judge_units(headings: list[Heading], where: str) -> Iterator[Finding]:
    """Say which units are not those that ThunderSTORM writes; BadSource for those that cannot be."""
    kinds = {column: kind for column, kind, _ in KNOWN.values()}
    for heading in headings:
        if heading.name not in kinds:
            text = f"{heading.text} is no column of ThunderSTORM's; it was kept as it is"
            yield Finding("hint", text, "", where, "dl-smlm")
            continue
        kind, unit = kinds[heading.name], heading.unit or ""
        expected = UNITS[kind]
        if unit in expected:
            continue
        if unit and any(unit in UNITS[other] + OTHER_UNITS[other] for other in UNITS if other != kind):
            raise BadSource(f"{where}: column {heading.text} cannot be in {unit}; expected {_words(expected)}")
        text = f"column {heading.text} is in {unit or 'an unknown unit'}; ThunderSTORM writes {_words(expected)}"
        yield Finding("warning", text, "the values were kept as they are, with that unit", where, "dl-smlm")


def _words(units: tuple[str, ...]) -> str:
    return " or ".join(unit or "no unit" for unit in units)
