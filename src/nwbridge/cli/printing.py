"""What several commands print alike."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nwbridge.model import Finding, Step


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


def told_at_once(findings: Sequence[Finding]) -> list[Finding]:
    """Return what is printed at once: not the inspector's hints, which `validate` finds again."""
    return [f for f in findings if f.severity != "hint" or not f.check.startswith("inspector")]


def step_line(step: Step) -> str:
    """Return what a step of processing did, in a line."""
    from nwbridge.model.steps import together

    chosen = ", ".join(f"{key} {value}" for key, value in step.parameters.items() if value is not None)
    made = f"{', '.join(step.made_from)}{together(step)} → {', '.join(step.made)}"
    return f"{step.name} ({step.plugin} {step.version}): {made}" + (f"; {chosen}" if chosen else "")


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


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as lines of aligned columns below their names: text to the left, numbers to the right."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = [[_cell(row.get(name)) for name in names] for row in rows]
    right = [not any(isinstance(row.get(name), str) for row in rows) for name in names]
    heads = [name.replace("_", " ") for name in names]
    widths = [max(len(line[place]) for line in (heads, *texts)) for place in range(len(names))]
    return [
        "  ".join(
            f"{text:>{width}}" if to_right else f"{text:{width}}"
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in (heads, *texts)
    ]


def _cell(value: Any) -> str:
    """Return a value of a table in words: four digits of what is not whole, and – for what is not defined."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def pairs(values: Mapping[str, Any]) -> list[str]:
    """Return names and values as aligned lines."""
    width = max((len(name) for name in values), default=0)
    return [
        f"{name.replace('_', ' '):{width}}  {f'{value:g}' if isinstance(value, float) else _cell(value)}"
        for name, value in values.items()
    ]
