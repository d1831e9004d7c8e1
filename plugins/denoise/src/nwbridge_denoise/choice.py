"""Which method is taken: the one that was asked for, or the one that predicts held-out frames best."""

from __future__ import annotations

from dataclasses import dataclass

from nwbridge import Finding, Movie
from nwbridge_denoise import gaussian, svd
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Fitted
from nwbridge_denoise.options import Options


@dataclass(frozen=True)
class Chosen:
    """The method taken, and the held-out errors of all that were tried."""

    fitted: Fitted
    errors: dict[str, float]
    findings: tuple[Finding, ...]


def _fit(name: str, frames: Frames, options: Options, movie: Movie) -> Fitted:
    if name == "gaussian":
        return gaussian.fit(frames, options)
    if name == "svd":
        return svd.fit(frames, options)
    from nwbridge_denoise import network  # takes its time

    return network.fit(frames, options, movie.name, movie.rate_hz)


def choose(frames: Frames, options: Options, movie: Movie) -> Chosen:
    """Fit the methods that are to be tried, always the Gaussian among them, and take one."""
    tried = {name: _fit(name, frames, options, movie) for name in dict.fromkeys(["gaussian", *options.tried])}
    errors = {name: fitted.heldout for name, fitted in tried.items()}
    best = min(errors, key=lambda name: errors[name])
    if options.method == "auto":
        fitted = tried[best]
        return Chosen(fitted, errors, (*fitted.findings, _taken(best, errors)))
    fitted = tried[options.method]
    worse = _worse(options.method, errors)
    return Chosen(fitted, errors, (*fitted.findings, *worse))


def _taken(best: str, errors: dict[str, float]) -> Finding:
    others = ", ".join(f"{name} {error:.6g}" for name, error in errors.items() if name != best)
    text = f"{best} was taken: it predicts held-out frames best (mean squared error {errors[best]:.6g}; {others})"
    return Finding("hint", text, "give --method to take another", check="denoise")


def _worse(name: str, errors: dict[str, float]) -> tuple[Finding, ...]:
    if name == "gaussian" or errors[name] < errors["gaussian"]:
        return ()
    text = (
        f"{name} predicts held-out frames no better than a Gaussian filter (mean squared error {errors[name]:.6g}, "
        f"Gaussian {errors['gaussian']:.6g}): this result is not better than the Gaussian's"
    )
    return (Finding("warning", text, "take --method auto, or train for longer if it is deepcad", check="denoise"),)
