"""What a run of processing will do: the steps with their options, and the element that each works on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nwbridge.dandi import gate, names
from nwbridge.errors import BadMetadata, BadOption, BadSource, MissingMetadata
from nwbridge.hookspecs import Processor
from nwbridge.model import Element, Images, Localizations, Movie, Segmentation, Series, Session
from nwbridge.options import flags, parse
from nwbridge.plugins import Plugin, Registry
from nwbridge.version import __version__

FEW = 3  # of what could not be read that is named
# types of NWB's that become what steps work on
_BECOME: dict[type, tuple[str, ...]] = {
    Movie: ("TwoPhotonSeries", "OnePhotonSeries", "CorrectedImageStack", "MotionCorrection"),
    Segmentation: ("PlaneSegmentation", "ImageSegmentation"),
    Localizations: ("Localizations",),
    Series: ("TimeSeries", "CurrentClampSeries"),
    Images: ("Images",),
}
_LOST = re.compile(r"(.*) \((\w+)\) is not carried over: (.*)")


@dataclass(frozen=True)
class Chosen:
    """A step that will run: the processor, its plugin and its options."""

    processor: Processor
    plugin: Plugin
    options: Any


def choose(steps: str | Sequence[str], options: Mapping[str, Any], registry: Registry) -> tuple[Chosen, ...]:
    """Return the steps with their options; BadOption where a step or an option is not there, or one is given twice."""
    wanted = [name.strip() for name in (steps.split(",") if isinstance(steps, str) else steps)]
    if not wanted or not all(wanted):
        raise BadOption(f"the steps are {steps!r}; expected names such as denoise, or register,denoise")
    if repeated := next((name for name in wanted if wanted.count(name) > 1), None):
        raise BadOption(f"the step {repeated} is named twice; run it again on the file that it made")
    found = [registry.processor(name) for name in wanted]
    of = {processor.name: {flag.name for flag in flags(processor.options)} for processor, _ in found}
    given: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    for key, value in options.items():
        step, dot, name = key.rpartition(".")
        name = name.replace("-", "_")
        owners = [step] if dot else [owner for owner, known in of.items() if name in known]
        if len(owners) > 1:
            several = " or ".join(f"--{owner}.{name.replace('_', '-')}" for owner in owners)
            raise BadOption(f"--{key} could be of {' and of '.join(owners)}: say {several}")
        if owners and owners[0] not in given:
            raise BadOption(f"--{key} speaks of the step {owners[0]}, which is not among {', '.join(wanted)}")
        given[owners[0] if owners else wanted[-1]][name] = value
    return tuple(
        Chosen(processor, plugin, parse(processor.options, given[processor.name], f"step {processor.name}"))
        for processor, plugin in found
    )


def check_for(archive: str | None, session: Session) -> None:
    """Refuse a file that an archive would refuse; what it lacks is given where files are converted, not processed."""
    try:
        if archive is not None:
            gate.check_session(session)
    except (BadMetadata, MissingMetadata) as error:
        raise type(error)(f"{error}; convert again with it, then process") from error


def place_of(session: Session, chosen: Sequence[Chosen]) -> PurePosixPath:
    """Return where a processed file lies in a dandiset; its name says every step that was done, then or before."""
    done = [step.name for step in session.steps]
    return names.layout(session, "+".join([*done, *(step.processor.name for step in chosen)]))


def pick_first(session: Session, processor: Processor, path: Path, name: str | None) -> Element:
    """Return the element of a file that the first step works on.

    What the same step made before is passed over, so that it is done again on what it was done on; a name says else.
    """
    made = {name for step in session.steps if step.name == processor.name for name in step.made}
    return pick(session.elements, processor, path, name, passed=made, reasons=unreadable(session, processor))


def pick_series(session: Session, processor: Processor, path: Path, name: str | None) -> tuple[Element, ...]:
    """Return the elements of a file that the first step works on: one, or several that are named with commas between.

    A name that an element has as a whole is that one's, whatever commas are in it.
    """
    if name is None or "," not in name or any(element.name == name for element in session.elements):
        return (pick_first(session, processor, path, name),)
    names = [one.strip() for one in name.split(",")]
    if not all(names) or len({*names}) < len(names):
        raise BadOption(f"--series {name}: expected names that differ, as in A,B")
    return tuple(pick_first(session, processor, path, one) for one in names)


def refuse_apart(chosen: Sequence[Chosen], what: str, advice: str) -> None:
    """Refuse several movies where no step works on them together."""
    if not any(step.processor.run_together for step in chosen):
        steps = " and ".join(step.processor.name for step in chosen)
        each = "work" if len(chosen) > 1 else "works"
        raise BadOption(f"{what}: {steps} {each} on each movie by itself; {advice}")


def lacks(session: Session, processor: Processor) -> str | None:
    """Return what a step works on and a file has none of, readable or not; None where there is something."""
    if any(isinstance(one, processor.takes) for one in session.elements) or unreadable(session, processor):
        return None
    return " or ".join(kind.__name__ for kind in processor.takes)


def unreadable(session: Session, processor: Processor) -> list[str]:
    """Return what of a file would have become what a step works on, each with why it cannot be read."""
    lost = [found for finding in session.findings if (found := _LOST.match(finding.message))]
    kinds = [words for kind in processor.takes for words in _BECOME.get(kind, ())]
    return [f"{found[1]} ({found[3]})" for found in lost if found[2] in kinds]


def pick(
    elements: Sequence[Element],
    processor: Processor,
    path: Path,
    name: str | None,
    after: Chosen | None = None,
    *,
    passed: Collection[str] = (),
    reasons: Sequence[str] = (),
) -> Element:
    """Return the element that a step works on: the one named, the only one, or the last of a chain of results.

    Those `passed` over are taken only where they are named, or nothing else is there; `reasons` say why others of the
    kind could not be read.
    """
    kinds = " or ".join(kind.__name__ for kind in processor.takes)
    fit: list[Any] = [element for element in elements if isinstance(element, processor.takes)]
    unread = f"; not readable: {', '.join(reasons[:FEW])}" if reasons else ""
    if name is not None:
        if found := next((element for element in fit if element.name == name), None):
            return found
        known = ", ".join(element.name for element in fit) or f"no {kinds} at all"
        raise BadOption(f"--series {name}: {path.name} has {known}; {processor.name} works on one {kinds}{unread}")
    if after is not None and not fit:
        raise BadOption(
            f"{processor.name} works on a {kinds}, and {after.processor.name} makes none: run them one after the other"
        )
    if not fit:
        held = ", ".join(f"{e.name} ({type(e).__name__})" for e in elements) or "nothing that can be read"
        raise BadSource(f"{path.name} has no {kinds}, which {processor.name} works on; it holds {held}{unread}")
    candidates = [element for element in fit if element.name not in passed] or fit
    known_by_name = {element.name: element for element in fit}
    sources = {source for element in candidates for source in _sources(element, known_by_name)}
    ends = [element for element in candidates if element.name not in sources] or candidates
    roles = [element for element in ends if getattr(element, "role", "cells") == "cells"]
    ends = roles or ends
    if len(ends) > 1:
        several = ", ".join(element.name for element in ends)
        raise BadOption(
            f"{path.name} has several for {processor.name} to work on ({several}): choose with --series NAME"
        )
    return ends[0]


def _sources(element: Element, known: Mapping[str, Element]) -> set[str]:
    """Return the names of what an element was made from, however far back."""
    found: set[str] = set()
    name = getattr(element, "made_from", None)
    while name is not None and name not in found:
        found.add(name)
        name = getattr(known.get(name), "made_from", None)
    return found


def made_by(chosen: Sequence[Chosen]) -> list[tuple[str, str]]:
    """Return the software that runs the steps, with versions."""
    plugins = ((step.plugin.distribution, step.plugin.version) for step in chosen)
    return list(dict.fromkeys((("nwbridge", __version__), *plugins)))


def without_folder(value: Any) -> Any:
    """Return a path's name: nobody else has the user's folders."""
    return value.name if isinstance(value, Path) else value
