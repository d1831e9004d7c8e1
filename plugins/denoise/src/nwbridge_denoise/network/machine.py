"""Where the network computes: device, precision, threads, and what to do when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch

import nwbridge
from nwbridge import BadOption

MOST_THREADS = 2  # more gain little on patches of this size, and slow a busy machine down many times


@dataclass(frozen=True)
class Machine:
    """A device and a precision."""

    device: torch.device
    mixed: bool  # convolutions in bfloat16
    threads: int

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Use this machine's threads, and give the caller his own back."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def autocast(self) -> AbstractContextManager[None]:
        """Let convolutions be computed in this machine's precision."""
        cast: AbstractContextManager[None] = torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)
        return cast

    def words(self) -> dict[str, str | int]:
        """Return what the result depends on, as plain values."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        return {"device": name, "precision": "bfloat16" if self.mixed else "float32", "threads": self.threads}


def choose(device: str, precision: str) -> Machine:
    """Return the machine that the options ask for; BadOption where it is not there."""
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise BadOption("--device cuda: PyTorch found no GPU here; expected one, or --device cpu or auto")
    kind = "cuda" if device != "cpu" and there else "cpu"
    mixed = precision == "mixed" or (precision == "auto" and _bfloat16_is_fast(kind))
    return Machine(torch.device(kind), mixed, min(nwbridge.threads(), MOST_THREADS))


def _bfloat16_is_fast(kind: str) -> bool:
    """Whether the hardware multiplies bfloat16 itself; where it does not, mixed precision is slower than none."""
    if kind == "cuda":
        return bool(torch.cuda.get_device_capability() >= (8, 0))
    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)  # before get_capabilities there was only this
    return bool(asked()) if asked is not None else False


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, of whichever device."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # what PyTorch says on CPUs
