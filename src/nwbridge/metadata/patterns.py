"""How paths speak: names read from them by a pattern, and which paths an entry's own path means."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from nwbridge.errors import BadMetadata

SHORT = {"subject_id": ("Subject", "subject_id"), "session_id": ("NWBFile", "session_id")}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SUFFIX = re.compile(r"(\.ome)?\.[A-Za-z][A-Za-z0-9]{0,5}$")


def placeholders(pattern: str, where: str) -> list[tuple[str, str]]:
    """Return the keys that a pattern reads, as (group, key); BadMetadata for one that is none."""
    found = []
    for word in _PLACEHOLDER.findall(pattern):
        group, _, key = word.partition(".")
        if word not in SHORT and (group not in ("NWBFile", "Subject") or not key):
            raise BadMetadata(
                f"{where}: Pattern {pattern} has {{{word}}}; "
                "expected {subject_id}, {session_id}, or a key as in {Subject.genotype}"
            )
        found.append(SHORT.get(word, (group, key)))
    rest = _PLACEHOLDER.sub("", pattern)
    if not found or "{" in rest or "}" in rest:
        raise BadMetadata(
            f"{where}: Pattern is {pattern!r}; expected names in braces, as in {{subject_id}}/{{session_id}}"
        )
    return found


def read(pattern: str, spellings: list[str]) -> dict[tuple[str, str], str] | None:
    """Return what a pattern reads from the first spelling of a path that it fits, or None."""
    form = _compiled(pattern)
    for spelling in spellings:
        if fit := form.fullmatch(spelling):
            keys = dict.fromkeys(placeholders(pattern, "metadata"))
            return {key: fit[f"{key[0]}_{key[1]}"] for key in keys}
    return None


def means(wanted: str, spellings: list[str]) -> bool:
    """Whether an entry's path means the path of these spellings: it equals its end, from a folder's boundary on."""
    form = _compiled(wanted.replace("::", "/"), braces=False)
    return any(form.fullmatch(spelling) for spelling in spellings)


def is_exact(wanted: str) -> bool:
    """Whether an entry's path means one recording, not all that fit."""
    return "*" not in wanted


def spellings(path: str | Path, name: str | None = None) -> list[str]:
    """Return how a recording may be called: with the name inside its container and without, with its suffix and
    without; a folder's dots are part of its name."""
    text = Path(path).as_posix()
    folder = Path(path).is_dir() and not text.endswith(".zarr")
    bare = text if folder else _SUFFIX.sub("", text)
    return list(dict.fromkeys([f"{one}/{name}" for one in (bare, text) if name] + [bare, text]))


@functools.cache
def _compiled(pattern: str, *, braces: bool = True) -> re.Pattern[str]:
    """Return the pattern as a regular expression: * stays within a name, ** crosses folders, { } are keys."""
    text = pattern.replace("\\", "/").removeprefix("./").strip("/")
    return re.compile("(?:.*/)?" + "".join(_pieces(text, braces=braces)), re.DOTALL)


def _pieces(text: str, *, braces: bool) -> Iterator[str]:
    seen: set[str] = set()
    for piece in re.split(r"(\{[^{}]*\}|\*\*/|\*\*|\*)" if braces else r"(\*\*/|\*\*|\*)", text):
        if piece == "**/":
            yield "(?:.*/)?"
        elif piece == "**":
            yield ".*"
        elif piece == "*":
            yield "[^/]*"
        elif braces and piece.startswith("{"):
            name = "_".join(SHORT.get(piece[1:-1], tuple(piece[1:-1].split("."))))
            yield f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
            seen.add(name)
        else:
            yield re.escape(piece)
