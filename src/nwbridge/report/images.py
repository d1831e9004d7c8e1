"""Figures of images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.model import Image, Images, LazyArray
from nwbridge.report.figures import Figure
from nwbridge.report.markup import count, el, number, sentence
from nwbridge.report.pictures import Picture, contrast, pane, picture, shrink
from nwbridge.report.sampling import BLOCK
from nwbridge.report.sheet import Sheet


def images_figure(images: Images, sheet: Sheet) -> Figure:
    """Return the images, each with its own contrast."""
    shown = images.images[: sheet.detail.images]
    panes = []
    for image in shown:
        drawn = image_picture(image, sheet.detail.side)
        identity = sheet.show(f"{images.name} {image.name}", drawn)
        rows, columns = image.data.shape[:2]
        size = f"{number(rows, 6)} × {number(columns, 6)} pixels"
        if image.pixel_um:
            size += f" of {number(image.pixel_um[0], 4)} × {number(image.pixel_um[1], 4)} µm"
        under = f"{sentence(image.description)} {size}. {contrast(drawn)}".strip()
        label = f"Image {image.name} of {images.name}, {rows} by {columns} pixels."
        panes.append(pane(drawn, image.name, label, identity=identity, pixel_um=image.pixel_um, under=under))
    words = sentence(images.description)
    if len(shown) < len(images.images):
        words += f" {len(shown)} of {count(len(images.images), 'image')}."
    body = el("div", panes, class_="panes")
    return Figure("picture", "Images", words.strip(), body, {}, name=images.name, half=len(shown) <= 2)


def image_picture(image: Image, side: int) -> Picture:
    """Return the picture of an image, read in strips."""
    values, factor = strips(image.data, side)
    small = picture(values, max(values.shape[:2]))
    return Picture(small.url, (image.data.shape[0], image.data.shape[1]), factor, small.limits)


def strips(array: LazyArray, side: int) -> tuple[npt.NDArray[Any], int]:
    """Return (row, column[, colour]) in squares of f × f pixels, their mean, and f."""
    rows, columns = array.shape[:2]
    factor = math.ceil(max(rows, columns) / side)
    row = math.prod(array.shape[1:]) * array.dtype.itemsize
    length = max(1, BLOCK // max(1, row) // factor) * factor
    with array.open() as reader:
        parts = [_shrunk(np.asarray(reader[start : start + length]), factor) for start in range(0, rows, length)]
    return np.concatenate(parts), factor


def _shrunk(block: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    if factor == 1:
        return block
    return shrink(block, math.ceil(max(block.shape[:2]) / factor))[0]
