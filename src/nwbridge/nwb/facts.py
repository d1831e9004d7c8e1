"""Facts that NWB has no field for, kept in descriptions: ``words [key: value; key: value]``."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

UNDESCRIBED = "no description"
KEYS = {
    "image",
    "kind",
    "made from",
    "model",
    "pixel",
    "role",
    "software",
    "table of",
    "unit",
    "version",
}  # other words are words
_NONE = "[]"  # says that what stands before it are words, though they look like facts
_FACT = r"[a-z][a-z ]*: [^;\]]*"
_FACTS = re.compile(rf"(.*?) ?\[({_FACT}(?:; {_FACT})*)\]", re.DOTALL)


def stating(description: str | None, **facts: object) -> str:
    """Return the description with the facts that are known; names of facts have _ for spaces."""
    known = "; ".join(
        f"{key.replace('_', ' ')}: {_quoted(str(value))}" for key, value in facts.items() if value is not None
    )
    words = description or UNDESCRIBED
    if known:
        return f"{words} [{known}]"
    return f"{words} {_NONE}" if _looks_stated(words) else words


def _looks_stated(words: str) -> bool:
    return words.endswith(f" {_NONE}") or bool(_inside(words)[1])


def _inside(text: str) -> tuple[str, dict[str, str]]:
    """Return the words and the facts, as they are written, of a text that ends with facts of ours."""
    match = _FACTS.fullmatch(text)
    facts = dict(fact.split(": ", 1) for fact in match[2].split("; ")) if match else {}
    return (match[1], facts) if match and KEYS.issuperset(facts) else (text, {})


def _quoted(text: str) -> str:
    return "".join(quote(c) if c in "%;]" else c for c in text)


def stated(text: str | None) -> tuple[str | None, dict[str, str]]:
    """Return the words and the facts of a description."""
    words, facts = _inside(text or "")
    bare = words.removesuffix(f" {_NONE}")
    if not facts and _looks_stated(bare):
        words = bare
    known = {key.replace(" ", "_"): unquote(value) for key, value in facts.items()}
    return (None if words in (UNDESCRIBED, "") else words), known
