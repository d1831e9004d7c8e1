"""Real tables and frames: where position 0 lies, and that every row is drawn or counted."""

import csv
import re

import numpy as np
import pytest
import tifffile

from nwbridge import Column, Localizations, Movie, Plane, arrays

TABLES = {  # -> name of the column with the uncertainty
    "coli_03_storm.csv": "uncertainty_xy",
    "coli_ds3_storm_table.csv": "uncertainty_xy",
    "locan_Thunderstorm_dstorm_data.csv": "uncertainty",
    "ds_positions_demo1.csv": None,
}


def read(samples, name):
    """Read a table of ThunderSTORM's without any of our own code; the first line of one is quoted as a whole."""
    path = samples / "dl_smlm" / name
    lines = path.read_text("utf-8").splitlines()
    names = [re.sub(r" *\[.*", "", part.strip(' "')) for part in lines[0].strip('"').replace('""', '"').split(",")]
    values = np.array([[float(cell) for cell in row] for row in csv.reader(lines[1:])])
    return dict(zip(names, values.T, strict=True))


def element(values, plane):
    units = {"intensity": "photon", "frame": None}
    columns = [Column(n, v, unit=units.get(n, "nm")) for n, v in values.items() if n not in ("id", "chi2")]
    return Localizations("Localizations", tuple(columns), plane=plane, frame_base=1)


METHODS = ("histogram", "ash", "gaussian", "uncertainty")


@pytest.mark.parametrize(
    ("name", "method"), [(n, m) for n in TABLES for m in METHODS if TABLES[n] or m != "uncertainty"]
)
def test_every_row_of_a_real_table_is_drawn_or_counted(smlm, samples, name, method):
    values = read(samples, name)
    located = element(values, Plane(pixel_um=(0.1, 0.1)))
    rows, columns = 1800, 2400
    done = smlm.render(located, method=method, pixel_nm=20.0, rows=rows, columns=columns)
    x, y = values["x"], values["y"]
    inside = (x >= 0) & (y >= 0) & (x < columns * 20) & (y < rows * 20)
    if method == "uncertainty":
        bad = ~np.isfinite(values[TABLES[name]])
        assert done.values["not_finite"] == bad.sum()
        inside &= ~bad
    assert done.values["used"] == inside.sum() > 0
    assert done.values["localizations"] == len(x)
    if method == "histogram":
        edges = [np.arange(size + 1) * 20.0 for size in (rows, columns)]
        np.testing.assert_array_equal(done.image, np.histogram2d(y, x, edges)[0])
    assert done.image.sum(dtype=float) == pytest.approx(inside.sum(), rel=0.02)


def test_thunderstorms_positions_begin_at_the_outer_corner_of_the_first_pixel(smlm, samples):
    values = read(samples, "ds_positions_demo1.csv")
    frames = tifffile.imread(samples / "dl_smlm" / "ds_Artificial.tif")[:, :60]  # not square
    plane = Plane(pixel_um=(0.1, 0.1))
    movie = Movie("OnePhotonSeries", arrays.from_numpy(frames), plane, "one-photon", rate_hz=20.0)
    located = element(values, plane)
    found = {}
    for origin in ("corner", "centre"):
        done = smlm.render(
            located, movie, magnification=1, radius_nm=125, weight="intensity", origin=origin, last_frame=len(frames)
        )
        assert done.image.shape == frames.shape[1:]
        found[origin] = np.corrcoef(done.image.ravel(), frames.sum(0, float).ravel())[0, 1]
    assert found["corner"] > 0.95
    assert found["corner"] > found["centre"] + 0.02


def test_real_molecules_are_resolved(smlm, samples):
    values = read(samples, "coli_03_storm.csv")
    done = smlm.render(element(values, Plane(pixel_um=(0.1, 0.1))), frc=True)
    assert 20 < done.values["frc_resolution_nm"] < 150
    assert len(values["x"]) == sum(done.values["frc_localizations"]) + done.values["outside"]
