"""The history of a file on its card: every step of processing, what it worked on, its parameters, the file it read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nwbridge.report.markup import Markup, clean, count, el, number

VALUES = 40  # parameters of a step that are shown
TEXT = 120  # characters of one
MOVIES = 8  # others that a step worked on at once, by name


def history(steps: Sequence[Mapping[str, Any]], identity: str) -> Markup | None:
    """Return the steps, first to last; None where nothing was processed."""
    if not steps:
        return None
    name = f"{identity}-history"
    return el(
        "section",
        el("h4", f"History: {count(len(steps), 'step')} of processing", id=name),
        el("ol", [_step(step) for step in steps]),
        class_="history", aria_labelledby=name,
    )  # fmt: skip


def _step(step: Mapping[str, Any]) -> Markup:
    head = [el("b", _text(step.get("name"))), " made ", *_names(step.get("made"))]
    head += [" from ", *_names(step.get("made_from")), *_together(step.get("together_with"))]
    plugin = " ".join(filter(None, (_text(step.get("plugin")), _text(step.get("version")))))
    host = f"nwbridge {_text(step['host_version'])}" if step.get("host_version") else ""
    when = _text(step.get("time"))[:19].replace("T", " ")
    by = " · ".join(filter(None, (plugin, host, f"{when} UTC" if when.count(":") == 2 else when)))
    return el("li", el("p", head), _parameters(step.get("parameters")), _read(step), el("p", by, class_="small"))


def _together(found: Any) -> list[Any]:
    """Return the other movies that the step worked on at once: each is its file, identifier, name and place."""
    if not isinstance(found, list | tuple):
        return []
    known = [one for one in found if isinstance(one, list | tuple) and len(one) > 2]  # as in a line of JSON
    if not known:
        return []
    named = [", ".join(f"{_text(one[2])} of {_text(one[0])}" for one in known[:MOVIES])]
    named += [f" and {len(known) - MOVIES} more"] if len(known) > MOVIES else []
    return [" together with ", *named]


def _parameters(found: Any) -> Markup | None:
    """Return the parameters with their values, and name those that were left to the step."""
    if not isinstance(found, Mapping) or not found:
        return None
    shown = [*found.items()][:VALUES]
    pairs = [el("div", el("dt", _text(key)), el("dd", _value(value))) for key, value in shown if value is not None]
    unset = ", ".join(_text(key) for key, value in shown if value is None)
    words = [f"Not set: {unset}."] if unset else []
    words += [f"{count(len(found) - VALUES, 'more parameter')} in the file."] if len(found) > VALUES else []
    listed = el("dl", pairs, class_="parameters") if pairs else None
    return el("div", listed, el("p", " ".join(words), class_="small") if words else None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 6)
    return _text(value)


def _read(step: Mapping[str, Any]) -> Markup | None:
    """Return which file was read, so that anybody can tell whether theirs is the same."""
    if not step.get("file"):
        return None
    parts: list[Any] = ["Read ", el("code", _text(step["file"]))]
    if step.get("identifier"):
        parts += [", identifier ", el("code", _text(step["identifier"]))]
    if step.get("sha256"):
        parts += [", SHA-256 ", el("code", _text(step["sha256"]))]
    parts.append(".")
    if left := _names(step.get("left_out")):
        parts += [" That file holds ", *left, ", which this one does not."]
    return el("p", parts, class_="small")


def _names(found: Any) -> list[Any]:
    """Return names, with commas between them."""
    listed = [found] if isinstance(found, str) else found if isinstance(found, list | tuple) else []
    parts: list[Any] = []
    for one in listed:
        parts += [", "] if parts else []
        parts.append(el("i", _text(one)))
    return parts


def _text(value: Any) -> str:
    words = clean("" if value is None else value)
    return words if len(words) <= TEXT else words[: TEXT - 1] + "…"
