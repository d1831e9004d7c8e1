"""How an image that is there was rendered: what the localizations look like drawn in every way, held against it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadOption, BadSource, Column, Finding, Image, Images, Table
from nwbridge_render_smlm.grid import Grid
from nwbridge_render_smlm.molecules import Molecules
from nwbridge_render_smlm.picture import BAND, Picture, Style

Shift = tuple[float, float]
FLIPS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "none": lambda image: image,
    "rows": lambda image: image[::-1],
    "columns": lambda image: image[:, ::-1],
    "rows and columns": lambda image: image[::-1, ::-1],
}
SHIFTED = (2, 3, 4, 5)  # shifts of average shifted histograms that are tried
WIDTHS = (0.2, 8.0)  # smallest and largest radius of a Gaussian that is tried, in pixels
COARSE, FINE = 9, 8  # radii tried between them, and more of them around the best
SHOWN = 4  # digits of a correlation


@dataclass(frozen=True)
class Target:
    """The image that is to be matched."""

    name: str
    image: Image

    def grid(self, field: tuple[tuple[float, float], str] | None) -> Grid:
        """Return its grid; of an image without a pixel size, from the field of view that it shows."""
        rows, columns = self.image.data.shape
        if self.image.pixel_um is not None:
            pixel = (self.image.pixel_um[0] * 1e3, self.image.pixel_um[1] * 1e3)
        elif field is not None:
            pixel = (field[0][0] / rows, field[0][1] / columns)
        else:
            raise BadSource(f"image {self.name} has no pixel size, and no movie gives a field of view; expected one")
        return Grid(pixel, (rows, columns), f"image {self.name}")

    def pixels(self) -> npt.NDArray[np.float64]:
        """Return its values, which have to differ and be finite."""
        with self.image.data.open() as reader:
            values = np.asarray(reader[0 : self.image.data.shape[0]], np.float64)
        if not np.isfinite(values).all():
            raise BadSource(f"image {self.name} holds NaN or infinite values; expected numbers to match")
        if values.min() == values.max():
            raise BadSource(f"image {self.name} is {values.flat[0]:g} everywhere; expected a picture to match")
        return values


def target(name: str, beside: Sequence[Any]) -> Target:
    """Return the image of a name, or of its group's and its own; BadOption lists what is there."""
    every = [(f"{e.name}/{image.name}", image) for e in beside if isinstance(e, Images) for image in e.images]
    found = [one for one in every if name in (one[0], one[1].name, one[0].split("/")[0])]
    if len(found) != 1:
        have = ", ".join(full for full, _ in every) or "no image"
        raise BadOption(f"--match {name} is the name of {len(found)} images; the file has {have}: give one of them")
    shape = found[0][1].data.shape
    if len(shape) != 2 or math.prod(shape) > BAND:
        raise BadSource(f"image {found[0][0]} is {' × '.join(map(str, shape))}; expected a grey one of moderate size")
    return Target(*found[0])


@dataclass(frozen=True)
class Choices:
    """What a table has columns for."""

    radii_nm: tuple[float, float] | None  # floor and cap, where it has uncertainties
    intensity: bool


@dataclass(frozen=True)
class Trial:
    """A way to draw, and how alike the images are."""

    style: Style
    by_intensity: bool
    radii_nm: tuple[float, float] | None
    moved_nm: Shift
    flip: str
    correlation: float

    def molecules(self, molecules: Molecules) -> Molecules:
        """Return them weighed and measured as here."""
        return replace(molecules, by_intensity=self.by_intensity, by_uncertainty=self.radii_nm)

    @property
    def words(self) -> str:
        """The method in words."""
        own = {"gaussian": f" of {self.style.radius_nm:.1f} nm", "ash": f" of {self.style.shifts} shifts"}
        return f"{self.style.method}{own.get(self.style.method, '')}, {'intensity' if self.by_intensity else 'counts'}"


