"""Training: one half of the frames predicts the other; averaged weights, the best by frames not learnt from."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import nwbridge
from nwbridge import BadOption, BadSource
from nwbridge_denoise.method import Block
from nwbridge_denoise.network import files
from nwbridge_denoise.network.machine import Machine
from nwbridge_denoise.network.pool import Pool
from nwbridge_denoise.network.unet import UNet
from nwbridge_denoise.network.whole import whole

CHECKPOINT = files.Kind("nwbridge-denoise training", 1, "a checkpoint of training", "delete it to begin anew")
WARM = 0.1  # the part of training in which the learning rate rises
MEMORY_STEPS = 500  # steps over which weights are averaged
LOOKS = 10  # times that held-out frames are looked at
FIRST_LOOK = 0.5  # not before this part of training
KEEP_S = 60.0  # a checkpoint is written at every look, and when the last is older than this
TELL_S = 1.0

Error = Callable[[UNet], float]


@dataclass(frozen=True)
class Recipe:
    """How to train; with the seed, the data and the architecture it decides the weights (on one CPU, with `steps`)."""

    steps: int | None
    seconds: float | None
    loss: str
    patch: int
    batch: int
    learning_rate: float
    seed: int


class Training:
    """A training that can be kept in a file and taken up again."""

    def __init__(
        self, network: UNet, recipe: Recipe, machine: Machine, random: np.random.Generator, data: Mapping[str, Any]
    ) -> None:
        self.recipe, self.machine, self.random, self.data = recipe, machine, random, data
        self.network: UNet = network.to(machine.device, memory_format=torch.channels_last_3d)
        self.average: UNet = copy.deepcopy(self.network)
        self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.learning_rate, betas=(0.9, 0.99))
        self.step, self.part = 0, 0.0  # steps done, and the part of the whole that they are
        self.looks, self.best_error, self.best_step = 0, math.inf, 0
        self.loss, self.seconds = math.nan, 0.0

    # ---- the loop ------------------------------------------------------------------------------------------------

    def run(self, pool: Pool, error: Error, checkpoint: Path | None) -> UNet:
        """Train to the end and return the network with the best averaged weights; keep it if it is interrupted."""
        try:
            self._train(pool, error, checkpoint)
        except KeyboardInterrupt:
            if checkpoint is not None and self.step:
                self.keep(checkpoint)
                raise KeyboardInterrupt(f"{checkpoint} keeps the training: the same command goes on from it") from None
            raise
        self.average.load_state_dict(self.best)
        return self.average

    def _train(self, pool: Pool, error: Error, checkpoint: Path | None) -> None:
        told = kept = last = time.monotonic()
        self._look(error)  # an interruption may have come when it was time to
        while self.part < 1:
            with whole():  # half a step cannot be kept
                self._learn(*pool.draw(self.random, self.recipe.batch))
                now = time.monotonic()
                self.seconds, last = self.seconds + now - last, now
                self._advance()
            looked = self._look(error)
            if checkpoint is not None and (looked or now - kept > KEEP_S):
                self.keep(checkpoint)
                kept = now
            if now - told > TELL_S:
                told = now
                self._tell()

    def _learn(self, given: Block, wanted: Block) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * _cycle(self.part)
        to = self.machine.device
        given_there = torch.from_numpy(given).to(to, memory_format=torch.channels_last_3d)
        with self.machine.autocast():
            predicted = self.network(given_there)
        loss = self._distance(predicted, torch.from_numpy(wanted).to(to))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        if not math.isfinite(value := loss.item()):
            raise BadSource(f"training came to a loss of {value} at step {self.step}; expected finite frames")
        self.step += 1
        self.loss = value if self.step == 1 else 0.98 * self.loss + 0.02 * value
        share = max(1 / MEMORY_STEPS, 9 / (9 + self.step))  # early weights are soon forgotten
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(new, share)

    def _distance(self, predicted: Tensor, wanted: Tensor) -> Tensor:
        squared = torch.mean(torch.square(predicted - wanted))
        return squared if self.recipe.loss == "l2" else 0.5 * squared + 0.5 * torch.mean(torch.abs(predicted - wanted))

    def _advance(self) -> None:
        """Count the step as the part of the whole that it is; the pace of the machine decides where time is given."""
        if self.recipe.steps is not None:
            self.part = self.step / self.recipe.steps
        elif self.recipe.seconds is not None:
            left = max(0.0, self.recipe.seconds - self.seconds)
            steps = left / (self.seconds / self.step)
            self.part = 1.0 if steps < 1 else self.part + (1 - self.part) / (steps + 1)

    def _look(self, error: Error) -> bool:
        """Measure the averaged weights when it is time; keep them if they are the best so far."""
        due = int(LOOKS * (self.part - FIRST_LOOK) / (1 - FIRST_LOOK) + 1e-9)
        if due <= self.looks:
            return False
        found = error(self.average)
        with whole():
            self.looks = due
            if found < self.best_error:
                self.best_error, self.best_step = found, self.step
                self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
        return True

    def _tell(self) -> None:
        left = self.seconds * (1 - self.part) / self.part
        wait = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
        total = self.recipe.steps or max(self.step + 1, round(self.step / self.part))
        nwbridge.progress(f"training, loss {self.loss:.4f}, {wait} left", self.step, total)

    def told(self) -> dict[str, Any]:
        """Return how it went, as plain values."""
        return {
            "architecture": self.network.architecture.words(),
            **asdict(self.recipe),
            "steps_done": self.step,
            "step_kept": self.best_step,
            "parameters": sum(value.numel() for value in self.network.parameters()),
        }

    # ---- the file ------------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        """Return what must be the same in a training that is taken up."""
        settings = {**asdict(self.recipe), **asdict(self.network.architecture), **self.data}
        return dict(json.loads(json.dumps(settings)))  # as they are read back

    def keep(self, path: Path) -> None:
        """Write all that the rest of the training depends on; the file is whole or the one before is left."""
        arrays: dict[str, Tensor] = {}
        for kind, values in (("network", self.network.state_dict()), ("average", self.average.state_dict())):
            arrays |= {f"{kind}.{name}": value for name, value in values.items()}
        arrays |= {f"best.{name}": value for name, value in self.best.items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            arrays |= {f"adam.{number}.{name}": value for name, value in values.items()}
        told = {name: getattr(self, name) for name in _COUNTERS}
        told["best_error"] = None if math.isinf(self.best_error) else self.best_error
        random = json.dumps(self.random.bit_generator.state)
        header = {"settings": self._settings(), "counters": told, "random": random}
        files.write(path, CHECKPOINT, header, {name: value.cpu().numpy() for name, value in arrays.items()})

    def take_up(self, path: Path) -> None:
        """Go on from what a file holds; BadOption where it is of another training."""
        header, arrays = files.read(path, CHECKPOINT, lambda header: self._expected(path, header))
        try:
            self.random.bit_generator.state = json.loads(header["random"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise BadSource(f"{path}: the random numbers in it are damaged: {CHECKPOINT.advice}") from error
        tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}

        def of(kind: str) -> dict[str, Tensor]:
            return {name[len(kind) + 1 :]: value for name, value in tensors.items() if name.startswith(kind + ".")}

        self.network.load_state_dict(of("network"))
        self.average.load_state_dict(of("average"))
        self.best = {name: value.to(self.machine.device) for name, value in of("best").items()}
        state = self.optimizer.state_dict()
        for name, value in of("adam").items():
            number, _, what = name.partition(".")
            state["state"].setdefault(int(number), {})[what] = value
        self.optimizer.load_state_dict(state)
        for name in _COUNTERS:
            setattr(self, name, header["counters"][name])
        self.best_error = math.inf if self.best_error is None else self.best_error

    def _expected(self, path: Path, header: Mapping[str, Any]) -> files.Shapes:
        """Return the shapes of what is kept of this training; BadOption where a file is of another one."""
        settings, counters = header.get("settings"), header.get("counters")
        if not isinstance(settings, dict) or not isinstance(counters, dict):
            raise BadSource(f"{path} does not say of which training it is: {CHECKPOINT.advice}")
        for name, own in self._settings().items():
            if (theirs := settings.get(name)) != own:
                raise BadOption(
                    f"--checkpoint {path}: it is of a training with {name} {files.short(theirs)}, this one has {own}; "
                    "give the same options, or another file"
                )
        for name, kinds in _COUNTERS.items():
            if not isinstance(value := counters.get(name), kinds) or isinstance(value, bool):
                raise BadSource(f"{path}: its {name} is {files.short(value)}; expected a number: {CHECKPOINT.advice}")
        own_shapes = {name: tuple(value.shape) for name, value in self.network.state_dict().items()}
        found = {f"{kind}.{name}": shape for kind in _COPIES for name, shape in own_shapes.items()}
        for number, parameter in enumerate(self.network.parameters()):
            found |= {f"adam.{number}.{name}": tuple(parameter.shape) for name in ("exp_avg", "exp_avg_sq")}
            found[f"adam.{number}.step"] = ()
        return found


_COPIES = ("network", "average", "best")
# and what each of them is
_COUNTERS: dict[str, Any] = {
    "step": int,
    "looks": int,
    "best_step": int,
    "best_error": float | int | None,
} | dict.fromkeys(("part", "loss", "seconds"), float | int)


def _cycle(part: float) -> float:
    """Return the learning rate at a part of training: one rise, then down to nothing."""
    return max(1e-3, part / WARM if part < WARM else 0.5 + 0.5 * math.cos(math.pi * (part - WARM) / (1 - WARM)))
