"""The whole contract between nwbridge and a plugin: six hooks and the records that they return.

A plugin is a distribution with an entry point in the group ``nwbridge``; the entry point names a module (or object)
whose functions, marked with ``@nwbridge.hookimpl``, implement any of the hooks below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from nwbridge.errors import PluginFault
from nwbridge.model import Element, Finding, Session
from nwbridge.options import NoOptions, flags

API_VERSION = 1  # a plugin may set NWBRIDGE_API to the version it was written for

Outcome = Sequence[Element | Finding]  # what a processor gives back: lazy results, computed as the writer asks

_SHARED = ("source", "only", "metadata", "set", "first", "threads", "chunks", "compression", "json", "help")
_WRITING = ("no_verify", "overwrite", "quiet", "for", "backend", "out")
_PROCESSING = ("series", "light", "rows_first")
_BATCH = ("process", "pattern", "workers", "dask", "no_report", "dry_run")
# flags that the commands which take plugins' options have themselves
RESERVED = frozenset((*_SHARED, *_WRITING, *_PROCESSING, *_BATCH))

# one recording, or several by name, each described when its function is called, so that a damaged one spoils no other
Described = Session | Mapping[str, Callable[[], Session]]

hookspec = pluggy.HookspecMarker("nwbridge")
hookimpl = pluggy.HookimplMarker("nwbridge")


def _check(record: Any, *functions: str) -> None:
    name = record.name
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise PluginFault(
            f"{type(record).__name__} name {name!r}: expected a short lower-case word such as 'neurofinder'"
        )
    for function in functions:
        if not callable(getattr(record, function)):
            raise PluginFault(f"{type(record).__name__} {name}: {function} is not a function")
    if not isinstance(getattr(record, "title", ""), str):
        raise PluginFault(f"{type(record).__name__} {name}: the title is {record.title!r}; expected a line of text")
    if hasattr(record, "options"):
        for flag in flags(record.options):
            if flag.name in RESERVED:
                raise PluginFault(f"{name}: option {flag.name} has the name of a flag of nwbridge; expected another")


@dataclass(frozen=True)
class Source:
    """A kind of recording that a plugin reads."""

    name: str
    title: str  # one line for people
    detect: Callable[[Path], str | None]  # the evidence in words, or None; never raises, reads little
    describe: Callable[[Path, Any], Described]  # headers only; leaves nothing open; changes nothing
    example: Callable[[Path], Path]  # writes a tiny true-to-format recording into a folder and returns its path
    options: type = NoOptions
    fallback: bool = False  # asked only where no other source has evidence

    def __post_init__(self) -> None:
        _check(self, "detect", "describe", "example")


@dataclass(frozen=True)
class Processor:
    """A step from elements of a session to new elements."""

    name: str
    title: str
    takes: tuple[type, ...]  # types of element, one of which it works on
    run: Callable[[tuple[Element, ...], Any], Outcome]
    options: type = NoOptions
    beside: tuple[type, ...] = ()  # types of element that it looks at as well
    # of several movies of a series at once: for each, in order, what `run` would get, and what `run` would return
    run_together: Callable[[tuple[tuple[Element, ...], ...], Any], Sequence[Outcome]] | None = None

    def __post_init__(self) -> None:
        _check(self, "run", *(() if self.run_together is None else ("run_together",)))
        for field_ in ("takes", "beside"):
            kinds = getattr(self, field_)
            if not isinstance(kinds, tuple) or not all(isinstance(kind, type) for kind in kinds):
                raise PluginFault(f"Processor {self.name}: {field_} is {kinds!r}; expected a tuple of types")
        if not self.takes:
            raise PluginFault(f"Processor {self.name} takes nothing; expected one type of element or more")


@dataclass(frozen=True)
class Scores:
    """What a comparison found: a row for each thing compared, and the conventions that the numbers depend on."""

    rows: tuple[Mapping[str, Any], ...]  # plain values by the name of the column; None: not defined
    conventions: Mapping[str, Any] = field(default_factory=dict)  # as thresholds, bins and lags, always shown
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Score:
    """A comparison of a result with what is known to be true."""

    name: str
    title: str
    run: Callable[[Path, Path, Any], Scores]  # run(truth, result, options)
    options: type = NoOptions

    def __post_init__(self) -> None:
        _check(self, "run")


@dataclass(frozen=True)
class Export:
    """A file for other programs, made of what sessions hold."""

    name: str
    title: str
    make: Callable[[tuple[Session, ...], Any], bytes]  # make(sessions, options); checked by reading it back
    options: type = NoOptions

    def __post_init__(self) -> None:
        _check(self, "make")


@dataclass(frozen=True)
class Check:
    """An extra look at a finished file."""

    name: str
    run: Callable[[Session | None, Path], list[Finding]]  # session: None where only the file is at hand
    applies_to: tuple[str, ...] = field(default=())  # names of sources; empty: every file

    def __post_init__(self) -> None:
        _check(self, "run")
        if isinstance(self.applies_to, str):
            raise PluginFault(f"Check {self.name}: applies_to is {self.applies_to!r}; expected a tuple of names")


class Hooks:
    """What a plugin may implement; each hook returns a list of records."""

    @hookspec
    def register_sources(self) -> list[Source]:
        """Kinds of recording that this plugin reads."""
        raise NotImplementedError

    @hookspec
    def register_processors(self) -> list[Processor]:
        """Steps from elements to elements."""
        raise NotImplementedError

    @hookspec
    def register_checks(self) -> list[Check]:
        """Extra findings on a finished file."""
        raise NotImplementedError

    @hookspec
    def register_scores(self) -> list[Score]:
        """Comparisons of results with what is known to be true."""
        raise NotImplementedError

    @hookspec
    def register_exports(self) -> list[Export]:
        """Files for other programs, made of what sessions hold."""
        raise NotImplementedError

    @hookspec
    def register_namespaces(self) -> list[Path]:
        """NWB extension namespace files (``*.namespace.yaml``) that this plugin brings."""
        raise NotImplementedError
