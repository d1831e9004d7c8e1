"""From options to a network that is ready: trained or loaded, tested on held-out frames, saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from nwbridge import BadOption, Finding
from nwbridge_denoise import gaussian
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.heldout import HeldOut, middle, split
from nwbridge_denoise.method import Block, Fitted
from nwbridge_denoise.network import weights
from nwbridge_denoise.network.asked import LEVELS
from nwbridge_denoise.network.guides import GUIDES, Guided
from nwbridge_denoise.network.machine import Machine, choose, out_of_memory
from nwbridge_denoise.network.pool import fill, normalisation
from nwbridge_denoise.network.tiles import OVERLAP, Compute, Tiles
from nwbridge_denoise.network.training import Recipe, Training
from nwbridge_denoise.network.unet import MOST_PARAMETERS, Architecture, UNet, build
from nwbridge_denoise.options import Options

STEPS = 6000  # where neither steps nor seconds are given
FEATURES, BATCH, LEARNING_RATE = 8, 4, 3e-3
LOOKED_AT = 2**20  # values that are predicted to choose a checkpoint
CONTEXT = 16  # pairs of frames before them
LEVELLED_AT = 4  # places in a long movie where the brightness of what is predicted is compared
ADVICE = "compare the held-out errors, or train on this recording"


@dataclass
class _Ready:
    """A network and what has become known on the way to it."""

    network: UNet
    told: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)


def fit(frames: Frames, options: Options, name: str, rate_hz: float | None) -> Fitted:
    """Train on `frames`, or take saved weights, and return the network ready to denoise them."""
    machine = choose(options.device, options.precision)
    with frames, machine.computing():
        own = normalisation(frames)
        held = split(frames)
        if options.model is not None and not options.trains:
            ready = _loaded(options, own, rate_hz)
            ready.network.to(machine.device, memory_format=torch.channels_last_3d)
        else:
            ready = _trained(frames, held, options, own, machine)
        tiles = _tiles(frames, ready.network, own, machine, per_pair=2)
        tiles.try_one()
        error = _heldout(held, ready.network, own, machine)
        if options.save is not None:
            errors = {"heldout": error, "heldout_gaussian": gaussian.fit(frames, Options()).heldout}
            origin = {"rate_hz": rate_hz, "origin": _origin(frames, name), "versions": _versions()}
            ready.findings += weights.save(options.save, ready.network, {**ready.told, **errors, **origin})
    if tiles.retries:
        smaller = f"memory ran out; the network now denoises tiles of {' × '.join(map(str, tiles.tile))}"
        ready.findings.append(
            Finding("hint", smaller, "frames a second are fewer; the result is as good", check="denoise")
        )
    told = {**ready.told, **machine.words(), "tile": list(tiles.tile), "torch": torch.__version__}

    def read(start: int, stop: int) -> Block:
        with machine.computing():
            return tiles.read(start, stop)

    borders = (tiles.time.borders, tiles.rows.borders, tiles.columns.borders)
    return Fitted("deepcad", told, read, False, error, tuple(ready.findings), borders)


# ---- training, or weights that are there ---------------------------------------------------------------------------


def _loaded(options: Options, own: tuple[float, float], rate_hz: float | None) -> _Ready:
    assert options.model is not None  # noqa: S101
    network, learnt = weights.load(options.model, options.features, options.levels)
    told = {
        "weights": options.model.name,
        "architecture": network.architecture.words(),
        "learnt": learnt,
        "mean": own[0],
        "scale": own[1],
    }
    ready = _Ready(network, told)
    theirs = learnt.get("rate_hz")
    if theirs and rate_hz and not 0.8 < rate_hz / theirs < 1.25:
        message = f"the weights were learnt at {theirs:g} frames a second, this movie has {rate_hz:g}"
        ready.findings.append(Finding("hint", message, ADVICE, check="denoise"))
    scale = learnt.get("scale")
    if scale and not 0.5 < own[1] / scale < 2:
        message = (
            f"the weights were learnt on values with a standard deviation of {scale:.4g}, this movie has "
            f"{own[1]:.4g}; it is normalised by its own"
        )
        ready.findings.append(Finding("hint", message, ADVICE, check="denoise"))
    return ready


def _trained(frames: Frames, held: HeldOut, options: Options, own: tuple[float, float], machine: Machine) -> _Ready:
    steps = STEPS if options.steps is None and options.train_seconds is None else options.steps
    recipe = Recipe(steps, options.train_seconds, options.loss, options.patch, BATCH, LEARNING_RATE, options.seed)
    started_from: dict[str, Any] = {}
    if options.model is not None:
        network, _ = weights.load(options.model, options.features, options.levels)
        started_from = {"started_from": options.model.name}
    else:
        network = build(_architecture(options), options.seed)
    random = np.random.default_rng(options.seed)
    pool = fill(frames.view(0, held.training), network.architecture, options.patch, own, random)
    data = {"shape": list(frames.shape), "mean": own[0], "scale": own[1]}
    training = Training(network, recipe, machine, random, data)
    if options.checkpoint is not None and options.checkpoint.exists():
        training.take_up(options.checkpoint)
    looked_at = _part(held)
    try:
        best = training.run(pool, lambda made: _heldout(looked_at, made, own, machine), options.checkpoint)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise BadOption(
            f"memory ran out in training on patches of {options.patch}: give a smaller --patch, or fewer --features"
        ) from error
    told = {"patch": list(pool.patch), "mean": own[0], "scale": own[1], **started_from}
    if options.loss == "l2":  # what L1 takes away is not an offset
        told["levelled_by"] = _level(best, frames, own, machine)
    return _Ready(best, {**training.told(), **told})


def _level(network: UNet, frames: Frames, own: tuple[float, float], machine: Machine) -> float:
    """Move the last bias to where L2 would bring it in the end: as bright as what was given; return by how much.

    A short training leaves it off, and off by a little of the scale may be a percent of the brightness.
    """
    tiles = _tiles(middle(frames), network, own, machine, per_pair=2)
    time, given, found = tiles.time, [], []
    for number in sorted({int((place + 0.5) / LEVELLED_AT * len(time.starts)) for place in range(LEVELLED_AT)}):
        alone = (OVERLAP if number else 0, time.tile - (OVERLAP if number < len(time.starts) - 1 else 0))
        start, stop = (min(max(0, time.starts[number] + part), time.size) for part in alone)
        given.append(tiles.movie.frames.read(start, stop).ravel())
        found.append(tiles.read(start, stop).ravel())
    moved = float(np.mean(np.concatenate(given), dtype=np.float64) - np.mean(np.concatenate(found), dtype=np.float64))
    with torch.no_grad():
        network.out.bias += moved / own[1]
    return moved


def _architecture(options: Options) -> Architecture:
    made = Architecture(options.features or FEATURES, options.levels or LEVELS, GUIDES)
    if not made.is_sensible():
        raise BadOption(
            f"--features {made.features} --levels {made.levels}: that network has more than {MOST_PARAMETERS:,} "
            "parameters; give fewer"
        )
    return made


# ---- what it predicts ----------------------------------------------------------------------------------------------


def _tiles(frames: Frames, network: UNet, own: tuple[float, float], machine: Machine, per_pair: int) -> Tiles:
    architecture = network.architecture
    return Tiles(Guided(frames, architecture.guides, own, per_pair), _compute(network, machine), architecture.multiple)


def _compute(network: UNet, machine: Machine) -> Compute:
    network.eval()

    def compute(tile: Block) -> Block:
        with torch.inference_mode(), machine.autocast():
            there = torch.from_numpy(tile[None]).to(machine.device, memory_format=torch.channels_last_3d)
            found: Block = network(there)[0, 0].float().cpu().numpy()
        return found

    return compute


def _heldout(held: HeldOut, network: UNet, own: tuple[float, float], machine: Machine) -> float:
    """Return the error of predicting odd frames from even ones, in stored units squared."""
    return held.error(_tiles(held.even, network, own, machine, per_pair=1).read)


def _part(held: HeldOut) -> HeldOut:
    """Return fewer of the held-out frames: checkpoints are compared often."""
    _, rows, columns = held.odd.shape
    stop = min(len(held.odd), held.first + max(16, LOOKED_AT // (rows * columns)))
    start = max(0, held.first - CONTEXT)
    return replace(held, even=held.even.view(start, stop), odd=held.odd.view(start, stop), first=held.first - start)


def _versions() -> Mapping[str, str]:
    names = ("nwbridge", "nwbridge-denoise", "torch")
    return {name: version(name) for name in names}


def _origin(frames: Frames, name: str) -> dict[str, Any]:
    """Return what tells the recording apart from others: its name, size, and a hash of its first frames."""
    first = frames.read(0, min(16, len(frames)))
    return {
        "name": name,
        "shape": list(frames.shape),
        "dtype": str(frames.dtype),
        "sha256_of_first_frames": hashlib.sha256(first.tobytes()).hexdigest(),
    }
