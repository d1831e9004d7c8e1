"""A 3-D U-Net that learns from the recording itself: one half of the frames predicts the other, then denoises all.

Li et al. 2021 (10.1038/s41592-021-01225-0) and 2022 (10.1038/s41587-022-01450-8). PyTorch is imported when `fit` is
called and not before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nwbridge import MissingDependency
from nwbridge_denoise.network import asked

if TYPE_CHECKING:
    from nwbridge_denoise.frames import Frames
    from nwbridge_denoise.method import Fitted
    from nwbridge_denoise.options import Options

WAITING = "OMP_WAIT_POLICY"


def fit(frames: Frames, options: Options, name: str = "movie", rate_hz: float | None = None) -> Fitted:
    """Train on `frames`, or take saved weights, and return the network ready to denoise them."""
    check(options)
    from nwbridge_denoise.network.fitting import fit as fit_network

    return fit_network(frames, options, name, rate_hz)


def check(options: Options) -> None:
    """Refuse what can be refused before a frame is read."""
    asked.check(options)
    _import_torch()
    from nwbridge_denoise.network.machine import choose

    choose(options.device, options.precision)


def _import_torch() -> None:
    """Load PyTorch so that threads that wait for others sleep: spinning slows a busy machine down many times."""
    given = os.environ.get(WAITING)
    os.environ.setdefault(WAITING, "PASSIVE")  # read once, when OpenMP is loaded
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "the method deepcad needs PyTorch (torch), which is not installed: pip install torch"
        ) from error
    finally:
        if given is None:
            del os.environ[WAITING]
