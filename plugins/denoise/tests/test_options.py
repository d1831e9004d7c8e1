"""What a user can choose: an option that the method does not use is refused, or the history would tell of it."""

from pathlib import Path

import pytest

import nwbridge
from nwbridge import BadOption
from nwbridge.testing.examples import write_example
from nwbridge_denoise import Options

NETWORK = {
    "model": Path("w"),
    "save": Path("w"),
    "checkpoint": Path("c"),
    "steps": 5,
    "train_seconds": 5.0,
    "loss": "l1+l2",
    "patch": 16,
    "features": 4,
    "levels": 2,
    "seed": 1,
    "device": "cpu",
    "precision": "float32",
}
WIDTHS = {"sigma_time": 0.0, "sigma_rows": 1.0, "sigma_columns": 1.0}


@pytest.mark.parametrize(
    ("method", "others"),
    [("gaussian", {"rank": 2} | NETWORK), ("svd", WIDTHS | NETWORK), ("deepcad", WIDTHS | {"rank": 2})],
)
def test_options_of_other_methods_are_refused(method, others):
    for name, value in others.items():
        with pytest.raises(BadOption, match=f"^--{name.replace('_', '-')}: --method {method} does not use that"):
            Options(method=method, **{name: value})


def test_auto_takes_options_of_the_network_only_where_it_is_tried():
    for name in NETWORK.keys() - {"model", "steps", "train_seconds"}:
        with pytest.raises(BadOption, match=f"--{name}: auto tries the network only with --model, --steps or"):
            Options(**{name: NETWORK[name]})
        assert Options(steps=5, **{name: NETWORK[name]}).tried == ("gaussian", "svd", "deepcad")
    assert Options(**WIDTHS, rank=2).tried == ("gaussian", "svd")


@pytest.mark.parametrize("method", ["auto", "deepcad"])
def test_options_of_training_are_refused_where_nothing_is_trained(method):
    for name in ("checkpoint", "loss", "patch", "seed"):
        with pytest.raises(BadOption, match=f"--{name}: with --model nothing is trained"):
            Options(method=method, model=Path("w"), **{name: NETWORK[name]})
        assert Options(method=method, model=Path("w"), train_seconds=5.0, **{name: NETWORK[name]}).trains


def test_what_has_its_default_is_not_given():
    assert Options(method="svd", device="auto", seed=0, patch=32, loss="l2").tried == ("svd",)


def test_a_file_that_would_not_be_saved_is_refused_before_anything_is_written(tmp_path):
    path = write_example(tmp_path / "in.nwb", (nwbridge.Movie,))
    options = {"method": "svd", "device": "cuda", "save": tmp_path / "s.npz", "steps": 50}
    with pytest.raises(BadOption, match="--save, --steps, --device: --method svd does not use that, only deepcad does"):
        nwbridge.process(path, tmp_path / "out.nwb", "denoise", options=options)
    assert [file.name for file in tmp_path.iterdir()] == ["in.nwb"]
