"""What a conversion did, and what one would do: plain values for people and programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from nwbridge.metadata import Field
from nwbridge.model import Element, Finding, Images, LazyArray, Parameters, Segmentation, Step, Table
from nwbridge.model.lazy import lazy_arrays
from nwbridge.nwb.sample import Estimate


@dataclass(frozen=True)
class Result:
    """What a conversion did; `as_json` is one line for programs."""

    path: str
    out: str
    source: str
    plugin: str
    evidence: str
    session_id: str
    elements: tuple[dict[str, Any], ...]
    fields: tuple[Field, ...]
    findings: tuple[Finding, ...]
    verified: bool  # every number was read back from the file and compared with the source
    array_bytes: int  # of the values that were written, before compression
    file_bytes: int
    seconds: dict[str, float]
    steps: tuple[Step, ...] = ()  # of processing, first to last, those that were done before included

    @property
    def ok(self) -> bool:
        """Whether no finding is an error; the file is written and whole in any case."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"ok": self.ok}


@dataclass(frozen=True)
class Inspection:
    """What a conversion would do; nothing was written."""

    path: str
    source: str
    plugin: str
    evidence: str
    session_id: str
    description: str
    elements: tuple[dict[str, Any], ...]
    fields: tuple[Field, ...]
    findings: tuple[Finding, ...]
    estimate: Estimate
    steps: tuple[Step, ...] = ()  # of processing that the recording went through

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def reworded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings once each; advice to give a value fits who converts, and others have to convert again."""
    return tuple(dict.fromkeys(replace(one, advice=_again(one.advice)) for one in findings))


def _again(advice: str) -> str:
    if "--set" not in advice or advice.startswith("convert again"):
        return advice
    given = advice.removeprefix("give ")
    return f"convert again with {given}" if given != advice else f"convert again: {advice}"


def summaries(elements: Iterable[Element]) -> tuple[dict[str, Any], ...]:
    """Return name, type, shape and size of each element."""
    return tuple(_summary(element) for element in elements)


def _summary(element: Any) -> dict[str, Any]:
    summary: dict[str, Any] = {"name": getattr(element, "name", ""), "type": type(element).__name__}
    data = getattr(element, "data", None)
    if isinstance(data, LazyArray):
        summary |= {"shape": list(data.shape), "dtype": data.dtype.name}
    if isinstance(element, Segmentation):
        summary |= {"regions": len(element), "image_shape": list(element.image_shape or ())}
        summary |= {"traces": {t.name: list(t.data.shape) for t in element.traces}} if element.traces else {}
    elif isinstance(element, Images):
        summary |= {"images": {image.name: list(image.data.shape) for image in element.images}}
    elif isinstance(element, Table):
        summary |= {"rows": len(element), "columns": [column.name for column in element.columns]}
    elif isinstance(element, Parameters):
        summary |= {"values": len(element.values)}
    if size := sum(array.nbytes for array in lazy_arrays(element)):
        summary["bytes"] = size
    return summary
