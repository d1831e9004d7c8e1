"""The score: Fourier ring correlation of what two files hold, or of two halves of what one holds."""

from pathlib import Path
from typing import Any

import nwbridge
from nwbridge import BadOption, BadSource, Localizations, Scores, Session
from nwbridge_render_smlm import rings
from nwbridge_render_smlm.choices import FrcOptions
from nwbridge_render_smlm.step import Work, prepared, resolved


def correlated(truth: Path, result: Path, options: FrcOptions) -> Scores:
    """Compare two files; of one file given twice, two halves of its frames."""
    work = _work(truth, options)
    if truth.samefile(result):
        one, other = rings.halves(work.molecules, options.blocks)
        split = f"{options.blocks} blocks of frames, in turn"
    else:
        one, other = work.molecules, _work(result, options).molecules
        split = "the tables of two files"
    curve, counts = rings.between(one, other, work.grid)
    summary: dict[str, Any] = {
        "table": work.molecules.table.name,
        "resolution_nm": curve.resolution_nm,
        "localizations": counts[0],
        "localizations_of_other": counts[1],
    }
    conventions = {
        "threshold": "1/7",
        "halves": split,
        "images": "histograms, faded over 1/8 of each side",
        "pixel_nm": max(work.grid.pixel_nm),
        "size": work.grid.source,
        "smoothed over rings": rings.width(len(curve.frequency)),
    }
    rows: tuple[dict[str, Any], ...] = (summary,)
    if options.curve:
        conventions["resolution_nm"] = curve.resolution_nm
        parts = (curve.frequency, curve.correlation, curve.smoothed, curve.pixels)
        names = ("frequency_per_nm", "correlation", "smoothed", "pixels")
        rows = tuple(dict(zip(names, row, strict=True)) for row in zip(*(p.tolist() for p in parts), strict=True))
    return Scores(rows, conventions, (*work.findings, *resolved(curve, work.grid)))


def _work(path: Path, options: FrcOptions) -> Work:
    session = nwbridge.describe(path, source="nwb")
    if not isinstance(session, Session):
        raise BadSource(f"{path.name} holds several recordings; expected one NWB file")
    tables = session.of(Localizations)
    names = ", ".join(table.name for table in tables) or "none"
    if options.table is not None:
        tables = tuple(table for table in tables if table.name == options.table)
        if not tables:
            raise BadOption(f"--table {options.table}: {path.name} has {names}")
    if not tables:
        raise BadSource(f"{path.name} has no localizations; expected a table of them")
    if len(tables) > 1:
        raise BadOption(f"{path.name} has several tables of localizations ({names}); choose with --table NAME")
    table = tables[0]
    if not len(table):
        raise BadSource(f"{path.name}: {table.name} has no rows; expected localizations")
    return prepared(table, [e for e in session.elements if e is not table], options)
