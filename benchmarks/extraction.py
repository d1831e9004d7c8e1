"""Source extraction: `python -m benchmarks.extraction [simulated|real|scaling|denoised]` prints Markdown tables.

Simulated movies have known truth (`nwbridge_extract_cnmf.simulate`); a match is a cosine of footprints above 0.5, one
to one. Real movies are those with CaImAn's results below the folder NWBRIDGE_SAMPLES. Every run is a process of its own
with one BLAS thread; CPU seconds and peak memory are of the extraction, without making or loading the movie.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import run

SEEDS = (0, 1, 2)
SAMPLE = {"gSiz": (13, 13), "min_corr": 0.6, "min_pnr": 7.0}
BOX = {"gSiz": (13, 13)}
SIMULATED: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "1P 128×128×1000, 60 cells, sample parameters": ({"cells": 60}, "1p", SAMPLE),
    "1P 128×128×1000, 60 cells, defaults": ({"cells": 60}, "1p", {}),
    "1P 128×128×1000, 100 cells, sample parameters": ({"cells": 100}, "1p", SAMPLE),
    "2P 60×80×2000, 16 cells, K 16, one patch": (
        {"kind": "two-photon", "shape": (2000, 60, 80), "cells": 16, "rate_hz": 15.0},
        "2p",
        {**BOX, "K": 16, "rf": None},
    ),
    "2P 60×80×2000, 16 cells, K auto, one patch": (
        {"kind": "two-photon", "shape": (2000, 60, 80), "cells": 16, "rate_hz": 15.0},
        "2p",
        {**BOX, "K": None, "rf": None},
    ),
    "2P 60×80×2000, 16 cells, K 8 in patches of 40": (
        {"kind": "two-photon", "shape": (2000, 60, 80), "cells": 16, "rate_hz": 15.0},
        "2p",
        {**BOX, "K": 8, "rf": 20, "stride": 10},
    ),
}
REAL: dict[str, tuple[tuple[str, ...], str, dict[str, Any]]] = {
    "real2p_eval_dff_v1113": (
        ("runs/real2p_1000x30x40.tif",),
        "2p",
        {"gSig": (2, 2), "gSiz": (5, 5), "rf": 10, "stride": 5, "tsub": 1, "fr": 15.0},
    ),
    "real1p_tiff63_v1113_with_movie_metadata": (
        ("movie_part2_108x123x63.tiff",),
        "1p",
        {"min_corr": 0.5, "min_pnr": 5.0, "fr": 10.0},
    ),
    "real1p_series163_v1113": (
        ("runs/ideas_1p_part1_avi.npy", "runs/ideas_1p_part2_avi.npy"),
        "1p",
        {"min_corr": 0.6, "min_pnr": 7.0, "fr": 10.0},
    ),
    "real1p_nwb200_v1113": (
        ("runs/ideas_1p_nwb_200x35x29.npy",),
        "1p",
        {"min_corr": 0.6, "min_pnr": 4.0, "fr": 5.56},
    ),
}
LARGE = (3000, 512, 512)
WORKERS = (1, 2, 4)


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _timed(movies: Any, chosen: Any, rate: float | None) -> tuple[Any, dict[str, float]]:
    from nwbridge_extract_cnmf import extract

    before = _peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    found = extract(movies, chosen, rate_hz=rate)
    cost = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "peak_mb": _peak_mb()}
    return found, cost | {"before_mb": before}


def _images(found: Any) -> Any:
    return found.footprints.T.toarray().reshape(len(found), *found.shape)


def one_simulated(name: str, seed: int) -> dict[str, Any]:
    """Extract one simulated movie and compare with its truth."""
    import numpy as np

    from nwbridge_extract_cnmf import matched, preset, simulate

    scene, kind, more = SIMULATED[name]
    truth = simulate(**scene, seed=seed)
    found, cost = _timed(truth.movie, preset(kind, **more, n_processes=1), truth.rate_hz)
    pairs = matched(truth.footprints, _images(found))

    def likeness(traces: Any) -> float:
        return float(np.mean([np.corrcoef(truth.traces[i], traces[j])[0, 1] for i, j, _ in pairs])) if pairs else 0.0

    cells, count = len(truth.footprints), len(found)
    accepted = set(np.flatnonzero(found.accepted).tolist())
    kept = [pair for pair in pairs if pair[1] in accepted]
    return cost | {
        "cells": cells,
        "found": count,
        "matched": len(pairs),
        "f1": 2 * len(pairs) / max(1, cells + count),
        "f1_accepted": 2 * len(kept) / max(1, cells + len(accepted)),
        "cosine": float(np.mean([cosine for *_, cosine in pairs])) if pairs else 0.0,
        "raw": likeness(found.raw),
        "denoised": likeness(found.denoised),
    }


def one_real(name: str, folder: Path) -> dict[str, Any]:
    """Extract a real movie and compare with CaImAn's result."""
    import h5py
    import numpy as np
    import tifffile
    from scipy import sparse

    from nwbridge_extract_cnmf import matched, preset

    files, kind, more = REAL[name]
    paths = [folder / "caiman_inscopix" / file for file in files]
    movies = [np.load(path) if path.suffix == ".npy" else tifffile.imread(path) for path in paths]
    with h5py.File(folder / "caiman_inscopix" / "runs" / f"{name}.hdf5") as file:
        part = file["estimates"]
        triple = tuple(part[f"A/{key}"][:] for key in ("data", "indices", "indptr"))
        dense = sparse.csc_matrix(triple, part["A/shape"][:]).toarray()
        theirs = dense.reshape(*part["dims"][:], -1, order="F").transpose(2, 0, 1)
        good = part["idx_components"][()].tolist() if part["idx_components"].shape else None
        courses = part["C"][:]
    cpu = json.loads((folder / "caiman_inscopix" / "runs" / f"{name.partition('_with')[0]}.json").read_text())
    found, cost = _timed(movies, preset(kind, **more, n_processes=1), None)
    pairs = matched(theirs, _images(found))
    both = [pair for pair in pairs if (good is None or pair[0] in good) and found.accepted[pair[1]]]
    traces = [float(np.corrcoef(courses[i], found.denoised[j])[0, 1]) for i, j, _ in both]
    return cost | {
        "theirs": len(theirs),
        "theirs_accepted": None if good is None else len(good),
        "found": len(found),
        "accepted": int(found.accepted.sum()),
        "matched": len(pairs),
        "both": len(both),
        "cosines": [cosine for *_, cosine in both],
        "trace": statistics.median([r for r in traces if r == r]) if traces else None,
        "caiman_cpu_s": cpu["cpu_s_memmap_and_fit_this_process"],
        "caiman_peak_mb": cpu["peak_rss_mb"],
    }


