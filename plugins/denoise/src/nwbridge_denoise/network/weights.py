"""Saved weights: what was learnt, on what and how, in a file that holds no code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nwbridge import BadOption, BadSource, CannotWrite, Finding
from nwbridge_denoise.network import files
from nwbridge_denoise.network.unet import Architecture, UNet, shapes

WEIGHTS = files.Kind("nwbridge-denoise weights", 1, "weights saved by nwbridge with --save", "get it again")
NETWORK = "U-Net 3-D"
DEEPEST = 6  # mappings and lists within each other, of what is known of weights


def save(path: Path, network: UNet, learnt: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Write the weights with their architecture and all of `learnt`: recipe, normalisation, rate, error, origin.

    A file of that name is never replaced: if there is one by now, the weights get a number, and a finding says so.
    """
    architecture = {"network": NETWORK, **network.architecture.words()}
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    own = _taken(path)
    try:
        files.write(own, WEIGHTS, {"architecture": architecture, "learnt": dict(learnt)}, arrays)
    except BaseException:
        with suppress(OSError):
            own.unlink()
        raise
    if own == path:
        return ()
    text = f"--save {path}: there was such a file when training ended; the weights were saved as {own.name}"
    return (Finding("warning", text, "give each run a name of its own", check="denoise"),)


def _taken(path: Path) -> Path:
    """Take a name that nobody has; also runs beside this one see it as taken."""
    own, number = path, 2
    while True:
        try:
            own.open("xb").close()
        except FileExistsError:
            own, number = path.with_name(f"{path.stem}_{number}{path.suffix}"), number + 1
        except OSError as error:
            raise CannotWrite(f"{path}: {WEIGHTS.words} cannot be written: {error.strerror or error}") from error
        else:
            return own


def load(path: Path, features: int | None = None, levels: int | None = None) -> tuple[UNet, dict[str, Any]]:
    """Return the network of a file and what is known of how it learnt; BadOption for another than was asked for."""

    def expected(header: dict[str, Any]) -> files.Shapes:
        architecture = _architecture(path, header)
        for name, asked in (("features", features), ("levels", levels)):
            if asked is not None and asked != getattr(architecture, name):
                raise BadOption(
                    f"--{name} {asked}: {path} holds weights of another architecture ({architecture}); "
                    f"leave --{name} out, or train anew without --model"
                )
        _check_learnt(path, header.get("learnt"))
        return shapes(architecture)

    header, arrays = files.read(path, WEIGHTS, expected)
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise BadSource(f"{path} holds weights that are not finite: train again")
    network = UNet(_architecture(path, header))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return network, header["learnt"]


def _architecture(path: Path, header: Mapping[str, Any]) -> Architecture:
    told = header.get("architecture")
    if not isinstance(told, dict):
        raise BadSource(f"{path} does not say what its weights are of: get it again")
    if told.get("network") != NETWORK:
        raise BadSource(f"{path} holds weights of {files.short(told.get('network'))}; expected those of a {NETWORK}")
    try:
        guides = tuple((float(time), float(space)) for time, space in told["guides"])
        made = Architecture(_whole(told["features"]), _whole(told["levels"]), guides)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadSource(f"{path} does not say what its weights are of ({files.short(error)}): get it again") from error
    if not made.is_sensible():
        raise BadSource(f"{path} holds weights of {made}, which is no network that nwbridge makes: get it again")
    return made


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _check_learnt(path: Path, learnt: object) -> None:
    """BadSource where what is known of the weights is not what `save` writes."""
    if not isinstance(learnt, dict) or not _is_shallow(learnt, DEEPEST):
        raise BadSource(
            f"{path}: learnt, in its header, is not what nwbridge writes; it has been changed: get it again"
        )
    for name in ("rate_hz", "scale"):
        value = learnt.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max
        if value is not None and not number:
            raise BadSource(
                f"{path}: {name}, in its header, is {files.short(value)}; expected a number above 0; it has been "
                "changed: get it again"
            )


def _is_shallow(value: object, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (depth > 0 and all(_is_shallow(one, depth - 1) for one in inner))
