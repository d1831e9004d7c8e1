"""What the lab says in vain, or perhaps of something else than it means: nothing is refused, all of it is said."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from nwbridge.metadata.keys import Metadata
from nwbridge.metadata.patterns import is_anchored, is_exact, read
from nwbridge.metadata.recordings import entries_of, nearest, spelled
from nwbridge.model import Finding

Paths = Iterable[str | Path | tuple[str | Path, str | None]]
_FEW = 3


def doubts(content: Metadata, paths: Paths, root: str | Path, subjects: Iterable[str]) -> list[str]:
    """Return a line for each doubt about what the metadata say of a batch: of its animals and of its patterns.

    `paths` are those of all recordings below `root`; (path, name) where a path holds several. `subjects` are all the
    animals that were found.
    """
    return [*_animals(content, list(dict.fromkeys(subjects))), *_depths(content, list(paths), root)]


def _animals(content: Metadata, have: list[str]) -> list[str]:
    """Return a line that names the animals which the metadata speak of and no recording has."""
    missed = [subject for subject in content.get("Subjects", {}) if subject not in have]
    if not missed:
        return []
    few = ", ".join(f"{subject}{_question(subject, have)}" for subject in missed[:_FEW])
    more = f" and {len(missed) - _FEW} more" if len(missed) > _FEW else ""
    return [f"Subjects of the metadata that no recording has: {few}{more}; what is said of them is in no file"]


def _question(word: str, known: list[str]) -> str:
    lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), lower, 1, 0.5)
    return f" (did you mean {lower[found[0]]}?)" if found else ""


def _depths(content: Metadata, paths: list[str | Path | tuple[str | Path, str | None]], root: str | Path) -> list[str]:
    """Return a line for each pattern of folders that names recordings at different depths, from their paths' ends."""
    examples: dict[str, dict[int, str]] = {}
    for given in paths:
        path, name = given if isinstance(given, tuple) else (given, None)
        spellings = spelled(path, name, root)
        for pattern in content.get("Pattern", []):
            if (found := read(pattern, spellings, rooted=True)) is not None:
                if "/" in pattern.strip("/") and not is_anchored(pattern):
                    words = ", ".join(f"{key} {value}" for (_, key), value in found.items())
                    depth = examples.setdefault(pattern, {})
                    depth.setdefault(spellings[0].count("/"), f"{Path(path).as_posix()}: {words}")
                break  # the first that fits counts
    return [
        f"Pattern {pattern} fits paths of different depths by their ends ({'; '.join(list(by.values())[:_FEW])}); "
        f"if that is wrong, begin it with / for the folder that is converted, as in /{pattern.removeprefix('./')}"
        for pattern, by in examples.items()
        if len(by) > 1
    ]


def unmentioned(content: Metadata, path: Path, name: str | None = None) -> list[Finding]:
    """Return a warning where the metadata name recordings one by one, and this one not."""
    wanted = [entry["path"] for entry in content.get("Sessions", []) if entry["path"] != "**"]  # ** is of --set
    fits = [entry for entry in entries_of(content, path, name) if entry["path"] != "**"]
    if fits or not any(map(is_exact, wanted)):
        return []
    label = path.name + (f"::{name}" if name else "")
    question = nearest(label, [one for one in wanted if is_exact(one)], 0.75)
    message = f"no row of a table and no entry of Sessions in the metadata fits {label}{question}"
    return [Finding("warning", message, f"add one with this path ({label}), or mend the path of one", check="metadata")]
