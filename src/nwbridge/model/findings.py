"""What is worth knowing about a recording or a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nwbridge.errors import PluginFault

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True)
class Finding:
    """Something worth knowing about a recording or a file, and what to do about it."""

    severity: Severity
    message: str  # what was found, one line
    advice: str = ""  # what to do, one line
    where: str = ""  # file, or object inside the NWB file
    check: str = ""  # who found it

    def __post_init__(self) -> None:
        if self.severity not in get_args(Severity):
            raise PluginFault(
                f"a finding of severity {self.severity!r}; expected one of {', '.join(get_args(Severity))}"
            )
        for name in ("message", "advice", "where"):  # other programs' words may span lines
            object.__setattr__(self, name, " ".join(str(getattr(self, name)).split()))
