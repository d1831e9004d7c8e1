"""The grid of an image: how large its pixels are, how many there are, and what says so."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nwbridge import BadSource, Finding, Image, Images, Localizations, Movie

MOST = 1 << 32  # pixels in an image: 17 GB
_SLACK = 1e-6  # of a pixel: 8 × 256 is 2048 also where 130 / 16.25 is not quite 8


@dataclass(frozen=True)
class Grid:
    """Pixels in nm and their number, each (row, column), and in words where the size is from."""

    pixel_nm: tuple[float, float]
    shape: tuple[int, int]
    source: str

    def __post_init__(self) -> None:
        if math.prod(self.shape) > MOST:
            raise BadSource(
                f"an image of {self.shape[0]:,} × {self.shape[1]:,} pixels would be needed; expected at most {MOST:,} "
                "in all: give a lower --magnification, or --rows and --columns"
            )


def camera_nm(table: Localizations, beside: Sequence[Any]) -> tuple[tuple[float, float] | None, Movie | None]:
    """Return the size of the camera's pixels, and the movie that the localizations may be from."""
    movies = [one for one in beside if isinstance(one, Movie)]
    named = [movie for movie in movies if movie.name == table.found_in]
    plane = [movie for movie in movies if table.plane is not None and movie.plane.name == table.plane.name]
    raw = [movie for movie in movies if movie.made_from is None]
    movie = next((some[0] for some in (named, plane, raw, movies) if _of_one_field(some)), None)
    for one in (table.plane, movie.plane if movie else None):
        if one is not None and one.pixel_um is not None:
            return (one.pixel_um[0] * 1e3, one.pixel_um[1] * 1e3), movie
    return None, movie


def _of_one_field(movies: Sequence[Movie]) -> bool:
    """Whether there are movies, and all show as many pixels of one size."""
    return len({(movie.data.shape[1:3], movie.plane.pixel_um) for movie in movies}) == 1


def pixels(camera: tuple[float, float] | None, magnification: float, pixel_nm: float | None) -> tuple[float, float]:
    """Return the size of the image's pixels."""
    if pixel_nm is not None:
        return pixel_nm, pixel_nm
    if camera is None:
        raise BadSource(
            "the size of the camera's pixels is not in the file, so that a magnification means nothing; "
            "expected an imaging plane with a pixel size: give --pixel-nm for the image's"
        )
    return camera[0] / magnification, camera[1] / magnification


def field_nm(
    table: Localizations, beside: Sequence[Any], camera: tuple[float, float] | None, movie: Movie | None
) -> tuple[tuple[float, float], str] | None:
    """Return how far the field of view reaches along rows' and columns' numbers, and what says so."""
    if movie is not None:
        pixel = movie.plane.pixel_um
        size = (pixel[0] * 1e3, pixel[1] * 1e3) if pixel else camera
        if size is not None:
            shape = movie.data.shape
            return (shape[1] * size[0], shape[2] * size[1]), f"field of view of {movie.name}"
    for name, image in sized(beside):
        pixel_um, shape = image.pixel_um or (0.0, 0.0), image.data.shape
        return (shape[0] * pixel_um[0] * 1e3, shape[1] * pixel_um[1] * 1e3), f"field of view of {name}"
    return None


def sized(beside: Sequence[Any]) -> Iterator[tuple[str, Image]]:
    """Yield the images that say how large their pixels are, in the order in which they are trusted: larger first."""
    found = [(f"{e.name}/{image.name}", image) for e in beside if isinstance(e, Images) for image in e.images]
    yield from sorted((one for one in found if one[1].pixel_um), key=lambda one: -math.prod(one[1].data.shape[:2]))


def fitted(size_nm: tuple[float, float], pixel_nm: tuple[float, float], source: str) -> Grid:
    """Return a grid whose pixels cover a field that begins at the outer corner of the first pixel."""
    rows, columns = (max(1, math.ceil(size / pixel - _SLACK)) for size, pixel in zip(size_nm, pixel_nm, strict=True))
    return Grid(pixel_nm, (rows, columns), source)


def around(
    farthest_nm: tuple[float, float], pixel_nm: tuple[float, float], camera: tuple[float, float] | None
) -> tuple[Grid, Finding]:
    """Return a grid of whole camera pixels that reaches to the last localization, and a finding that says so."""
    unit = camera or pixel_nm
    size = [(math.floor(max(far, 0) / one) + 1) * one for far, one in zip(farthest_nm, unit, strict=True)]
    grid = fitted((size[0], size[1]), pixel_nm, "extent of the localizations")
    text = (
        f"no movie or image in the file gives a field of view: the image reaches to the last localization, "
        f"{grid.shape[0]:,} × {grid.shape[1]:,} pixels"
    )
    return grid, Finding("hint", text, "give --rows and --columns where you know them", check="render-smlm")
