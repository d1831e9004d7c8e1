"""Pictures: values as grey PNGs inside SVG, whose units are the pixels of the field of view, with a scale bar."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.report.markup import Markup, el, number
from nwbridge.report.sampling import Floats

LOWEST, HIGHEST = 1.0, 99.8  # percentiles between which grey goes from black to white
SPARSE = 0.1  # the part of all pixels that are above the lowest, where white is found among these alone


@dataclass(frozen=True)
class Picture:
    """A grey or coloured picture that is ready to be shown."""

    url: str
    shape: tuple[int, int]  # rows and columns of the field
    factor: int  # pixels of the field, along each axis, that became one
    limits: tuple[float, float] | None  # the values that are black and white; None: colours


def shrink(values: npt.NDArray[Any], side: int, *, highest: bool = False) -> tuple[npt.NDArray[Any], int]:
    """Return the values in squares of f × f pixels, mean or highest of each, and f."""
    rows, columns = values.shape[:2]
    factor = math.ceil(max(rows, columns) / side)
    if factor == 1:
        return values, 1
    down, across = np.arange(0, rows, factor), np.arange(0, columns, factor)
    if highest:
        return np.fmax.reduceat(np.fmax.reduceat(values, down, axis=0), across, axis=1), factor
    known = np.isfinite(values)
    filled = np.where(known, values, 0).astype(np.float64)
    total, seen = (
        np.add.reduceat(np.add.reduceat(part, down, axis=0), across, axis=1)
        for part in (filled, known.astype(np.float64))
    )
    with np.errstate(all="ignore"):
        return total / seen, factor


def cut(shape: Sequence[int], center: Sequence[int], side: int) -> tuple[slice, slice]:
    """Return at most `side` rows and columns of a field, around a pixel."""
    starts = [max(0, min(at - side // 2, size - side)) for size, at in zip(shape[:2], center, strict=True)]
    rows, columns = (slice(start, min(start + side, size)) for start, size in zip(starts, shape, strict=False))
    return rows, columns


def limits_of(values: Floats, highest: float = HIGHEST) -> tuple[float, float]:
    """Return the values to show as black and as white."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, (LOWEST, highest)))
    if (above := finite[finite > low]).size < finite.size * SPARSE:  # most pixels are empty: they say nothing of others
        high = float(np.percentile(above, highest)) if above.size else high
    if low == high:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + 1.0)


def grey(values: Floats, limits: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return values as 0 to 255; what is no number is black."""
    low, high = limits
    scaled = (np.clip(values, low, high) - low) / (high - low) * 255
    return np.nan_to_num(scaled, nan=0).round().astype(np.uint8)


def picture(
    values: npt.NDArray[Any], side: int, *, highest: bool = False, limits: tuple[float, float] | None = None
) -> Picture:
    """Return a picture of (row, column), or of (row, column, colour)."""
    field = (int(values.shape[0]), int(values.shape[1]))
    if values.ndim == 3:
        small, factor = shrink(values, side)
        top = 255 if values.dtype.kind in "ui" and values.dtype.itemsize == 1 else _top(values)
        return Picture(_png(grey(np.asarray(small, np.float64), (0, top))), field, factor, None)
    small, factor = shrink(np.asarray(values, np.float64), side, highest=highest)
    limits = limits or limits_of(small)
    return Picture(_png(grey(small, limits)), field, factor, limits)


def _top(values: npt.NDArray[Any]) -> float:
    top = float(np.nanmax(values)) if values.size else 1.0
    return 1.0 if values.dtype.kind == "f" and top <= 1 else max(top, 1.0)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    import imagecodecs

    room = 2 * pixels.size + 4096  # what imagecodecs allows by itself is too little for a narrow picture
    stored = imagecodecs.png_encode(np.ascontiguousarray(pixels), level=9, out=room)
    return "data:image/png;base64," + base64.b64encode(stored).decode("ascii")


def scale_bar(columns: int, rows: float, pixel_um: float | None) -> tuple[Markup, str]:
    """Return a bar of a round length, about a quarter of the width, and its length in words."""
    step = 1.0 if pixel_um is None else pixel_um
    length = nice(columns * step / 4)
    words = f"{number(length)} {'pixels' if pixel_um is None else 'µm'}"
    if length >= 1000 and pixel_um is not None:
        words = f"{number(length / 1000)} mm"
    elif length < 1 and pixel_um is not None:
        words = f"{number(length * 1000)} nm"
    unit, width = columns / 100, length / step
    left, bottom = 4 * unit, rows - 4 * unit
    bar = el("rect", x=f"{left:.4g}", y=f"{bottom - 1.6 * unit:.4g}", width=f"{width:.5g}", height=f"{1.6 * unit:.3g}")
    label = el("text", words, x=f"{left:.4g}", y=f"{bottom - 3.4 * unit:.4g}", font_size=f"{5.5 * unit:.3g}")
    return el("g", bar, label, class_="scale", aria_hidden="true"), words


def nice(value: float) -> float:
    """Return the largest of 1, 2, 5 × 10ⁿ that is not above the value."""
    if not value > 0 or math.isinf(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    found = next((m * power for m in (5, 2, 1) if m * power <= value * (1 + 1e-9)), power)
    return float(f"{found:.12g}")


def pane(
    shown: Picture,
    title: str,
    label: str,
    *,
    identity: str,
    pixel_um: Sequence[float] | None = None,
    over: Markup | None = None,
    under: Any = None,
    reuse: bool = False,
) -> Markup:
    """Return one picture with its title, scale bar, what lies over it, and words below.

    With `reuse` the picture is that which another pane shows as `identity`; it is not stored again.
    """
    rows, columns = shown.shape
    stretch = 1.0 if pixel_um is None else pixel_um[0] / pixel_um[1]  # a pixel's height in widths
    height = rows * stretch
    bar, words = scale_bar(columns, height, None if pixel_um is None else pixel_um[1])
    if reuse:
        image = el("use", href=f"#{identity}")
    else:
        image = el(
            "image",
            id=identity,
            href=shown.url,
            width=math.ceil(columns / shown.factor) * shown.factor,
            height=f"{math.ceil(rows / shown.factor) * shown.factor * stretch:.6g}",
            preserveAspectRatio="none",
        )
    lines = el("g", over, transform=f"scale(1 {stretch:.6g})" if stretch != 1 else None) if over else None
    box = f"0 0 {columns} {height:.6g}"
    low, high = shown.limits or (None, None)
    drawing = el(
        "svg",
        image,
        lines,
        bar,
        class_="picture",
        viewBox=box,
        preserveAspectRatio="xMinYMin meet",
        role="img",
        aria_label=f"{label} Scale bar: {words}.",
        data_low=low,
        data_high=high,
        data_factor=shown.factor,
    )
    return el("div", el("h5", title), drawing, el("p", under, class_="small") if under else None, class_="pane")


def contrast(shown: Picture, unit: str | None = None) -> str:
    """Say which values are black and white, and what became of the pixels."""
    words = []
    if shown.limits is not None:
        low, high = (number(value) for value in shown.limits)
        words.append(f"Black {low}, white {high}{f' {unit}' if unit else ''}.")
    if shown.factor > 1:
        words.append(f"{shown.factor} × {shown.factor} pixels drawn as one.")
    return " ".join(words)
