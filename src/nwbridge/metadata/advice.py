"""What to write instead of what labs often write: never done for them, always said."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import Any

_SPECIES = {
    "Mus musculus": ("mouse", "mice", "house mouse", "mus", "m musculus", "lab mouse", "c57bl/6", "c57bl/6j"),
    "Rattus norvegicus": ("rat", "rats", "brown rat", "norway rat", "rattus", "r norvegicus", "long evans"),
    "Homo sapiens": ("human", "humans", "man", "person", "h sapiens"),
    "Macaca mulatta": ("macaque", "rhesus", "rhesus macaque", "rhesus monkey", "monkey", "m mulatta"),
    "Callithrix jacchus": ("marmoset", "common marmoset", "c jacchus"),
    "Danio rerio": ("zebrafish", "zebra fish", "d rerio"),
    "Drosophila melanogaster": ("fly", "fruit fly", "fruitfly", "drosophila", "d melanogaster"),
    "Caenorhabditis elegans": ("worm", "nematode", "c elegans"),
    "Mustela putorius furo": ("ferret",),
    "Felis catus": ("cat",),
    "Sus scrofa domesticus": ("pig",),
    "Oryctolagus cuniculus": ("rabbit",),
    "Taeniopygia guttata": ("zebra finch", "finch"),
    "Xenopus laevis": ("frog", "xenopus"),
}
_SEXES = {
    "M": ("male", "man", "boy", "♂"),
    "F": ("female", "woman", "girl", "♀"),
    "U": ("unknown", "n/a", "na", "nan", "none", "?", "-", "not known", "unspecified"),
    "O": ("other", "hermaphrodite"),
}
_UNITS = {"d": "D", "w": "W", "m": "M", "y": "Y"}
_NUMBER = r"(\d+(?:\.\d+)?)"
_AGE = re.compile(
    rf"(?:pnd?|e)?\s*{_NUMBER}(?:\s*(?:-|–|to)\s*{_NUMBER})?\s*-?\s*([a-z]*)\.?(?:\s+old)?", re.IGNORECASE
)
_WEIGHT = re.compile(rf"{_NUMBER}\s*(kg|g|mg|grams?|kilograms?|kilos?)\.?", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})")
_HOUR = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.0+)?)?\s*([ap]m)?", re.IGNORECASE)
_WITH_UNIT = re.compile(rf"{_NUMBER}\s*(nm|hz|fps|um|µm|micrometers|s|sec)\.?", re.IGNORECASE)


def instead(path: tuple[str | int, ...], value: Any) -> str | None:
    """Return what to write in place of a value that is refused, or None where that cannot be guessed."""
    key = next((str(word) for word in reversed(path) if isinstance(word, str)), "")
    if key in ("excitation_lambda", "emission_lambda", "grid_spacing") and isinstance(value, int | float):
        return _smaller(key, value)
    if key in ("session_id", "subject_id") and isinstance(value, str) and "/" in value.strip("/"):
        return value.strip("/").replace("/", "-")
    if key == "weight" and re.fullmatch(_NUMBER, str(value).strip()):
        weight = float(value)
        return f"{weight:g} kg, if it is in kilograms" if weight < 1 else f"{weight / 1000:g} kg, if it is in grams"
    if not isinstance(value, str):
        return None
    words = re.sub(r"[\s_]+", " ", value.strip())
    if key == "age":
        return _age(words)
    if key == "sex":
        return _of(_SEXES, words.lower()) or (words.upper() if words.upper() in _SEXES else None)
    if key == "species":
        return _species(words)
    if key == "weight" and (found := _WEIGHT.fullmatch(words)):
        scale = {"k": 1, "g": 1e-3, "m": 1e-6}[found[2][0].lower()]
        return f"{float(found[1]) * scale:g} kg"
    if found := _WITH_UNIT.fullmatch(words):
        return found[1] if key not in ("age", "weight") else None
    return None


def rewritten(text: str) -> str | None:
    """Return how a spreadsheet's date and time are to be written, or None where that cannot be known."""
    day, _, hour = " ".join(text.replace("T", " ").replace(",", " ").split()).partition(" ")
    date, clock = _DATE.fullmatch(day), _HOUR.fullmatch(hour or "0:00")
    if date is None or clock is None:
        return None
    one, two, three = map(int, date.groups())
    orders = [(one, two, three)] if one > 31 else [(three, two, one), (three, one, two)]
    orders = orders[:1] if "." in day or one == two else orders  # with points, the day comes first everywhere
    hours, minutes, seconds = (int(number or 0) for number in clock.groups()[:3])
    if half := clock[4]:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    words = []
    for order in orders:
        with suppress(ValueError):  # there is no month 13
            words.append(f"{datetime(*order, hours, minutes, seconds).isoformat()}+01:00")
    return f"{' or '.join(words)}, with the time zone of the place" if words and max(one, three) > 99 else None


def _of(table: dict[str, tuple[str, ...]], word: str) -> str | None:
    return next((right for right, wrong in table.items() if word in wrong or word == right.lower()), None)


def _species(words: str) -> str | None:
    plain = words.lower().replace(".", " ")
    plain = " ".join(plain.split())
    if found := _of(_SPECIES, plain):
        return found
    return words.capitalize() if re.fullmatch(r"[A-Za-z]+ [A-Za-z-]{3,}", words) else None


def _age(words: str) -> str | None:
    """Return an ISO 8601 duration for '30 days', 'P30', '8-12 weeks'; a bare number is taken for days, and says so."""
    if words.upper().startswith("P") and not words.lower().startswith("pn"):
        words = words[1:]
    found = _AGE.fullmatch(words)
    if found is None:
        return None
    unit = _UNITS.get(found[3][:1].lower()) if found[3] else "D"
    if unit is None or (found[3].lower().startswith(("mi", "ms"))):
        return None
    text = f"P{found[1]}{unit}" + (f"/P{found[2]}{unit}" if found[2] else "")
    return text if found[3] else f"{text}, if it is in days"


def _smaller(key: str, value: float) -> str | None:
    """Return a length in the unit that is meant, where it looks as if given in metres or micrometres."""
    if not 0 < value < 1:
        return None
    if key == "grid_spacing":
        return f"{value * 1e6:g}, in micrometres" if value < 1e-3 else None
    return f"{value * (1e9 if value < 1e-3 else 1e3):g}, in nm"
