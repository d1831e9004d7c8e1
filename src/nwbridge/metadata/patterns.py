"""How paths speak: names read from them by a pattern, and which paths an entry's own path means."""

from __future__ import annotations

import functools
import re
import unicodedata
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


def read(pattern: str, spellings: list[str], *, rooted: bool = False) -> dict[tuple[str, str], str] | None:
    """Return what a pattern reads from the first spelling of a path that it fits, or None.

    Where the spellings begin at the batch's folder, they are `rooted`, and so is a pattern that begins with /.
    """
    form = _compiled(pattern, whole=rooted and is_anchored(pattern))
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


def is_anchored(pattern: str) -> bool:
    """Whether a pattern begins at the batch's folder."""
    return pattern.startswith(("/", "./"))


def last_name(wanted: str) -> str:
    """Return the last name of an entry's path, in which it equals what it means."""
    return plain(wanted.replace("::", "/")).rsplit("/", 1)[-1]


def is_another(wanted: str, within: list[str], root: str | Path | None) -> bool:
    """Whether an entry's path is, from the root on, that of another file, though these spellings end in it too."""
    path = plain(wanted.split("::")[0])
    return root is not None and path not in within and Path(root, path).is_file()


def spellings(path: str | Path, name: str | None = None) -> list[str]:
    """Return how a recording may be called: with the name inside its container and without, with its suffix and
    without; a folder's dots are part of its name."""
    text = composed(Path(path).as_posix())
    folder = Path(path).is_dir() and not text.endswith(".zarr")
    bare = text if folder else _SUFFIX.sub("", text)
    return list(dict.fromkeys([f"{one}/{name}" for one in (bare, text) if name] + [bare, text]))


@functools.cache
def _compiled(pattern: str, *, braces: bool = True, whole: bool = False) -> re.Pattern[str]:
    """Return the pattern as a regular expression: * stays within a name, ** crosses folders, { } are keys."""
    return re.compile(("" if whole else "(?:.*/)?") + "".join(_pieces(plain(pattern), braces=braces)), re.DOTALL)


def plain(path: str) -> str:
    """Return an entry's path in one spelling."""
    return composed(path.replace("\\", "/").removeprefix("./").strip("/"))


def composed(text: str) -> str:
    """Return a text with each accent in its letter: file systems keep them apart, keyboards do not."""
    return unicodedata.normalize("NFC", text)


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
