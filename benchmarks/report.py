"""Pages on sixty recordings: small ones of every source, and ones as large as those of the Allen data set."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import Cost

SIXTY = 60
SOURCES = ("allen", "caiman", "deepcad", "dl-smlm", "ideas", "neurofinder")


def mixed(nwbridge: Path, folder: Path) -> Path:
    """Return a folder of sixty NWB files, made from the examples of every source in turn."""
    if folder.exists():
        return folder
    part = folder.with_name("part-mixed")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for source in SOURCES:
        subprocess.run([nwbridge, "demo", source, part / source], check=True, stdout=subprocess.DEVNULL)
        example = next((part / source).iterdir())
        command = [nwbridge, "convert", example, part / f"{source}-0.nwb", "--source", source, "--quiet"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # 1 says that an archive wants more
        shutil.rmtree(part / source)
        for number in range(1, SIXTY // len(SOURCES)):
            shutil.copy(part / f"{source}-0.nwb", part / f"{source}-{number}.nwb")
    part.rename(folder)
    return folder


def alike(file: Path, folder: Path) -> Path:
    """Return a folder in which one NWB file lies sixty times, by hard links."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SIXTY):
        if not (link := folder / f"{number:02}.nwb").exists():
            os.link(file, link)
    return folder


def cases(nwbridge: Path, folders: dict[str, Path], out: Path) -> dict[str, tuple[list[str | Path], Path]]:
    """Return the commands: as at the end of a batch, and with every file validated."""
    found: dict[str, tuple[list[str | Path], Path]] = {}
    for name, folder in folders.items():
        command: list[str | Path] = [nwbridge, "report", folder, "-o", out, "--overwrite", "--quiet"]
        found[name] = ([*command, "--no-check"], out)
        found[f"{name}, each validated"] = (command, out)
    return found


def table(medians: dict[str, Cost]) -> list[str]:
    """Return the rows."""
    rows = [
        f"| {name} | {c.wall_s:.1f} | {c.cpu_s:.1f} | {c.peak_mb:.0f} | {c.file_mb:.2f} |"
        for name, c in medians.items()
    ]
    head = "| page on | wall s | CPU s of the first process | its peak MB | page MB |\n|---|---|---|---|---|"
    return [f"### A page on {SIXTY} recordings", "", head, *rows]
