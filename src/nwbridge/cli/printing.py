"""What several commands print alike."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nwbridge.model import Finding


def size(count: int) -> str:
    """Return a number of bytes in words."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def roughly(count: int) -> str:
    """Return an estimated number of bytes in words, with two digits."""
    digits = len(str(count)) - 2
    return size(round(count, -digits)).replace(".0 ", " ")


def by(shape: Sequence[int]) -> str:
    """Return a shape in words."""
    return " × ".join(map(str, shape))


def element_line(element: Mapping[str, Any]) -> str:
    """Return what an element holds, in a line."""
    bytes_ = f", {size(element['bytes'])}" if "bytes" in element else ""
    if "shape" in element:
        axes = " (time × row × column)" if len(element["shape"]) == 3 else ""
        text = f"{by(element['shape'])} {element['dtype']}{axes}"
    elif "regions" in element:
        shape = f" in an image of {by(element['image_shape'])}" if element["image_shape"] else ", masks not distributed"
        traces = "; ".join(f"{name} {by(shape)}" for name, shape in element.get("traces", {}).items())
        text = f"{element['regions']} regions{shape}" + (f"; traces (region × time): {traces}" if traces else "")
    elif "images" in element:
        text = ", ".join(f"{name} {by(shape)}" for name, shape in element["images"].items())
    elif "rows" in element:
        text = f"{element['rows']} rows of {', '.join(element['columns'])}"
    else:
        text = f"{element['values']} values" if "values" in element else ""
    return f"{element['name']}: {element['type']} {text}{bytes_}".rstrip()


def print_findings(findings: Sequence[Finding]) -> None:
    """Print each finding, and below it what to do."""
    for finding in findings:
        where = f" [{finding.where}]" if finding.where else ""
        print(f"  {finding.severity}: {finding.message}{where}")
        if finding.advice:
            print(f"      → {finding.advice}")


def counts(findings: Sequence[Finding]) -> str:
    """Return how many there are of each severity, in words."""
    found = [(sum(f.severity == severity for f in findings), severity) for severity in ("error", "warning", "hint")]
    return ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in found)


def advises_values(findings: Sequence[Finding]) -> bool:
    """Whether any advice is to give a value or an option."""
    return any("--" in finding.advice for finding in findings)


def quoted(path: Path | str) -> str:
    """Return a path as a shell takes it."""
    return shlex.quote(str(path))
