"""What is worth knowing about a cell's files and its table."""

from collections.abc import Collection, Iterator

from nwbridge import Finding
from nwbridge_dl_smlm.cells import ROLES, Cell, role_of
from nwbridge_dl_smlm.table import Table


def warn(message: str, advice: str) -> Finding:
    """Return a warning of this source."""
    return Finding("warning", message, advice, check="dl-smlm")


def missing(cell: Cell, there: Collection[str]) -> Iterator[Finding]:
    """Say which files are missing, not carried, or numbered as another cell's."""
    absent = [name for role, (_, name) in ROLES.items() if role not in there]
    if absent:
        text = f"{cell.label} has no {' and no '.join(absent)}; the rest is converted"
        yield warn(text, "give the folder or zip that holds all, if you have it")
    if cell.others:
        shown = ", ".join(cell.others[:5]) + (f" and {len(cell.others) - 5} more" if len(cell.others) > 5 else "")
        yield Finding("hint", f"not carried: {shown}", "", cell.label, "dl-smlm")
    yield from _numbers(cell)


def _numbers(cell: Cell) -> Iterator[Finding]:
    """Compare the numbers in the files' names with each other and with the cell's."""
    numbered = {
        blob.name: int(found[1])
        for role in ROLES
        for blob in cell.files.get(role, ())
        if (found := role_of(blob.name)) and found[1]
    }
    own = cell.number
    if len(set(numbered.values())) > 1 or (own is not None and set(numbered.values()) - {own}):
        text = f"{cell.label} holds {' and '.join(numbered)}, with numbers of other cells"
        yield warn(text, "make sure that all files are of one cell")


def found_in_table(table: Table, shape: tuple[int, ...] | None, pixel_um: float) -> Iterator[Finding]:
    """Say what is odd in a table; `shape` is that of the frames, where they are there."""
    name = table.blob.name
    yield from table.header.findings
    if not table.rows:
        yield warn(f"{name} has no localization", "check the file")
    if not table.ended:
        text = f"{name} has no line end after its last line: the last number may be cut off"
        yield warn(text, "compare the file's size with the download's")
    for column, count in table.not_finite.items():
        text = f"{name}: column {column} has {count:,} of {table.rows:,} values that are NaN or infinite"
        yield warn(text, "they were kept")
    if "frame" not in table.header.names:
        yield warn(f"{name} has no column frame; the localizations belong to no frame", "check the file")
    yield from _frames(table, shape[0] if shape else None)
    if shape:
        yield from _extent(table, dict(zip(("y", "x"), shape[1:], strict=True)), pixel_um)


def _frames(table: Table, present: int | None) -> Iterator[Finding]:
    name = table.blob.name
    if "frame" in table.header.names and table.dtype["frame"].kind != "i":
        yield warn(f"{name}: not all frames are whole numbers: the table is not linked to frames", "they were kept")
    first, last = table.ends.get("frame", (1, 1))
    if first < 1:
        text = (
            f"{name}: the first frame is {first}; ThunderSTORM counts from 1: what the numbers count from is left open"
        )
        yield warn(text, "check which program wrote the table")
    if present is not None and last > present:
        text = f"{name}: frames go up to {last}, WF_raw.tif has {present}: the table is not linked to these frames"
        yield warn(text, "the localizations were probably found in frames that are not distributed")


def _extent(table: Table, pixels: dict[str, int], pixel_um: float) -> Iterator[Finding]:
    """Say which positions lie outside the field of view; outliers are kept."""
    for column, count in pixels.items():
        if table.header.unit(column) == "nm" and column in table.ends:
            low, high = table.ends[column]
            edge = count * pixel_um * 1000
            if low < 0 or high > edge:
                text = f"{table.blob.name}: {column} goes from {low:g} to {high:g} nm; the frames from 0 to {edge:g} nm"
                yield Finding("hint", text, "they were kept; are the files of one cell?", table.blob.name, "dl-smlm")
