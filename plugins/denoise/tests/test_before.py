"""A movie that has been denoised already: said, with the movie to take instead."""

import h5py
import numpy as np
import pytest

import nwbridge
from nwbridge import Movie, Plane, arrays
from nwbridge.testing.examples import write_example
from nwbridge_denoise import Options, register_processors
from nwbridge_denoise.before import denoised_before


def movie(name, made_from=None, description=None):
    data = arrays.from_numpy(np.random.default_rng(3).poisson(9, (24, 5, 7)))
    return Movie(name, data, Plane(), rate_hz=20.0, made_from=made_from, description=description)


def made(source, name):
    """What the step makes of a movie, under the name that the host gives it."""
    (step,) = register_processors()
    result = step.run((source,), Options(method="gaussian"))[0]
    return movie(name, result.made_from, result.description)


RAW = movie("Raw")
FIRST = made(RAW, "Second_2")
CHAIN = [RAW, FIRST, movie("Registered", "Second_2"), movie("Again", "Registered", "Registered denoised, method svd.")]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_movie_made_from_a_denoised_one_is_said_to_be_and_the_source_named(number):
    others = [*CHAIN[:number], movie("Other")]
    (finding,) = denoised_before(CHAIN[number], others)
    assert finding.severity == "warning"
    assert finding.message.startswith(f"movie {CHAIN[number].name} has been denoised before")
    assert finding.advice == "denoise its source: --series Raw"


def test_where_the_source_is_in_another_file_it_is_named():
    (finding,) = denoised_before(FIRST, [])
    assert finding.advice == "denoise the movie that it was made from (Raw)"
    (finding,) = denoised_before(movie("RegisteredDenoisedMovie", "DenoisedMovie"), [])
    assert finding.advice == "denoise the movie that it was made from (DenoisedMovie)"


def test_others_are_left_alone():
    assert denoised_before(RAW, CHAIN[1:]) == ()
    assert denoised_before(movie("Registered", "Raw", "Registered to its mean."), [RAW]) == ()
    assert denoised_before(movie("Loop", "Loop"), [movie("Loop", "Loop")]) == ()


def test_denoising_a_file_twice_warns_and_descriptions_name_nothing_that_is_called_otherwise(tmp_path):
    path = write_example(tmp_path / "a.nwb", (Movie,))
    options = {"method": "gaussian", "sigma_time": 1.0, "sigma_rows": 0.5, "sigma_columns": 0.5}
    once = nwbridge.process(path, tmp_path / "b.nwb", "denoise", options=options)
    assert not any("denoised before" in finding.message for finding in once.findings)
    (source,) = once.steps[-1].made_from
    made = once.steps[-1].made[0]
    twice = nwbridge.process(tmp_path / "b.nwb", tmp_path / "c.nwb", "denoise", series=made, options=options)
    (finding,) = [finding for finding in twice.findings if "denoised before" in finding.message]
    assert finding.advice == f"denoise its source: --series {source}"
    again = nwbridge.process(tmp_path / "b.nwb", tmp_path / "d.nwb", "denoise", series=source, options=options)
    assert not any("denoised before" in finding.message for finding in again.findings)
    assert [name[-2:] for name in again.steps[-1].made] == ["_2"] * 3
    with h5py.File(tmp_path / "d.nwb") as file:
        for name in again.steps[-1].made[1:]:
            words = file["analysis"][name].attrs["description"]
            assert f"Denoised{source}" not in words
