"""What a CaImAn file says of its making: parameters, movies, frame rate, start and pixel size."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import h5py
import numpy as np

from nwbridge import Parameters
from nwbridge_caiman.cells import KINDS, QUALITIES
from nwbridge_caiman.images import WORDS
from nwbridge_caiman.results import Results

TRACES = {"C", "S", "YrA", "R", "F_dff"}
ELSEWHERE = TRACES | {"A", "b", "f", "W", "dims", *WORDS, *KINDS.values()}
DISCARDED = "discarded_components"
SMALL = 1024  # values of an estimate that are listed with the parameters
PLACES = re.compile(r"fnames?|fname_\w+|mmap_\w+|movie_name\w*|path_to\w*|params_from_file|.*_(path|file|dir)", re.I)
FOOTER = "movie_metadata"
ROOMS = ("params", "estimates", FOOTER)  # groups at the root


@dataclass(frozen=True)
class Footer:
    """What the Inscopix footer of the first movie, that IDEAS adds, says."""

    rate_hz: float | None = None
    start: datetime | None = None


def parameters(results: Results) -> list[Parameters]:
    """Return CaImAn's parameters, with small values of the estimates, and the footer of the first movie."""
    values = results.tree("params") | results.tree("/", lambda key, item: key in ROOMS and isinstance(item, h5py.Group))
    values["estimates"] = _small(results, "estimates", ELSEWHERE)
    if results.group(f"estimates/{DISCARDED}") is not None:
        values["estimates"][DISCARDED] = _small(results, f"estimates/{DISCARDED}", TRACES | {"A"})
    version = results.text("params/data/caiman_version")
    words = "what CaImAn ran with; folders are left out of file names"
    found = [Parameters("caiman_parameters", _without_folders(values), words, "CaImAn", version)]
    footer = results.tree(FOOTER)
    if footer:
        words = "footer of the first movie (.isxd), as IDEAS adds it to CaImAn's results"
        found.append(Parameters(FOOTER, _without_folders(footer), words))
    return found


def _small(results: Results, group: str, elsewhere: set[str]) -> dict[str, Any]:
    """Return what is small among the estimates and stands nowhere else; the rest is noted as left."""

    def stands_elsewhere(key: str, item: Any) -> bool:
        if isinstance(item, h5py.Group):
            return key in elsewhere | {DISCARDED}
        shape = getattr(item, "shape", None)
        return bool(shape) and (key in elsewhere or (key in QUALITIES and shape != (0,)))

    found = results.tree(group, stands_elsewhere, SMALL)
    return {key: value for key, value in found.items() if value is not None}


def _without_folders(value: Any, key: str = "") -> Any:
    """Return values with the folders taken out of the names of files."""
    if isinstance(value, dict):
        return {inner: _without_folders(below, inner) for inner, below in value.items()}
    if isinstance(value, list):
        return [_without_folders(below, key) for below in value]
    return file_name(value) if isinstance(value, str) and (PLACES.fullmatch(key) or _is_place(value)) else value


def _is_place(text: str) -> bool:
    return bool(re.match(r"file:|~|/|\\\\|\.{1,2}[/\\]|[A-Za-z]:[/\\]", text))


def file_name(text: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1]


def movies(results: Results) -> list[str]:
    """Return the names of the movies that were analysed, without their folders."""
    names = results.value("params/data/fnames")
    names = [names] if isinstance(names, str) else names if isinstance(names, list) else []
    return [file_name(name) for name in names if isinstance(name, str)]


def rate(results: Results, footer: Footer, given: float | None) -> tuple[float | None, str]:
    """Return the frame rate, and where it is stated; the user's word comes first."""
    if given is not None:
        return given, "option --rate"
    found = results.value("params/data/fr")
    stated = found.item() if isinstance(found, np.ndarray) and found.size == 1 else found
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not 0 < stated < math.inf:
        if found is not None or footer.rate_hz is None:
            words = "absent" if found is None else found
            results.note("warning", f"params/data/fr is {words}; expected a rate above 0", "give --rate HZ")
        stated = None
    if footer.rate_hz is None or (stated is not None and math.isclose(stated, footer.rate_hz, rel_tol=1e-3)):
        return (None if stated is None else float(stated)), "params/data/fr"
    if stated is not None:
        results.note(
            "warning",
            f"params/data/fr is {stated} Hz and the movie's footer says {footer.rate_hz:g} Hz; the footer's is written",
            "CaImAn's own rate is a parameter with a default of 30; give --rate HZ if it is another",
        )
    return footer.rate_hz, f"{FOOTER}/timingInfo/period"


def footer(results: Results, dims: tuple[int, ...], frames: int) -> Footer:
    """Return what the first movie's footer says, and note what does not fit."""
    if results.group(FOOTER) is None:
        return Footer()
    timing = f"{FOOTER}/timingInfo"
    period = _fraction(results, f"{timing}/period")
    count = results.value(f"{timing}/numTimes")
    if isinstance(count, int) and count != frames:
        results.note(
            "warning" if count > frames else "hint",
            f"the first movie's footer has {count} frames, the traces {frames}",
            "more is right for a series of movies: the file does not say where one ends",
        )
    listed = {key: results.value(f"{timing}/{key}") for key in ("dropped", "cropped", "blank")}
    missing = [key for key, value in listed.items() if value is not None and np.size(value)]
    if missing:
        results.note(
            "warning",
            f"the first movie's footer lists {' and '.join(missing)} frames; traces are written at a constant rate",
            "convert the cell sets (.isxd) of the same run, which hold true times",
        )
    size = tuple(results.value(f"{FOOTER}/spacingInfo/numPixels/{axis}") for axis in "yx")
    if all(isinstance(pixels, int) for pixels in size) and size != dims[:2]:
        results.note("warning", f"the first movie's footer has images of {size}, the results {dims}")
    rate_hz = 1 / period if period and math.isfinite(1 / period) else None
    return Footer(rate_hz, _start(results))


def _start(results: Results) -> datetime | None:
    name = f"{FOOTER}/timingInfo/start"
    seconds = _fraction(results, f"{name}/secsSinceEpoch", least=-math.inf)
    if seconds is None:
        return None
    offset = results.value(f"{name}/utcOffset")  # seconds
    known = isinstance(offset, int) and offset % 900 == 0 and abs(offset) <= 14 * 3600
    try:
        start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        words = start.isoformat()
        start = start.astimezone(timezone(timedelta(seconds=offset))) if known else start
    except OverflowError:
        start, words = None, f"{seconds:g} s after 1970"
    if start is not None and start.year >= 2000:
        return start
    words = f"the first movie's footer gives {words} as its start, which no such recording has"
    advice = "if you know it: --set NWBFile.session_start_time=2020-01-31T12:00:00+01:00"
    results.note("hint", f"{words}; the start stays unknown", advice)
    return None


def _fraction(results: Results, name: str, least: float = 0) -> float | None:
    over, under = results.value(f"{name}/num"), results.value(f"{name}/den")
    numbers = all(isinstance(n, int | float) and math.isfinite(n) for n in (over, under))
    value = over / under if numbers and under else None
    return value if value is not None and least < value < math.inf else None


def sizes_in(name: str) -> tuple[tuple[int, int, int], int] | None:
    """Return image size and number of frames that a memory map's name states."""
    found = re.search(r"_d1_(\d+)_d2_(\d+)_d3_(\d+)_order_\w_frames_(\d+)", name)
    if found is None:
        return None
    rows, columns, planes, count = map(int, found.groups())
    return (rows, columns, planes), count
