"""What every way of denoising gives: a method that is ready to denoise one movie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import Finding

Block = npt.NDArray[np.float32]  # (time, row, column), in the stored units of the source
Read = Callable[[int, int], Block]


@dataclass(frozen=True)
class Fitted:
    """A method ready to denoise one movie.

    Every module of a method has ``fit(frames: Frames, options: Options) -> Fitted``.
    """

    name: str  # gaussian, svd, deepcad
    parameters: Mapping[str, Any]  # plain values: all that was chosen or learnt, and how
    read: Read  # denoised frames start to stop; the same whatever blocks are asked for
    parallel: bool  # whether `read` may be called from several threads, in any order
    heldout: float  # mean squared error of predicting held-out frames, see heldout.py
    findings: tuple[Finding, ...] = ()
    # first frames, rows and columns of pieces that were computed apart: how even the result is there is measured
    borders: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] = ((), (), ())
