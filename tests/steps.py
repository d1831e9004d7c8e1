"""Steps of processing that are made up, and a registry that offers them."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

import nwbridge
from nwbridge import (
    Column,
    Finding,
    Image,
    Images,
    Localizations,
    Movie,
    Parameters,
    Processor,
    Region,
    Segmentation,
    Table,
    Traces,
    arrays,
    option,
)
from nwbridge.plugins import Plugin, Registry


@dataclass(frozen=True)
class Added:
    """What is added to every value."""

    amount: float = option(1.0, "what is added to every value")
    mode: Literal["plain", "twice"] = option("plain", "how often")
    seed: int | None = option(None, "says nothing")


@dataclass(frozen=True)
class WithFile(Added):
    """Options with a file of the user's."""

    weights: Path = option(Path("none"), "a file")  # noqa: RUF009


@dataclass(frozen=True)
class Cells:
    """Options of the step that finds cells."""

    amount: int = option(2, "how many cells")


def over(data, change, dtype=np.float32, parallel=True):
    """The array whose blocks are those of another one, changed."""

    @contextmanager
    def opened():
        with data.open() as reader:

            class Changed:
                def __getitem__(self, key):
                    return change(np.asarray(reader[key])).astype(dtype)

            yield Changed()

    return nwbridge.LazyArray(data.shape, dtype, opened, parallel and data.parallel)


def add(elements, options):
    """A movie with something added, its mean image, and what was chosen."""
    movie = elements[0]
    amount = options.amount * (2 if options.mode == "twice" else 1)
    nwbridge.progress("adding", 1, 2)
    brighter = replace(
        movie, name="Brighter", data=over(movie.data, lambda block: block + amount), made_from=movie.name, shifts=None
    )
    with movie.data.open() as reader:
        mean = np.asarray(reader[0 : movie.data.shape[0]]).mean(axis=0).astype(np.float32)
    pictures = Images("Pictures", (Image("mean", arrays.from_numpy(mean)),), made_from="Brighter")
    told = Parameters("Chosen", {"amount": amount, "frames": movie.data.shape[0]}, software="add", version="1")
    return brighter, pictures, told, Finding("hint", f"{amount:g} was added", "nothing", check="add")


def find(elements, options):
    """Regions in a movie, with traces and a table that names rows of them."""
    movie = elements[0]
    shape = movie.data.shape[1:3]
    regions = tuple(Region(np.array([[1 + n, 2 + n], [2 + n, 2 + n]])) for n in range(options.amount))
    traces = Traces(
        "Fluorescence",
        means(movie.data, regions),
        rate_hz=movie.rate_hz,
        timestamps=movie.timestamps,
        made_from=movie.name,
    )
    found = Segmentation("Cells", regions, shape, movie.plane, traces=(traces,))
    rows = Column("cell", np.arange(options.amount), rows_of="Cells")
    return [found, Table("Sizes", (rows, Column("pixels", np.full(options.amount, 2))))]


def means(data, regions):
    """The mean of each region at each time, one region after the other."""

    def read(start, stop):
        with data.open() as reader:
            frames = np.asarray(reader[0 : data.shape[0]])
        return np.stack([frames[:, *regions[n].pixels.T].mean(axis=1) for n in range(start, stop)]).astype(np.float64)

    return arrays.from_function((len(regions), data.shape[0]), np.float64, read, parallel=True)


def double(elements, options):
    """Traces, doubled, beside those that the regions have."""
    cells = elements[0]
    one = next(traces for traces in cells.traces if traces.kind == "fluorescence")
    doubled = replace(one, name="Doubled", data=over(one.data, lambda block: 2 * block, np.float64), made_from=one.name)
    return (replace(cells, traces=(*cells.traces, doubled)),)


def blink(elements, options):
    """Molecules in a movie."""
    columns = tuple(Column(name, np.array([1.5, 2.5, 0.25]), unit="px") for name in "xy")
    frame = Column("frame", np.array([0, 1, 1]))
    return (Localizations("Molecules", (frame, *columns), plane=elements[0].plane, found_in=elements[0].name),)


def both(elements, options):
    """What two of them make, at once."""
    return [*add(elements, Added()), *find(elements, Cells())]


def share(series, options):
    """Regions where the mean over all movies is brightest, the same for each, with traces of each one's frames."""
    sums, count = 0, 0
    for number, (movie, *_) in enumerate(series):
        nwbridge.progress("averaging", number, len(series))
        with movie.data.open() as reader:
            for start in range(0, movie.data.shape[0], 8):
                sums = sums + np.asarray(reader[start : start + 8], np.float64).sum(axis=0)
        count += movie.data.shape[0]
    order = np.argsort(-sums, axis=None, kind="stable")[: options.amount]
    places = np.column_stack(np.unravel_index(order, sums.shape))
    regions = tuple(Region(place[None]) for place in places)
    return tuple(_shared(elements[0], regions, sums / count, len(series)) for elements in series)


def _shared(movie, regions, mean, count):
    clock = {"rate_hz": movie.rate_hz, "timestamps": movie.timestamps, "start_s": movie.start_s}
    traces = Traces("Shared traces", means(movie.data, regions), made_from=movie.name, **clock)
    cells = Segmentation("Shared", regions, mean.shape, movie.plane, traces=(traces,))
    pictures = Images("Over all", (Image("mean", arrays.from_numpy(mean.astype(np.float32))),), made_from=movie.name)
    return cells, pictures, Finding("hint", f"{count} movies were taken together", "nothing", check="share")


def share_one(elements, options):
    """The same, of a movie alone."""
    return share((elements,), options)[0]


ADD = Processor("add", "a brighter movie", (Movie,), add, Added)
FIND = Processor("find", "regions", (Movie,), find, Cells)
DOUBLE = Processor("double", "traces twice as high", (Segmentation,), double)
BLINK = Processor("blink", "molecules", (Movie,), blink)
SHARE = Processor("share", "regions that movies share", (Movie,), share_one, Cells, run_together=share)
BOTH = Processor("both", "a brighter movie and regions", (Movie,), both)


def offering(*processors):
    """A registry of one plugin with these steps."""
    return Registry((Plugin("made-up", "nwbridge-made-up", "1.5", processors=processors),))


ALL = offering(ADD, FIND, DOUBLE, BLINK, BOTH, SHARE)


def step(run, takes=(Movie,), name="one", **more):
    """A registry with one step that does this."""
    return offering(Processor(name, "made up", takes, run, **more))
