"""Rows of numbers in a text: parsed by blocks, each number as ``float(text)`` would, and what is wrong named."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, arrays

BLOCK = 4 << 20  # bytes read at a time
_SHARE = 1 << 20  # bytes that one thread parses
_LONGEST = 1 << 20  # bytes of a line
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE | re.ASCII)
Values = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Rows:
    """Where the rows are and what their fields are called."""

    blob: arrays.Blob
    start: int  # byte of the first row
    names: tuple[str, ...]
    headings: tuple[str, ...]  # as the file has them

    def blocks(self, handle: Any, whole: frozenset[str]) -> Iterator[Values]:
        """Yield the columns of one run of rows after the other, those in `whole` as int64 and the others as float64.

        From a block on in which one of `whole` is not written as whole numbers, all come as float64.
        """
        line = 2
        for text in self._texts(handle):
            for kinds in (whole, frozenset[str]()):
                with suppress(ValueError):  # pyarrow's errors are such
                    values, whole = self._parse(text, kinds), kinds
                    break
            else:
                self._explain(text, line)
            line += text.count(b"\n")
            yield values

    def _texts(self, handle: Any) -> Iterator[bytes]:
        """Yield runs of whole lines; the last line may have no end."""
        position, rest = self.start, b""
        while position < self.blob.size:
            text = rest + handle.read(position, BLOCK)
            position = min(position + BLOCK, self.blob.size)
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            if len(rest) > _LONGEST:
                raise BadSource(f"{self.blob.name} has no line end in {len(rest):,} bytes; expected a text table")
            if end:
                yield text[:end]
        if rest:
            yield rest

    def _parse(self, text: bytes, whole: frozenset[str]) -> Values:
        """Return the columns; ValueError where a row has another number of fields or a field is no number."""
        import pyarrow as pa
        from pyarrow import csv as reader

        if b"x" in text or b"X" in text:
            whole = frozenset()  # as integers, hexadecimal numbers would be taken
        if not text.strip(b"\r\n"):
            return {name: np.empty(0) for name in self.names}
        keys = [str(number) for number in range(len(self.names))]
        kinds = [pa.int64() if name in whole else pa.float64() for name in self.names]
        table = reader.read_csv(
            pa.BufferReader(text),
            reader.ReadOptions(column_names=keys, block_size=_SHARE),
            reader.ParseOptions(),
            reader.ConvertOptions(column_types=dict(zip(keys, kinds, strict=True)), null_values=[]),
        )
        return {name: table.column(key).to_numpy() for name, key in zip(self.names, keys, strict=True)}

    def _explain(self, text: bytes, first: int) -> NoReturn:
        """Raise BadSource that names the line and the column of what is wrong."""
        numbered = enumerate(text.decode("utf-8", "replace").split("\n"), first)
        for number, line in ((number, line) for number, whole in numbered for line in whole.split("\r") if line):
            fields = _fields(line)
            if len(fields) != len(self.names):
                found = f"line {number} has {len(fields)} fields; expected {len(self.names)}"
                last = not text.endswith(b"\n") and number == first + text.count(b"\n")
                raise BadSource(
                    f"{self.blob.name} is cut off: {found}: download it again"
                    if last
                    else f"{self.blob.name}: {found}: {_short(line)!r}"
                )
            for field, heading in zip(fields, self.headings, strict=True):
                if not _NUMBER.fullmatch(field.strip(" \t")):
                    what = repr(_short(field)) if field.strip() else "empty"
                    raise BadSource(f"{self.blob.name}: line {number}, column {heading} is {what}; expected a number")
        raise BadSource(f"{self.blob.name}: lines {first} and following cannot be read as rows of numbers")


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:  # a quote that does not end, or a field longer than csv takes
        return [line]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def spread(values: npt.NDArray[Any], known: Sequence[float] | None) -> tuple[int, tuple[float, float] | None]:
    """Return how many values are not finite, and the smallest and largest of the others and of what is known."""
    finite = values if values.dtype.kind == "i" else values[np.isfinite(values)]
    ends = [*(known or ()), *((finite.min().item(), finite.max().item()) if len(finite) else ())]
    return len(values) - len(finite), (min(ends), max(ends)) if ends else None
