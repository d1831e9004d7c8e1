"""A table of molecules in a field of view that is not square, and what it can lie beside."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from nwbridge import Column, Finding, Images, Localizations, Movie, Parameters, Plane, Table, arrays
from nwbridge_render_smlm import RenderOptions, run

ROWS, COLUMNS, PIXEL_NM = 12, 20, 130.0
PLANE = Plane(pixel_um=(PIXEL_NM / 1e3, PIXEL_NM / 1e3))


@dataclass
class Result:
    """What a run returned, by kind."""

    elements: list

    def __getattr__(self, kind):
        kinds = {"images": Images, "parameters": Parameters, "findings": Finding}
        return [element for element in self.elements if isinstance(element, kinds[kind])]

    @property
    def tables(self):
        return [element for element in self.elements if type(element) is Table]

    @property
    def image(self):
        (images,) = self.images
        return pixels(images.images[0].data)

    @property
    def values(self):
        (parameters,) = self.parameters
        return parameters.values

    @property
    def messages(self):
        return " | ".join(finding.message for finding in self.findings)


def pixels(lazy, step=None):
    with lazy.open() as reader:
        step = step or lazy.shape[0]
        return np.concatenate([reader[start : start + step] for start in range(0, lazy.shape[0], step)])


def molecules(count=400, seed=3, inside=1.0, **columns):
    """Return columns of a table; up to `inside` of the field away from its corner."""
    rng = np.random.default_rng(seed)
    values = {
        "frame": rng.integers(1, 101, count),
        "x": rng.uniform(0, inside * COLUMNS * PIXEL_NM, count),
        "y": rng.uniform(0, inside * ROWS * PIXEL_NM, count),
        "intensity": rng.uniform(100, 2000, count).round(2),
        "uncertainty": rng.gamma(4, 5, count),
    }
    return values | columns


UNITS = {"x": "nm", "y": "nm", "intensity": "photon", "uncertainty": "nm"}


def table(values, units=UNITS, **more):
    columns = tuple(Column(name, np.asarray(v), unit=units.get(name)) for name, v in values.items())
    return Localizations("Localizations", columns, **({"plane": PLANE} | more))


def movie(rows=ROWS, columns=COLUMNS, plane=PLANE, name="OnePhotonSeries", **more):
    data = arrays.from_numpy(np.zeros((3, rows, columns), np.uint16))
    return Movie(name, data, plane, "one-photon", rate_hz=20.0, **more)


def render(*elements, **options):
    return Result(list(run(elements, RenderOptions(**options))))


class Kit:
    """What the tests share, as one fixture: test modules cannot import each other."""

    rows, columns, pixel_nm, plane, units = ROWS, COLUMNS, PIXEL_NM, PLANE, UNITS
    molecules, table, movie, render, pixels, replace = map(
        staticmethod, (molecules, table, movie, render, pixels, replace)
    )


@pytest.fixture(scope="session")
def smlm():
    return Kit
