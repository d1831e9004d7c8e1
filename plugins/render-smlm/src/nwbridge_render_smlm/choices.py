"""What the user may choose, and what cannot be chosen."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from nwbridge import BadOption, option

MOST_SHIFTS = 64  # of histograms along each axis


@dataclass(frozen=True)
class RenderOptions:
    """How the image is made."""

    method: Literal["gaussian", "uncertainty", "ash", "histogram"] = option(
        "gaussian", "Gaussians of one radius, or of each molecule's uncertainty; average shifted histogram; histogram"
    )
    magnification: float = option(8.0, "pixels of the image along one of the camera")
    pixel_nm: float | None = option(None, "pixel of the image in nm, instead of a magnification")
    radius_nm: float = option(20.0, "method gaussian: standard deviation in nm")
    floor_nm: float = option(5.0, "method uncertainty: smallest standard deviation in nm")
    cap_nm: float = option(100.0, "method uncertainty: largest standard deviation in nm")
    shifts: int = option(2, "method ash: histograms along each axis; their bins are as many pixels wide")
    weight: Literal["counts", "intensity"] = option("counts", "each molecule weighs 1, or its intensity")
    rows: int | None = option(None, "rows of the image; else from a movie or image beside the table")
    columns: int | None = option(None, "columns of the image")
    origin: Literal["corner", "centre"] = option(
        "corner", "where position 0 lies: the outer corner of the first camera pixel, or its centre"
    )
    unit: Literal["nm", "um", "pixel"] | None = option(
        None, "unit of positions and uncertainties, where the table states none"
    )
    max_uncertainty_nm: float | None = option(None, "leave out molecules with a larger uncertainty")
    min_photons: float | None = option(None, "leave out molecules with a lower intensity")
    first_frame: int | None = option(None, "leave out earlier frames; numbered as in the table")
    last_frame: int | None = option(None, "leave out later frames")
    match: str | None = option(None, "name of an image in the file: find out how it was rendered, and render so")
    frc: bool = option(False, "also compute the Fourier ring correlation of two halves of the frames")
    frc_blocks: int = option(20, "blocks of frames that go to one half and the other in turn")

    def __post_init__(self) -> None:
        _check_positive(self, "magnification", "pixel_nm", "radius_nm", "floor_nm", "cap_nm", "max_uncertainty_nm")
        _check_counts(self, {"rows": 1, "columns": 1, "shifts": 1, "frc_blocks": 2})
        if (self.rows is None) != (self.columns is None):
            raise BadOption("--rows and --columns: one of them was given; expected both, or none")
        if self.cap_nm < self.floor_nm:
            raise BadOption(f"--cap-nm {self.cap_nm:g} is below --floor-nm {self.floor_nm:g}; expected more")
        if self.shifts > MOST_SHIFTS:
            raise BadOption(f"--shifts {self.shifts}: expected at most {MOST_SHIFTS}")
        if self.min_photons is not None and not math.isfinite(self.min_photons):
            raise BadOption(f"--min-photons {self.min_photons}: expected a finite number")
        if None not in (self.first_frame, self.last_frame) and (self.first_frame or 0) > (self.last_frame or 0):
            raise BadOption(
                f"--first-frame {self.first_frame} is after --last-frame {self.last_frame}; expected it before"
            )


@dataclass(frozen=True)
class FrcOptions:
    """How two sets of localizations are compared."""

    magnification: float = option(8.0, "pixels of the image along one of the camera")
    pixel_nm: float | None = option(None, "pixel of the image in nm, instead of a magnification")
    blocks: int = option(20, "of one file given twice: blocks of frames that go to one half and the other in turn")
    table: str | None = option(None, "name of the localizations, where a file has several tables of them")
    unit: Literal["nm", "um", "pixel"] | None = option(
        None, "unit of positions and uncertainties, where the table states none"
    )
    curve: bool = option(False, "list the correlation at every frequency instead of the resolution alone")

    def __post_init__(self) -> None:
        _check_positive(self, "magnification", "pixel_nm")
        _check_counts(self, {"blocks": 2})


def flag(name: str) -> str:
    """Return an option as the command line spells it."""
    return "--" + name.replace("_", "-")


def _check_positive(options: object, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise BadOption(f"{flag(name)} {value:g}: expected a number above 0")


def _check_counts(options: object, least: dict[str, int]) -> None:
    for name, number in least.items():
        value = getattr(options, name)
        if value is not None and value < number:
            raise BadOption(f"{flag(name)} {value}: expected {number} or more")


def given(options: Any) -> dict[str, Any]:
    """Return the options by name."""
    return {field.name: getattr(options, field.name) for field in fields(options)}
