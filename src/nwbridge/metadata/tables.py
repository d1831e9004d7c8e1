"""The lab's table of sessions: one row a recording, in CSV or TSV as spreadsheets write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.forms import near, used
from nwbridge.metadata.given import check, form_of, parse_time, resolve
from nwbridge.metadata.keys import GROUPS, Metadata
from nwbridge.metadata.patterns import plain

FEW = 10  # faults of a table that are told at once
# what labs call the columns -> key in the metadata file
COLUMNS = {
    "path": "path",
    "source": "source",
    "subject": "Subject.subject_id",
    "subject_id": "Subject.subject_id",
    "session": "NWBFile.session_id",
    "session_id": "NWBFile.session_id",
    "start_time": "NWBFile.session_start_time",
    "session_start_time": "NWBFile.session_start_time",
    "species": "Subject.species",
    "sex": "Subject.sex",
    "age": "Subject.age",
}
# what they call them as well -> the column that is meant
_MEANT = {
    **dict.fromkeys(("animal", "animal_id", "mouse", "mouse_id", "rat", "rat_id", "id"), "subject"),
    **dict.fromkeys(("file", "filename", "file_name", "folder", "recording"), "path"),
    **dict.fromkeys(("date", "datetime", "start", "time"), "start_time"),
}


def load_table(path: Path) -> Metadata:
    """Return the content of a table of sessions, as entries of Sessions; BadMetadata names the row that is wrong."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise BadMetadata(f"the metadata file {path} does not exist") from None
    except OSError as error:
        raise BadMetadata(f"the metadata file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadMetadata(f"{path.name} cannot be read: it is not UTF-8; save it as 'CSV UTF-8'") from error
    rows = _rows(text, path.name)
    if not rows:
        raise BadMetadata(f"{path.name} is empty; expected a row of column names such as path, subject, session")
    (_, header), *body = rows
    keys = _keys(header, path.name)
    entries: list[Metadata] = []
    first: dict[str, int] = {}
    faults: list[str] = []
    for line, cells in body:
        entry, wrong = _entry(keys, cells, f"row {line}")
        if entry and (before := first.setdefault(plain(entry["path"]), line)) != line:
            wrong = [f"row {line}: {entry['path']} stands in row {before} too; expected one row", *wrong]
        faults += wrong
        entries.append(entry)
    if faults:
        more = f"; and {len(faults) - FEW} more" if len(faults) > FEW else ""
        raise BadMetadata(f"{path.name} {'; '.join(faults[:FEW])}{more}")
    return {"Sessions": entries}


def _rows(text: str, name: str) -> list[tuple[int, list[str]]]:
    """Return the rows that hold anything, each with the number that a spreadsheet shows beside it."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadMetadata(f"{name} cannot be read as a table: {error}") from error
    stripped = [(number, [cell.strip() for cell in row]) for number, row in enumerate(rows, 1)]
    return [(number, row) for number, row in stripped if any(row)]


def _keys(header: list[str], name: str) -> list[str]:
    """Return the key of each column; '' for a column without a name."""
    known = {column.lower(): key for column, key in COLUMNS.items()} | {key.lower(): key for key in _full_keys()}
    keys = []
    for column in header:
        if column and column.lower() not in known:
            raise BadMetadata(f"{name} has a column {column}; {_near_column(column, known)}")
        keys.append(known[column.lower()] if column else "")
        if column and keys.count(keys[-1]) > 1:
            raise BadMetadata(f"{name} has two columns of {keys[-1]}; expected one")
    if "path" not in keys:
        raise BadMetadata(f"{name} has no column path; expected one, with each recording's file or folder")
    return keys


def _near_column(column: str, known: Mapping[str, str]) -> str:
    short = list(COLUMNS)
    if meant := _MEANT.get(column.lower()):
        return f"did you mean {meant}?"
    if "." not in column and (found := near(column.lower(), short)).startswith("did"):
        return found
    found = near(column, [key for key in known.values() if "." in key])
    return found if found.startswith("did") else f"expected {', '.join(short)} or a full key such as Subject.genotype"


def _full_keys() -> list[str]:
    """Return every key that takes a value, as it is written with dots."""
    return [".".join(path) for group in GROUPS for path in _leaves((group,), form_of(group))]


def _leaves(path: tuple[str, ...], form: Mapping[str, Any]) -> list[tuple[str, ...]]:
    inner = used(form) or used(resolve(form.get("items", {})))
    if not inner:
        return [path]
    return [leaf for key, below in inner.items() for leaf in _leaves((*path, key), resolve(below))]


def _entry(keys: list[str], cells: list[str], where: str) -> tuple[dict[str, Any], list[str]]:
    """Return a row as an entry of Sessions, and what is wrong in it; empty cells say nothing."""
    given = {key: cell for key, cell in zip(keys, cells, strict=False) if key and cell}
    if any(cells[len(keys) :]) or any(cell and not key for key, cell in zip(keys, cells, strict=False)):
        return {}, [f"{where} has a value in a column without a name; quote values that hold the separator"]
    if "path" not in given:
        return {}, [f"{where} has no path; expected the recording's file or folder"]
    where = f"{where} ({given['path']})"
    entry: dict[str, Any] = {key: given.pop(key) for key in ("path", "source") if key in given}
    entry["path"] = entry["path"].replace("\\", "/")
    try:
        return {**entry, **_checked(given, where)}, []
    except BadMetadata:  # the first of perhaps several
        return entry, list(_faults(given, where))


def _checked(given: Mapping[str, str], where: str) -> Metadata:
    """Return what cells say; BadMetadata names the first that cannot be."""
    content: dict[str, Any] = {}
    for key, cell in given.items():
        _put(content, key.split("."), cell, where)
    return check(content, where)


def _faults(given: Mapping[str, str], where: str) -> Iterator[str]:
    """Yield what is wrong with each cell."""
    for key, cell in given.items():
        try:
            _checked({key: cell}, where)
        except BadMetadata as error:
            yield str(error)


def _put(entry: dict[str, Any], path: list[str], cell: str, where: str) -> None:
    """Set the value of a key of the schema; what is a list of groups in the file gets one group."""
    form: Mapping[str, Any] = {"properties": {group: form_of(group) for group in GROUPS}}
    holder = entry
    for word in path[:-1]:
        form = resolve(form["properties"][word])
        if form.get("type") == "array":
            form = resolve(form["items"])
            holder = holder.setdefault(word, [{}])[0]
        else:
            holder = holder.setdefault(word, {})
    form = resolve(form["properties"][path[-1]])
    holder[path[-1]] = _value(cell, form, f"{where}: {'.'.join(path)}")


def _value(cell: str, form: Mapping[str, Any], where: str) -> Any:
    if form.get("format") == "date-time":
        parse_time(cell, where)
    if form.get("type") == "array":
        items = resolve(form["items"])
        return [_value(part.strip(), items, where) for part in cell.split(";") if part.strip()]
    if form.get("type") in ("number", "integer"):
        try:
            number = float(cell)
        except ValueError:
            raise BadMetadata(f"{where} is {cell!r}; expected a number, with a point as in 0.8") from None
        return int(number) if number.is_integer() else number
    return cell
