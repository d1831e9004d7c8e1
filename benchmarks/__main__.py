"""`python -m benchmarks`: makes movies, converts them, and prints Markdown tables with medians and ratios.

Everything is read from a warm page cache: what is compared is the programs, not the disk.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, interleaved, median

FRAME = 512 * 512 * 2  # as in movies.py, which imports numpy and therefore only runs in processes of its own
MANY = 3000  # files of one frame
TIFF = "1_550Vx575H_FOV_30Hz_0.2power_00001_lowSNR_MC.tif"
ZIP = "1_ZOOM1.3_550Vx575H_FOV_30Hz_80umdepth_dendrite_0.2power_1AMP.zip"
FOLDER = "neurofinder.99.00"
CHUNKS = {"default": None, "tiles": "64,128,128", "8 whole frames": "8,512,512", "1 whole frame": "1,512,512"}
USUAL = ("speed", "containers", "help", "reading", "systems", "report", "smlm", "events")
GROUPS = (*USUAL, "memory", "batch", "process", "denoise")
SAMPLES = 8_000_000  # of each voltage in one Allen recording
FIFTY = 50
HEAD = "| run | wall s | CPU s | peak MB | file MB | {} |\n|---|---|---|---|---|---|"


class Bench:
    """The recordings and files of one call, made when first needed, and what was measured."""

    def __init__(self, folder: Path, size: float, runs: int, peer: str | None) -> None:
        self.folder, self.runs, self.peer = folder, runs, peer
        self.count = max(1, round(size * 1e9 / FRAME))
        self.nwbridge = Path(sys.executable).with_name("nwbridge")
        self.measured: dict[str, Any] = {}
        self.batch = (60, SAMPLES)  # recordings, and samples of each voltage in one

    def recording(self, kind: str, count: int) -> Path:
        """Return a recording of the first `count` frames, as a TIFF, zip (stored, deflated) or folder."""
        name = {"tiff": TIFF, "folder": FOLDER}.get(kind, ZIP)
        path = self.folder / f"{kind}-{count}" / name
        if not path.exists():
            print(f"  making {path.parent.name}", file=sys.stderr, flush=True)
            source = [self.recording("tiff", count)] if kind in ("stored", "deflated") else []
            part = self.folder / "part"
            shutil.rmtree(part, ignore_errors=True)
            maker = [sys.executable, "-m", "benchmarks.movies", kind, part / name, str(count), *source]
            subprocess.run(maker, check=True)
            part.rename(path.parent)
        return path

    def made(self, kind: str, name: str, *counts: int) -> Path:
        """Return a recording that is no movie."""
        path = self.folder / name
        if not path.exists():
            print(f"  making {name}", file=sys.stderr, flush=True)
            maker = [sys.executable, "-m", "benchmarks.recordings", kind, path, *map(str, counts)]
            subprocess.run(maker, check=True)
        return path

    def ours(self, name: str, recording: Path, *flags: str) -> tuple[list[str | Path], Path]:
        """Return the command that converts a recording, and the file that it writes."""
        out = self.folder / f"{name}.nwb"
        species = ("--set", "Subject.species=Mus musculus")
        return [self.nwbridge, "convert", recording, out, "--json", "--quiet", "--overwrite", *species, *flags], out

    def theirs(self, recording: Path) -> tuple[list[str | Path], Path]:
        """Return the command with which NeuroConv converts a TIFF, and the file that it writes."""
        out = self.folder / "peer.nwb"
        return [self.peer or "", Path(__file__).with_name("peer.py"), recording, out], out

    def keep(self, group: str, costs: dict[str, list[Cost]]) -> dict[str, Cost]:
        """Note every run for --json and return the medians."""
        self.measured[group] = {name: [_noted(cost) for cost in several] for name, several in costs.items()}
        return {name: median(several) for name, several in costs.items()}


def _noted(cost: Cost) -> dict[str, Any]:
    """Return a cost with the seconds of each phase, where nwbridge said them."""
    noted = asdict(cost)
    output = noted.pop("output")
    if output.startswith("{") and output.count("\n") == 1:  # not those of several recordings
        noted["phases"] = json.loads(output).get("seconds")
    return noted


def _row(name: str, cost: Cost, last: str) -> str:
    return f"| {name} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | {cost.peak_mb:.0f} | {cost.file_mb:.0f} | {last} |"


def speed(bench: Bench) -> list[str]:
    """Compare with NeuroConv on one TIFF."""
    movie = bench.recording("tiff", bench.count)
    cases: dict[str, Any] = {} if bench.peer is None else {"NeuroConv, default": bench.theirs(movie)}
    cases["nwbridge"] = bench.ours("plain", movie)
    cases["nwbridge --no-verify"] = bench.ours("unverified", movie, "--no-verify")
    medians = bench.keep("speed", interleaved(cases, bench.runs))
    peer = medians.get("NeuroConv, default")
    lines = [f"### One TIFF of {bench.count:,} frames ({bench.count * FRAME / 1e9:.1f} GB)", ""]
    lines += [HEAD.format("beside NeuroConv")]
    for name, cost in medians.items():
        beside = "–"
        if peer is not None:
            beside = f"{peer.wall_s / cost.wall_s:.1f} × as fast, {cost.file_mb / peer.file_mb:.3f} of the size"
        lines.append(_row(name, cost, beside))
    return lines if peer else [*lines, "", "NeuroConv was skipped: give --peer PYTHON, a Python with neuroconv[tiff]."]


def containers(bench: Bench) -> list[str]:
    """Compare zips and a folder with the same frames in one TIFF."""
    count = min(MANY, bench.count)
    kinds = {"one TIFF": "tiff", "zip, stored": "stored", "zip, deflated": "deflated", f"{count:,} TIFFs": "folder"}
    cases = {}
    for name, kind in kinds.items():
        recording = bench.recording(kind, count)
        cases[name] = bench.ours(kind, recording)
        cases[f"{name}, --no-verify"] = bench.ours(kind, recording, "--no-verify")
    medians = bench.keep("containers", interleaved(cases, bench.runs))
    title = f"### The same {count:,} frames ({count * FRAME / 1e9:.1f} GB) in other containers"
    lines = [title, "", HEAD.format("wall / one TIFF")]
    for name, cost in medians.items():
        plain = medians["one TIFF, --no-verify" if name.endswith("--no-verify") else "one TIFF"]
        lines.append(_row(name, cost, f"{cost.wall_s / plain.wall_s:.2f}"))
    return lines


def memory(bench: Bench) -> list[str]:
    """Compare the peaks of a movie and of one four times as long."""
    cases = {}
    for count in (bench.count, 4 * bench.count):
        movie = bench.recording("tiff", count)
        cases[f"nwbridge, {count * FRAME / 1e9:.1f} GB"] = bench.ours("memory", movie)
    medians = bench.keep("memory", interleaved(cases, bench.runs))
    first = next(iter(medians.values()))
    rows = [_row(name, cost, f"{cost.peak_mb / first.peak_mb:.2f}") for name, cost in medians.items()]
    return ["### Memory and the recording's length", "", HEAD.format("peak / first"), *rows]


def help_(bench: Bench) -> list[str]:
    """Time what needs no recording."""
    cases = {f"nwbridge {flag}": ([bench.nwbridge, *flag.split()], None) for flag in ("--help", "plugins")}
    medians = bench.keep("help", interleaved(cases, max(5, bench.runs)))
    return ["### Start-up", "", HEAD.format(""), *(_row(name, cost, "") for name, cost in medians.items())]


def reading(bench: Bench) -> list[str]:
    """Read back what NeuroConv wrote, and what nwbridge wrote with several chunk shapes."""
    movie = bench.recording("tiff", bench.count)
    files = {} if bench.peer is None else {"NeuroConv, default": bench.theirs(movie)}
    for name, chunks in CHUNKS.items():
        flags = ("--chunks", chunks) if chunks else ()
        files[f"nwbridge, {name}"] = bench.ours(f"reading-{chunks}", movie, "--no-verify", *flags)
    for name, (command, out) in files.items():
        if not out.exists():
            interleaved({name: (command, out)}, 1)
    cases = {name: ([sys.executable, "-m", "benchmarks.reading", out], None) for name, (_, out) in files.items()}
    costs = interleaved(cases, bench.runs)
    found = {name: [json.loads(cost.output) for cost in several] for name, several in costs.items()}
    bench.measured["reading"] = found
    lines = ["### Reading back: h5py with its default cache, wall ms", ""]
    lines += [
        "| file | chunk | a frame, in sequence | 100 frames | one pixel's trace | file MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, several in found.items():
        middle = {key: statistics.median(c[key] for c in several) for key in ("frame_ms", "together_ms", "trace_ms")}
        size = files[name][1].stat().st_size / 1e6
        cells = f"{middle['frame_ms']:.1f} | {middle['together_ms']:.0f} | {middle['trace_ms']:.0f} | {size:.0f}"
        lines.append(f"| {name} | {several[0]['chunk']} | {cells} |")
    return lines


def systems(bench: Bench) -> list[str]:
    """Convert what is large in other systems: voltages, many recordings, many cells, many localizations."""
    made = {
        "8 million samples of two voltages": ("allen", "103991.h5", SAMPLES),
        "cell set, 5,000 cells × 20,000 samples": ("cells", "cells.isxd", 5_000, 20_000),
        "cell set, 5,000 cells × 40,000 samples": ("cells", "longer.isxd", 5_000, 40_000),
        "5 million localizations": ("localizations", "locs", 5_000_000),
    }
    cases: dict[str, Any] = {}
    for name, (kind, file, *counts) in made.items():
        path = bench.made(kind, file, *counts)
        cases[name] = bench.ours(file, path / "CCPs" / "cell1" if kind == "localizations" else path)
    folder = bench.made("folder", "fifty", SAMPLES, FIFTY)
    floor = (sys.executable, "-m", "benchmarks.floor", folder / "100000.h5", str(FIFTY))
    out = bench.folder / "out"
    many = [bench.nwbridge, "convert", folder, out, "--json", "--quiet", "--overwrite"]
    cases |= {"50 recordings": (many, None), "50 recordings, --no-verify": ([*many, "--no-verify"], None)}
    cases["the same, read and compressed only"] = (floor, None)
    medians = bench.keep("systems", interleaved(cases, bench.runs))
    least = medians["the same, read and compressed only"].cpu_s
    rows = []
    for name, cost in medians.items():
        each = f"{(cost.cpu_s - least) / FIFTY:.2f} CPU s each on top" if name.startswith("50") else ""
        rows.append(_row(name, cost, each))
    return ["### Other systems", "", HEAD.format(""), *rows]


def many(bench: Bench) -> list[str]:
    """Convert many small recordings at once, and one by one."""
    from benchmarks import batch

    count, samples = bench.batch
    folder = bench.made("folder", f"many-{count}-{samples}", samples, count)
    size = next(folder.iterdir()).stat().st_size / 1e6
    out = bench.folder / "batch"
    costs = batch.measured(batch.cases(bench.nwbridge, folder, out), out, bench.runs)
    bench.keep("batch", costs)
    return batch.table(costs, count, size)


def pages(bench: Bench) -> list[str]:
    """Draw pages on many recordings."""
    from benchmarks import report

    command, large = bench.ours("allen", bench.made("allen", "103991.h5", SAMPLES), "--no-verify")
    if not large.exists():
        interleaved({"the recording": (command, large)}, 1)
    folders = {
        "60 small recordings of all sources": report.mixed(bench.nwbridge, bench.folder / "mixed"),
        "60 recordings of 8 million samples of two voltages": report.alike(large, bench.folder / "alike"),
    }
    costs = interleaved(report.cases(bench.nwbridge, folders, bench.folder / "report.html"), bench.runs)
    return report.table(bench.keep("report", costs))


def rendering(bench: Bench) -> list[str]:
    """Render images from localizations."""
    from benchmarks import smlm

    counts = (smlm.MOLECULES, smlm.MORE)
    files = {f"{count}": bench.made("molecules", f"molecules-{count}.h5", count) for count in counts}
    costs = interleaved(smlm.cases(files), bench.runs)
    bench.keep("smlm", costs)
    return smlm.table(costs)


def spikes(bench: Bench) -> list[str]:
    """Infer spikes, and compare them with recorded ones where there are any."""
    from benchmarks import events

    module = [sys.executable, "-m", "benchmarks.events"]
    runs = interleaved({"speed": ([*module, "speed"], None)}, bench.runs)["speed"]
    several = [json.loads(cost.output) for cost in runs]
    middle = {
        name: {length: statistics.median(one[name][length] for one in several) for length in by}
        for name, by in several[0].items()
    }
    found = json.loads(interleaved({"real": ([*module, "real"], None)}, 1)["real"][0].output)
    bench.measured["events"] = {"speed": several, "real": found}
    return [*events.table(middle), *events.real_table(found)]


def processing(bench: Bench) -> list[str]:
    """Process a movie, beside what the plugin costs alone."""
    from benchmarks import processing

    movie = bench.folder / "processed-from.nwb"
    if not movie.exists():
        code = "import sys; from pathlib import Path; from benchmarks.processing import make; make(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, movie], check=True)
    costs = interleaved(processing.cases(bench.nwbridge, movie, bench.folder), bench.runs)
    return processing.table(bench.keep("process", costs))


def denoising(bench: Bench) -> list[str]:
    """Denoise simulated movies whose truth is known; `python -m benchmarks.denoising` has more choices."""
    from benchmarks import denoising

    lines = denoising.measured(denoising.cases(denoising.arguments([])), bench.folder / "denoising.jsonl")
    bench.measured["denoise"] = lines
    return denoising.tables(lines)


def machine(peer: str | None) -> str:
    """Say where this was measured, and with which versions."""
    names = ("nwbridge", "pynwb", "h5py", "numpy", "isal")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if peer is not None:
        ask = [peer, "-c", "from importlib.metadata import version; print(version('neuroconv'))"]
        versions += ", neuroconv " + subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    system = f"{platform.system()}, Python {platform.python_version()}"
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return f"{cores} cores, {gigabytes:.0f} GB, {system}, {versions}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=float, default=2, metavar="GB", help="of the movie (default 2)")
    parser.add_argument("--runs", type=int, default=3, help="of everything; medians are shown (default 3)")
    parser.add_argument(
        "--only",
        action="append",
        choices=GROUPS,
        help="may be repeated; memory (4 × --size too), batch, process and denoise run only so",
    )
    parser.add_argument("--peer", metavar="PYTHON", help="a Python with neuroconv[tiff] (default: this, if it has)")
    parser.add_argument("--folder", type=Path, help="for movies and files; kept (default: a temporary one, removed)")
    parser.add_argument(
        "--batch", type=int, nargs=2, default=(60, SAMPLES), metavar=("N", "SAMPLES"), help="recordings, and their size"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's numbers there")
    return parser.parse_args()


def main() -> None:
    """Run the chosen groups."""
    arguments = _arguments()
    peer = arguments.peer or (sys.executable if importlib.util.find_spec("neuroconv") else None)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="nwbridge-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder.resolve(), arguments.size, arguments.runs, peer)
    bench.batch = tuple(arguments.batch)
    work = {
        "speed": speed,
        "containers": containers,
        "help": help_,
        "reading": reading,
        "systems": systems,
        "memory": memory,
        "report": pages,
        "smlm": rendering,
        "events": spikes,
        "batch": many,
        "process": processing,
        "denoise": denoising,
    }
    try:
        about = machine(peer)
        print(f"Medians of {arguments.runs} interleaved runs of whole processes. {about}.\n", flush=True)
        for group in arguments.only or USUAL:
            print("\n".join(work[group](bench)), end="\n\n", flush=True)
        if arguments.json:
            found = {"machine": about, "frames": bench.count, "runs": bench.measured}
            arguments.json.write_text(json.dumps(found, indent=1), "utf-8")
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
