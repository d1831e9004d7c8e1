"""Traces as calcium: each denoised and deconvolved in turn, with all others as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbridge_extract_cnmf.deconvolution import deconvolve
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.signals import decay_from, decay_of, noise_of

Array = npt.NDArray[np.float32]
BASE = 15.0  # percentile of a trace that is its baseline where nothing is deconvolved


@dataclass(frozen=True, eq=False)
class Denoised:
    """One trace and what it is made of."""

    model: Array  # (time,): baseline + calcium
    spikes: Array  # (time,)
    baseline: float
    noise: float
    g: tuple[float, ...]  # () where nothing was deconvolved
    lam: float


@dataclass(frozen=True)
class Denoiser:
    """How traces are denoised."""

    order: int
    fallback: tuple[float, ...]
    starts: tuple[int, ...]
    nonnegative_baseline: bool

    @classmethod
    def of(cls, parameters: Parameters, rate_hz: float, starts: Sequence[int]) -> Denoiser:
        """Return what parameters ask for."""
        fallback = decay_from(parameters.decay_time, rate_hz, parameters.p) if parameters.p else ()
        return cls(parameters.p, fallback, tuple(starts), parameters.bas_nonneg)

    def __call__(self, trace: Array, g: tuple[float, ...] | None = None) -> Denoised:
        """Denoise a trace (time,), with the dynamics `g` where they are known."""
        values = np.asarray(trace, np.float64)
        sigma = float(noise_of(values))
        if not self.order:
            base = float(np.percentile(values, BASE))
            base = max(0.0, base) if self.nonnegative_baseline else base
            model = np.maximum(values, 0 if self.nonnegative_baseline else base)
            return Denoised(model.astype(np.float32), np.zeros(len(values), np.float32), base, sigma, (), 0.0)
        if not sigma > 0:
            sigma = 1e-6 * float(np.abs(values).max()) or 1e-12
        known = g or decay_of(values, self.order, sigma) or self.fallback
        found = deconvolve(values, known, sigma, starts=self.starts, nonnegative_baseline=self.nonnegative_baseline)
        model = (found.c + found.baseline).astype(np.float32)
        return Denoised(model, found.s.astype(np.float32), found.baseline, sigma, known, found.lam)
