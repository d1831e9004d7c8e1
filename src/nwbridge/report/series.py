"""Tracks and figures of voltages and other values over time, with the spikes found in them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nwbridge.model import Series, Units
from nwbridge.report.charts import plot_figure
from nwbridge.report.figures import WIDTH, Figure, bounds_of, line_path
from nwbridge.report.markup import count, number
from nwbridge.report.sampling import Floats
from nwbridge.report.sheet import Sheet, column_values, panels, tracks
from nwbridge.report.tracks import Line, Track, line, marked, scaled

CHANNELS = 4  # of a series that are drawn
AROUND_S = 0.002  # seconds on either side of a spike


@tracks.register
def _(series: Series, sheet: Sheet) -> Iterator[Track]:
    channels = math.prod(series.data.shape[1:])
    for channel in range(min(channels, CHANNELS)):
        label = series.name if channels == 1 else f"{series.name}, channel {channel + 1} of {channels}"
        found = line(label, series.unit or "no unit stated", series.data, series, sheet.detail.points, channel)
        found = scaled(found, series.conversion, series.offset)
        if is_voltage(series) and (spikes := spike_times(sheet)) is not None:
            found = marked(found, spikes, count(len(spikes), "spike"))
        yield found


def is_voltage(series: Series) -> bool:
    """Whether spikes can be seen in a series."""
    return series.kind == "current clamp" or (series.unit in ("volts", "V") and len(series.data.shape) == 1)


def spike_times(sheet: Sheet) -> Floats | None:
    """Return the spikes of a session that has one unit: those that the voltage shows."""
    for units in sheet.of(Units):
        if len(units) == 1:
            return np.asarray(column_values(units["spike_times"]), np.float64)
    return None


@panels.register
def _(series: Series, sheet: Sheet) -> Iterator[Figure]:
    voltages = [one for one in sheet.of(Series) if is_voltage(one)]
    spikes = spike_times(sheet)
    if spikes is None or not len(spikes) or series is not voltages[-1]:
        return  # the last voltage is the one that was worked on most
    if series.rate_hz is None or series.rate_hz * AROUND_S < 4 or series.timestamps is not None:
        return
    yield from _shapes(series, spikes, sheet.detail.shapes)


def _shapes(series: Series, spikes: Floats, most: int) -> Iterator[Figure]:
    """Yield the voltage around evenly chosen spikes: they lie on one another where the times are right."""
    rate = series.rate_hz or 1.0
    around, samples = round(AROUND_S * rate), series.data.shape[0]
    places = np.round((spikes - series.start_s) * rate)
    places = np.sort(places[np.isfinite(places) & (places >= around) & (places < samples - around)]).astype(int)
    if not len(places):
        return
    chosen = places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))]
    with series.data.open() as reader:
        cuts = [np.asarray(reader[p - around : p + around + 1], np.float64).reshape(-1) for p in chosen.tolist()]
    times = np.arange(-around, around + 1) / rate
    values = np.concatenate(cuts)
    whole = Line("", series.unit or "", np.tile(times, len(cuts)), values, values)
    whole = scaled(whole, series.conversion, series.offset)
    table = whole.low.reshape(len(cuts), -1)
    bounds, across = bounds_of(table, table), (-AROUND_S * 1000, AROUND_S * 1000)
    x = (times * 1000 - across[0]) / (across[1] - across[0]) * WIDTH
    path = "".join(line_path(row, row, x, bounds) for row in table)
    words = (
        f"{series.name} around {len(chosen)} of {count(len(spikes), 'spike')}, evenly chosen; every sample is drawn."
    )
    columns = {"ms": times * 1000}
    names = [f"spike at {number(place / rate + series.start_s, 8)} s" for place in chosen]
    columns |= dict(zip(names, table, strict=True))
    axes = (("time from the spike (ms)", across), (whole.unit, bounds))
    yield plot_figure("Spikes on one another", words, path, *axes, columns)