def one_large(workers: int, path: Path) -> dict[str, Any]:
    """Extract a large movie with some workers; it lies in a file and is not copied."""
    import numpy as np

    from nwbridge_extract_cnmf import preset

    movie = np.load(path, mmap_mode="r")
    found, cost = _timed(movie, preset("1p", **SAMPLE, n_processes=workers), 10.0)
    digest = float(np.abs(found.raw).sum()), int(found.footprints.nnz)
    return cost | {"found": len(found), "digest": digest}


def make_large(path: Path, shape: tuple[int, int, int]) -> None:
    """Write a movie (time, row, column) of tiles of simulated fields, 128 pixels wide."""
    import numpy as np

    from nwbridge_extract_cnmf import simulate

    movie = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
    for number in range(shape[1] // 128 * (shape[2] // 128)):
        row, col = divmod(number, shape[2] // 128)
        tile = simulate(shape=(shape[0], 128, 128), cells=40, seed=number).movie
        movie[:, 128 * row : 128 * row + 128, 128 * col : 128 * col + 128] = tile
    movie.flush()


def picture(path: Path) -> None:
    """Write a picture of a simulated movie: a frame, the correlation image, and outlines of true and found cells."""
    import imagecodecs
    import numpy as np
    from scipy import ndimage

    from nwbridge_extract_cnmf import extract, preset, simulate

    truth = simulate(cells=60, seed=0)
    found = extract(truth.movie, preset("1p", **SAMPLE, n_processes=1), rate_hz=truth.rate_hz)

    def grey(image: Any) -> Any:
        low, high = np.percentile(image, (1, 99.8))
        large = np.kron(np.clip((image - low) / (high - low), 0, 1), np.ones((3, 3)))
        return np.repeat((255 * large).astype(np.uint8)[..., np.newaxis], 3, axis=2)

    def outlines(images: Any) -> Any:
        total = np.zeros([3 * size for size in truth.movie.shape[1:]], bool)
        for image in images:
            inside = ndimage.zoom(image, 3, order=1) > 0.35 * image.max()
            total |= inside & ~ndimage.binary_erosion(inside)
        return total

    last = grey(found.correlation) // 2
    true, ours = outlines(truth.footprints), outlines(_images(found))
    last[true], last[ours], last[true & ours] = (0, 200, 80), (230, 0, 200), (255, 255, 255)
    gap = np.full((last.shape[0], 12, 3), 255, np.uint8)
    row = np.concatenate([grey(truth.movie[500]), gap, grey(found.correlation), gap, last], axis=1)
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(row), level=9))


