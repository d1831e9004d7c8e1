"""Saved weights: what was learnt, on what and how, in a file that holds no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nwbridge import BadOption, BadSource
from nwbridge_denoise.network import files
from nwbridge_denoise.network.unet import Architecture, UNet

WEIGHTS = files.Kind("nwbridge-denoise weights", 1, "weights saved by nwbridge with --save")
NETWORK = "U-Net 3-D"
MOST = 512  # feature maps and guides beyond this are a mistake, not a network


def save(path: Path, network: UNet, learnt: Mapping[str, Any]) -> None:
    """Write the weights with their architecture and all of `learnt`: recipe, normalisation, rate, error, origin."""
    architecture = {"network": NETWORK, **network.architecture.words()}
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    files.write(path, WEIGHTS, {"architecture": architecture, "learnt": dict(learnt)}, arrays)


def load(path: Path, features: int | None = None, levels: int | None = None) -> tuple[UNet, dict[str, Any]]:
    """Return the network of a file and what is known of how it learnt; BadOption for another than was asked for."""
    header, arrays = files.read(path, WEIGHTS)
    told = header.get("architecture", {})
    if told.get("network") != NETWORK:
        raise BadSource(f"{path} holds weights of a {told.get('network')}; expected those of a {NETWORK}")
    architecture = _architecture(path, told)
    for name, asked in (("features", features), ("levels", levels)):
        if asked is not None and asked != getattr(architecture, name):
            raise BadOption(
                f"--{name} {asked}: {path} holds weights of another architecture ({architecture}); "
                f"leave --{name} out, or train anew without --model"
            )
    network = UNet(architecture)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in arrays.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise BadSource(
            f"{path} says that it holds weights of {architecture}, but {wrong[0]} is {found.get(wrong[0], 'missing')}; "
            f"expected {expected.get(wrong[0], 'nothing of that name')}: the file has been changed, get it again"
        )
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise BadSource(f"{path} holds weights that are not finite: train again")
    network.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()})
    return network, dict(header.get("learnt", {}))


def _architecture(path: Path, told: Mapping[str, Any]) -> Architecture:
    try:
        guides = tuple((float(time), float(space)) for time, space in told["guides"])
        made = Architecture(int(told["features"]), int(told["levels"]), guides)
    except (KeyError, TypeError, ValueError) as error:
        raise BadSource(f"{path} does not say what its weights are of ({error}): get it again") from error
    if not (0 < made.features <= MOST and 0 < made.levels <= 8 and all(width > 0 for pair in guides for width in pair)):
        raise BadSource(f"{path} holds weights of {made}, which is no network that nwbridge makes: get it again")
    return made
