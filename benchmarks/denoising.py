"""How well movies are denoised: `python -m benchmarks.denoising [--results FILE] [--deepcad STEPS] …`.

Each case runs in a process of its own, on one thread, and leaves one line of JSON in the results: an interrupted call
goes on where it was, and the lines of several machines may be joined. Widths, patches and checkpoints are chosen
without the truth; "Gaussian, best by truth" is what the best widths would have given, found for SNR and for tSNR apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import run

FRAMES = 1000
SIZE = (128, 128)
SCENES = ("cells", "specks")
PHOTONS = (0.5, 2.0, 8.0)
METHODS = ("noisy", "gaussian by truth", "gaussian", "svd")
REAL = Path("caiman_inscopix/runs/real2p_1000x30x40.tif")
LENGTHS = (1_000, 20_000)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
Case = dict[str, Any]


def cases(chosen: argparse.Namespace) -> Iterator[Case]:
    """Yield what is to be run."""
    methods = [*METHODS, *(["deepcad"] if chosen.deepcad else [])]
    for scene, photons, seed, method in itertools.product(chosen.scenes, chosen.photons, range(chosen.seeds), methods):
        case: Case = {"what": "simulated", "scene": scene, "photons": photons, "seed": seed, "method": method}
        yield case | ({"steps": chosen.deepcad} if method == "deepcad" else {})
    samples = os.environ.get("NWBRIDGE_SAMPLES")
    if samples and (Path(samples) / REAL).exists():
        for method in methods[2:]:
            case = {"what": "real", "file": str(REAL), "method": method}
            yield case | ({"steps": chosen.deepcad} if method == "deepcad" else {})
    if chosen.memory:
        for method, (rows, columns), count in itertools.product(("gaussian", "svd"), ((128, 128),), LENGTHS):
            yield {"what": "memory", "method": method, "frames": count, "rows": rows, "columns": columns}
        yield {"what": "memory", "method": "svd", "frames": LENGTHS[0], "rows": 512, "columns": 512}


def work(case: Case) -> dict[str, Any]:
    """Do one case in this process."""
    if case["what"] == "memory":
        return _long(case)
    if case["what"] == "real":
        import tifffile

        return _denoised(tifffile.imread(Path(os.environ["NWBRIDGE_SAMPLES"]) / case["file"]), case)[1]
    from benchmarks.simulated import scene

    made = scene(case["scene"], FRAMES, *SIZE, case["seed"])
    truth = made.truth(0, FRAMES) * case["photons"]
    noisy = made.noisy(0, FRAMES, case["photons"])
    if case["method"] == "noisy":
        return _scores(truth, noisy)
    if case["method"] == "gaussian by truth":
        return _by_truth(truth, noisy)
    result, found = _denoised(noisy, case)
    return _scores(truth, result) | found


def _scores(truth: Any, movie: Any) -> dict[str, Any]:
    """Return SNR (mean over frames) and tSNR in dB, written out anew so that the plugin's own score is not trusted."""
    import numpy as np

    t, x = (one.reshape(len(one), -1).astype(np.float32) for one in (truth, movie))
    error = t - x
    frames = 10 * np.log10(np.einsum("tp,tp->t", t, t) / np.einsum("tp,tp->t", error, error))
    ratio = float(x.mean(dtype=np.float64) / t.mean(dtype=np.float64))
    t, error = t - t.mean(axis=0), error - error.mean(axis=0)
    return {
        "snr": float(frames.mean()),
        "tsnr": float(10 * np.log10(np.square(t).sum(dtype=np.float64) / np.square(error).sum(dtype=np.float64))),
        "brightness": ratio,
    }


