"""What a footer's ``extraProperties`` say of the animal, the microscope and the session.

The names are those that the vendor's library looks up: ``animal``, ``microscope``, ``personnel``, ``name``.
"""

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from nwbridge import Device, Finding, Plane, Subject
from nwbridge_ideas.isxd import Isxd
from nwbridge_ideas.timing import Timing

SPECIES = {"mouse": "Mus musculus", "mice": "Mus musculus", "rat": "Rattus norvegicus"}
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "u": "U", "unknown": "U"}
_GRAMS = "unit not stated"


@dataclass(frozen=True)
class Acquisition:
    """What one file says of how its recording was made."""

    device: Device = field(default_factory=Device)
    subject: Subject | None = None
    experimenter: tuple[str, ...] | None = None
    session_name: str | None = None
    exposure_s: float | None = None
    binning: int | None = None
    origins: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def acquisition_of(file: Isxd, timing: Timing | None = None) -> Acquisition:
    """Read a footer's ``extraProperties``; whatever is odd there stays in the footer's parameters."""
    subject, findings = _subject(file, timing)
    name = _text(file.said("personnel", "name"))
    who = (re.sub(r"^(\S+) (\S+)$", r"\2, \1", name),) if name else None
    exposure_ms = _number(file.said("microscope", "exp"))
    exposure_ms = exposure_ms if exposure_ms and 0 < exposure_ms < math.inf else None
    where = f"{file.path.name}: footer's extraProperties/"
    origins = {
        "NWBFile.experimenter": where + "personnel/name" if who else None,
        "NWBFile.session_description": where + "name" if _text(file.said("name")) else None,
        "Ophys.OnePhotonSeries.exposure_time": where + "microscope/exp" if exposure_ms else None,
    }
    for key, member in (("subject_id", "id"), ("species", "species"), ("sex", "sex"), ("date_of_birth", "dob")):
        if subject is not None and getattr(subject, key) is not None:
            origins[f"Subject.{key}"] = where + f"animal/{member}"
    return Acquisition(
        device=_device(file),
        subject=subject,
        experimenter=who,
        session_name=_text(file.said("name")),
        exposure_s=exposure_ms / 1000 if exposure_ms else None,
        binning=_binning(file),
        origins={key: words for key, words in origins.items() if words},
        findings=findings,
    )


def plane_of(file: Isxd, device: Device, rate_hz: float | None) -> Plane:
    """Return the imaging plane, without a pixel size: the footer's is the sensor's, whatever the lens before it."""
    pixel, corner = file.place_um("pixelSize", above=0), file.place_um("topLeft")
    words = []
    if pixel is not None:
        words.append(
            f"the footer's pixel size, {pixel[0]:g} µm (row) and {pixel[1]:g} µm (column), is the sensor's: the size "
            "in tissue is not known"
        )
    if corner is not None:
        words.append(f"the top left corner lies at row {corner[0]:g} µm, column {corner[1]:g} µm of the sensor")
    return Plane(description="; ".join(words) or None, device=device, rate_hz=rate_hz)


def _device(file: Isxd) -> Device:
    scope = file.said("microscope")
    if not isinstance(scope, dict) or not scope:
        return Device()
    lamps = scope.get("led")
    led = lamps if isinstance(lamps, dict) else {}
    facts = {
        "serial number": scope.get("serial"),
        "gain": scope.get("gain"),
        "focus": scope.get("focus"),
        "EX LED power in mW/mm²": led.get("exPower"),
        "OG LED power in mW/mm²": led.get("ogPower"),
    }
    known = "; ".join(f"{name} {text}" for name, value in facts.items() if (text := _text(value)) is not None)
    return Device(description=known or None, manufacturer="Inscopix", model=_text(scope.get("type")))


def _subject(file: Isxd, timing: Timing | None) -> tuple[Subject | None, tuple[Finding, ...]]:
    """Return the animal; words that NWB has no place for stay in its description."""
    values = file.said("animal")
    animal = {k: text for k, v in values.items() if (text := _text(v))} if isinstance(values, dict) else {}
    if not animal:
        return None, ()
    species = animal.get("species", "")
    latin = SPECIES.get(species.lower()) or (species if re.fullmatch(r"[A-Z][a-z]+ [a-z]+", species) else None)
    sex = SEXES.get(animal.get("sex", "").lower())
    born = _date(animal.get("dob"), timing)
    left = {
        "species": species if not latin else "",
        "sex": animal.get("sex") if not sex else "",
        "date of birth": animal.get("dob") if not born else "",
        "weight": f"{animal['weight']} ({_GRAMS})" if animal.get("weight") not in (None, "0") else "",
    }
    words = [animal.get("description"), *(f"{name}: {value}" for name, value in left.items() if value)]
    findings = tuple(
        Finding("hint", f"the footer's {name} of the animal is {value!r}", "give it in NWB's terms", file.path.name)
        for name, value in left.items()
        if value and name != "weight"
    )
    subject = Subject(
        subject_id=animal.get("id"),
        species=latin,
        sex=sex,
        date_of_birth=born,
        description="; ".join(filter(None, words)) or None,
    )
    return subject, findings


def _date(text: str | None, timing: Timing | None) -> datetime | None:
    """Return a day as its midnight on the recording's clock; None for other words."""
    if text is None or not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return None
    known = timing.start_time if timing else None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=known.tzinfo if known else timezone.utc)  # noqa: UP017
    except ValueError:
        return None


def _binning(file: Isxd) -> int | None:
    """Return how many pixels of the sensor one pixel has along each axis: at acquisition times afterwards."""
    factors = [file.said("microscope", "downSamplingFactor"), file.said("idps", "spatialDownsampling")]
    known = [int(n) for n in factors if isinstance(n, int) and not isinstance(n, bool) and 0 < n < 1000]
    return known[0] * (known[1] if len(known) == 2 else 1) if known else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(str(value).split()) or None
