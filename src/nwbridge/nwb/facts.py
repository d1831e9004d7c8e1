"""Facts that NWB has no field for, kept in descriptions: ``words [key: value; key: value]``."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

UNDESCRIBED = "no description"
_FACT = r"[a-z][a-z ]*: [^;\]]*"
_FACTS = re.compile(rf"(.*?) ?\[({_FACT}(?:; {_FACT})*)\]", re.DOTALL)


def stating(description: str | None, **facts: object) -> str:
    """Return the description with the facts that are known; names of facts have _ for spaces."""
    known = "; ".join(
        f"{key.replace('_', ' ')}: {_quoted(str(value))}" for key, value in facts.items() if value is not None
    )
    words = description or UNDESCRIBED
    return f"{words} [{known}]" if known else words


def _quoted(text: str) -> str:
    return "".join(quote(c) if c in "%;]" else c for c in text)


def stated(text: str | None) -> tuple[str | None, dict[str, str]]:
    """Return the words and the facts of a description."""
    match = _FACTS.fullmatch(text or "")
    words, inside = match.groups() if match else (text, None)
    facts = dict(fact.split(": ", 1) for fact in inside.split("; ")) if inside else {}
    known = {key.replace(" ", "_"): unquote(value) for key, value in facts.items()}
    return (None if words in (UNDESCRIBED, "") else words), known
