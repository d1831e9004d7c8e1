"""What a run of processing will do: the steps with their options, and the element that each works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nwbridge.dandi import names
from nwbridge.errors import BadOption, BadSource
from nwbridge.hookspecs import Processor
from nwbridge.model import Element, Session
from nwbridge.options import flags, parse
from nwbridge.plugins import Plugin, Registry
from nwbridge.version import __version__


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


def place_of(session: Session, chosen: Sequence[Chosen]) -> PurePosixPath:
    """Return where a processed file lies in a dandiset; its name says every step that was done, then or before."""
    done = [step.name for step in session.steps]
    return names.layout(session, "+".join([*done, *(step.processor.name for step in chosen)]))


def pick(
    elements: Sequence[Element], processor: Processor, path: Path, name: str | None, after: Chosen | None = None
) -> Element:
    """Return the element that a step works on: the one named, the only one, or the last of a chain of results."""
    kinds = " or ".join(kind.__name__ for kind in processor.takes)
    fit: list[Any] = [element for element in elements if isinstance(element, processor.takes)]
    if name is not None:
        if found := next((element for element in fit if element.name == name), None):
            return found
        known = ", ".join(element.name for element in fit) or f"no {kinds} at all"
        raise BadOption(f"--series {name}: {path.name} has {known}; {processor.name} works on one {kinds}")
    if after is not None and not fit:
        raise BadOption(
            f"{processor.name} works on a {kinds}, and {after.processor.name} makes none: run them one after the other"
        )
    if not fit:
        held = ", ".join(f"{e.name} ({type(e).__name__})" for e in elements) or "nothing that can be read"
        raise BadSource(f"{path.name} has no {kinds}, which {processor.name} works on; it holds {held}")
    sources = {getattr(element, "made_from", None) for element in fit}
    ends = [element for element in fit if element.name not in sources]
    roles = [element for element in ends if getattr(element, "role", "cells") == "cells"]
    ends = roles or ends
    if len(ends) > 1:
        several = ", ".join(element.name for element in ends)
        raise BadOption(
            f"{path.name} has several for {processor.name} to work on ({several}): choose with --series NAME"
        )
    return ends[0]


def made_by(chosen: Sequence[Chosen]) -> list[tuple[str, str]]:
    """Return the software that runs the steps, with versions."""
    plugins = ((step.plugin.distribution, step.plugin.version) for step in chosen)
    return list(dict.fromkeys((("nwbridge", __version__), *plugins)))
