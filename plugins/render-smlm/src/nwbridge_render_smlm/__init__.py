"""Step and score: images rendered from single-molecule localizations, and Fourier ring correlation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nwbridge
from nwbridge_render_smlm.choices import FrcOptions, RenderOptions


def _check_numba() -> None:
    """Load numba, which takes a second, so not before it is used; MissingDependency where it cannot be."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        text = f"numba cannot be loaded ({error}); expected it: python -m pip install numba"
        raise nwbridge.MissingDependency(" ".join(text.split())) from error


def run(elements: tuple[Any, ...], options: RenderOptions) -> Sequence[Any]:
    """Render the localizations `elements[0]`; the rest may give the field of view."""
    _check_numba()
    from nwbridge_render_smlm.step import rendered

    return rendered(elements, options)


def frc(truth: Path, result: Path, options: FrcOptions) -> nwbridge.Scores:
    """Correlate two files' localizations ring by ring; of one file given twice, two halves of its frames."""
    _check_numba()
    from nwbridge_render_smlm.score import correlated

    return correlated(truth, result, options)


@nwbridge.hookimpl
def register_processors() -> list[nwbridge.Processor]:
    """Offer the one step."""
    title = "localizations to an image: histogram, average shifted histogram, Gaussian"
    beside = (nwbridge.Movie, nwbridge.Images)
    return [nwbridge.Processor("render-smlm", title, (nwbridge.Localizations,), run, RenderOptions, beside)]


@nwbridge.hookimpl
def register_scores() -> list[nwbridge.Score]:
    """Offer the one score."""
    title = "Fourier ring correlation of localizations; one file given twice: of two halves of its frames"
    return [nwbridge.Score("frc", title, frc, FrcOptions)]


__all__ = ["FrcOptions", "RenderOptions", "frc", "register_processors", "register_scores", "run"]
