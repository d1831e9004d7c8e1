"""What a processor gave back: told apart, named as the file has room for, and with what it was made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from nwbridge.errors import PluginFault
from nwbridge.model import Element, Finding, Images, Movie, Segmentation, Series, Step, Traces


def made_names(results: Sequence[Element], known: Collection[str]) -> Iterator[str]:
    """Yield the names of what is new in a file: of regions that it has already, only their traces."""
    for result in results:
        if result.name not in known:
            yield result.name
        if isinstance(result, Segmentation):
            yield from (traces.name for traces in result.traces)


def origins(results: Sequence[Element], element: Element, known: Collection[str]) -> tuple[str, ...]:
    """Return the names of what a step worked on: the element; of new traces of known regions, what these are of."""
    new = [one for result in results if _is_known(result, known) for one in result.traces]
    made = {traces.name for traces in new}
    found = dict.fromkeys(traces.made_from or element.name for traces in new if traces.made_from not in made)
    return tuple(found) or (element.name,)


def _is_known(result: Element, known: Collection[str]) -> bool:
    return isinstance(result, Segmentation) and result.name in known


def newest_last(elements: Sequence[Element], steps: Sequence[Step]) -> list[Element]:
    """Return the elements, the traces of regions in the order that steps made them: names do not tell it."""
    made = {name: number for number, step in enumerate(steps, 1) for name in step.made}

    def age(traces: Traces) -> int:
        return made.get(traces.name, 0)

    return [
        replace(one, traces=tuple(sorted(one.traces, key=age))) if isinstance(one, Segmentation) else one
        for one in elements
    ]


def sorted_out(outcome: Any, who: str) -> tuple[list[Element], list[Finding]]:
    """Return elements and findings of what a processor returned; PluginFault where it is something else."""
    if not isinstance(outcome, tuple | list):
        raise PluginFault(f"{who} returned a {type(outcome).__name__}; expected a tuple of elements and findings")
    findings = [one for one in outcome if isinstance(one, Finding)]
    results = [one for one in outcome if not isinstance(one, Finding)]
    for one in results:
        if isinstance(one, type) or not is_dataclass(one) or not isinstance(getattr(one, "name", None), str):
            raise PluginFault(f"{who} returned a {type(one).__name__}; expected elements and findings")
    if not results:
        raise PluginFault(f"{who} made nothing; expected one element at least")
    return results, findings


def renamed(results: Sequence[Element], taken: set[str], known: Mapping[str, Element]) -> list[Element]:
    """Give results names that the file does not have yet, also where they name each other."""
    new: dict[str, str] = {}
    kept = []
    for result in results:
        old = known.get(result.name)
        if isinstance(result, Segmentation) and isinstance(old, Segmentation) and _same_regions(old, result):
            before = {id(traces) for traces in old.traces}
            result = replace(result, traces=tuple(one for one in result.traces if id(one) not in before))
        else:
            result = replace(result, name=_free(result.name, taken, new))
        if isinstance(result, Segmentation):
            traces = [replace(one, name=_free(one.name, taken, new)) for one in result.traces]
            result = replace(result, traces=tuple(traces))
        kept.append(result)
    return [_naming(result, new) for result in kept]


def _same_regions(one: Segmentation, other: Segmentation) -> bool:
    """Whether a step gave regions back that it was given: the very same objects."""
    mine, others = one.regions, other.regions
    if isinstance(mine, tuple) and isinstance(others, tuple):
        return len(mine) == len(others) and all(a is b for a, b in zip(mine, others, strict=True))
    return mine is others


def _free(name: str, taken: set[str], new: dict[str, str]) -> str:
    """Return the name, with a number where the file or another result has it."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free)
    new[name] = free
    return free


def _naming(result: Element, new: Mapping[str, str]) -> Element:
    """Let a result name other results as they are called now; what names its own name was made from the older one."""
    for key in ("made_from", "found_in"):
        name = getattr(result, key, None)
        if name is not None and new.get(name) not in (None, result.name):
            result = replace(result, **{key: new[name]})
    if isinstance(result, Segmentation):
        result = replace(result, traces=tuple(_naming(traces, new) for traces in result.traces))
    if any(getattr(column, "rows_of", None) in new for column in getattr(result, "columns", ())):
        columns = tuple(replace(c, rows_of=new.get(c.rows_of or "", c.rows_of)) for c in result.columns)
        result = replace(result, columns=columns)
    return result


def with_origin(result: Element, elements: Sequence[Element]) -> Element:
    """What a step makes was made from something: a plugin need not say it.

    A movie that was made from a registered one by changing a copy was not registered itself.
    """
    element = elements[0]
    if isinstance(result, Movie) and result.shifts is not None:
        copied = next((one for one in elements if getattr(one, "shifts", None) is result.shifts), None)
        if copied is not None:
            of = copied.name if result.made_from == copied.made_from else result.made_from
            result = replace(result, shifts=None, made_from=of)
    if isinstance(result, Movie | Images | Series) and result.made_from is None:
        return replace(result, made_from=element.name)
    return result
