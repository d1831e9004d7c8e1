"""The network: a 3-D U-Net without normalisation layers, after Li et al. 2021."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nwbridge_denoise.network.asked import MOST_FEATURES, MOST_LEVELS

MOST_PARAMETERS = 2**26  # the largest network published for this has 16 million
MOST_GUIDES, WIDEST = 16, 10_000.0


@dataclass(frozen=True)
class Architecture:
    """What a network is made of; weights fit networks of their own architecture only."""

    features: int  # feature maps at the top level; each level below has twice as many
    levels: int
    guides: tuple[
        tuple[float, float], ...
    ] = ()  # widths of smoothed movies that go in beside the frames, see guides.py

    @property
    def inputs(self) -> int:
        """Movies that go in."""
        return 1 + len(self.guides)

    @property
    def multiple(self) -> int:
        """Sizes of what goes in are multiples of this."""
        return int(2 ** (self.levels - 1))

    def is_sensible(self) -> bool:
        """Whether it is of a size that can be built."""
        small = (
            0 < self.features <= MOST_FEATURES and 0 < self.levels <= MOST_LEVELS and len(self.guides) <= MOST_GUIDES
        )
        if not small or not all(0 < width <= WIDEST for widths in self.guides for width in widths):
            return False
        return sum(math.prod(shape) for shape in shapes(self).values()) <= MOST_PARAMETERS

    def words(self) -> dict[str, Any]:
        """Return what a file says of it, as plain values."""
        return {"features": self.features, "levels": self.levels, "guides": [list(widths) for widths in self.guides]}

    def __str__(self) -> str:
        return f"{self.features} feature maps, {self.levels} levels, {len(self.guides)} guides"


def _convolutions(taken: int, between: int, given: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(taken, between, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv3d(between, given, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):  # type: ignore[misc]
    """From (batch, movie, time, row, column) to one movie of that shape.

    Two 3×3×3 convolutions with ReLU a level, max pooling, nearest upsampling, concatenation, 1×1×1 output. With guides,
    a weighted sum of what goes in is added to that, and the network begins as its first guide alone.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        widths = [architecture.features * 2**level for level in range(architecture.levels)]
        self.down = nn.ModuleList(
            _convolutions(taken, max(taken, given // 2), given)
            for taken, given in zip([architecture.inputs, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            _convolutions(below + given, given, given)
            for below, given in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.out = nn.Conv3d(widths[0], 1, 1)
        if architecture.guides:
            self.share = nn.Parameter(torch.zeros(architecture.inputs))
            with torch.no_grad():
                self.share[1] = 1
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, movie: Tensor) -> Tensor:
        """Return the prediction, as float32 whatever the precision inside."""
        given, kept = movie, []
        for level, convolutions in enumerate(self.down):
            movie = convolutions(functional.max_pool3d(movie, 2) if level else movie)
            kept.append(movie)
        kept.pop()
        for convolutions in self.up:
            above = functional.interpolate(movie, scale_factor=2, mode="nearest")
            movie = convolutions(torch.cat([kept.pop(), above], 1))
        with torch.autocast(movie.device.type, enabled=False):  # the last sum decides how fine brightness can be
            found: Tensor = self.out(movie.float())
            if self.architecture.guides:
                found = found + torch.sum(given.float() * self.share.view(1, -1, 1, 1, 1), 1, keepdim=True)
            return found


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of its weights; no memory is taken for them."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in UNet(architecture).state_dict().items()}


def build(architecture: Architecture, seed: int) -> UNet:
    """Return a network with the weights that `seed` gives, the same wherever it is then moved to."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(architecture)
