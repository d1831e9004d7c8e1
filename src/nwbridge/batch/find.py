"""Which recordings lie below a folder: what sources claim, settled by the files that they would read."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nwbridge.arrays.damaged import refuse_damaged
from nwbridge.errors import Ambiguous, BadOption, BadSource, NwbridgeError
from nwbridge.metadata import Metadata
from nwbridge.metadata.patterns import is_exact
from nwbridge.metadata.recordings import entries_of
from nwbridge.plugins import Match, Registry

NWB = "nwb"  # the source of files that are NWB already
SUFFIXES = (".h5", ".hdf5", ".zip", ".tif", ".tiff", ".isxd")  # of files that are damaged where nobody knows them
LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini", "Icon\r")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
Answer = Mapping[str, Any]  # what `work.describe` returns


@dataclass(frozen=True)
class Claim:
    """A source that has evidence for a path."""

    path: str  # relative to the root, with /; "." for the root itself
    source: str
    evidence: str
    fallback: bool = False
    inner: tuple[str, ...] = ()  # folders in it that the source claims by themselves


@dataclass
class Search:
    """A walk below a folder; what it finds stands in its fields.

    Sources may claim too much (a folder whose recordings all lie deeper) or too little (files of other systems beside
    the recording). What a claim is worth shows when it has been described: `settle` compares the files.
    """

    root: Path
    out: Path
    registry: Registry
    content: Metadata = field(default_factory=dict)
    source: str | None = None  # take only this one
    steps: tuple[str, ...] = ()  # that are run on NWB files, which are taken then, and nothing else
    claims: list[list[Claim]] = field(default_factory=list)  # to be described and settled; rivals together
    recordings: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # files that belong to no recording
    beside: list[str] = field(default_factory=list)  # files that may be part of a recording that failed
    nwb: list[str] = field(default_factory=list)  # files that are NWB already
    links: list[str] = field(default_factory=list)  # links that were not followed
    nothing: dict[str, list[str]] = field(default_factory=dict)  # what steps work on -> files that have none of it

    def relative(self, path: Path) -> str:
        """Return a path as it is named in results."""
        return path.relative_to(self.root).as_posix()

    def look(self, path: Path, beside: frozenset[str] | None = None) -> None:
        """Claim a path, or what lies in it.

        In the folder of a recording that failed, whatever no source but those `beside` knows may be part of it.
        """
        if self._passed_over(path):
            return
        folder = path.is_dir()
        claims = self._claims(path)
        found = claims if beside is None else _of_others(claims, beside)
        if found and not (folder and self._named_inside(path)):
            self.claims.append(found)
        elif folder and path.suffix == ".zarr":  # thousands of files that are one
            (self.nwb if path.name.endswith(".nwb.zarr") else self.unknown).append(self.relative(path))
        elif folder:
            for entry in self._entries(path):
                self.look(entry, beside)
        else:
            self._unclaimed(path, claims, beside)

    def settle(self, group: Sequence[Claim], answers: Sequence[Answer]) -> None:
        """Take what the claims on one path described, or look deeper."""
        path = self.root / group[0].path
        pairs = [(c, a) for c, a in zip(group, answers, strict=True) if not self._lies_deeper(path, c, a)]
        if not pairs:
            for entry in self._entries(path):
                self.look(entry)
            return
        if len(pairs) > 1 and (rivals := _rivals(pairs)):
            said = "; ".join(f"{claim.source}: {claim.evidence}" for claim, _ in rivals)
            error = Ambiguous(
                f"{group[0].path} could be several kinds of recording ({said}): name its source, in a line of the "
                "table of sessions or an entry of Sessions"
            )
            self.fail(group[0].path, None, type(error).__name__, str(error))
            return
        for claim, answer in pairs:
            self._take(claim, answer)
        if path.is_dir():
            self._look_beside(path, pairs)

    def _lies_deeper(self, path: Path, claim: Claim, answer: Answer) -> bool:
        """Whether a claim on a folder adds nothing to what the source claims in it."""
        ours = [one for one in answer.get("recordings", ()) if "files" in one]
        folders = tuple(str(path / name) + os.sep for name in claim.inner)
        if folders and all(file.startswith(folders) for one in ours for file in _files(one)):
            return True
        return bool(ours) and path.is_dir() and all(self._is_one_file(claim, one) for one in ours)

    def _is_one_file(self, claim: Claim, one: Mapping[str, Any]) -> bool:
        """Whether a folder's recording is named after a file, which is a recording by itself."""
        files = list(_files(one))
        if one["name"] is None or len(files) != 1 or one["name"] != re.sub(_NO_NAME, "_", Path(files[0]).stem):
            return False
        return any(match.source.name == claim.source for match in self._matches(Path(files[0])))

    def _take(self, claim: Claim, answer: Answer) -> None:
        if "error" in answer:
            self.fail(claim.path, None, answer["error"], answer["message"], claim)
        for one in answer.get("recordings", ()):
            if "error" in one:
                self.fail(claim.path, one["name"], one["error"], one["message"], claim)
            elif "nothing" in one:
                self.nothing.setdefault(one["nothing"], []).append(claim.path)
            else:
                self.recordings.append({"path": claim.path, "fallback": claim.fallback, **one})

    def _look_beside(self, path: Path, pairs: Sequence[tuple[Claim, Answer]]) -> None:
        """Look at what lies in a recording's folder and is no part of it."""
        used = {file for _, answer in pairs for one in answer.get("recordings", ()) for file in _files(one)}
        told = [one for _, answer in pairs for one in answer.get("recordings", (answer,))]
        failed = any("files" not in one for one in told)  # what the metadata got wrong is read all the same
        sources = frozenset(claim.source for claim, _ in pairs)
        inner = {name for claim, _ in pairs for name in claim.inner}
        self._rest(path, used, inner, sources if failed else None)

    def _rest(self, folder: Path, used: set[str], inner: set[str], beside: frozenset[str] | None) -> None:
        for entry in self._entries(folder):
            text = str(entry)
            if entry.name in inner:
                self.look(entry)
            elif entry.is_dir():
                if any(file.startswith(text + os.sep) for file in used):
                    self._rest(entry, used, set(), beside)
                else:
                    self.look(entry, beside)
            elif text not in used and not self._passed_over(entry):
                self._look_at_rest(entry, beside)

    def _look_at_rest(self, file: Path, beside: frozenset[str] | None) -> None:
        claims = self._claims(file)
        if found := _of_others(claims, beside or frozenset()):
            self.claims.append(found)
        else:
            self._unclaimed(file, claims, beside)

    def _unclaimed(self, file: Path, claims: Sequence[Claim], beside: frozenset[str] | None) -> None:
        """Note a file that nobody takes; what those `beside` would take is part of what failed."""
        name = self.relative(file)
        if name in self.nwb:
            return
        if beside is None:
            self._unrecognized(file)
        elif not any(claim.source in beside for claim in claims):
            self.beside.append(name)

    def _claims(self, path: Path) -> list[Claim]:
        matches = self._matches(path)
        if any(match.source.name == NWB for match in matches) and not self._names(path, NWB):
            self.nwb.append(self.relative(path))
            return []
        folders = [entry for entry in self._entries(path) if entry.is_dir()] if matches and path.is_dir() else []
        deeper = {entry.name: [match.source.name for match in self._matches(entry)] for entry in folders}
        return [
            Claim(
                self.relative(path),
                match.source.name,
                match.evidence,
                match.source.fallback,
                tuple(name for name, sources in deeper.items() if match.source.name in sources),
            )
            for match in matches
        ]

    def _matches(self, path: Path) -> list[Match]:
        """Return the sources of a path; the one that the user names, if it has evidence or the path is named too."""
        name, exact = self.source, False
        for entry in entries_of(self.content, self.relative(path), None, self.root):
            if "source" in entry:
                name, exact = entry["source"], is_exact(entry["path"])
        if name is None:
            return self.registry.matches(path)
        match = self.registry.detect(path, name)
        return [match] if exact or match.evidence != "named by the user" else []

    def _names(self, path: Path, source: str) -> bool:
        entries = entries_of(self.content, self.relative(path), None, self.root)
        return self.source == source or any(entry.get("source") == source for entry in entries)

    def _named_inside(self, folder: Path) -> bool:
        """Whether the metadata name a file or folder in a folder, and not the folder: then that is the recording."""
        exact = [entry for entry in self.content.get("Sessions", ()) if is_exact(entry["path"])]
        content = {"Sessions": exact}
        if not exact or any(entries_of(content, self.relative(folder), None, self.root)):
            return False
        return any(
            True for entry in self._entries(folder) for _ in entries_of(content, self.relative(entry), None, self.root)
        )

    def _passed_over(self, path: Path) -> bool:
        """Whether a path is hidden, our own, or a link that leads out of the root or to what is found anyway."""
        if path == self.root:
            return False
        if path.name.startswith(".") or path.name in LITTER or path.name.endswith(".part.nwb"):
            return True
        if path.is_symlink():
            target = Path(os.path.realpath(path))
            inside = target.is_relative_to(self.root) and target.exists()
            if path.is_dir() or not inside or not _hidden(target.relative_to(self.root)):
                self.links.append(self.relative(path))
                return True
        return path.is_dir() and _same(path, self.out)

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            text = f"{self.relative(folder)} cannot be read: {error.strerror}"
            self.fail(self.relative(folder), None, BadSource.__name__, text)
            return []

    def _unrecognized(self, path: Path) -> None:
        name = self.relative(path)
        if path.suffix.lower() in SUFFIXES:
            try:
                refuse_damaged(path)
            except (NwbridgeError, OSError) as error:
                text = f"cannot be recognized: {error.strerror if isinstance(error, OSError) else error}"
                self.fail(name, None, BadSource.__name__, text)
                return
        self.unknown.append(name)

    def fail(self, path: str, name: str | None, error: str, message: str, claim: Claim | None = None) -> None:
        """Note a recording that is refused."""
        said = {"source": claim.source, "evidence": claim.evidence} if claim else {}
        entry = {"path": path, "name": name, "error": error, "message": message, **said}
        if entry not in self.failed:
            self.failed.append(entry)

    def without_parts(self) -> list[dict[str, Any]]:
        """Return the recordings, less those of a fallback whose every file belongs to another recording."""
        used = {file for one in self.recordings if not one["fallback"] for file in _files(one)}
        return [one for one in self.recordings if not (one["fallback"] and set(_files(one)) <= used)]


