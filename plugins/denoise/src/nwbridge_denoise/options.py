"""What a user can choose."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import nwbridge
from nwbridge import BadOption

METHODS = ("gaussian", "svd", "deepcad")
_OF_TRAINING = ("checkpoint", "loss", "patch", "seed")  # of the network; without effect where weights are only applied


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

    def __post_init__(self) -> None:
        """Refuse what would have no effect: the history of the file would say that it had one."""
        helps = {entry.name: entry.metadata["help"] for entry in fields(self)}
        given = [entry.name for entry in fields(self) if getattr(self, entry.name) != entry.default]
        for one in METHODS:  # the help of what only one of them uses begins with its name
            unused = [name for name in given if helps[name].startswith(f"{one}:")]
            if not unused or one in self.tried:
                continue
            said = _flags(unused)
            if self.method == "auto":
                raise BadOption(
                    f"{said}: auto tries the network only with --model, --steps or --train-seconds; add one"
                )
            raise BadOption(f"{said}: --method {self.method} does not use that, only {one} does; leave it out")
        if "deepcad" in self.tried and not self.trains and (unused := [one for one in given if one in _OF_TRAINING]):
            raise BadOption(
                f"{_flags(unused)}: with --model nothing is trained; leave it out, or give --steps to train on"
            )

    @property
    def tried(self) -> tuple[str, ...]:
        """The methods that are fitted with these options; auto tries the network only if it is told what to do."""
        if self.method != "auto":
            return (self.method,)
        asked = self.model is not None or self.steps is not None or self.train_seconds is not None
        return ("gaussian", "svd", "deepcad") if asked else ("gaussian", "svd")

    @property
    def trains(self) -> bool:
        """Whether the network, where it is tried, is trained; otherwise saved weights are applied as they are."""
        return self.model is None or self.steps is not None or self.train_seconds is not None


def _flags(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


@dataclass(frozen=True)
class ScoreOptions:
    """Options of the score."""

    reference: str | None = nwbridge.option(None, "the movie of TRUTH to compare with, where it has several")
    movie: str | None = nwbridge.option(None, "the movie of RESULT to score (default: every one of the same size)")
    fit: bool = nwbridge.option(
        False, "true: bring each movie to the reference's scale first, by one gain and one offset"
    )
