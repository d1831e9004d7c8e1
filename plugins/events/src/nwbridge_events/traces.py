"""Which traces of a segmentation are worked on, and how often they were sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nwbridge import BadOption, BadSource, Finding, Segmentation, Traces
from nwbridge_events.frames import GAP, Floats, gaps, step_of

FAST_ENOUGH = ("dff", "fluorescence", "detrended")  # kinds that hold what was recorded, the first that is there


def chosen(segmentation: Segmentation, name: str | None, kinds: Sequence[str] = FAST_ENOUGH) -> Traces:
    """Return the traces of a name, or the last of the first kind that is there."""
    have = ", ".join(f"{one.name} ({one.kind})" for one in segmentation.traces) or "none"
    if name is not None:
        found = [one for one in segmentation.traces if one.name == name]
        if not found:
            raise BadOption(f"--traces {name}: {segmentation.name} has no traces of that name; it has {have}")
        return found[0]
    for kind in kinds:
        if found := [one for one in segmentation.traces if one.kind == kind]:
            return found[-1]
    raise BadSource(
        f"{segmentation.name} has no traces of kind {' or '.join(kinds)}; it has {have}: give one with --traces NAME"
    )


def rate_of(traces: Traces) -> float:
    """Return samples per second, from the timestamps where no rate is given."""
    if traces.rate_hz is not None:
        return traces.rate_hz
    times = timestamps_of(traces)
    if times is not None and (step := step_of(times)) > 0:
        return 1 / step
    raise BadSource(f"traces {traces.name} have no rate and no timestamps that grow; expected either")


def timestamps_of(traces: Traces) -> Floats | None:
    """Return the timestamps, if there are any."""
    if traces.timestamps is None:
        return None
    with traces.timestamps.open() as reader:
        return np.asarray(reader[0 : traces.timestamps.shape[0]], np.float64)


def uneven(traces: Traces) -> list[Finding]:
    """Say where timestamps have gaps, which what goes by samples does not see."""
    times = timestamps_of(traces)
    if times is None or not (apart := gaps(times)).any():
        return []
    text = (
        f"{np.count_nonzero(apart)} of {len(apart)} steps between the timestamps of {traces.name} are longer than "
        f"{GAP:g} times the median of {step_of(times):.4g} s, the longest {np.diff(times).max():.6g} s: events were "
        "inferred sample by sample, as if the steps were even"
    )
    return [Finding("warning", text, "distrust events just after a gap, and decays if gaps are many", check="events")]


def new_name(segmentation: Segmentation, wanted: str) -> str:
    """Return a name that no traces of the segmentation have."""
    taken = {one.name for one in segmentation.traces}
    return next(name for name in (wanted, *(f"{wanted}_{n}" for n in range(2, 999))) if name not in taken)


def named(segmentation: Segmentation, rows: Sequence[int], most: int = 8) -> str:
    """Return the ids of regions in words."""
    regions = segmentation.regions
    ids = [regions[row].id if isinstance(regions, tuple) else row for row in rows]
    return ", ".join(map(str, ids[:most])) + (f" and {len(ids) - most} more" if len(ids) > most else "")
