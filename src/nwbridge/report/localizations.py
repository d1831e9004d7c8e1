"""Figures of localizations: how densely they lie, beside a picture of the field; how bright and certain they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nwbridge.model import Column, Images, Localizations, Movie
from nwbridge.report.charts import histogram
from nwbridge.report.figures import Figure
from nwbridge.report.images import strips
from nwbridge.report.markup import count, el, number
from nwbridge.report.pictures import Picture, contrast, pane, picture
from nwbridge.report.sampling import Floats
from nwbridge.report.sheet import Sheet, column_blocks, column_values, panels

MICRONS = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e3}
PHOTONS = ("intensity", "photons")
UNCERTAIN = ("uncertainty", "uncertainty_xy", "lpx")


@dataclass(frozen=True)
class Field:
    """The field of view in the units of the table's x and y."""

    left: float
    top: float
    wide: float
    tall: float
    unit_um: float | None  # micrometres in one of these units
    beside: tuple[str, str | None, Picture] | None = None  # its own name, id where it is in the page, picture


@panels.register
def _(table: Localizations, sheet: Sheet) -> Iterator[Figure]:
    if not len(table):
        yield Figure("words", "Localizations", "No molecule was found.", el("span"), name=table.name)
        return
    yield _rendering(table, sheet)
    for names, title in ((PHOTONS, "Photons of a localization"), (UNCERTAIN, "Uncertainty of a localization")):
        column = next((table[name] for name in names if name in table), None)
        if column is not None:
            found = histogram(title, _floats(column), _unit(column), "localizations")
            if found is not None:
                yield found


def _floats(column: Column) -> Floats:
    return np.asarray(column_values(column), np.float64)


def _unit(column: Column) -> str:
    return {"photon": "photons", "photons": "photons"}.get(column.unit or "", column.unit or "")


def _rendering(table: Localizations, sheet: Sheet) -> Figure:
    field = _field(table, sheet)
    side = min(2 * sheet.detail.side, max(64, round(2 * math.sqrt(len(table)))))  # a few molecules a pixel
    step = max(field.wide, field.tall) / side
    counts, inside, known = _density(table, field, step)
    top = float(np.percentile(counts[counts > 0], 99.8)) if counts.any() else 1.0
    shown = picture(np.sqrt(counts), side, limits=(0.0, math.sqrt(top)))
    pixel = None if field.unit_um is None else (step * field.unit_um,) * 2
    size = f"{number(step * field.unit_um * 1000)} nm" if field.unit_um else f"{number(step)} {_unit(table['x'])}"
    under = f"A pixel is {size} wide; black 0, white {number(top)} or more, by the square root."
    label = f"Density of {known} localizations of {table.name}."
    panes = [
        pane(shown, "How densely they lie", label, identity=sheet.show(table.name, shown), pixel_um=pixel, under=under)
    ]
    if field.beside is not None:
        words, identity, wide = field.beside
        across = None if field.unit_um is None else (field.tall * field.unit_um / wide.shape[0],) * 2
        again = identity is not None
        identity = identity or sheet.show(f"{table.name} beside", wide)
        label = f"{words}, of the same field."
        panes.append(pane(wide, words, label, identity=identity, pixel_um=across, under=contrast(wide), reuse=again))
    text = f"{count(known, 'localization')}"
    text += f", {number(known - inside, 9)} of them outside the field shown" if inside < known else ""
    text += f", {number(len(table) - known, 9)} more without a place" if known < len(table) else ""
    text += "; both pictures show the same field." if len(panes) > 1 else "."
    if table.software:
        text += f" Found by {' '.join(filter(None, (table.software, table.software_version)))}."
    return Figure("picture", "Localizations", text, el("div", panes, class_="panes two smooth"), {}, name=table.name)


def _extent(column: Column) -> tuple[float, float]:
    low, high = math.inf, -math.inf
    for block in column_blocks(column):
        known = block[np.isfinite(block)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if high >= low else (0.0, 1.0)


def _field(table: Localizations, sheet: Sheet) -> Field:
    """Return the field of the movie or image that was looked at; else what holds all molecules."""
    unit = MICRONS.get((table["x"].unit or "").strip().lower())
    if unit is not None and (found := _of_movie(table, unit, sheet) or _of_image(unit, sheet)):
        return found
    (left, right), (top, bottom) = _extent(table["x"]), _extent(table["y"])
    return Field(left, top, (right - left) or 1.0, (bottom - top) or 1.0, unit)


def _of_movie(table: Localizations, unit: float, sheet: Sheet) -> Field | None:
    for movie in sheet.of(Movie):
        known, pixel = sheet.shown.get(f"{movie.name} mean"), movie.plane.pixel_um
        if known and pixel and table.found_in in (None, movie.name):
            rows, columns = movie.data.shape[1:3]
            shown = (f"Mean of {movie.name}", known[0], known[1])
            return Field(0.0, 0.0, columns * pixel[1] / unit, rows * pixel[0] / unit, unit, shown)
    return None


def _of_image(unit: float, sheet: Sheet) -> Field | None:
    """Return the field of an image; one that a step rendered comes after those that were recorded."""
    made = {name for step in sheet.session.steps for name in step.made}
    for images in sorted(sheet.of(Images), key=lambda one: one.name in made):
        for image in images.images:
            if image.pixel_um and len(image.data.shape) == 2 and "super" not in images.name.lower():
                values, factor = strips(image.data, sheet.detail.side)
                small, (rows, columns) = picture(values, max(values.shape)), image.data.shape
                shown = Picture(small.url, (rows, columns), factor, small.limits)
                wide, tall = columns * image.pixel_um[1] / unit, rows * image.pixel_um[0] / unit
                return Field(0.0, 0.0, wide, tall, unit, (f"{images.name}: {image.name}", None, shown))
    return None


def _density(table: Localizations, field: Field, step: float) -> tuple[Floats, int, int]:
    """Return molecules in each pixel, how many lie in the field, and how many have a place."""
    rows, columns = max(1, math.ceil(field.tall / step - 1e-9)), max(1, math.ceil(field.wide / step - 1e-9))
    counts, inside, known = np.zeros(rows * columns), 0, 0
    for x, y in zip(column_blocks(table["x"]), column_blocks(table["y"]), strict=True):
        placed = np.isfinite(x) & np.isfinite(y)
        right, bottom = field.left + field.wide, field.top + field.tall
        across = np.where(x[placed] == right, columns - 1, np.floor((x[placed] - field.left) / step))
        down = np.where(y[placed] == bottom, rows - 1, np.floor((y[placed] - field.top) / step))
        within = (across >= 0) & (across < columns) & (down >= 0) & (down < rows)
        counts += np.bincount((down * columns + across)[within].astype(np.int64), minlength=rows * columns)
        inside, known = inside + int(within.sum()), known + int(placed.sum())
    return counts.reshape(rows, columns), inside, known
