"""The chain of steps in a run: each works on every movie of the series, and what it makes goes into the part files.

A run on one file is a series of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nwbridge.choosing import Chosen, pick, without_folder
from nwbridge.description import refuse_unwritable
from nwbridge.draft import layout_for, named_after
from nwbridge.errors import BadSource, NwbridgeError, PluginFault
from nwbridge.hookspecs import Outcome, Processor
from nwbridge.landing import Clock
from nwbridge.model import Element, Finding, Session, Step
from nwbridge.model.session import SOURCES
from nwbridge.model.steps import STEPS, Companion
from nwbridge.nwb import steps as history
from nwbridge.nwb.chunks import Compression
from nwbridge.nwb.copying import names_in
from nwbridge.nwb.extend import extend
from nwbridge.nwb.read import read
from nwbridge.nwb.write import Progress, Written
from nwbridge.outcomes import made_names, newest_last, origins, renamed, sorted_out, with_origin
from nwbridge.plugins import call
from nwbridge.running import running
from nwbridge.version import __version__


@dataclass(frozen=True)
class How:
    """How a run computes, stores and tells."""

    threads: int
    compression: Compression
    chunks: tuple[int, int, int] | None
    progress: Progress
    clock: Clock


@dataclass(eq=False)
class File:
    """One NWB file of a run: what was read, and what its part file has got so far."""

    path: Path
    part: Path
    session: Session
    identifier: str | None
    left: tuple[str, ...]  # names of the movies that the part file leaves out
    emptied: tuple[str, ...]  # and of what stays there without its values
    tell: Progress
    several: bool = False  # whether there are other files in the run
    results: list[Element] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)  # those of earlier runs included
    written: list[Written] = field(default_factory=list)
    elements: dict[str, Element] = field(default_factory=dict)
    checked: list[Finding] = field(default_factory=list)  # what validation found
    size: int = 0  # bytes

    def __post_init__(self) -> None:
        self.steps = list(self.session.steps)
        self.elements = {element.name: element for element in self.session.elements}

    @property
    def fresh(self) -> list[Step]:
        """The steps of this run."""
        return self.steps[len(self.session.steps) :]

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the file on what goes wrong with it, where there are others."""
        try:
            yield
        except NwbridgeError as error:
            if not self.several or self.path.name in str(error):
                raise
            raise type(error)(f"{self.path.name}: {error}") from error


@dataclass(eq=False)
class Member:
    """One movie of the series, or of whatever else the first step takes one."""

    file: File
    element: Element  # what the next step works on
    position: int  # in the series, from 1
    tell: Progress
    last: list[Element] = field(default_factory=list)  # what the step before made

    def given(self, processor: Processor) -> tuple[Element, ...]:
        """Return what a step gets: the element, and what lies beside it."""
        kinds = (*processor.takes, *processor.beside)
        others = (one for name, one in self.file.elements.items() if name != self.element.name)
        return (self.element, *(one for one in others if isinstance(one, kinds)))


def run(chosen: Sequence[Chosen], members: Sequence[Member], how: How) -> None:
    """Run the steps one after the other; the members of one file follow each other."""
    for number, step in enumerate(chosen):
        if number:
            for member in members:
                with member.file.blamed():
                    member.element = pick(member.last, step.processor, member.file.path, None, chosen[number - 1])
        given = [member.given(step.processor) for member in members]
        together = len(members) > 1 and step.processor.run_together is not None
        outcomes = _at_once(step, given, how) if together else _one_by_one(step, given, members, how)
        companions = [_companion(member) for member in members] if together else []
        for file, group in itertools.groupby(zip(members, given, strict=True), lambda pair: pair[0].file):
            own = [(*pair, next(outcomes)) for pair in group]
            with file.blamed():
                _keep(step, file, own, companions, how, last=number == len(chosen) - 1)


def _one_by_one(
    step: Chosen, given: Sequence[tuple[Element, ...]], members: Sequence[Member], how: How
) -> Iterator[Outcome]:
    """Yield what a step makes of each member, which runs as it is asked for."""
    for member, elements in zip(members, given, strict=True):
        with member.file.blamed():
            outcome = _called(step, step.processor.run, elements, member.tell, how)
        yield outcome


