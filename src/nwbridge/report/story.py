"""What is known of one recording, from its file and from the line on it, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nwbridge.report.entries import Entry
from nwbridge.report.markup import Markup, clean, count, el
from nwbridge.report.recording import UNSEEN, Drawn

SEVERITIES = ("error", "warning", "hint")
ICONS = {"failed": "bad", "errors": "mend", "warnings": "warn", "fine": "ok"}


@dataclass(frozen=True)
class Story:
    """What is known of a recording, from its file and from the line on it, in one form."""

    identity: str
    title: str
    level: str  # failed, errors, warnings or fine
    status: str  # in words
    source: str
    findings: tuple[Mapping[str, Any], ...]
    entry: Entry
    drawn: Drawn

    @property
    def animal(self) -> str:
        """The subject's id, where somebody stated one."""
        stated = (one.get("value") for one in dicts(self.line.get("fields")) if one.get("key") == "Subject.subject_id")
        return self.drawn.animal or str(next(filter(None, stated), ""))

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The processing that the file went through."""
        return dicts(self.drawn.steps) or dicts(self.line.get("steps"))

    @property
    def line(self) -> Mapping[str, Any]:
        """What the results say; nothing, of a file alone."""
        return self.entry.line or {}


def story(position: int, entry: Entry, drawn: Drawn | None) -> Story:
    """Return what is known of a recording."""
    line, seen = entry.line or {}, drawn or Drawn()
    listed = dicts(line.get("findings")) if entry.line is not None else list(seen.findings)
    findings = sorted(listed, key=lambda f: SEVERITIES.index(f["severity"]) if f.get("severity") in SEVERITIES else 3)
    level, status = _status(entry, drawn, findings)
    title = str(seen.session_id or line.get("session_id") or {".": "The folder itself"}.get(entry.name, entry.name))
    source = str(line.get("source") or ("NWB file" if entry.line is None else "not recognized"))
    return Story(f"r{position}", title, level, status, source, tuple(findings), entry, seen)


def _status(entry: Entry, drawn: Drawn | None, findings: list[dict[str, Any]]) -> tuple[str, str]:
    state = str((entry.line or {}).get("status") or "file")
    if state == "failed":
        return "failed", "Failed"
    if state == "started":
        return "failed", "Not finished"
    if drawn is None:
        return "failed", "File is missing"
    if drawn.trouble:
        return "failed", "Cannot be read"
    errors, warnings = (sum(f.get("severity") == kind for f in findings) for kind in ("error", "warning"))
    word = {"written": "Written", "skipped": "Done before", "file": drawn.done}.get(state, clean(state)[:20])
    if errors:
        return "errors", f"{word}, {count(errors, 'error')}"
    if warnings:
        return "warnings", f"{word}, {count(warnings, 'warning')}"
    return ("warnings" if word == UNSEEN else "fine"), word


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in what a line says: anybody may have written it."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list | tuple) else []


def amount(value: Any) -> float | None:
    """Return a number that is one."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18
    return float(value) if known else None


def icon(level: str) -> Markup:
    """Return the sign of a level; words always stand beside it."""
    return el("svg", el("use", href=f"#i-{ICONS[level]}"), class_="icon", aria_hidden="true", viewBox="0 0 16 16")
