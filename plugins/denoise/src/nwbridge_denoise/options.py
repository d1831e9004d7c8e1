"""What a user can choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nwbridge


@dataclass(frozen=True)
class Options:
    """Options of the step denoise."""

    method: Literal["auto", "gaussian", "svd", "deepcad"] = nwbridge.option(
        "auto", "auto takes the method with the lowest held-out error, the network only if --model or training is given"
    )
    dtype: Literal["float32", "same"] = nwbridge.option(
        "float32", "type of the values; same: rounded to the type of the source"
    )
    reference: str | None = nwbridge.option(
        None, "name of a movie of the same scene with more light, against which the gain is measured"
    )
    sigma_time: float | None = nwbridge.option(None, "gaussian: width over time in frames (default: by held-out error)")
    sigma_rows: float | None = nwbridge.option(None, "gaussian: width over rows in pixels (default: by held-out error)")
    sigma_columns: float | None = nwbridge.option(
        None, "gaussian: width over columns in pixels (default: by held-out error)"
    )
    rank: int | None = nwbridge.option(None, "svd: components of a patch (default: by what noise alone would give)")

    # ---- the network's block: edited by whoever builds network/ -------------------------------------------------
    model: Path | None = nwbridge.option(None, "deepcad: file of saved weights to apply")  # noqa: RUF009
    save: Path | None = nwbridge.option(None, "deepcad: file to save the trained weights in")  # noqa: RUF009
    checkpoint: Path | None = nwbridge.option(  # noqa: RUF009
        None, "deepcad: file in which training is kept, and from which it goes on after an interruption"
    )
    steps: int | None = nwbridge.option(None, "deepcad: steps of training (default: 6000); with --model: train on")
    train_seconds: float | None = nwbridge.option(None, "deepcad: seconds of training, in place of --steps")
    loss: Literal["l2", "l1+l2"] = nwbridge.option(
        "l2", "deepcad: l1+l2 as in the paper pulls to the median and dims movies of few photons"
    )
    patch: int = nwbridge.option(32, "deepcad: size of a training patch in frames, rows and columns")
    features: int | None = nwbridge.option(None, "deepcad: feature maps at the top (default: 8, or what --model has)")
    levels: int | None = nwbridge.option(None, "deepcad: levels of the network (default: 3, or what --model has)")
    seed: int = nwbridge.option(0, "deepcad: seed of all that is random")
    device: Literal["auto", "cpu", "cuda"] = nwbridge.option("auto", "deepcad: where it computes")
    precision: Literal["auto", "float32", "mixed"] = nwbridge.option(
        "auto", "deepcad: mixed computes in bfloat16; auto does where the hardware is made for it"
    )
    # ---- end of the network's block ------------------------------------------------------------------------------

    @property
    def wants_network(self) -> bool:
        """Whether weights were given, or training was asked for."""
        return self.model is not None or self.steps is not None or self.train_seconds is not None


@dataclass(frozen=True)
class ScoreOptions:
    """Options of the score."""

    reference: str | None = nwbridge.option(None, "the movie of REFERENCE to compare with, where it has several")
    movie: str | None = nwbridge.option(None, "the movie of RESULT to score (default: every one of the same size)")
    fit: bool = nwbridge.option(
        False, "true: bring each movie to the reference's scale first, by one gain and one offset"
    )
