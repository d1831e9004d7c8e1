"""Tiles: blended into one movie, whatever is asked for and whatever memory there is."""

import numpy as np
import pytest

from nwbridge import BadOption, arrays

pytest.importorskip("torch", reason="PyTorch, the extra deepcad, is not installed")

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.network.guides import Guided
from nwbridge_denoise.network.tiles import RETRIES, Tiles, cut


def tiles(movie, compute=lambda tile: tile[0]):
    movie = movie if hasattr(movie, "open") else arrays.from_numpy(movie)
    return Tiles(Guided(Frames(movie), (), (3.0, 2.0), 2), compute, multiple=4)


def noise(*shape):
    return np.random.default_rng(4).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(200, 30, 41), (3, 400, 170), (1, 1, 1), (150, 170, 5), (65, 2, 300)])
def test_a_network_that_changes_nothing_gives_the_movie(shape):
    movie = noise(*shape)
    np.testing.assert_allclose(tiles(movie).read(0, shape[0]), movie, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 47, 144, 145, 300, 512, 2000])
@pytest.mark.parametrize("multiple", [4, 8, 32])
def test_weights_of_all_tiles_add_up_to_one(size, multiple):
    axis = cut(size, 160, multiple)
    total = np.zeros(size + 1000)
    for number, start in enumerate(axis.starts):
        total[start + 500 : start + 500 + axis.tile] += axis.weights(number)
        assert start % multiple == axis.starts[0] % multiple
    np.testing.assert_allclose(total[500 : 500 + size], 1, atol=1e-6)
    assert axis.tile % multiple == 0
    assert axis.tile <= max(160, -(-160 // multiple) * multiple)


def test_values_do_not_depend_on_what_is_asked_for():
    movie = noise(170, 20, 33)
    blur = lambda tile: np.cumsum(tile[0], axis=0) * 0.1  # noqa: E731  (depends on the whole tile)
    whole = tiles(movie, blur).read(0, 170)
    other = tiles(movie, blur)
    for start, stop in ((160, 170), (0, 7), (40, 60), (7, 130), (5, 5)):
        np.testing.assert_array_equal(other.read(start, stop), whole[start:stop])


def test_errors_at_the_edges_of_tiles_are_not_seen():
    def bad_at_edges(tile):
        found = tile[0].copy()
        found[:4] = found[-4:] = 99
        found[:, :4] = found[:, -4:] = 99
        found[..., :4] = found[..., -4:] = 99
        return found

    movie = noise(150, 310, 20)
    np.testing.assert_allclose(tiles(movie, bad_at_edges).read(0, 150), movie, atol=1e-5)


def test_a_step_between_tiles_is_spread_over_frames():
    counted = iter(range(10))
    found = tiles(np.zeros((150, 4, 6), np.float32), lambda tile: np.full(tile.shape[1:], float(next(counted)))).read(
        0, 150
    )
    assert np.ptp(found) == pytest.approx(6)  # three tiles in time: 0, 1, 2 in units of 2
    assert np.abs(np.diff(found, axis=0)).max() < 0.5


def test_says_where_tiles_meet():
    assert cut(300, 160, 4).borders == (100, 200)
    assert cut(140, 160, 4).borders == ()


def test_frames_are_read_a_few_at_a_time_and_hardly_more_than_once():
    asked = []

    def read(start, stop):
        asked.append(stop - start)
        return np.zeros((stop - start, 5, 4), np.uint8)

    reader = tiles(arrays.from_function((3000, 5, 4), np.dtype("u1"), read))
    for start in range(0, 3000, 37):
        reader.read(start, min(start + 37, 3000))
    assert max(asked) <= 64
    assert sum(asked) < 1.5 * 3000


def test_tiles_become_smaller_where_memory_runs_out():
    sizes = []

    def small_memory(tile):
        sizes.append(tile[0].size)
        if tile[0].size > 64 * 90 * 60:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return tile[0]

    movie = noise(70, 130, 50)
    reader = tiles(movie, small_memory)
    reader.try_one()
    assert reader.retries == 1
    tried = len(sizes)
    np.testing.assert_allclose(reader.read(0, 70), movie, atol=1e-5)
    assert max(sizes[tried:]) <= 64 * 90 * 60


def test_gives_up_where_no_tile_is_small_enough():
    calls = []

    def no_memory(tile):
        calls.append(tile.shape)
        raise MemoryError

    with pytest.raises(BadOption, match="memory ran out, even for tiles of 52 × 40 × 40"):
        tiles(noise(70, 330, 500), no_memory).try_one()
    assert len(calls) <= RETRIES + 1


def test_other_errors_are_not_taken_for_full_memory():
    def broken(tile):
        raise RuntimeError("shapes do not fit")

    reader = tiles(noise(10, 8, 8), broken)
    with pytest.raises(RuntimeError, match="shapes"):
        reader.try_one()
    assert reader.retries == 0
