"""What can be chosen: how spikes are inferred, and how they are compared."""

from dataclasses import dataclass
from typing import Literal

from nwbridge import option


@dataclass(frozen=True)
class EventsOptions:
    """How spikes are inferred."""

    traces: str | None = option(None, "name of the traces to work on (default: ΔF/F, else fluorescence)")
    method: Literal["oasis-ar2", "oasis-ar1", "derivative"] = option(
        "oasis-ar2", "calcium that rises and decays, that only decays, or the rectified derivative"
    )
    decay: float | None = option(None, "seconds in which calcium decays to 1/e (default: estimated for each region)")
    rise: float | None = option(None, "seconds of its rise, with --decay; for oasis-ar2 (default: 0.05)")
    baseline: float | None = option(None, "baseline of all traces, in their unit (default: estimated for each region)")
    s_min: float | None = option(None, "smallest spike, in multiples of the noise (default: spikes are penalised)")
    smoothing: float = option(0.04, "seconds; standard deviation of the Gaussian before the derivative")


@dataclass(frozen=True)
class SpikesOptions:
    """How inferred spikes are compared with recorded ones."""

    traces: str | None = option(None, "name of the inferred traces (default: the last deconvolved ones)")
    signal: str | None = option(None, "name of the traces that they were inferred from (default: as the file says)")
    cells: str | None = option(None, "ids of the regions of unit 0, 1, …: '4,7,-' (-: none); default: in order")
    lag: float = option(0.5, "seconds; the best lag is looked for up to this")
    window: float = option(0.2, "seconds after an event in which it is to be detected")
    isolation: float = option(1.0, "seconds without spikes before and after an event, for it to be isolated")
    burst: float = option(0.1, "seconds within which spikes are one event")
    smoothing: float = option(0.04, "seconds; standard deviation of the Gaussian before the derivative")
