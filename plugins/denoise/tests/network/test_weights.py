"""Saved weights: of which network, and whether they are whole."""

import numpy as np
import pytest

from nwbridge import BadOption, BadSource

torch = pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.network import files, weights  # noqa: E402
from nwbridge_denoise.network.unet import Architecture, build  # noqa: E402

ARCHITECTURE = Architecture(4, 2, ((1.5, 1.0), (32.0, 0.5)))


@pytest.fixture
def saved(tmp_path):
    weights.save(tmp_path / "w", build(ARCHITECTURE, seed=8), {"rate_hz": 15.0})
    return tmp_path / "w"


def changed(path, header=None, arrays=None):
    own_header, own_arrays = files.read(path, weights.WEIGHTS)
    files.write(path, weights.WEIGHTS, own_header | (header or {}), own_arrays | (arrays or {}))


def test_gives_back_the_network_and_what_is_known_of_it(saved):
    network, learnt = weights.load(saved)
    assert network.architecture == ARCHITECTURE
    assert learnt == {"rate_hz": 15.0}
    expected = build(ARCHITECTURE, seed=8).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("asked", "says"), [({"features": 8}, "--features 8: .*4 feature maps"), ({"levels": 3}, "2 l")]
)
def test_weights_of_another_architecture_than_asked_for_are_refused(saved, asked, says):
    with pytest.raises(BadOption, match=says):
        weights.load(saved, **asked)


def test_weights_that_do_not_fit_what_the_file_says_are_refused(saved):
    changed(saved, arrays={"out.weight": np.zeros((1, 9, 1, 1, 1), np.float32)})
    with pytest.raises(BadSource, match=r"out.weight is \(1, 9, 1, 1, 1\); expected \(1, 4, 1, 1, 1\)"):
        weights.load(saved)


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        ({"network": "Transformer"}, "weights of a Transformer; expected those of a U-Net 3-D"),
        ({"network": "U-Net 3-D", "features": 4}, "does not say what its weights are of"),
        ({"network": "U-Net 3-D", "features": 10**9, "levels": 2, "guides": []}, "no network that nwbridge makes"),
        ({"network": "U-Net 3-D", "features": 4, "levels": 2, "guides": [[-1, 1]]}, "no network that nwbridge makes"),
        ({"network": "U-Net 3-D", "features": 4, "levels": 3, "guides": []}, "expected"),
    ],
)
def test_an_architecture_that_cannot_be_built_is_refused(saved, architecture, says):
    changed(saved, {"architecture": architecture})
    with pytest.raises(BadSource, match=says):
        weights.load(saved)


def test_weights_that_are_not_finite_are_refused(saved):
    changed(saved, arrays={"out.bias": np.array([np.nan], np.float32)})
    with pytest.raises(BadSource, match="not finite"):
        weights.load(saved)
