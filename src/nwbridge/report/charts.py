"""Plots that stay as they are: curves laid over one another, and histograms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nwbridge.report.figures import HEIGHT, WIDTH, Figure, steps, stretched, ticks
from nwbridge.report.markup import el, number
from nwbridge.report.sampling import Floats


def plot_figure(
    title: str,
    words: str,
    path: str,
    x: tuple[str, tuple[float, float]],
    y: tuple[str, tuple[float, float]],
    columns: dict[str, Floats],
    *,
    filled: bool = False,
    behind: str | None = None,
) -> Figure:
    """Return a plot that stays as it is: curves or bars, with both axes, and its numbers by column.

    What is `behind` is grey, and the curve before it stands out.
    """
    (x_label, across), (y_label, up) = x, y
    place: Callable[[float, tuple[float, float]], float] = lambda v, b: 100 * (v - b[0]) / (b[1] - b[0])  # noqa: E731
    xs = [el("span", number(v), style=f"left:{place(v, across):.2f}%") for v in ticks(*across, 5)]
    ys = [el("span", number(v), style=f"top:{100 - place(v, up):.1f}%") for v in ticks(*up, 4)]
    shape = el("path", class_="sp" if filled else "ln" if behind is None else "ln one", d=path)
    back = el("path", class_="bf", d=behind) if behind else None
    area = el("div", el("div", ys, class_="ys"), stretched(f"{title}: {words}", back, shape), class_="area")
    bottom = el("div", el("div", xs, class_="xs"), el("p", x_label, class_="unit"), class_="xaxis")
    body = el("div", el("p", y_label, class_="label unit"), area, bottom, class_="still")
    known = {
        "columns": {name: _column(values) for name, values in columns.items()},
        "x": [x_label, *across],
        "y": [y_label, *up],
    }
    return Figure("plot", title, words, body, known, half=True)


def _column(values: Floats) -> dict[str, Any]:
    bottom, top = float(values.min()), float(values.max())
    return {"min": bottom, "max": top, "values": steps(values, bottom, top)}


def histogram(title: str, values: Floats, unit: str, what: str, bins: int = 60) -> Figure | None:
    """Return how often values occur, from the lowest to where all but a thousandth lie; None without any."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = float(known.min()), float(np.percentile(known, 99.9))
    if not high > low:
        high = low + (abs(low) * 0.01 or 1.0)
    counts, edges = np.histogram(known, bins, (low, high))
    beyond = int((known > high).sum())
    middle = float(np.median(known))
    words = f"Median {number(middle)} {unit}".rstrip() + f" of {number(len(known), 9)} {what}."
    words += f" {number(beyond, 9)} beyond the right edge." if beyond else ""
    top = float(counts.max()) * 1.05
    x = (edges - low) / (high - low) * WIDTH
    y = HEIGHT * (1 - counts / top)
    path = f"M{x[0]:g} {HEIGHT}" + "".join(f"V{v:.4g}H{r:.5g}" for v, r in zip(y, x[1:], strict=True)) + f"V{HEIGHT}z"
    columns = {"from": edges[:-1], "to": edges[1:], "count": counts.astype(np.float64)}
    thing = title.split()[0].lower()
    label = f"{thing} ({unit})" if unit and unit != thing else thing
    return plot_figure(title, words, path, (label, (low, high)), (what, (0.0, top)), columns, filled=True)
