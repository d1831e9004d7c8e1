"""What a processor gave back: told apart, named as the file has room for, and with what it was made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from nwbridge.errors import PluginFault
from nwbridge.model import Element, Finding, Images, Movie, Segmentation, Series
from nwbridge.nwb.extend import without_known


def made_names(results: Sequence[Element], known: Collection[str]) -> Iterator[str]:
    """Yield the names of what is new in a file: of regions that it has already, only their traces."""
    for result in results:
        if result.name not in known:
            yield result.name
        if isinstance(result, Segmentation):
            yield from (traces.name for traces in result.traces)


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
            before = {traces.name for traces in old.traces if traces in result.traces}
            result = without_known(result, before)
            traces = [replace(one, name=_free(one.name, taken, new)) for one in result.traces]
            kept.append(replace(result, traces=tuple(traces)))
            continue
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
    """Let a result name other results as they are called now."""
    for key in ("made_from", "found_in"):
        name = getattr(result, key, None)
        if name is not None and name in new:
            result = replace(result, **{key: new[name]})
    if any(getattr(column, "rows_of", None) in new for column in getattr(result, "columns", ())):
        columns = tuple(replace(c, rows_of=new.get(c.rows_of or "", c.rows_of)) for c in result.columns)
        result = replace(result, columns=columns)
    return result


def with_origin(result: Element, element: Element) -> Element:
    """What a step makes was made from something: a plugin need not say it."""
    if isinstance(result, Movie | Images | Series) and result.made_from is None:
        return replace(result, made_from=element.name)
    return result
