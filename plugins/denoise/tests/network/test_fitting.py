"""The method deepcad from options to denoised frames, on tiny movies."""

import json
import subprocess
import sys

import numpy as np
import pytest

import nwbridge
from nwbridge import BadOption, BadSource, MissingDependency, arrays
from nwbridge.running import running
from nwbridge_denoise import gaussian, network, step
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.options import Options

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the extra deepcad, is not installed")
TINY = {"method": "deepcad", "features": 2, "levels": 2, "patch": 8, "steps": 6, "precision": "float32"}


def scene(count, rows, columns):
    """Round cells that light up and fade, over an uneven background."""
    random = np.random.default_rng(12)
    y, x = np.mgrid[:rows, :columns]
    movie = np.zeros((count, rows, columns)) + 1 + 0.4 * np.sin(y / 9) * np.cos(x / 7)
    for _ in range(rows * columns // 250):
        spikes = random.poisson(1 / 100, count) * random.lognormal(0, 0.5, count)
        trace = np.convolve(spikes, np.exp(-np.arange(60) / 15))[:count]
        distance = np.hypot(y - random.uniform(0, rows), x - random.uniform(0, columns))
        movie += (0.5 + 1.5 * trace)[:, None, None] / (1 + np.exp((distance - random.uniform(3, 6)) / 0.8))
    return movie


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(3).poisson(2 * scene(96, 20, 28)).astype(np.uint16)


def fit(movie, **options):
    rate = options.pop("rate_hz", None)
    with running(options.pop("tell", lambda *told: None), 1):
        return network.fit(Frames(arrays.from_numpy(movie)), Options(**(TINY | options)), "movie", rate)


def apply(movie, path, **more):
    """Apply saved weights, without training."""
    options = {"method": "deepcad", "model": path, "precision": "float32"}
    with running(more.pop("tell", lambda *told: None), 1):
        return network.fit(Frames(arrays.from_numpy(movie)), Options(**options), "movie", more.pop("rate_hz", None))


def snr(truth, found):
    return 10 * np.log10(np.sum(truth**2) / np.sum((found - truth) ** 2))


@needs_torch
def test_a_short_training_takes_most_of_the_noise_away_and_keeps_brightness():
    truth = 2 * scene(400, 48, 56)
    noisy = np.random.default_rng(0).poisson(truth).astype(np.uint16)
    with running(lambda *told: None, 1):
        fitted = network.fit(Frames(arrays.from_numpy(noisy)), Options(method="deepcad", steps=60))
    found = fitted.read(0, 400)
    assert found.shape == truth.shape
    assert snr(truth, found) > snr(truth, noisy) + 15
    assert found.mean() == pytest.approx(truth.mean(), rel=0.01)
    assert found.mean() == pytest.approx(noisy.mean(), rel=0.005)  # it is levelled; untouched, seeds differ by 1 %
    assert fitted.heldout < gaussian.fit(Frames(arrays.from_numpy(noisy)), Options()).heldout
    assert fitted.findings == ()


@needs_torch
def test_values_do_not_depend_on_what_is_asked_for(movie):
    fitted = fit(movie)
    whole = fitted.read(0, 96)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    for start, stop in ((90, 96), (0, 5), (30, 71)):
        np.testing.assert_array_equal(fitted.read(start, stop), whole[start:stop])


@needs_torch
def test_the_same_seed_gives_the_same_result(movie):
    one, same, other = (fit(movie, seed=seed).read(0, 96) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@needs_torch
def test_the_heldout_error_is_that_of_predicting_odd_frames_from_even_ones(movie, tmp_path):
    fitted = fit(movie, save=tmp_path / "w")
    even = apply(movie[::2], tmp_path / "w")
    predicted = even.read(0, 48)[36:]  # the same filters; guides are narrower in training, so it is only near
    direct = float(np.mean((movie[1::2][36:] - predicted) ** 2))
    assert fitted.heldout == pytest.approx(direct, rel=0.1)


@needs_torch
def test_saved_weights_give_the_same_result_without_training(movie, tmp_path):
    trained = fit(movie, save=tmp_path / "weights", rate_hz=30.0)
    told = []
    applied = apply(movie, tmp_path / "weights", rate_hz=30.0, tell=lambda *what: told.append(what[0]))
    np.testing.assert_array_equal(applied.read(0, 96), trained.read(0, 96))
    assert applied.heldout == trained.heldout
    assert not any("training" in what for what in told)
    learnt = applied.parameters["learnt"]
    assert learnt["heldout"] == trained.heldout != learnt["heldout_gaussian"]
    assert (learnt["rate_hz"], learnt["steps_done"], learnt["seed"]) == (30.0, 6, 0)
    assert learnt["origin"]["shape"] == [96, 20, 28]
    assert learnt["versions"]["nwbridge"] == nwbridge.__version__


@needs_torch
def test_weights_applied_to_another_rate_and_brightness_normalise_by_the_movie_itself(movie, tmp_path):
    fit(movie, save=tmp_path / "weights", rate_hz=30.0)
    own = apply(movie, tmp_path / "weights").read(0, 96)
    bright = apply((movie * 5 + 100).astype(np.uint16), tmp_path / "weights", rate_hz=10.0)
    np.testing.assert_allclose(bright.read(0, 96), own * 5 + 100, rtol=1e-4)
    messages = " ".join(finding.message for finding in bright.findings if finding.severity == "hint")
    assert "30 frames a second, this movie has 10" in messages
    assert "normalised by its own" in messages


@needs_torch
def test_a_result_that_is_worse_than_a_gaussian_is_not_passed_off_as_better():
    still = np.random.default_rng(3).normal(100, 5, (96, 20, 28)).astype(np.float32)  # a wide filter is best
    movie = nwbridge.Movie("Movie", arrays.from_numpy(still), nwbridge.Plane(rate_hz=30.0), rate_hz=30.0)
    results = step.run((movie,), Options(**(TINY | {"steps": 1})))
    warnings = [found.message for found in results if isinstance(found, nwbridge.Finding)]
    assert any("not better than the Gaussian" in message for message in warnings)


@needs_torch
def test_training_goes_on_from_saved_weights_where_it_is_asked_to(movie, tmp_path):
    fit(movie, save=tmp_path / "weights")
    more = fit(movie, model=tmp_path / "weights", steps=4)
    assert more.parameters["started_from"] == "weights"
    assert more.parameters["steps_done"] == 4
    assert not np.array_equal(more.read(0, 9), apply(movie, tmp_path / "weights").read(0, 9))


@needs_torch
def test_an_interrupted_training_leaves_a_checkpoint_and_no_weights(movie, tmp_path):
    def interrupt(phase, done, total):
        if phase.startswith("training"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(movie, steps=100_000, checkpoint=tmp_path / "kept", save=tmp_path / "weights", tell=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    with np.load(tmp_path / "kept", allow_pickle=False) as file:
        assert 0 < json.loads(str(file["header"]))["counters"]["step"] < 50_000  # before the first look


@needs_torch
def test_a_file_that_came_up_during_training_is_not_overwritten(movie, tmp_path):
    def other(phase, done, total):
        if not (tmp_path / "w.npz").exists():
            (tmp_path / "w.npz").write_bytes(b"of another run")

    fitted = fit(movie, save=tmp_path / "w.npz", tell=other)
    assert (tmp_path / "w.npz").read_bytes() == b"of another run"
    assert any("the weights were saved as w_2.npz" in finding.message for finding in fitted.findings)
    np.testing.assert_array_equal(apply(movie, tmp_path / "w_2.npz").read(0, 96), fitted.read(0, 96))


@needs_torch
def test_parameters_are_plain_values_and_tell_how_it_was_made(movie):
    told = json.loads(json.dumps(dict(fit(movie).parameters)))
    assert told["architecture"]["features"] == 2
    assert told["loss"] == "l2"
    assert told["mean"] == pytest.approx(movie.mean())
    assert told["device"] == "cpu" or torch.cuda.is_available()
    assert told["torch"] == torch.__version__


@needs_torch
def test_tells_how_far_training_is(movie):
    told = []
    fit(movie, train_seconds=2.5, steps=None, tell=lambda *what: told.append(what))
    training = [what for what in told if what[0].startswith("training, loss ")]
    assert training
    assert all("left" in phase and 0 < done <= total for phase, done, total in training)


@needs_torch
@pytest.mark.parametrize("shape", [(48, 5, 9), (70, 3, 40), (44, 1, 6)])
def test_movies_smaller_than_a_patch_are_denoised(shape):
    movie = np.random.default_rng(3).poisson(4, shape).astype(np.int16) - 2
    found = fit(movie, patch=16).read(0, shape[0])
    assert found.shape == shape
    assert np.isfinite(found).all()


@needs_torch
def test_a_network_too_large_to_be_built_is_refused_in_a_line(movie):
    with pytest.raises(BadOption, match="--features 512 --levels 5: that network has more than 67,108,864 parameters"):
        fit(movie, features=512, levels=5, patch=32)


@needs_torch
@pytest.mark.skipif(torch is not None and torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused_in_a_line(movie):
    with pytest.raises(BadOption, match="--device cuda: PyTorch found no GPU"):
        fit(movie, device="cuda")


@needs_torch
def test_too_few_frames_are_refused_in_a_line(movie):
    with pytest.raises(BadSource, match="frames to learn from; the network needs"):
        fit(movie[:20])


def test_without_pytorch_the_command_that_brings_it_is_named(movie, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependency, match="pip install torch"):
        network.fit(Frames(arrays.from_numpy(movie)), Options(method="deepcad"))


def test_pytorch_is_not_imported_before_it_is_used():
    code = "import sys, nwbridge_denoise, nwbridge_denoise.network; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