def _by_truth(truth: Any, noisy: Any) -> dict[str, Any]:
    """Return the best SNR and the best tSNR that any Gaussian gives, each with widths of its own."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    best: dict[str, Any] = {"snr": -99.0, "tsnr": -99.0}
    for width in (1.5, 2, 3, 4, 6, 8, 12):
        smooth = gaussian_filter(noisy.astype(np.float32), (width, 0, 0))
        for space in (0.4, 0.55, 0.7, 0.85, 1, 1.25, 1.5):
            found = _scores(truth, gaussian_filter(smooth, (0, space, space)))
            for name in ("snr", "tsnr"):
                if found[name] > best[name]:
                    best |= {name: found[name], f"{name}_widths": (width, space)}
    return best | {"brightness": 1.0}


def _step(movie: Any, case: Case) -> tuple[list[Any], float]:
    """Run the step on a movie; return its results and the CPU seconds so far."""
    import nwbridge
    from nwbridge.running import running
    from nwbridge_denoise import Options
    from nwbridge_denoise.step import run as denoise

    begin = time.process_time()
    options = Options(method=case["method"], steps=case.get("steps"))
    with running(lambda *_: None, 1):
        results = denoise((nwbridge.Movie("Movie", movie, nwbridge.Plane(rate_hz=30.0), rate_hz=30.0),), options)
    return results, begin


def _denoised(noisy: Any, case: Case) -> tuple[Any, dict[str, Any]]:
    import numpy as np

    import nwbridge

    results, begin = _step(nwbridge.arrays.from_numpy(noisy), case)
    movie, parameters = results[:2]
    with movie.data.open() as reader:
        blocks = [reader[start : start + 100] for start in range(0, movie.data.shape[0], 100)]
    found = {"cpu_s": time.process_time() - begin, "parameters": parameters.values}
    said = [entry.message for entry in results if isinstance(entry, nwbridge.Finding)]
    return np.concatenate(blocks), found | {"findings": said}


def _long(case: Case) -> dict[str, Any]:
    """Denoise a movie that is made as it is read, and keep nothing."""
    import numpy as np

    import nwbridge

    rows, columns = case["rows"], case["columns"]
    random = np.random.default_rng(0)
    image = random.gamma(2, 5, (rows, columns))
    noise = random.normal(0, 3, (2 * rows, 2 * columns))
    corners = random.integers(0, (rows, columns), (case["frames"], 2))  # of the noise of each frame

    def read(start: int, stop: int) -> Any:
        block = np.empty((stop - start, rows, columns), np.uint16)
        for number in range(start, stop):
            row, column = corners[number]
            light = image * (1.5 + 0.3 * np.sin(number / 30)) + 20
            block[number - start] = light + noise[row : row + rows, column : column + columns]
        return block

    frames = nwbridge.arrays.from_function((case["frames"], rows, columns), np.uint16, read)
    results, begin = _step(frames, case)
    with results[0].data.open() as reader:
        for start in range(0, case["frames"], 16):
            reader[start : start + 16].sum()
    return {"cpu_s": time.process_time() - begin}


def measured(todo: Iterable[Case], results: Path) -> list[dict[str, Any]]:
    """Run what the results do not hold yet; return their lines."""
    lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []
    done = {json.dumps(line["case"], sort_keys=True) for line in lines}
    for case in todo:
        if json.dumps(case, sort_keys=True) in done:
            continue
        cost = run(
            [
                "env",
                *(f"{k}={v}" for k, v in ONE_THREAD.items()),
                sys.executable,
                "-m",
                "benchmarks.denoising",
                json.dumps(case),
            ]
        )
        line = {"case": case, "peak_mb": cost.peak_mb, "wall_s": cost.wall_s, **json.loads(cost.output)}
        print("  " + json.dumps({key: value for key, value in line.items() if key != "parameters"}), file=sys.stderr)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        lines.append(line)
    return lines


def tables(lines: list[dict[str, Any]]) -> list[str]:
    """Return Markdown: means over seeds, and the least gain over the best Gaussian of any seed."""
    shown = [f"### Denoising simulated movies, {SIZE[0]}×{SIZE[1]}×{FRAMES}", ""]
    shown += ["| scene | photons | method | SNR dB | tSNR dB | brightness | CPU s | least gain over Gaussian, dB |"]
    shown += ["|---|---|---|---|---|---|---|---|"]
    simulated = [line for line in lines if line["case"]["what"] == "simulated"]
    groups = dict.fromkeys(tuple(line["case"][key] for key in ("scene", "photons", "method")) for line in simulated)
    for scene, photons, method in sorted(groups, key=lambda group: group[:2]):
        several = _of(simulated, scene, photons, method)
        means = {
            key: statistics.mean(line.get(key, 0) for line in several) for key in ("snr", "tsnr", "brightness", "cpu_s")
        }
        gain = _gain(several, _of(simulated, scene, photons, "gaussian by truth"))
        cells = f"{means['snr']:.1f} | {means['tsnr']:.1f} | {means['brightness']:.3f} | {means['cpu_s']:.0f}"
        shown.append(f"| {scene} | {photons:g} | {_label(several[0])}, {len(several)} seeds | {cells} | {gain} |")
    return [*shown, "", *_real(lines), *_memory(lines)]


def _of(lines: list[dict[str, Any]], scene: str, photons: float, method: str) -> list[dict[str, Any]]:
    wanted = {"scene": scene, "photons": photons, "method": method}
    return [line for line in lines if wanted.items() <= line["case"].items()]


def _label(line: dict[str, Any]) -> str:
    case = line["case"]
    name = {"gaussian by truth": "Gaussian, best by truth", "gaussian": "Gaussian"}.get(case["method"], case["method"])
    return f"{name} {case['seconds']:g} s" if "seconds" in case else str(name)


def _gain(several: list[dict[str, Any]], best: list[dict[str, Any]]) -> str:
    """Return the least gains in SNR and tSNR over the best that any Gaussian could reach on the same seed."""
    by_seed = {line["case"]["seed"]: line for line in best}
    pairs = [(line, by_seed[line["case"]["seed"]]) for line in several if line["case"]["seed"] in by_seed]
    if not pairs or several[0]["case"]["method"] not in ("svd", "deepcad", "gaussian"):
        return ""
    return " / ".join(f"{min(one[key] - other[key] for one, other in pairs):+.1f}" for key in ("snr", "tsnr"))


def _real(lines: list[dict[str, Any]]) -> list[str]:
    real = [line for line in lines if line["case"]["what"] == "real"]
    rows = []
    for line in real:
        values = line["parameters"]
        errors = {
            key.removeprefix("heldout_error/"): v for key, v in values.items() if key.startswith("heldout_error/")
        }
        error, gaussian = errors[line["case"]["method"]], errors["gaussian"]
        rows.append(f"| {_label(line)} | {error:.0f} | {100 * (error / gaussian - 1):+.1f} % | {line['cpu_s']:.1f} |")
    head = ["### A real movie, 1000×30×40: held-out error", "", "| method | error | beside Gaussian | CPU s |"]
    return [*head, "|---|---|---|---|", *rows, ""] if rows else []


def _memory(lines: list[dict[str, Any]]) -> list[str]:
    rows = []
    for line in lines:
        case = line["case"]
        if case["what"] == "memory":
            size = f"{case['rows']}×{case['columns']}×{case['frames']:,}"
            rows.append(f"| {case['method']} | {size} | {line['peak_mb']:.0f} | {line['cpu_s']:.0f} |")
    head = [
        "### Memory of denoising and the length of a movie",
        "",
        "| method | movie | peak MB | CPU s |",
        "|---|---|---|---|",
    ]
    return [*head, *rows, ""] if rows else []


def arguments(given: list[str]) -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser("python -m benchmarks.denoising", description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("denoising.jsonl"), help="a line for each case; kept")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES)
    parser.add_argument("--photons", nargs="+", type=float, default=PHOTONS, help="a pixel and frame, on average")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--deepcad", type=int, metavar="STEPS", help="train the network for so many steps in each case")
    parser.add_argument("--memory", action="store_true", help=f"peaks for {LENGTHS[0]:,} and {LENGTHS[1]:,} frames")
    return parser.parse_args(given)


def main() -> None:
    """Run the cases, or one."""
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(work(json.loads(sys.argv[1]))))
        return
    chosen = arguments(sys.argv[1:])
    print("\n".join(tables(measured(cases(chosen), chosen.results))))


if __name__ == "__main__":
    main()
