"""Which of the lab's words speak of one recording, of a batch of any size."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.metadata.given import check, merge
from nwbridge.metadata.keys import CHOOSING, Metadata
from nwbridge.metadata.patterns import is_exact, means, read, spellings


def for_path(content: Metadata, path: str | Path, name: str | None = None, root: str | Path | None = None) -> Metadata:
    """Return what `content` says of one recording: only NWBFile, Subject, Ophys and Subjects, and source and options.

    `path` is the recording's, within `root` where that is given, and `name` the recording's own where a path holds
    several. What `for_path` returned may be given to it again.
    """
    if not {"Pattern", "Sessions"} & set(content):
        return content
    label = Path(path).as_posix() + (f"::{name}" if name else "")
    said: Metadata = _from_pattern(content, _spellings(path, name, root)[0], label)
    for entry in entries_of(content, path, name, root):
        said = merge(said, {key: value for key, value in entry.items() if key != "path"})
    own = {key: value for key, value in content.items() if key not in ("Pattern", "Sessions", "Subjects")}
    chosen = dict(merge(own, said))
    if subjects := content.get("Subjects"):
        subject = chosen.get("Subject", {}).get("subject_id")
        near = {subject: subjects[subject]} if subject in subjects else subjects
        # what is said of the recording wins over what is said of the animal
        over = {key: value for key, value in said.get("Subject", {}).items() if key != "subject_id"}
        chosen["Subjects"] = {key: merge(value, over) for key, value in near.items()}
    return check(chosen, label)


def for_subject(content: Metadata, subject_id: str | None) -> Metadata:
    """Return what `content` says of a recording of the animal, without what chooses among animals and recordings."""
    flat = {key: value for key, value in content.items() if key not in CHOOSING}
    if subject_id in (subjects := content.get("Subjects", {})):
        flat["Subject"] = merge(flat.get("Subject", {}), subjects[subject_id])
    return flat


def how_to_read(
    content: Metadata, path: str | Path, name: str | None = None, root: str | Path | None = None
) -> tuple[str | None, dict[str, Any]]:
    """Return the source and the options that `content` names for a path, before anything has been read from it."""
    source, options = content.get("source"), dict(content.get("options", {}))
    for entry in entries_of(content, path, name, root):
        source = entry.get("source", source)
        options |= entry.get("options", {})
    return source, options


def entries_of(
    content: Metadata, path: str | Path, name: str | None = None, root: str | Path | None = None
) -> Iterator[Metadata]:
    """Yield the entries of Sessions that mean a recording, in order."""
    within, whole = _spellings(path, name, root)
    for entry in content.get("Sessions", []):
        if means(entry["path"], whole if is_exact(entry["path"]) else within):
            yield entry


def unmatched(
    content: Metadata,
    paths: Iterable[str | Path | tuple[str | Path, str | None]],
    root: str | Path | None = None,
    subjects: Iterable[str] | None = None,
) -> list[str]:
    """Return a line for every entry of Sessions that means no recording or, naming one, several.

    `paths` are those of all recordings; (path, name) where a path holds several. With `subjects`, all the animals that
    were found, also a line for every entry of Subjects that is of none of them.
    """
    known = {}
    for given in paths:
        path, name = given if isinstance(given, tuple) else (given, None)
        known[Path(path).as_posix() + (f"::{name}" if name else "")] = _spellings(path, name, root)
    lines = []
    for entry in content.get("Sessions", []):
        wanted = entry["path"]
        exact = is_exact(wanted)
        fits = [label for label, (within, whole) in known.items() if means(wanted, whole if exact else within)]
        # without a name, a path that holds several recordings is meant as a whole
        if not fits:
            lines.append(f"{wanted} of the metadata fits no recording{_nearest(wanted, known)}")
        elif exact and len({label.split("::")[0] for label in fits}) > 1:
            lines.append(
                f"{wanted} of the metadata fits {len(fits)} recordings ({', '.join(fits[:3])}"
                f"{', …' if len(fits) > 3 else ''}); expected one: write more of its path"
            )
    if subjects is not None:
        have = list(subjects)
        lines += [
            f"Subjects.{subject} of the metadata is no animal of these recordings{_nearest(subject, have)}"
            for subject in content.get("Subjects", {})
            if subject not in have
        ]
    return lines


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return a question after the nearest spelling; by its last parts, where the word has fewer folders."""
    depth = word.strip("/").count("/") + 1
    ends = {"/".join(one.split("/")[-depth:]): one for one in known}
    found = difflib.get_close_matches(word.strip("/"), ends, 1, 0.5)
    return f"; did you mean {ends[found[0]]}?" if found else ""


def _spellings(path: str | Path, name: str | None, root: str | Path | None) -> tuple[list[str], list[str]]:
    """Return how a recording may be called within the root, and as a whole."""
    if root is None:
        found = spellings(path, name)
        return found, found
    whole = spellings(Path(root, path).absolute(), name)
    above = len(Path(root).absolute().as_posix().rstrip("/")) + 1
    return [one[above:] for one in whole], whole


def _from_pattern(content: Metadata, within: list[str], label: str) -> dict[str, Any]:
    """Return what the first pattern that fits reads from the path."""
    patterns = content.get("Pattern", [])
    for pattern in patterns:
        if (found := read(pattern, within)) is not None:
            said: dict[str, Any] = {}
            for (group, key), value in found.items():
                said.setdefault(group, {})[key] = value
            return dict(check(said, f"{label}, as Pattern {pattern} reads it"))
    if patterns:
        raise BadMetadata(
            f"{label} fits no Pattern ({', '.join(patterns)}); rename it, or add to Pattern one that it fits"
        )
    return {}
