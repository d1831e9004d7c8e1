"""Figures of regions of interest: outlines over a projection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import Images, LazyArray, Movie, Segmentation
from nwbridge.report.figures import Figure
from nwbridge.report.images import strips
from nwbridge.report.markup import Markup, count, el, number
from nwbridge.report.outlines import PART, edges, path_of, strong
from nwbridge.report.pictures import Picture, contrast, pane, picture
from nwbridge.report.sampling import LARGEST, Floats
from nwbridge.report.sheet import Sheet, panels
from nwbridge.report.traces import drawn_regions, id_of, trace_figure

KINDS = {  # what became of a region: class of the outline
    "accepted": "accepted",
    "rejected": "rejected",
    "undecided": "undecided",
    "not evaluated": "unjudged",
}
LOOKED_AT = 400  # regions that are images, of which each has to be read whole
SHORTEST = 40  # characters of an outline, about: no more are looked at than could fit the page
RAGGED = 20_000  # edges of an outline that nobody could follow
WHOLE = 64 << 20  # bytes of one such image


@dataclass(frozen=True)
class Outline:
    """A region that is drawn."""

    number: int  # row of the segmentation
    status: str
    path: str
    pixels: npt.NDArray[np.int64]


@panels.register
def _(segmentation: Segmentation, sheet: Sheet) -> Iterator[Figure]:
    if segmentation.image_shape is None or not len(segmentation):
        yield _undrawn(segmentation)
    elif segmentation.role == "background":
        yield _components(segmentation, sheet)
    else:
        yield _drawn(segmentation, sheet)
    yield from trace_figure(segmentation, sheet)


def _undrawn(segmentation: Segmentation) -> Figure:
    words = "No region was found."
    if len(segmentation):
        words = f"{count(len(segmentation), 'region')}; the outlines are not distributed, so none can be drawn."
    return Figure("words", "Regions", words, Markup(""), name=segmentation.name)


def _components(segmentation: Segmentation, sheet: Sheet) -> Figure:
    """Return the weights of spatial components that reach over the whole field: outlines would say nothing."""
    panes = []
    for row in range(min(len(segmentation), sheet.detail.images)):
        shown = picture(_weights(segmentation, row), sheet.detail.side)
        name = f"Component {id_of(segmentation, row)}"
        identity = sheet.show(f"{segmentation.name} {row}", shown)
        label = f"Weights of {name.lower()} of {segmentation.name}."
        pixel = segmentation.plane.pixel_um
        panes.append(pane(shown, name, label, identity=identity, pixel_um=pixel, under=contrast(shown)))
    words = f"Weights of {len(panes)} of {count(len(segmentation), 'spatial component')}."
    body = el("div", panes, class_="panes")
    return Figure("picture", "Background", words, body, {}, name=segmentation.name, half=len(panes) <= 2)


def _weights(segmentation: Segmentation, row: int) -> Floats:
    """Return a component as an image; of several planes, the highest weight."""
    regions, shape = segmentation.regions, segmentation.image_shape or (1, 1)
    if isinstance(regions, LazyArray):
        with regions.open() as reader:
            image = np.nan_to_num(np.asarray(reader[row : row + 1], np.float64)[0])
    else:
        one, image = regions[row], np.zeros(shape)
        if one.pixels is not None:
            image[tuple(one.pixels.T)] = 1.0 if one.weights is None else one.weights
    return image if image.ndim == 2 else np.asarray(image.max(axis=2))


def _drawn(segmentation: Segmentation, sheet: Sheet) -> Figure:
    rows, columns = (segmentation.image_shape or (1, 1))[:2]
    if rows * columns > LARGEST:
        raise BadSource(f"its field of {rows} × {columns} pixels is too large")
    outlines = _outlines(segmentation, sheet.detail.outline)
    known, shown, words = _background(segmentation, outlines, sheet)
    identity = known or sheet.show(f"{segmentation.name} background", shown)
    numbers = set(drawn_regions(segmentation, sheet).tolist()) if segmentation.traces else set()
    over = [
        el("path", class_=f"roi {KINDS[one.status]}", d=one.path, data_region=id_of(segmentation, one.number))
        for one in outlines
    ]
    over += [_label(segmentation, one) for one in outlines if one.number in numbers]
    label = f"Outlines of {len(outlines)} regions of {segmentation.name} over {words}."
    pixel = segmentation.plane.pixel_um
    drawing = pane(
        shown, f"Outlines over {words}", label, identity=identity, pixel_um=pixel, over=Markup("".join(over)),
        under=None if known else contrast(shown), reuse=known is not None,
    )  # fmt: skip
    body = el("div", drawing, _legend(segmentation), class_="panes regions")
    words = _sentence(segmentation, len(outlines))
    return Figure("picture", "Regions", words, body, {}, name=segmentation.name, half=True)


def _label(segmentation: Segmentation, one: Outline) -> Markup:
    """Return the region's number, beside it, where its traces are shown as well."""
    rows, columns = (segmentation.image_shape or (1, 1))[:2]
    size = max(rows, columns) / 34
    row, column = np.clip(one.pixels.mean(axis=0) + 0.5, size, (rows - size, columns - size))
    place = {"x": f"{column:.4g}", "y": f"{row + size / 3:.4g}", "font_size": f"{size:.3g}"}
    return el("text", str(id_of(segmentation, one.number)), class_="roi-name", **place)