def _at_once(step: Chosen, given: Sequence[tuple[Element, ...]], how: How) -> Iterator[Outcome]:
    """Yield what a step makes of each member; it runs once, on all of them."""
    outcomes = _called(step, step.processor.run_together, tuple(given), how.progress, how)
    who = f"{step.plugin.label}: {step.processor.name}"
    if not isinstance(outcomes, tuple | list):
        raise PluginFault(f"{who} returned a {type(outcomes).__name__}; expected a tuple of results, one for each")
    if len(outcomes) != len(given):
        raise PluginFault(f"{who} returned results for {len(outcomes)}; expected them for each of {len(given)}")
    yield from outcomes


def _called(step: Chosen, function: Any, elements: Any, tell: Progress, how: How) -> Any:
    """Call the processor; that memory did not suffice is nobody's fault."""
    doing = f"running {step.processor.name}"
    with running(tell, how.threads):
        tell(doing, 0, 1)
        try:
            return call(step.plugin, doing, function, elements, step.options)
        except PluginFault as error:
            if isinstance(error.__cause__, MemoryError):
                raise BadSource(f"there is not enough memory for {doing}: close other programs") from error
            raise
        finally:
            how.clock.lap(step.processor.name)


def _keep(
    step: Chosen,
    file: File,
    outcomes: Sequence[tuple[Member, tuple[Element, ...], Outcome]],
    companions: Sequence[Companion],
    how: How,
    *,
    last: bool,
) -> None:
    """Write what a step made of a file's members, with the history after the last step, and read it back."""
    taken = names_in(file.part) | {*file.left, SOURCES, STEPS}
    made = [(member, *_results(step, file, elements, outcome, taken)) for member, elements, outcome in outcomes]
    rows = [(member, _row(step, member, results, companions)) for member, results, _ in made]
    file.steps += [row for _, row in rows]
    new: list[Any] = [one for _, results, _ in made for one in results]
    file.results += new
    layout = layout_for(how.compression, how.chunks)
    with running(file.tell, how.threads), named_after(step.plugin):
        table = [history.table_of(file.steps)] if last else []
        file.written.append(extend(file.part, [*new, *table], layout, how.threads, file.tell))
    how.clock.lap("write")
    file.findings += [*(finding for *_, findings in made for finding in findings), *layout.findings]
    stored = read(file.part).elements
    for (member, results, _), (_, row) in zip(made, rows, strict=True):
        names = {result.name for result in results}
        newest = newest_last(stored, [*file.steps, row])  # of regions that several gave traces to, this one's last
        member.last = [element for element in newest if element.name in names]
        file.elements |= {element.name: element for element in member.last}


def _results(
    step: Chosen, file: File, elements: tuple[Element, ...], outcome: Outcome, taken: set[str]
) -> tuple[list[Element], list[Finding]]:
    """Return what a step made of one member as it will be written, and what it found."""
    results, findings = sorted_out(outcome, f"{step.plugin.label}: {step.processor.name}")
    results = [with_origin(result, elements) for result in renamed(results, taken, file.elements)]
    for result in results:
        call(step.plugin, f"running {step.processor.name}", refuse_unwritable, result, result.name)
    return results, findings


def _row(step: Chosen, member: Member, results: Sequence[Element], companions: Iterable[Companion]) -> Step:
    """Return a step of the history."""
    file = member.file
    return Step(
        name=step.processor.name,
        plugin=step.plugin.distribution,
        version=step.plugin.version,
        made_from=origins(results, member.element, file.elements),
        made=tuple(made_names(results, file.elements)),
        parameters={name: without_folder(value) for name, value in asdict(step.options).items()},
        host_version=__version__,
        file=file.path.name,
        identifier=file.identifier,
        left_out=file.left,
        time=datetime.now(UTC).replace(microsecond=0),
        together_with=tuple(one for one in companions if one.position != member.position),
    )


def _companion(member: Member) -> Companion:
    return Companion(member.file.path.name, member.file.identifier, member.element.name, member.position)
