"""A cell of the DL-SMLM data set: its frames, the two images made of them, and the localizations.

Data: doi:10.1038/s41597-025-04979-w. What `ORIGINS` calls published stands there and not in the files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nwbridge import (
    BadOption,
    BadSource,
    Device,
    Finding,
    Image,
    Images,
    LazyArray,
    Localizations,
    Movie,
    Plane,
    Session,
    Subject,
    arrays,
    option,
)
from nwbridge_dl_smlm.cells import ROLES, Cell, cells_in, role_of
from nwbridge_dl_smlm.columns import written_by
from nwbridge_dl_smlm.findings import found_in_table, missing, warn
from nwbridge_dl_smlm.sums import differs
from nwbridge_dl_smlm.table import Table, read_table

PAPER = "doi:10.1038/s41597-025-04979-w"
MOVIE, TABLE = "OnePhotonSeries", "Localizations"
FRAMES, EXPOSURE_S, BINNING, PIXEL_UM, MAGNIFICATION = 100, 0.05, 2, 0.13, 8
CONVERSION, OFFSET = 0.23, -23.0  # 0.23 electrons a count, above a dark offset of 100 counts
CAMERA = Device("Camera", "sCMOS camera", "Hamamatsu", "ORCA-Fusion BT")
DERIVED = "derived from the exposure of 50 ms; the interval between frames is not published"
PUBLISHED = f"published with the data set, {PAPER}"
RATES = ("Ophys.ImagingPlane.imaging_rate", "Ophys.OnePhotonSeries.rate")
SILENT = "the source names neither the cell line nor its species"
CULTURE = (
    "give --set 'Subject.strain=cellLine: NAME' (by cellLine: DANDI knows a line of cells, such as cellLine: COS-7) "
    "and --set 'Subject.species=LATIN NAME'"
)
NAMED = "names of the structure's and the cell's folder"
ORIGINS = {
    "NWBFile.session_id": NAMED,
    "NWBFile.related_publications": "the data set's own paper",
    "Subject.subject_id": f"{NAMED}: the source does not say which cells share a culture",
    "Subject.description": PUBLISHED,
    "Ophys.Device.description": PUBLISHED,
    "Ophys.Device.manufacturer": PUBLISHED,
    "Ophys.Device.model": PUBLISHED,
    "Ophys.ImagingPlane.location": "name of the structure's folder",
    "Ophys.ImagingPlane.grid_spacing": f"pixels of 130 nm, {PUBLISHED}",
    **dict.fromkeys(RATES, DERIVED),
    "Ophys.OnePhotonSeries.exposure_time": PUBLISHED,
    "Ophys.OnePhotonSeries.binning": PUBLISHED,
    "Ophys.OnePhotonSeries.conversion": f"0.23 electrons a count, {PUBLISHED}",
    "Ophys.OnePhotonSeries.offset": f"dark offset of 100 counts, {PUBLISHED}",
    "Ophys.OnePhotonSeries.unit": PUBLISHED,
}


@dataclass(frozen=True)
class SmlmOptions:
    """What the files leave open."""

    rate: float | None = option(None, "frames a second of WF_raw, where you know it; else 20, from the exposure")
    check_sum: bool = option(True, "refuse a WF<N>.tif that is not the sum of WF_raw's frames; false: only warn")


def detect(path: Path) -> str | None:
    """Look for the frames or the table of a cell."""
    named = {role: name for name in reversed(arrays.peek(path)) for role, _ in filter(None, [role_of(name)])}
    if "raw" in named or "table" in named or {"sum", "image"} <= named.keys():
        return f"files of a DL-SMLM cell: {', '.join(named[role] for role in ROLES if role in named)}"
    return None


def describe(path: Path, options: SmlmOptions) -> Session | Mapping[str, Callable[[], Session]]:
    """Describe the cell, or each cell of a structure."""
    if options.rate is not None and not 0 < options.rate < float("inf"):
        raise BadOption(f"--rate {options.rate}: expected frames a second, more than 0")
    cells = cells_in(path)
    if not cells:
        raise BadSource(_nothing(path))
    if len(cells) == 1 and (only := next(iter(cells.values()))).at_top:
        return _cell(only, options)
    return {name: partial(_cell, cell, options) for name, cell in cells.items()}


def _nothing(path: Path) -> str:
    """Say what is there instead of a cell."""
    expected = f"expected {', '.join(name for _, name in ROLES.values())}, in the folder of a cell"
    if path.is_file():
        for blob in arrays.files_in(path).blobs.values():
            if other := written_by(blob):
                return f"{blob.name} is a table of {other}; dl-smlm reads ThunderSTORM's only: {expected}"
    return f"{path.name} has none of the files of a DL-SMLM cell; {expected}"


def _cell(cell: Cell, options: SmlmOptions) -> Session:
    """Describe one cell."""
    blobs = {role: blob for role in ROLES if (blob := cell.only(role))}
    stacks = {role: _stack(role, blob) for role, blob in blobs.items() if role != "table"}
    table = read_table(blobs["table"]) if "table" in blobs else None
    frames = stacks.get("raw")
    differing = _differing(stacks, blobs, options.check_sum)
    findings = [*missing(cell, blobs.keys()), *_compare(stacks, blobs)]
    if differing:
        findings.append(warn(differing, "make sure that both are of one cell"))
    if frames and options.rate is None:
        findings.append(warn(f"{blobs['raw'].name}: 20 frames a second are {DERIVED}", "give --rate, if you know it"))
    if table:
        findings += found_in_table(table, frames.shape if frames else None, PIXEL_UM)
    findings.append(Finding("hint", SILENT, CULTURE, cell.label, "dl-smlm"))
    given = dict.fromkeys(RATES, "option --rate") if options.rate else {}
    labelled = f"{cell.structure.name} ({cell.structure.location})" if cell.structure else "a structure"
    return Session(
        id=cell.name,
        description=f"Paired widefield and single-molecule localization microscopy of {labelled} in a cultured cell, "
        f"{cell.label}, from the DL-SMLM data set.",
        elements=tuple(_elements(cell, blobs, stacks, table, options.rate, proved=differing is None)),
        subject=Subject(subject_id=cell.name, description="cultured cell"),
        files=tuple(sorted({blob.path for blob in blobs.values()})),
        related_publications=(PAPER,),
        findings=tuple(findings),
        origins=ORIGINS | given,
    )


def _elements(
    cell: Cell,
    blobs: dict[str, arrays.Blob],
    stacks: dict[str, LazyArray],
    table: Table | None,
    rate: float | None,
    *,
    proved: bool,
) -> Iterator[Movie | Images | Localizations]:
    """Yield what is there; `proved` says that the sum is not known to be another than that of the frames."""
    frames = stacks.get("raw")
    plane = _plane(cell, (rate or 1 / EXPOSURE_S) if frames else None)
    if frames:
        yield _movie(frames, plane, derived=rate is None)
    if "sum" in stacks:
        yield _widefield(stacks["sum"], blobs["sum"], bool(frames), proved)
    if "image" in stacks:
        yield _reconstruction(stacks, blobs["image"], bool(table and table.rows))
    if table:
        yield _localizations(table, plane, frames)


def _stack(role: str, blob: arrays.Blob) -> LazyArray:
    """Return the frames of a TIFF; BadSource where an image is a stack."""
    frames = arrays.from_tiff(blob)
    if role != "raw" and frames.shape[0] != 1:
        raise BadSource(f"{blob.name} has {frames.shape[0]:,} frames; expected one image")
    if frames.dtype == np.float16:  # NWB has no such images
        raise BadSource(f"{blob.name} is float16; expected {'uint16' if role == 'raw' else 'float32'}")
    return frames


def _differing(stacks: dict[str, LazyArray], blobs: dict[str, arrays.Blob], strict: bool) -> str | None:
    """Return in words where the sum is not that of the frames; BadSource where that is not wanted."""
    raw, total = stacks.get("raw"), stacks.get("sum")
    wrong = differs(raw, blobs["raw"].name, total, blobs["sum"].name) if raw and total else None
    if raw and total and wrong and (strict or raw.shape[1:] != total.shape[1:]):
        other = ", or give --check-sum false" if raw.shape[1:] == total.shape[1:] else ""
        raise BadSource(f"{wrong}; put the files of one cell together{other}")
    return wrong


def _compare(stacks: dict[str, LazyArray], blobs: dict[str, arrays.Blob]) -> Iterator[Finding]:
    """Hold the images against what is published."""
    raw, total, image = (stacks.get(role) for role in ("raw", "sum", "image"))
    if raw and raw.shape[0] != FRAMES:
        yield warn(f"{blobs['raw'].name} has {raw.shape[0]:,} frames; {FRAMES} are published", "check the file")
    if raw and raw.dtype != np.uint16:
        yield warn(
            f"{blobs['raw'].name} is {raw.dtype}; uint16 is published: its values were not declared as electrons",
            "make sure that these are the original frames",
        )
    for role in ("sum", "image"):
        if role in stacks and stacks[role].dtype != np.float32:
            yield warn(f"{blobs[role].name} is {stacks[role].dtype}; float32 is published", "check the file")
    small = raw or total
    if small and image and not _magnified(small, image):
        name = blobs["raw" if raw else "sum"].name
        yield warn(
            f"{blobs['image'].name} is {image.shape[1]} × {image.shape[2]}, "
            f"{name} {small.shape[1]} × {small.shape[2]}; "
            f"{MAGNIFICATION} times as many rows and columns are published: its pixels' size is left out",
            "make sure that both are of one cell",
        )


def _magnified(small: LazyArray, image: LazyArray) -> bool:
    return image.shape[1:] == tuple(MAGNIFICATION * size for size in small.shape[1:])


def _plane(cell: Cell, rate: float | None) -> Plane:
    target = cell.structure.target if cell.structure else None
    named = f"labelled structure {cell.structure.name}" if cell.structure else ""
    through = f", labelled through {target}" if target else ""
    return Plane(
        description=f"cultured cell{f'; {named}' if named else ''}{through}",
        device=CAMERA,
        location=cell.structure.location if cell.structure else None,
        rate_hz=rate,
        pixel_um=(PIXEL_UM, PIXEL_UM),
    )


def _movie(frames: LazyArray, plane: Plane, derived: bool) -> Movie:
    counts = frames.dtype == np.uint16
    return Movie(
        MOVIE,
        frames,
        plane,
        "one-photon",
        description="widefield frames, WF_raw" + (f"; a rate of 20 Hz is {DERIVED}" if derived else ""),
        rate_hz=plane.rate_hz,
        unit="electrons" if counts else None,
        conversion=CONVERSION if counts else 1.0,
        offset=OFFSET if counts else 0.0,
        exposure_s=EXPOSURE_S,
        binning=BINNING,
    )


def _widefield(total: LazyArray, blob: arrays.Blob, made_here: bool, proved: bool) -> Images:
    text = "sum of the widefield frames, in counts, the camera's dark offset of every frame included"
    if not proved:
        text, made_here = "widefield image; not the sum of the frames that are here", False
    image = Image("WF", arrays.only_frame(total), text, (PIXEL_UM, PIXEL_UM))
    made_from = MOVIE if made_here else "frames that are not here"
    return Images("Widefield", (image,), f"widefield image, {blob.name}", made_from)


def _reconstruction(stacks: dict[str, LazyArray], blob: arrays.Blob, located: bool) -> Images:
    """Return the super-resolution image; its pixels' size where it has the published number of them."""
    small, image = stacks.get("raw") or stacks.get("sum"), stacks["image"]
    pixel = PIXEL_UM / MAGNIFICATION if small is None or _magnified(small, image) else None
    text = f"reconstruction from single-molecule localizations, {MAGNIFICATION} times magnified" if pixel else None
    picture = Image("SR", arrays.only_frame(image), text, (pixel, pixel) if pixel else None)
    made_from = TABLE if located else "localizations that are not here"
    return Images("SuperResolution", (picture,), f"super-resolution image, {blob.name}", made_from)


def _localizations(table: Table, plane: Plane, frames: LazyArray | None) -> Localizations:
    """Return the table; it is linked to the movie only where its frame numbers can be those of the movie."""
    first, last = table.ends.get("frame", (0, 0))
    fits = frames is not None and first >= 1 and last <= frames.shape[0] and table.dtype["frame"].kind == "i"
    return Localizations(
        TABLE,
        table.columns(),
        f"localizations of single molecules, {table.blob.name}, as ThunderSTORM wrote them",
        plane=plane,
        frame_base=1 if first >= 1 else None,
        found_in=MOVIE if fits else None,
        software="ThunderSTORM",
    )