def _status(segmentation: Segmentation, row: int) -> str:
    return "not evaluated" if segmentation.status is None else segmentation.status[row]


def _outlines(segmentation: Segmentation, budget: int) -> list[Outline]:
    """Return the outlines that fit the page, evenly chosen, without those that are too ragged to be followed."""
    rows = np.arange(len(segmentation))
    most = min(LOOKED_AT, budget) if isinstance(segmentation.regions, LazyArray) else budget // SHORTEST
    if len(rows) > most:
        rows = np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))
    found = [
        Outline(row, _status(segmentation, row), path_of(pixels), pixels)
        for row, pixels in zip(rows.tolist(), pixels_of(segmentation, rows.tolist()), strict=True)
        if 0 < edges(pixels) <= RAGGED
    ]
    length = sum(len(one.path) for one in found)
    if length > budget:
        keep = max(1, int(len(found) * budget / length))
        found = [found[n] for n in np.unique(np.linspace(0, len(found) - 1, keep).round().astype(int))]
    return found


def pixels_of(segmentation: Segmentation, rows: list[int]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield row and column of the pixels that the outline of each region holds."""
    regions = segmentation.regions
    if not isinstance(regions, LazyArray):
        for row in rows:
            known = regions[row].pixels
            yield np.empty((0, 2), np.int64) if known is None else strong(known, regions[row].weights)
        return
    if regions.nbytes // max(1, len(segmentation)) > WHOLE:
        raise ValueError("its masks are too large to be drawn")
    with regions.open() as reader:
        for row in rows:
            mask = np.nan_to_num(np.asarray(reader[row : row + 1])[0])
            places = np.argwhere(mask)
            yield strong(places, mask[tuple(places.T)]) if len(places) else np.empty((0, 2), np.int64)


def _background(segmentation: Segmentation, outlines: list[Outline], sheet: Sheet) -> tuple[str | None, Picture, str]:
    """Return what lies under the outlines: the plane's movie, which is in the page, else an image, else footprints."""
    shape = (segmentation.image_shape or (1, 1))[:2]
    for movie in sheet.of(Movie):
        same = movie.plane.name == segmentation.plane.name
        if same and movie.data.shape[1:3] == shape and (known := sheet.shown.get(f"{movie.name} mean")):
            return known[0], known[1], f"the mean of {movie.name}"
    for images in sheet.of(Images):
        for image in images.images:
            if image.data.shape == shape:
                values, factor = strips(image.data, sheet.detail.side)
                small = picture(values, max(values.shape))
                shown = Picture(small.url, (shape[0], shape[1]), factor, small.limits)
                return None, shown, f"the image {image.name}"
    drawn = np.zeros(shape)
    for one in outlines:
        drawn[tuple(one.pixels.T)] += 1.0
    shown = picture(drawn, sheet.detail.side, highest=True, limits=(0.0, max(2.0, float(drawn.max()))))
    return None, shown, "the number of regions at each pixel"


def _legend(segmentation: Segmentation) -> Markup:
    """Return the kinds of regions with their line, in words and with their number."""
    counts = Counter(_status(segmentation, row) for row in range(len(segmentation)))
    rows = []
    for status, name in KINDS.items():
        if counts[status]:
            line = el("svg", el("path", class_=f"roi {name}", d="M1 6H39"), viewBox="0 0 40 12", aria_hidden="true")
            rows.append(el("li", line, f" {status}: {number(counts[status], 7)}"))
    return el("ul", rows, class_="legend")


def _sentence(segmentation: Segmentation, drawn: int) -> str:
    total, words = len(segmentation), ""
    if segmentation.status is None:
        words = " Nobody evaluated them."
    if drawn < total:
        chosen = ", evenly chosen" if drawn else ": their outlines are too ragged"
        words += f" {number(drawn, 7)} of them are drawn{chosen}."
    weighted = isinstance(segmentation.regions, LazyArray) or any(
        region.weights is not None and len(np.unique(region.weights)) > 1 for region in segmentation.regions[:50]
    )
    if weighted:
        words += f" An outline holds the pixels with at least {PART:.0%} of the region's largest weight."
    if len(segmentation.image_shape or ()) == 3:
        words += " Regions reach through several planes and are seen from above."
    return f"{count(total, 'region')}.{words}"
