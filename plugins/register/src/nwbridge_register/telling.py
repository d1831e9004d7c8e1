"""What is told of a registration: numbers for the file, and findings for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nwbridge import Finding, Movie
from nwbridge_register.matching import Match
from nwbridge_register.sampling import Area, Likeness, Shifts

NAMED = 10  # frames that a finding names
KEPT = 10_000  # frames that the parameters name
CHECK = "register"


def measured(
    shifts: Shifts, matches: Sequence[Match], area: Area, before: Likeness, after: Likeness, count: int
) -> dict[str, Any]:
    """Return what was found, as plain values; frames, rows and columns count from 0."""
    (top, bottom), (left, right) = area
    return {
        "largest_shift_px": round(float(np.hypot(*shifts.T).max()), 4),
        "true_rows": [top, bottom],
        "true_columns": [left, right],
        "measured_on_frames": count,
        "correlation_before": before.correlation,
        "correlation_after": after.correlation,
        "crispness_before": before.crispness,
        "crispness_after": after.crispness,
        "frames_without_match": _numbers(matches, lambda match: not match.found and not match.beyond),
        "frames_beyond_max_shift": _numbers(matches, lambda match: match.beyond),
        "frames_with_nan": _numbers(matches, lambda match: match.whole),
        "meaning": "true_rows, true_columns: of which every frame shows what was there, the first, and the one after "
        "the last; correlation, crispness: of frames with their mean, and root mean square gradient of the mean, inside"
        " of these, of frames smoothed by a Gaussian of 1 pixel, since moving between pixels takes noise away and"
        " would by that alone make them more alike",
    }


def _numbers(matches: Sequence[Match], told: Any) -> list[int]:
    return [at for at, match in enumerate(matches) if told(match)][:KEPT]


def findings(
    movie: Movie, matches: Sequence[Match], shifts: Shifts, limit: int, before: Likeness, after: Likeness, *, laid: bool
) -> Iterator[Finding]:
    """Yield what is odd; `laid` is whether enough frames match for any to be moved."""
    if nan := _numbers(matches, lambda match: match.whole):
        how = ": moved by whole pixels, so that no other pixel is spoiled" if shifts.any() else ""
        what = f"{_some(nan)} of {movie.name} hold{'' if nan[1:] else 's'} values that are not finite numbers{how}"
        yield Finding("hint", what, "nothing, if that is known", check=CHECK)
    if not laid:
        yield _nothing_laid(movie, matches, limit)
        return
    if after.correlation < before.correlation:
        numbers = f"correlation with their mean {before.correlation:.3f} before, {after.correlation:.3f} after"
        what = f"no frame of {movie.name} was moved: the shifts found make them less alike ({numbers})"
        doing = "try other --smoothing, or --high-pass; few or blinking cells can look like motion"
        yield Finding("warning", what, doing, check=CHECK)
        return
    lost = _numbers(matches, lambda match: not match.found and not match.beyond)
    beyond = _numbers(matches, lambda match: match.beyond)
    others = "those before and after"
    if lost:
        doing = f"look at {'them' if lost[1:] else 'it'}; more --smoothing helps where photons are few"
        what = f"could not be laid on the others: moved as {others}"
        yield Finding("warning", f"{_some(lost)} of {movie.name} {what}", doing, check=CHECK)
    if beyond:
        what = f"seem{'' if beyond[1:] else 's'} to have moved by more than {limit} pixels: moved as {others}"
        doing = f"look at {'them' if beyond[1:] else 'it'}; try a larger --max-shift"
        yield Finding("warning", f"{_some(beyond)} of {movie.name} {what}", doing, check=CHECK)
    if not shifts.any() and not lost and not beyond:
        yield Finding("hint", f"{movie.name} holds still: no frame had to be moved", "nothing", check=CHECK)


def _nothing_laid(movie: Movie, matches: Sequence[Match], limit: int) -> Finding:
    beyond = sum(match.beyond for match in matches)
    found = sum(match.found for match in matches)
    what = f"no frame of {movie.name} was moved: only {found} of {len(matches)} could be laid on the others"
    if 2 * beyond > len(matches) - found:
        return Finding(
            "warning", f"{what}, {beyond} moved by more than {limit} pixels", "try a larger --max-shift", check=CHECK
        )
    doing = "look at the movie; more --smoothing helps where photons are few"
    return Finding("warning", what, doing, check=CHECK)


def _some(frames: Sequence[int]) -> str:
    names = ", ".join(map(str, frames[:NAMED]))
    more = f" and {len(frames) - NAMED} more" if len(frames) > NAMED else ""
    return f"frame{'s' if len(frames) > 1 else ''} {names}{more}"
