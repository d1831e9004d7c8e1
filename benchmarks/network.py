"""How fast the network of denoise learns and denoises, by threads and precision: `python -m benchmarks.network`.

Frames are of 128 × 128; a training step sees four patches of 32 × 32 × 32, which are eight such frames. Each line is a
process of its own. CPU seconds are given beside, as other work on the machine makes the clock say anything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

FRAMES = 256
SECONDS = 20.0


def work(threads: int, mixed: bool) -> dict[str, Any]:
    """Train and denoise in this process."""
    import numpy as np

    from nwbridge import arrays
    from nwbridge_denoise.frames import Frames
    from nwbridge_denoise.network import _import_torch

    _import_torch()
    import torch

    from nwbridge_denoise.network.fitting import BATCH, FEATURES, LEARNING_RATE, LEVELS, _compute
    from nwbridge_denoise.network.guides import GUIDES, Guided
    from nwbridge_denoise.network.machine import Machine
    from nwbridge_denoise.network.pool import fill
    from nwbridge_denoise.network.tiles import Tiles
    from nwbridge_denoise.network.training import Recipe, Training
    from nwbridge_denoise.network.unet import Architecture, build

    movie = np.random.default_rng(0).poisson(2, (FRAMES, 128, 128)).astype(np.uint16)
    frames = Frames(arrays.from_numpy(movie))
    machine = Machine(torch.device("cpu"), mixed, threads)
    architecture = Architecture(FEATURES, LEVELS, GUIDES)
    random = np.random.default_rng(0)
    with machine.computing():
        pool = fill(frames, architecture, 32, (2.0, 1.4), random)
        recipe = Recipe(None, SECONDS, "l2", 32, BATCH, LEARNING_RATE, 0)
        training = Training(build(architecture, 0), recipe, machine, random, {})
        cpu, clock = time.process_time(), time.perf_counter()
        network = training.run(pool, lambda _: 0.0, None)
        found = {"step_s": (time.perf_counter() - clock) / training.step}
        found["step_cpu_s"] = (time.process_time() - cpu) / training.step
        tiles = Tiles(Guided(frames, GUIDES, (2.0, 1.4), 2), _compute(network, machine), architecture.multiple)
        cpu, clock = time.process_time(), time.perf_counter()
        for start in range(0, FRAMES, 32):
            tiles.read(start, start + 32)
        found["frame_s"] = (time.perf_counter() - clock) / FRAMES
        found["frame_cpu_s"] = (time.process_time() - cpu) / FRAMES
    return found


def main() -> None:
    """Print a line for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--work", nargs=2)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(work(int(arguments.work[0]), arguments.work[1] == "mixed")))
        return
    print("threads  precision  training: frames/s (steps/s, CPU s a step)  denoising: frames/s (CPU ms a frame)")
    for precision in ("float32", "mixed"):
        for threads in arguments.threads:
            command = [sys.executable, "-m", "benchmarks.network", "--work", str(threads), precision]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            step, frame = found["step_s"], found["frame_s"]
            print(
                f"{threads:7}  {precision:9}  {8 / step:9.1f} ({1 / step:.1f}, {found['step_cpu_s']:.3f})"
                f"  {1 / frame:29.0f} ({1000 * found['frame_cpu_s']:.1f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
