"""The step: from a table and what lies beside it to an image, its parameters and what goes with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numba

from nwbridge import BadSource, Finding, Image, Images, Localizations, Parameters
from nwbridge_render_smlm import grid as grids
from nwbridge_render_smlm import matching, rings
from nwbridge_render_smlm.choices import RenderOptions, given
from nwbridge_render_smlm.grid import Grid
from nwbridge_render_smlm.molecules import Limits, Molecules, Tally, nothing_left
from nwbridge_render_smlm.picture import Picture, Style

SOFTWARE = "nwbridge-render-smlm"
NAMES = {
    "gaussian": "Gaussian of one radius",
    "uncertainty": "Gaussian of each molecule's uncertainty",
    "ash": "average shifted histogram",
    "histogram": "histogram",
}


@dataclass(frozen=True)
class Work:
    """A table, the grid that it is drawn on, and what was found on the way."""

    molecules: Molecules
    grid: Grid
    findings: tuple[Finding, ...] = ()


def rendered(elements: Sequence[Any], options: RenderOptions) -> list[Any]:
    """Render `elements[0]`."""
    table, beside = elements[0], elements[1:]
    if not len(table):
        raise BadSource(f"{table.name} has no rows; expected localizations")
    target = None if options.match is None else matching.target(options.match, beside)
    work = prepared(table, beside, options, target)
    style, moved, findings, results = _style(options), (0.0, 0.0), [*work.findings], []
    molecules = work.molecules
    if target is not None:
        found = matching.matched(molecules, work.grid, target, styles(table, options))
        style, moved, molecules = found.style, found.moved_nm, found.molecules(molecules)
        findings.append(found.finding(target.name))
        results.append(found.table(f"Rendered{table.name}Match", target.name))
    picture = Picture(molecules, work.grid, style, moved)
    total, tally = picture.total(), picture.tally
    if not tally.used:
        raise BadSource(nothing_left(table, tally))
    findings += judged(table, tally)
    values = _values(options, picture, tally, total)
    if options.frc:
        curve, more, said = _frc(work, options)
        results.append(curve)
        findings += said
        values |= more
    name = f"Rendered{table.name}"
    values["numba"] = numba.__version__
    text = f"how {name} was made from {table.name}, and what became of its rows"
    parameters = Parameters(f"{name}Parameters", values, text, SOFTWARE, version(SOFTWARE))
    return [_images(name, table, picture), parameters, *results, *findings]


def prepared(table: Localizations, beside: Sequence[Any], options: Any, target: Any = None) -> Work:
    """Return the molecules and the grid."""
    camera, movie = grids.camera_nm(table, beside)
    molecules = _molecules(table, camera, options)
    findings: tuple[Finding, ...] = ()
    rows, columns = getattr(options, "rows", None), getattr(options, "columns", None)
    if target is not None:
        field = grids.field_nm(table, beside, camera, movie)
        return Work(molecules, target.grid(field))
    pixel = grids.pixels(camera, options.magnification, options.pixel_nm)
    if rows is not None and columns is not None:
        grid = Grid(pixel, (rows, columns), "options --rows and --columns")
    elif field := grids.field_nm(table, beside, camera, movie):
        grid = grids.fitted(field[0], pixel, field[1])
    else:
        grid, said = grids.around(molecules.extent(), pixel, camera)
        findings = (said,)
    return Work(molecules, grid, findings)


def _molecules(table: Localizations, camera: tuple[float, float] | None, options: Any) -> Molecules:
    chosen = given(options)
    origin = (0.0, 0.0)
    if chosen.get("origin") == "centre":
        if camera is None:
            raise BadSource(
                "--origin centre needs the size of the camera's pixels, which is not in the file; "
                "expected an imaging plane with a pixel size"
            )
        origin = (camera[0] / 2, camera[1] / 2)
    limits = {
        "first_frame": chosen.get("first_frame"),
        "last_frame": chosen.get("last_frame"),
        "uncertainty_nm": chosen.get("max_uncertainty_nm"),
        "intensity": chosen.get("min_photons"),
    }
    known = Limits(**{name: float(value) for name, value in limits.items() if value is not None})
    by = (options.floor_nm, options.cap_nm) if chosen.get("method") == "uncertainty" else None
    by_intensity = chosen.get("weight") == "intensity"
    return Molecules(table, camera, options.unit, origin, known, by, by_intensity)


def _style(options: RenderOptions) -> Style:
    return Style(options.method, options.radius_nm, options.shifts)


def styles(table: Localizations, options: RenderOptions) -> matching.Choices:
    """Return what a table can be drawn by."""
    radii = (options.floor_nm, options.cap_nm) if any(n in table for n in ("uncertainty", "uncertainty_xy")) else None
    return matching.Choices(radii, "intensity" in table)


def judged(table: Localizations, tally: Tally) -> Iterator[Finding]:
    """Say what was not drawn as it stands."""
    rows = f"of {len(table):,} localizations of {table.name}"
    if tally.outside:
        advice = "outliers stay in the table; where they are many, check the unit and the pixel size"
        yield _said("warning", f"{tally.outside:,} {rows} lie outside of the image and were not drawn", advice)
    if tally.not_finite:
        advice = "they stay in the table"
        yield _said("warning", f"{tally.not_finite:,} {rows} are NaN or infinite and were not drawn", advice)
    if tally.left_out:
        yield _said("hint", f"{tally.left_out:,} {rows} were left out by the limits that were given", "")
    if tally.raised or tally.lowered:
        text = f"{tally.raised:,} uncertainties were drawn as --floor-nm, {tally.lowered:,} as --cap-nm"
        yield _said("hint", text, "give others where that is not wanted")


def _said(severity: Any, message: str, advice: str) -> Finding:
    return Finding(severity, message, advice, check="render-smlm")


def _values(options: RenderOptions, picture: Picture, tally: Tally, total: float) -> dict[str, Any]:
    style, grid = picture.style, picture.grid
    by_method: dict[str, dict[str, Any]] = {
        "gaussian": {"radius_nm": style.radius_nm},
        "ash": {"shifts": style.shifts},
    }
    own = by_method.get(style.method, {})
    if picture.molecules.by_uncertainty:
        floor, cap = picture.molecules.by_uncertainty
        own = {"floor_nm": floor, "cap_nm": cap, "drawn_as_floor": tally.raised, "drawn_as_cap": tally.lowered}
    return {
        "method": style.method,
        **own,
        "weight": "intensity" if picture.molecules.by_intensity else "counts",
        "pixel_nm": list(grid.pixel_nm),
        "rows": grid.shape[0],
        "columns": grid.shape[1],
        "size_from": grid.source,
        "origin": options.origin,
        "moved_nm": list(picture.moved_nm),
        "localizations": len(picture.molecules.table),
        "not_finite": tally.not_finite,
        "left_out_by_limits": tally.left_out,
        "outside": tally.outside,
        "used": tally.used,
        "sum_of_weights": tally.weights,
        "sum_of_image": total,
    }


def _images(name: str, table: Localizations, picture: Picture) -> Images:
    style, grid = picture.style, picture.grid
    own = {"gaussian": f" {style.radius_nm:g} nm", "ash": f" {style.shifts} × {style.shifts} shifts"}
    weight = "intensity" if picture.molecules.by_intensity else "number"
    pixel = (grid.pixel_nm[0] / 1e3, grid.pixel_nm[1] / 1e3)
    text = f"{NAMES[style.method]}{own.get(style.method, '')}; {weight} of localizations in each pixel"
    image = Image(style.method, picture.lazy(), text, pixel)
    return Images(name, (image,), f"image rendered from {table.name}", table.name)


def _frc(work: Work, options: RenderOptions) -> tuple[Any, dict[str, Any], list[Finding]]:
    """Return the curve, the resolution, and what to say of it."""
    one, other = rings.halves(work.molecules, options.frc_blocks)
    curve, counts = rings.between(one, other, work.grid)
    resolution = curve.resolution_nm
    text = (
        f"Fourier ring correlation of histograms of two halves of {work.molecules.table.name}, "
        f"{options.frc_blocks} blocks of frames in turn; pixels of {max(work.grid.pixel_nm):g} nm"
    )
    values: dict[str, Any] = {
        "frc_resolution_nm": resolution,
        "frc_threshold": rings.THRESHOLD,
        "frc_blocks": options.frc_blocks,
    }
    values |= {"frc_localizations": list(counts)}
    return curve.table(f"{work.molecules.table.name}FRC", text), values, list(resolved(curve, work.grid))


def resolved(curve: rings.Curve, grid: Grid) -> Iterator[Finding]:
    """Say the resolution, or why there is none."""
    resolution = curve.resolution_nm
    if resolution is not None:
        text = f"Fourier ring correlation falls below 1/7 at {resolution:.1f} nm"
        yield _said("hint", text, "")
    elif curve.smoothed[0] < rings.THRESHOLD:
        text = "Fourier ring correlation is below 1/7 at every frequency: the two sets do not show the same structure"
        yield _said("warning", text, "check that both are of one field, with enough localizations")
    else:
        finest = 2 * max(grid.pixel_nm)
        text = f"Fourier ring correlation stays above 1/7 up to {finest:g} nm, the finest that these pixels show"
        yield _said("warning", text, "give a higher --magnification for a figure")
