"""The network's shape, and where it starts."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.network.unet import Architecture, UNet, build  # noqa: E402


@pytest.mark.parametrize(
    ("features", "levels", "parameters"), [(16, 4, 1_020_337), (64, 4, 16_315_585), (8, 3, 61_593)]
)
def test_has_as_many_parameters_as_the_published_network(features, levels, parameters):
    network = UNet(Architecture(features, levels))
    assert sum(value.numel() for value in network.parameters()) == parameters


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_gives_one_movie_of_the_size_that_went_in(levels):
    architecture = Architecture(4, levels, ((1.5, 1.0),))
    given = torch.zeros(2, 2, 2 * architecture.multiple, 8, 3 * architecture.multiple)
    assert UNet(architecture)(given).shape == (2, 1, *given.shape[2:])


def test_begins_as_its_first_guide():
    given = torch.randn(1, 3, 8, 12, 4)
    found = build(Architecture(4, 2, ((1.5, 1.0), (4.0, 1.0))), seed=3)(given)
    assert torch.equal(found, given[:, 1:2])


def test_the_seed_decides_the_weights_and_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    one, same, other = (build(Architecture(4, 2), seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["out.weight"], other["out.weight"])
