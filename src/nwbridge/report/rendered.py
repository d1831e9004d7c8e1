"""Figures of images that were rendered from localizations: beside pictures of the same field, whole and closer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nwbridge.model import Image, Images, Localizations, Movie
from nwbridge.report.figures import Figure
from nwbridge.report.images import images_figure, strips
from nwbridge.report.markup import Markup, el, number, sentence
from nwbridge.report.pictures import Picture, contrast, cut, pane, picture, shrink
from nwbridge.report.sampling import Floats
from nwbridge.report.sheet import Sheet, panels

ALIKE = 0.02  # by which the sizes of two pictures of one field may differ
OTHERS = 2  # pictures that stand beside a rendered one
COARSE = 12  # squares along the longer side, of which the brightest is shown closer
Cut = Callable[[slice, slice], Floats]


@panels.register
def _(images: Images, sheet: Sheet) -> Iterator[Figure]:
    by_a_step = any(images.name in step.made for step in sheet.session.steps)
    if by_a_step and any(table.name == images.made_from for table in sheet.of(Localizations)):
        for image in images.images:
            yield rendering(images, image, sheet)
    else:
        yield images_figure(images, sheet)


@dataclass(frozen=True)
class View:
    """A picture of a field: as it is in the page, and a part of it pixel by pixel."""

    title: str
    identity: str
    shown: Picture
    shape: tuple[int, int]
    pixel_um: tuple[float, float]
    cut: Cut

    @property
    def field(self) -> tuple[float, float]:
        """Height and width in micrometres."""
        return self.shape[0] * self.pixel_um[0], self.shape[1] * self.pixel_um[1]


def rendering(images: Images, image: Image, sheet: Sheet) -> Figure:
    """Return a rendered image, what else is known of its field, and the brightest part of all of them."""
    values, factor = strips(image.data, sheet.detail.side)
    small = picture(values, max(values.shape[:2]))
    shown = replace(small, shape=(image.data.shape[0], image.data.shape[1]), factor=factor)
    identity = sheet.show(f"{images.name} {image.name}", shown)
    first = _view(image.name, image, identity, shown)
    views = [first, *_others(first, images, sheet)]
    panes = [_whole(view, again=view is not first) for view in views]
    words = f"{sentence(image.description)} {number(first.shape[0], 6)} × {number(first.shape[1], 6)} pixels"
    if first.pixel_um != (1.0, 1.0):
        words += f" of {number(first.pixel_um[0] * 1000)} × {number(first.pixel_um[1] * 1000)} nm"
    words += f", made from {images.made_from}."
    if shown.factor > 1:
        panes += _closer(views, values, images.name, sheet)
        words += " Below, the brightest part pixel by pixel."
    columns = "three" if len(views) > 2 else "two"
    body = el("div", panes, class_=f"panes {columns}")
    return Figure("picture", "Rendered localizations", words, body, {}, name=images.name)


def _view(title: str, image: Image, identity: str, shown: Picture) -> View:
    def part(rows: slice, columns: slice) -> Floats:
        with image.data.open() as reader:
            return np.asarray(reader[rows][:, columns], np.float64)

    rows, columns = image.data.shape[:2]
    return View(title, identity, shown, (rows, columns), image.pixel_um or (1.0, 1.0), part)


def _others(first: View, images: Images, sheet: Sheet) -> Iterator[View]:
    """Yield pictures of the same field that the page shows: the finest first."""
    found = [*_of_images(images, sheet), *_of_movies(sheet)]
    alike = [view for view in found if np.allclose(view.field, first.field, rtol=ALIKE)]
    yield from sorted(alike, key=lambda view: view.pixel_um[0])[:OTHERS]


def _of_images(images: Images, sheet: Sheet) -> Iterator[View]:
    for other in sheet.of(Images):
        for image in other.images:
            known = sheet.shown.get(f"{other.name} {image.name}")
            if known and other is not images and image.pixel_um and len(image.data.shape) == 2:
                yield _view(f"{other.name}: {image.name}", image, *known)


def _of_movies(sheet: Sheet) -> Iterator[View]:
    for movie in sheet.of(Movie):
        known, pixel = sheet.shown.get(f"{movie.name} mean"), movie.plane.pixel_um
        if known and pixel:
            mean = sheet.projection(movie).flat()[0]
            shape = (mean.shape[0], mean.shape[1])
            part: Cut = lambda rows, columns, mean=mean: mean[rows, columns]  # type: ignore[misc] # noqa: E731
            yield View(f"Mean of {movie.name}", *known, shape, (pixel[0], pixel[1]), part)


def _whole(view: View, *, again: bool) -> Markup:
    rows, columns = view.shape
    label = f"{view.title}, {rows} by {columns} pixels."
    pixel = None if view.pixel_um == (1.0, 1.0) else view.pixel_um
    under = contrast(view.shown)
    return pane(view.shown, view.title, label, identity=view.identity, pixel_um=pixel, under=under, reuse=again)


def _closer(views: list[View], values: Floats, name: str, sheet: Sheet) -> Iterator[Markup]:
    """Yield the same part of all pictures, each in its own pixels."""
    first = views[0]
    small, factor = shrink(values, COARSE)
    spot = np.unravel_index(int(np.argmax(np.nan_to_num(small))), small.shape)
    centre = [(int(n) * factor + factor // 2) * first.shown.factor for n in spot]
    parts = cut(first.shape, centre, sheet.detail.compared)
    edges = [(part.start / size, part.stop / size) for part, size in zip(parts, first.shape, strict=True)]
    for view in views:
        around = [
            slice(round(low * size), max(round(low * size) + 1, round(high * size)))
            for (low, high), size in zip(edges, view.shape, strict=True)
        ]
        part = view.cut(around[0], around[1])
        shown = picture(part, max(part.shape))
        identity = sheet.show(f"{name} {view.title} closer", shown)
        pixel = None if view.pixel_um == (1.0, 1.0) else view.pixel_um
        label = f"{view.title}, {part.shape[0]} by {part.shape[1]} pixels of it."
        yield pane(shown, f"{view.title}, closer", label, identity=identity, pixel_um=pixel, under=contrast(shown))
