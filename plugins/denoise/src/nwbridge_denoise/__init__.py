"""Processor: movies without shot noise. Score: movies against a reference.

SciPy takes a while to load, so what needs it is imported when it is used.
"""

from pathlib import Path
from typing import Any

import nwbridge
from nwbridge_denoise.options import Options, ScoreOptions


def _run(elements: tuple[Any, ...], options: Options) -> list[Any]:
    from nwbridge_denoise.step import run

    return run(elements, options)


def _score(truth: Path, result: Path, options: ScoreOptions) -> nwbridge.Scores:
    from nwbridge_denoise.score import score

    return score(truth, result, options)


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "a movie without shot noise: local low rank, a network or a Gaussian"
    return [nwbridge.Processor("denoise", title, (nwbridge.Movie,), _run, Options)]


@nwbridge.hookimpl
def register_scores() -> list[nwbridge.Score]:
    """Offer the one score."""
    title = "movies against a reference: SNR, tSNR, PSNR, SSIM, correlation, brightness"
    return [nwbridge.Score("movie", title, _score, ScoreOptions)]


__all__ = ["Options", "ScoreOptions", "register_processors", "register_scores"]
