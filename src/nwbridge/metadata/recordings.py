"""Which of the lab's words speak of one recording, of a batch of any size."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nwbridge.errors import BadMetadata
from nwbridge.metadata.given import check, merge
from nwbridge.metadata.keys import CHOOSING, Metadata
from nwbridge.metadata.patterns import composed, is_another, is_exact, last_name, means, plain, read, spellings


def for_path(content: Metadata, path: str | Path, name: str | None = None, root: str | Path | None = None) -> Metadata:
    """Return what `content` says of one recording: only NWBFile, Subject, Ophys and Subjects, and source and options.

    `path` is the recording's, within `root` where that is given, and `name` the recording's own where a path holds
    several. What `for_path` returned may be given to it again.
    """
    if not {"Pattern", "Sessions"} & set(content):
        return content
    label = Path(path).as_posix() + (f"::{name}" if name else "")
    said: Metadata = _from_pattern(content, spelled(path, name, root), label, rooted=root is not None)
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
    """Return the entries of Sessions that mean a recording, in order."""
    within, whole = _spellings(path, name, root)
    depth, found = 0, []
    for entry in _likely(content.get("Sessions", []), whole):
        exact = is_exact(entry["path"])
        if means(entry["path"], whole if exact else within) and not (exact and is_another(entry["path"], within, root)):
            found.append((plain(entry["path"].split("::")[0]).count("/") if exact else None, entry))
            depth = max(depth, found[-1][0] or 0)
    # without a root it cannot be known whether x.tif is another file than d/x.tif; that which says more is meant
    return (entry for folders, entry in found if root is not None or folders in (None, depth))


def unmatched(
    content: Metadata,
    paths: Iterable[str | Path | tuple[str | Path, str | None]],
    root: str | Path | None = None,
) -> list[str]:
    """Return a line for every entry of Sessions that means no recording or, naming one, several.

    `paths` are those of all recordings; (path, name) where a path holds several.
    """
    path_of: dict[str, str | Path] = {}
    fitting: dict[int, list[str]] = {}
    for given in paths:
        path, name = given if isinstance(given, tuple) else (given, None)
        label = Path(path).as_posix() + (f"::{name}" if name else "")
        path_of[label] = path
        for entry in entries_of(content, path, name, root):
            fitting.setdefault(id(entry), []).append(label)
    lines = []
    for entry in content.get("Sessions", []):
        wanted, fits = entry["path"], fitting.get(id(entry), [])
        exact = is_exact(wanted)
        # without a name, a path that holds several recordings is meant as a whole
        if not fits:
            lines.append(f"{wanted} of the metadata fits no recording{nearest(wanted, path_of)}")
        elif exact and len({path_of[label] for label in fits}) > 1:
            lines.append(
                f"{wanted} of the metadata fits {len(fits)} recordings ({', '.join(fits[:3])}"
                f"{', …' if len(fits) > 3 else ''}); expected one: write more of its path"
            )
    return lines


def _likely(entries: list[Metadata], spellings: list[str]) -> list[Metadata]:
    """Return the entries that end in a recording's last name, or have a *; a table of thousands is searched once."""
    global _searched  # all recordings of a batch ask for the same entries
    if _searched[0] is not entries:
        by_name: dict[str, list[tuple[int, Metadata]]] = {}
        for number, entry in enumerate(entries):
            name = last_name(entry["path"]) if is_exact(entry["path"]) else "*"
            by_name.setdefault(name, []).append((number, entry))
        _searched = (entries, by_name)
    names = {"*", *(spelling.rsplit("/", 1)[-1] for spelling in spellings)}
    found = [pair for name in names for pair in _searched[1].get(name, ())]
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


_searched: tuple[Any, dict[str, list[tuple[int, Metadata]]]] = (None, {})


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return a question after what fits: a folder's recordings, or else the nearest spelling.

    By its last parts, where the word has fewer folders.
    """
    known = list(known)
    folder = word.strip("/").removesuffix("*").rstrip("/")
    if folder and not folder.endswith("*"):
        for wider in (f"{folder}/*", f"{folder}/**"):
            if wider != word and any(means(wider, spellings(one.replace("::", "/"))) for one in known):
                return f"; did you mean {wider}?"
    depth = word.strip("/").count("/") + 1
    ends = {"/".join(one.split("/")[-depth:]): one for one in known}
    found = difflib.get_close_matches(word.strip("/"), ends, 1, cutoff)
    return f"; did you mean {ends[found[0]]}?" if found else ""


def spelled(path: str | Path, name: str | None, root: str | Path | None) -> list[str]:
    """Return how a recording may be called within the root."""
    return _spellings(path, name, root)[0]


def _spellings(path: str | Path, name: str | None, root: str | Path | None) -> tuple[list[str], list[str]]:
    """Return how a recording may be called within the root, and as a whole."""
    if root is None:
        found = spellings(path, name)
        return found, found
    whole = spellings(Path(root, path).absolute(), name)
    above = len(composed(Path(root).absolute().as_posix()).rstrip("/")) + 1
    return [one[above:] for one in whole], whole


def _from_pattern(content: Metadata, within: list[str], label: str, *, rooted: bool) -> dict[str, Any]:
    """Return what the first pattern that fits reads from the path."""
    patterns = content.get("Pattern", [])
    for pattern in patterns:
        if (found := read(pattern, within, rooted=rooted)) is not None:
            said: dict[str, Any] = {}
            for (group, key), value in found.items():
                said.setdefault(group, {})[key] = value
            return dict(check(said, f"{label}, as Pattern {pattern} reads it"))
    if patterns:
        raise BadMetadata(
            f"{label} fits no Pattern ({', '.join(patterns)}); rename it, or add to Pattern one that it fits"
        )
    return {}
