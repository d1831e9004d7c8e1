"""What a conversion did, and what one would do: plain values for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nwbridge.metadata import Field
from nwbridge.model import Finding, Movie, Segmentation, Session
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

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def summaries(session: Session) -> tuple[dict[str, Any], ...]:
    """Return name, type, shape and size of each element."""
    found = []
    for element in session.elements:
        summary: dict[str, Any] = {"name": getattr(element, "name", ""), "type": type(element).__name__}
        if isinstance(element, Movie):
            summary |= {
                "shape": list(element.data.shape),
                "dtype": element.data.dtype.name,
                "bytes": element.data.nbytes,
            }
        elif isinstance(element, Segmentation):
            summary |= {"regions": len(element.regions), "image_shape": list(element.image_shape)}
        found.append(summary)
    return tuple(found)
