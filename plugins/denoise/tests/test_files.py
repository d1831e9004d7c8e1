"""From file to file: what lies in the new one, read with h5py and pynwb; and a real movie."""

import json

import h5py
import numpy as np
import pynwb
import tifffile
from scipy.ndimage import gaussian_filter

import nwbridge
from nwbridge import Movie, Plane, arrays
from nwbridge_denoise import Options
from nwbridge_denoise.choice import choose
from nwbridge_denoise.frames import Frames

MOVIE = np.random.default_rng(17).poisson(20, (50, 21, 34)).astype(np.uint16)
WIDTHS = {"sigma_time": 1.5, "sigma_rows": 0.5, "sigma_columns": 1.0}


def test_the_new_file_holds_the_filtered_movie_how_it_was_made_and_what_it_is_like(tmp_path):
    source, path, out = (tmp_path / name for name in ("movie.tif", "movie.nwb", "denoised.nwb"))
    tifffile.imwrite(source, MOVIE, photometric="minisblack")
    facts = {"Subject": {"species": "Mus musculus", "subject_id": "m1", "sex": "U", "age": "P60D"}}
    nwbridge.convert(source, path, options={"kind": "two-photon", "rate": 12.5}, metadata=facts)
    result = nwbridge.process(path, out, "denoise", options={"method": "gaussian", **WIDTHS})
    assert result.ok
    expected = gaussian_filter(MOVIE.astype(np.float32), tuple(WIDTHS.values()))
    with h5py.File(out) as file:
        series = file["processing/ophys/DenoisedTwoPhotonSeries"]
        stored = series["data"][:].transpose(0, 2, 1)  # NWB: (time, column, row)
        np.testing.assert_allclose(stored, expected, rtol=1e-5)
        assert series["starting_time"].attrs["rate"] == 12.5
        np.testing.assert_array_equal(file["acquisition/TwoPhotonSeries/data"][:].transpose(0, 2, 1), MOVIE)
    with pynwb.NWBHDF5IO(out, "r") as io:
        analysis = io.read().analysis
        table = analysis["DenoisedTwoPhotonSeriesParameters"].to_dataframe()
        values = {key: json.loads(value) for key, value in zip(table["key"], table["value"], strict=True)}
        measures = analysis["DenoisedTwoPhotonSeriesMeasures"].to_dataframe()
        (steps,) = analysis["processing_steps"].to_dataframe()["made_from"]
    assert (values["method"], values["sigma_time"], values["sigma_columns"]) == ("gaussian", 1.5, 1.0)
    assert values["heldout_error/gaussian"] > 20
    np.testing.assert_allclose(measures["ratio_of_means"], expected.mean(dtype=np.float64) / MOVIE.mean(), rtol=1e-6)
    assert "TwoPhotonSeries" in str(steps)


def test_on_a_real_movie_local_svd_predicts_better_than_the_best_gaussian(samples):
    values = tifffile.imread(samples / "caiman_inscopix" / "runs" / "real2p_1000x30x40.tif")
    movie = Movie("Movie", arrays.from_numpy(values), Plane(), rate_hz=30.0)
    chosen = choose(Frames(movie.data), Options(), movie)
    assert chosen.fitted.name == "svd"
    assert chosen.errors["svd"] < 0.95 * chosen.errors["gaussian"]