def start(root: Path, out: Path, registry: Registry, content: Metadata, source: str | None) -> Search:
    """Look at everything below `root`; BadOption where that or the source cannot be."""
    if not root.exists():
        raise BadOption(f"{root} does not exist: give the folder that holds the recordings")
    if source is not None:
        registry.source(source)
    for entry in content.get("Sessions", ()):
        if "source" in entry:
            registry.source(entry["source"])
    search = Search(root, out, registry, content, source)
    search.look(root)
    return search


def _files(one: Mapping[str, Any]) -> Iterator[str]:
    return (file for file, *_ in one.get("files", ()))


def _of_others(claims: Sequence[Claim], sources: frozenset[str]) -> list[Claim]:
    return [claim for claim in claims if not claim.fallback and claim.source not in sources]


def _rivals(pairs: Sequence[tuple[Claim, Answer]]) -> list[tuple[Claim, Answer]]:
    """Return the claims that want the same files, or that could not be described and so may."""
    files = [set().union(*(_files(one) for one in answer.get("recordings", ()))) for _, answer in pairs]
    places = {
        place
        for (a, one), (b, other) in itertools.combinations(enumerate(files), 2)
        if one & other or not one or not other
        for place in (a, b)
    }
    return [pair for place, pair in enumerate(pairs) if place in places]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
