"""Training: the same from the same seed, also after an interruption; nothing half-written."""

import json
import math
import signal

import numpy as np
import pytest

from nwbridge import BadOption, BadSource, arrays

torch = pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.frames import Frames  # noqa: E402
from nwbridge_denoise.network.machine import Machine  # noqa: E402
from nwbridge_denoise.network.pool import fill  # noqa: E402
from nwbridge_denoise.network.training import Recipe, Training  # noqa: E402
from nwbridge_denoise.network.unet import Architecture, build  # noqa: E402

MACHINE = Machine(torch.device("cpu"), False, 1)
ARCHITECTURE = Architecture(2, 2, ((1.5, 1.0),))


@pytest.fixture(scope="module")
def movie():
    time = np.arange(80)[:, None, None]
    scene = 3 + np.sin(time / 9 + np.arange(16)[:, None] / 5) + np.cos(np.arange(20) / 3)
    return np.random.default_rng(1).poisson(scene).astype(np.uint8)


def training(movie, seed=0, architecture=ARCHITECTURE, data=None, **recipe):
    recipe = Recipe(
        **({"steps": 24, "seconds": None, "loss": "l2", "patch": 8} | recipe), batch=2, learning_rate=3e-3, seed=seed
    )
    random = np.random.default_rng(seed)
    pool = fill(Frames(arrays.from_numpy(movie)), architecture, 8, (3.0, 2.0), random)
    return Training(build(architecture, seed), recipe, MACHINE, random, data or {}), pool


def learnt(movie, checkpoint=None, error=lambda network: network.share[0].item(), **given):
    made, pool = training(movie, **given)
    with MACHINE.computing():
        if checkpoint is not None and checkpoint.exists():
            made.take_up(checkpoint)
        return made.run(pool, error, checkpoint).state_dict(), made


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_same_seed_gives_the_same_weights(movie):
    first, _ = learnt(movie, seed=4)
    again, _ = learnt(movie, seed=4)
    other, _ = learnt(movie, seed=5)
    assert same(first, again)
    assert not same(first, other)


def test_an_interrupted_training_goes_on_to_the_same_weights(movie, tmp_path):
    whole, made = learnt(movie)
    looks = []

    def interrupted(network):
        if len(looks) == 3:
            raise KeyboardInterrupt
        looks.append(network.share[0].item())
        return looks[-1]

    with pytest.raises(KeyboardInterrupt, match=r"kept keeps the training: the same command goes on from it"):
        learnt(movie, tmp_path / "kept", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    resumed, after = learnt(movie, tmp_path / "kept")
    assert same(whole, resumed)
    assert (after.step, after.best_step, after.best_error) == (made.step, made.best_step, made.best_error)


@pytest.fixture
def hears_interruptions():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_interruptions")
@pytest.mark.parametrize("step", [1, 2, 9, 17, 23])
def test_an_interruption_in_the_middle_of_any_step_loses_nothing(movie, tmp_path, step):
    whole, made = learnt(movie)
    other, pool = training(movie)

    class Interrupted:
        drawn = 0

        def draw(self, random, count):
            self.drawn += 1
            patches = pool.draw(random, count)
            if self.drawn == step:
                signal.raise_signal(signal.SIGINT)
            return patches

    with pytest.raises(KeyboardInterrupt), MACHINE.computing():
        other.run(Interrupted(), lambda network: network.share[0].item(), tmp_path / "kept")
    assert other.step == step  # the step was done before the interruption was heard
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed, after = learnt(movie, tmp_path / "kept")
    assert same(whole, resumed)
    assert (after.step, after.best_step, after.best_error) == (made.step, made.best_step, made.best_error)


def test_an_interruption_before_the_first_step_leaves_nothing(movie, tmp_path):
    made, _ = training(movie)

    class Interrupted:
        def draw(self, random, count):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(Interrupted(), lambda network: 0.0, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_training_is_not_done_again(movie, tmp_path):
    first, _ = learnt(movie, tmp_path / "kept")

    def never(network):
        raise AssertionError

    again, made = learnt(movie, tmp_path / "kept", never)
    assert same(first, again)
    assert made.step == 24


def test_the_weights_with_the_lowest_error_are_kept(movie):
    errors = iter([5.0, 2.0, 3.0, *[9.0] * 50])
    seen = []

    def error(network):
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return next(errors)

    best, made = learnt(movie, error=error)
    assert made.best_error == 2.0
    assert same(best, seen[1])
    assert not same(best, seen[-1])


def test_a_checkpoint_of_another_training_is_refused(movie, tmp_path):
    learnt(movie, tmp_path / "kept")
    with pytest.raises(BadOption, match="of a training with steps 24, this one has 30"):
        learnt(movie, tmp_path / "kept", steps=30)
    with pytest.raises(BadOption, match="of a training with mean None, this one has"):
        learnt(movie, tmp_path / "kept", data={"mean": 3.5})
    (tmp_path / "kept").write_bytes((tmp_path / "kept").read_bytes()[:2000])
    with pytest.raises(BadSource, match=r"damaged or cut short .*: delete it to begin anew"):
        learnt(movie, tmp_path / "kept")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"settings": None}, "does not say of which training it is: delete it to begin anew"),
        ({"counters": {"step": "many"}}, "its step is many; expected a number: delete it to begin anew"),
        ({"random": "{}"}, "the random numbers in it are damaged: delete it to begin anew"),
        ({"random": None}, "the random numbers in it are damaged: delete it to begin anew"),
    ],
)
def test_a_checkpoint_that_has_been_changed_is_refused_in_a_line(movie, tmp_path, change, says):
    learnt(movie, tmp_path / "kept")
    with np.load(tmp_path / "kept") as file:
        arrays = dict(file)
    arrays["header"] = np.array(json.dumps(json.loads(str(arrays["header"])) | change))
    with (tmp_path / "kept").open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(BadSource, match=says):
        learnt(movie, tmp_path / "kept")


def test_training_lowers_the_error_of_what_is_predicted(movie):
    made, pool = training(movie, architecture=Architecture(2, 2), steps=150)
    given, wanted = (torch.from_numpy(part) for part in pool.draw(np.random.default_rng(99), 20))

    def error(network):
        with torch.no_grad():
            return float(torch.mean((network(given) - wanted) ** 2))

    before = error(made.network)
    with MACHINE.computing():
        made.run(pool, error, None)
    assert made.best_error < 0.9 * before


def test_each_loss_is_what_it_is_called(movie):
    predicted, wanted = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 4.0, 2.0])
    l2 = training(movie)[0]._distance(predicted, wanted)
    both = training(movie, loss="l1+l2")[0]._distance(predicted, wanted)
    assert float(l2) == pytest.approx(13 / 3)
    assert float(both) == pytest.approx(0.5 * 13 / 3 + 0.5 * 5 / 3)


def test_training_by_the_clock_comes_to_its_end(movie):
    _, made = learnt(movie, steps=None, seconds=0.5)
    assert made.part == 1
    assert made.step > 1
    assert not math.isnan(made.loss)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with Machine(torch.device("cpu"), False, before + 1).computing():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
