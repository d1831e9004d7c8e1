"""Saved weights: of which network, and whether they are whole."""

import json
import resource

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
    with np.load(path) as file:
        own_arrays = dict(file)
    own_header = json.loads(str(own_arrays.pop("header")))
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
    with pytest.raises(BadSource, match=r"out.weight is \(1, 9, 1, 1, 1\) float32; expected \(1, 4, 1, 1, 1\)"):
        weights.load(saved)


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        ({"network": "Transformer"}, "weights of Transformer; expected those of a U-Net 3-D"),
        ({"network": "U-Net 3-D", "features": 4}, "does not say what its weights are of"),
        ({"network": "U-Net 3-D", "features": 10**9, "levels": 2, "guides": []}, "no network that nwbridge makes"),
        ({"network": "U-Net 3-D", "features": 4, "levels": 2, "guides": [[-1, 1]]}, "no network that nwbridge makes"),
        ({"network": "U-Net 3-D", "features": 4, "levels": 3, "guides": []}, "down.2.0.bias.npy is missing"),
        ("x", "does not say what its weights are of"),
        (None, "does not say what its weights are of"),
        ({"network": ["U-Net"] * 999}, r"weights of \['U-Net'.{0,60}…; expected those of a U-Net 3-D"),
        ({"network": "U-Net 3-D", "features": "4", "levels": 2, "guides": []}, "'4' is no whole number"),
        ({"network": "U-Net 3-D", "features": True, "levels": 2, "guides": []}, "True is no whole number"),
        ({"network": "U-Net 3-D", "features": 4, "levels": 2, "guides": [[10**400, 1]]}, "does not say what"),
        (
            {"network": "U-Net 3-D", "features": 4, "levels": 2, "guides": [[1e308, 1]]},
            "no network that nwbridge makes",
        ),
        ({"network": "U-Net 3-D", "features": 4, "levels": 2, "guides": [[1, 1]] * 400}, "no network that nwbridge"),
        ({"network": "U-Net 3-D", "features": 512, "levels": 6, "guides": []}, "no network that nwbridge makes"),
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


def test_a_large_network_that_a_file_only_claims_is_not_built(saved):
    """64 feature maps on 4 levels are a network of 65 MB, which could be."""
    changed(saved, {"architecture": {"network": "U-Net 3-D", "features": 64, "levels": 4, "guides": []}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadSource, match="is missing, against what its header says"):
        weights.load(saved)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # in kilobytes


@pytest.mark.parametrize(
    ("learnt", "says"),
    [
        ([1, 2], "learnt, in its header, is not what nwbridge writes"),
        (None, "learnt, in its header, is not what nwbridge writes"),
        ({"origin": [[[[[[[[1]]]]]]]]}, "learnt, in its header, is not what nwbridge writes"),
        ({"rate_hz": "fast"}, "rate_hz, in its header, is fast; expected a number above 0"),
        ({"rate_hz": -30}, "rate_hz, in its header, is -30; expected"),
        ({"scale": [1.0]}, r"scale, in its header, is \[1.0\]; expected"),
        ({"scale": True}, "scale, in its header, is True; expected"),
        ({"scale": 10**400}, "scale, in its header, is 10000000.*…; expected"),
    ],
)
def test_what_is_known_of_weights_is_of_the_right_kind_or_refused_in_a_line(saved, learnt, says):
    changed(saved, {"learnt": learnt})
    with pytest.raises(BadSource, match=says) as found:
        weights.load(saved)
    assert len(str(found.value)) < 500


def test_weights_of_an_earlier_training_are_never_replaced(saved):
    before = saved.read_bytes()
    network = build(ARCHITECTURE, seed=9)
    for number in (2, 3):
        (finding,) = weights.save(saved, network, {})
        assert finding.message.endswith(f"the weights were saved as w_{number}")
    assert saved.read_bytes() == before
    assert torch.equal(weights.load(saved.with_name("w_3"))[0].state_dict()["out.bias"], network.out.bias)


def test_weights_that_cannot_be_written_leave_no_empty_file(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        weights.save(tmp_path / "w", build(ARCHITECTURE, seed=9), {"error": float("nan")})
    assert list(tmp_path.iterdir()) == []
