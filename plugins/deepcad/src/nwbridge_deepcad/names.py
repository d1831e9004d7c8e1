"""What the names of DeepCAD and DeepCAD-RT files say, and the download guide's table of 14 groups.

A download is named ``N_ZOOM1.3_550Vx575H_FOV_30Hz_<depth>umdepth[_<structures>]_<P>power_<G>AMP.zip``, the files in it
``<N>_550Vx575H_FOV_30Hz_<P>power_00001_lowSNR_MC.tif``; of DeepCAD-RT,
``05_MouseNeurons_GCaMP6f_100umdepth_50mWpower_30Hz_lowSNR_MCRound1.tif``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

POWER_MW = {0.2: 66, 0.3: 99, 0.4: 132}  # names give a fraction of full power
STRUCTURES = {"dendrite": "dendrites", "soma": "somata", "somadendrite": "somata and dendrites"}
SNR = re.compile(r"[_-]?(low|high)[_-]?SNR", re.IGNORECASE)
_PATTERNS = {
    "group": r"^0*(\d+)_(?=ZOOM|\d+Vx)",
    "zoom": r"ZOOM(\d+(?:\.\d+)?)",
    "height_um": r"(\d+(?:\.\d+)?)Vx",
    "width_um": r"Vx(\d+(?:\.\d+)?)H",
    "rate_hz": r"_(\d+(?:\.\d+)?)Hz",
    "depth_um": r"(\d+(?:\.\d+)?)um[_-]?depth",
    "fraction": r"_(0?\.\d+)power",
    "power_mw": r"_(\d+(?:\.\d+)?)mWpower",
    "amp": r"_(\d+)AMP",
}
_WORDS = {
    "structures": r"_(somadendrite|dendrite|soma)(?=_)",
    "indicator": r"(GCaMP\w+?|jGCaMP\w+?)(?=_)",
    "species": r"(Mouse)(?=[A-Z_])",
}


@dataclass(frozen=True)
class Group:
    """One row of the download guide's table."""

    depth_um: int
    powers_mw: tuple[int, ...]
    amp: int
    structures: str


GROUPS = {
    1: Group(80, (66, 99), 1, "dendrite"),
    2: Group(100, (66, 99), 1, "somadendrite"),
    3: Group(120, (66, 99), 1, "soma"),
    4: Group(140, (66, 99), 1, "soma"),
    5: Group(160, (66, 99), 1, "soma"),
    6: Group(180, (99, 132), 1, "soma"),
    7: Group(200, (99, 132), 10, "soma"),
    8: Group(200, (99, 132), 10, "soma"),
    9: Group(150, (66, 99), 10, "soma"),
    10: Group(170, (99,), 10, "soma"),
    11: Group(80, (66, 99), 10, "dendrite"),
    12: Group(110, (66, 99), 10, "somadendrite"),
    13: Group(185, (99, 132), 10, "soma"),
    14: Group(210, (99, 132), 10, "soma"),
}


@dataclass(frozen=True)
class Said:
    """A value and who says it."""

    value: Any
    by: str


def read_names(names: Sequence[str], group: int | None = None) -> tuple[dict[str, Said], list[str]]:
    """Return what `group`, the names and the group's row of the table say, and sentences where these contradict.

    What is said first counts; what nobody says is not in the result.
    """
    said = {"group": Said(group, f"--group {group}")} if group else {}
    contradictions = []
    statements = [(key, Said(value, name)) for name in names for key, value in _parse(name)]
    number = next((new.value for key, new in statements if key == "group"), None) if group is None else group
    for key, new in [*statements, *_row(number)]:
        first = said.setdefault(key, new)
        if first.value != new.value:
            contradictions.append(f"{first.by} says {key} {first.value}, {new.by} says {new.value}")
    powers = GROUPS[number].powers_mw if number in GROUPS else ()
    if "power_mw" in said and powers and said["power_mw"].value not in powers:
        expected = " or ".join(map(str, powers))
        contradictions.append(f"{said['power_mw'].by} says power_mw {said['power_mw'].value}, row {number} {expected}")
    return said, contradictions


def _parse(name: str) -> Iterator[tuple[str, Any]]:
    for key, pattern in _PATTERNS.items():
        if match := re.search(pattern, name):
            number = float(match.group(1))
            yield key, int(number) if number.is_integer() else number
            if key == "fraction" and number in POWER_MW:
                yield "power_mw", POWER_MW[number]
    for key, pattern in _WORDS.items():
        if match := re.search(pattern, name):
            yield key, match.group(1)


def _row(number: int | None) -> Iterator[tuple[str, Said]]:
    """Say what holds for both powers of a group."""
    if number in GROUPS:
        group, by = GROUPS[number], f"row {number} of the download guide's table"
        values = {"depth_um": group.depth_um, "amp": group.amp, "structures": group.structures}
        only = {"power_mw": group.powers_mw[0]} if len(group.powers_mw) == 1 else {}
        yield from ((key, Said(value, by)) for key, value in (values | only).items())