def _alone(*words: str) -> dict[str, Any]:
    """Run one case as a process of its own."""
    command = [
        "env",
        "OMP_NUM_THREADS=1",
        "OPENBLAS_NUM_THREADS=1",
        sys.executable,
        "-m",
        "benchmarks.extraction",
        *words,
    ]
    print("  " + " ".join(words), file=sys.stderr, flush=True)
    found: dict[str, Any] = json.loads(run(command).output)
    return found


def simulated() -> list[str]:
    """Return the table of simulated movies: medians over seeds, and the lowest F1."""
    lines = ["### Simulated movies with truth", ""]
    lines += [
        "| movie | found/true | F1 (lowest) | of the accepted | cosine | r raw, denoised | CPU s | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in SIMULATED:
        several = [_alone("--case", name, "--seed", str(seed)) for seed in SEEDS]
        mid = {key: statistics.median(one[key] for one in several) for key in several[0]}
        counts = ", ".join(f"{one['found']}/{one['cells']}" for one in several)
        low = min(one["f1"] for one in several)
        lines.append(
            f"| {name} | {counts} | {mid['f1']:.3f} ({low:.3f}) | {mid['f1_accepted']:.3f} | {mid['cosine']:.3f} | "
            f"{mid['raw']:.3f}, {mid['denoised']:.3f} | {mid['cpu_s']:.1f} | {mid['peak_mb']:.0f} |"
        )
    return lines


def real(folder: str | None) -> list[str]:
    """Return the table of real movies beside CaImAn's results."""
    if folder is None:
        return ["No folder of real movies (NWBRIDGE_SAMPLES): skipped."]
    lines = ["### Real movies beside CaImAn 1.11.3", ""]
    lines += [
        "| movie | CaImAn's (accepted) | ours (accepted) | accepted by both | cosine above .95 | median | r of traces "
        "| CPU s, CaImAn's | peak MB, CaImAn's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in REAL:
        one = _alone("--real", name)
        high = sum(cosine > 0.95 for cosine in one["cosines"])
        lines.append(
            f"| {name} | {one['theirs']} ({one['theirs_accepted'] or '–'}) | {one['found']} ({one['accepted']}) | "
            f"{one['both']} | {high} | {statistics.median(one['cosines']):.3f} | {one['trace']:.2f} | "
            f"{one['cpu_s']:.1f}, {one['caiman_cpu_s']:.1f} | {one['peak_mb']:.0f}, {one['caiman_peak_mb']:.0f} |"
        )
    return lines


def scaling(folder: Path, shape: tuple[int, int, int]) -> list[str]:
    """Return the table of workers on a large movie."""
    path = folder / f"extraction-{'x'.join(map(str, shape))}.npy"
    if not path.exists():
        make_large(path, shape)
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    asked = [workers for workers in WORKERS if workers <= processors]
    rows = {workers: _alone("--large", str(path), "--workers", str(workers)) for workers in asked}
    first = rows[WORKERS[0]]
    lines = [f"### {shape[1]} × {shape[2]} × {shape[0]}, one-photon, sample parameters, by workers", ""]
    lines += [
        "| workers | wall s | faster | CPU s | peak MB | components | the same result |",
        "|---|---|---|---|---|---|---|",
    ]
    for workers, one in rows.items():
        same = "yes" if one["digest"] == first["digest"] else "no"
        faster = first["wall_s"] / one["wall_s"]
        lines.append(
            f"| {workers} | {one['wall_s']:.0f} | {faster:.2f} × | {one['cpu_s']:.0f} | {one['peak_mb']:.0f} | "
            f"{one['found']} | {same} |"
        )
    return [*lines, "", f"On {processors} processors."]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser("python -m benchmarks.extraction", description=__doc__)
    parser.add_argument(
        "what", nargs="*", choices=["simulated", "real", "scaling", "picture", []], help="default: all but picture"
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="for the large movie, which is kept")
    parser.add_argument("--shape", type=int, nargs=3, default=LARGE, metavar=("T", "Y", "X"), help="of the large movie")
    for flag in ("--case", "--seed", "--real", "--large", "--workers"):
        parser.add_argument(flag, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    samples = os.environ.get("NWBRIDGE_SAMPLES")
    if asked.case:
        print(json.dumps(one_simulated(asked.case, int(asked.seed))))
    elif asked.real:
        print(json.dumps(one_real(asked.real, Path(str(samples)))))
    elif asked.large:
        print(json.dumps(one_large(int(asked.workers), Path(asked.large))))
    elif asked.what == ["picture"]:
        picture(Path(__file__).parents[1] / "docs" / "steps" / "extract-cnmf.png")
    else:
        for name in asked.what or ("simulated", "real", "scaling"):
            made = {
                "simulated": simulated,
                "real": lambda: real(samples),
                "scaling": lambda: scaling(asked.folder, tuple(asked.shape)),
            }[name]()
            print("\n".join(made), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