@dataclass(frozen=True)
class Found:
    """Everything that was tried, the best first."""

    trials: tuple[Trial, ...]

    @property
    def style(self) -> Style:
        """The best way to draw."""
        return self.trials[0].style

    @property
    def moved_nm(self) -> Shift:
        """What is added to positions."""
        return self.trials[0].moved_nm

    def molecules(self, molecules: Molecules) -> Molecules:
        """Return them weighed and measured as in the best."""
        return self.trials[0].molecules(molecules)

    def finding(self, name: str) -> Finding:
        """Say which is the best, and the best of the other methods."""
        best = self.trials[0]
        other = next((one for one in self.trials if one.style.method != best.style.method), None)
        text = f"{name} is most like: {best.words}; correlation {best.correlation:.{SHOWN}f}"
        if best.moved_nm != (0.0, 0.0):
            text += f", moved by {best.moved_nm[0]:g} nm along rows, {best.moved_nm[1]:g} nm along columns"
        if best.flip != "none":
            text += f"; it is mirrored beside the table: its {best.flip} run backwards, those of the new image do not"
        if other:
            text += f" (next method: {other.words}, {other.correlation:.{SHOWN}f})"
        return Finding("hint", text, "the image was rendered so", check="render-smlm")

    def table(self, name: str, image: str) -> Table:
        """Return every trial as an element."""
        some = self.trials
        nan = math.nan
        columns = (
            Column("method", np.array([one.style.method for one in some])),
            Column("weight", np.array(["intensity" if one.by_intensity else "counts" for one in some])),
            Column(
                "radius",
                np.array([one.style.radius_nm if one.style.method == "gaussian" else nan for one in some]),
                "standard deviation of a Gaussian of one radius",
                "nm",
            ),
            Column(
                "shifts",
                np.array([one.style.shifts if one.style.method == "ash" else 0 for one in some]),
                "of an average shifted histogram, along each axis; 0 for others",
            ),
            Column("moved_rows", np.array([one.moved_nm[0] for one in some]), "added to y", "nm"),
            Column("moved_columns", np.array([one.moved_nm[1] for one in some]), "added to x", "nm"),
            Column("mirrored", np.array([one.flip for one in some]), "what of the image runs backwards"),
            Column("correlation", np.array([one.correlation for one in some]), "Pearson's, of all pixels"),
        )
        return Table(name, columns, f"ways to render that were held against {image}, the most alike first")


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Return Pearson's correlation of two images; 0 where one of them is constant."""
    a, b = (np.asarray(image, np.float64) for image in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(np.vdot(a, a)) * float(np.vdot(b, b)))
    return float(np.vdot(a, b)) / size if size else 0.0


@dataclass
class _Search:
    """Draws and compares; every trial is kept."""

    source: Molecules
    grid: Grid
    pixels: npt.NDArray[np.float64]
    trials: list[Trial]

    def shifts(self) -> Iterator[Shift]:
        """Yield what may lie between two programs' origins: half a pixel, of the image or of the camera."""
        yield (0.0, 0.0)
        for pixel in (self.grid.pixel_nm, self.source.camera_nm):
            if pixel is not None:
                yield from ((sign * pixel[0] / 2, sign * pixel[1] / 2) for sign in (1, -1))

    def tried(
        self, style: Style, moved: Shift, flips: Sequence[str], by_intensity: bool = False, radii: Any = None
    ) -> Trial:
        """Try a way to draw, and return the best of the ways to turn the image."""
        nwbridge.progress(f"matching, {style.method}", len(self.trials), len(self.trials) + 1)
        trials = [Trial(style, by_intensity, radii, moved, flip, 0.0) for flip in flips]
        drawn = Picture(trials[0].molecules(self.source), self.grid, style, moved).whole()
        trials = [replace(one, correlation=correlation(drawn, FLIPS[one.flip](self.pixels))) for one in trials]
        self.trials += trials
        return max(trials, key=lambda one: one.correlation)

    def radius(self, moved: Shift, flip: str, by_intensity: bool) -> None:
        """Try Gaussians of one radius: from narrow to wide, then around the best."""
        low, high = (math.log(width * min(self.grid.pixel_nm)) for width in WIDTHS)
        for count in (COARSE, FINE, FINE):
            radii = np.exp(np.linspace(low, high, count))
            some = [self.tried(Style("gaussian", float(r)), moved, [flip], by_intensity) for r in radii]
            best = max(range(count), key=lambda number: some[number].correlation)
            low, high = math.log(radii[max(best - 1, 0)]), math.log(radii[min(best + 1, count - 1)])

    def styles(self, moved: Shift, flip: str, choices: Choices) -> None:
        """Try every method, counted and weighed."""
        for by_intensity in (False, True) if choices.intensity else (False,):
            self.tried(Style("histogram"), moved, [flip], by_intensity)
            for shifts in SHIFTED:
                self.tried(Style("ash", shifts=shifts), moved, [flip], by_intensity)
            if choices.radii_nm:
                self.tried(Style("uncertainty"), moved, [flip], by_intensity, choices.radii_nm)
            self.radius(moved, flip, by_intensity)


def matched(molecules: Molecules, grid: Grid, image: Target, choices: Choices) -> Found:
    """Return the ways to draw, tried one question after the other: where, and how turned; which method; where."""
    search = _Search(molecules, grid, image.pixels(), [])
    rough = Style("gaussian", 1.5 * max(grid.pixel_nm))
    best = max((search.tried(rough, moved, list(FLIPS)) for moved in search.shifts()), key=lambda one: one.correlation)
    search.styles(best.moved_nm, best.flip, choices)
    best = max(search.trials, key=lambda one: one.correlation)
    for moved in search.shifts():
        if moved != best.moved_nm:
            search.tried(best.style, moved, [best.flip], best.by_intensity, best.radii_nm)
    again = max(search.trials, key=lambda one: one.correlation)
    if again.moved_nm != best.moved_nm:
        search.styles(again.moved_nm, again.flip, choices)
    return Found(tuple(sorted(search.trials, key=lambda one: -one.correlation)))
