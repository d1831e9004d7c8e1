"""Options of the network that cannot be: refused without PyTorch, before a frame is read."""

import pytest

from nwbridge import BadOption, LazyArray, Movie, Plane
from nwbridge_denoise import register_processors
from nwbridge_denoise.network.asked import check
from nwbridge_denoise.options import Options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 6, "train_seconds": 3.0}, "--steps and --train-seconds: both"),
        ({"steps": 0}, "--steps 0: expected more than 0"),
        ({"train_seconds": float("nan")}, "--train-seconds nan: expected more than 0"),
        ({"features": -2}, "--features -2: expected more than 0"),
        ({"features": 513}, "--features 513: expected more than 0, and 512 at most"),
        ({"levels": 7, "patch": 256}, "--levels 7: expected more than 0, and 6 at most"),
        ({"levels": 4, "patch": 8}, "a patch of at least 16"),
    ],
)
def test_numbers_that_make_no_network_are_refused(options, says):
    with pytest.raises(BadOption, match=says):
        check(Options(method="deepcad", **options))


def test_deep_networks_are_no_matter_of_patches_where_nothing_is_trained(tmp_path):
    check(Options(method="deepcad", levels=6, model=tmp_path / "w"))
    with pytest.raises(BadOption, match="a patch of at least 64"):
        check(Options(method="deepcad", levels=6, model=tmp_path / "w", steps=3))


def test_weights_of_an_earlier_training_are_never_overwritten(tmp_path):
    (tmp_path / "w.npz").write_bytes(b"precious")

    def opened():
        raise AssertionError

    movie = Movie("Movie", LazyArray((40, 5, 6), "u1", opened), Plane(), rate_hz=20.0)
    (step,) = register_processors()
    for options in ({"method": "deepcad"}, {"method": "auto", "steps": 3}):
        with pytest.raises(
            BadOption, match=r"--save .*w.npz: there is such a file already, .* another name, or remove"
        ):
            step.run((movie,), Options(save=tmp_path / "w.npz", **options))
    assert (tmp_path / "w.npz").read_bytes() == b"precious"


def test_files_without_a_folder_or_a_name_of_their_own_are_refused(tmp_path):
    for name in ("save", "checkpoint"):
        with pytest.raises(BadOption, match=f"--{name} .*: there is no folder"):
            check(Options(method="deepcad", **{name: tmp_path / "no" / "w"}))
    with pytest.raises(BadOption, match="--save and --checkpoint: both are"):
        check(Options(method="deepcad", save=tmp_path / "w", checkpoint=tmp_path / "w"))
