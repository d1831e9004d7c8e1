"""What can be chosen about the baseline."""

from dataclasses import dataclass
from typing import Literal

from nwbridge import option


@dataclass(frozen=True)
class DffOptions:
    """How the baseline of ΔF/F is found."""

    traces: str | None = option(None, "name of the traces to work on (default: the last fluorescence)")
    method: Literal["percentile", "median", "constant"] = option(
        "percentile", "a running percentile, a running median, or one percentile of the whole trace"
    )
    percentile: float = option(8.0, "which percentile; the median is 50")
    window: float = option(60.0, "seconds that a running baseline looks at, half before and half after")
    smoothing: float = option(0.5, "seconds; standard deviation of the Gaussian before the baseline is found; 0: none")
