"""HTML made of elements: whatever is not an element is text from a file, and is escaped."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

_UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)
_VOID = {"meta", "input"}


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


def clean(value: Any) -> str:
    """Return words of a file without what cannot be seen or turns the direction of what follows."""
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return _UNSEEN.sub("\ufffd", text)


def safe(value: Any) -> Markup:
    """Return HTML that shows the value."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, list | tuple) or (isinstance(value, Iterable) and not isinstance(value, str)):
        return join(value)
    return Markup("" if value is None else html.escape(clean(value)))


def join(parts: Iterable[Any]) -> Markup:
    """Return the parts one after another."""
    return Markup("".join(map(safe, parts)))


def el(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Return an element; `class_` is the class, `data_x` is data-x, None leaves an attribute out, True states it."""
    words = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        words.append(f" {label}" if value is True else f' {label}="{html.escape(clean(value))}"')
    inner = "" if name in _VOID else f"{join(children)}</{name}>"
    return Markup(f"<{name}{''.join(words)}>{inner}")


def data(value: Any, **attributes: Any) -> Markup:
    """Return JSON for the page's program; nothing in it can end the element that holds it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return el("script", Markup(text), type="application/json", **attributes)


def number(value: float, digits: int = 3) -> str:
    """Return a number as people write it: few digits, thousands apart, a true minus."""
    if value != value:
        return "–"
    size = abs(value)
    if size and (size >= 1e7 or size < 1e-3):
        text = f"{value:.{digits - 1}e}"
        head, _, power = text.partition("e")
        text = f"{head.rstrip('0').rstrip('.') if '.' in head else head}e{int(power)}"
    elif size >= 10 ** (digits - 1) or size == int(size):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{digits}g}"
    return text.replace("-", "−").replace(",", "\u202f")


def count(amount: int, thing: str) -> str:
    """Return how many there are of a thing: 1 frame, 2 frames."""
    plural = thing[:-1] + "ies" if thing.endswith("y") else thing + "s"
    return f"{number(amount, 7)} {thing if amount == 1 else plural}"


def sentence(words: str | None) -> str:
    """Return words as a sentence."""
    text = (words or "").strip()
    return text and text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def breakable(name: str) -> Markup:
    """Return a long name that may break after its underscores."""
    return Markup(safe(name).replace("_", "_<wbr>"))


def size(nbytes: float) -> str:
    """Return bytes in words."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= scale:
            return f"{number(nbytes / scale)} {unit}"
    return f"{nbytes:.0f} bytes"
