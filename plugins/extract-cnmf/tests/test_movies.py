"""Movies in memory and in a scratch file give the same pixels; frames are averaged within movies only."""

import tempfile
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from nwbridge_extract_cnmf import movies
from nwbridge_extract_cnmf.movies import ArrayMovie, BadMovie, averaged, scratch, stretched

RNG = np.random.default_rng(0)
WHOLE = RNG.integers(0, 60000, (41, 7, 11)).astype(np.uint16)


def opened(arrays):
    return [(array.shape, array.dtype, lambda array=array: nullcontext(array)) for array in arrays]


def holed():
    made = RNG.normal(5, 1, (41, 7, 11))
    made[:3] = np.nan
    made[17:19] = np.nan
    made[5, 2, 3], made[9, 6, 10] = np.nan, np.inf
    made[30, 0, 0] = 1e300
    return made


@pytest.mark.parametrize("block", [1, 400, 32 << 20])
@pytest.mark.parametrize(
    "arrays",
    [
        [WHOLE],
        [WHOLE[:12], WHOLE[12:13], WHOLE[13:]],
        [holed()],
        [holed()[:18], np.clip(holed()[18:], -9, 9).astype(np.float32)],
        [WHOLE[:20], holed()],
    ],
)
def test_a_scratch_movie_gives_the_pixels_of_the_arrays(arrays, block, monkeypatch):
    monkeypatch.setattr(movies, "BLOCK", block)
    expected, seen = ArrayMovie.of(arrays), []
    with scratch(opened(arrays), lambda done, total: seen.append((done, total))) as laid:
        path = laid.path
        assert (laid.shape, laid.starts) == (expected.shape, expected.starts)
        np.testing.assert_array_equal(laid.usable, expected.usable)
        np.testing.assert_array_equal(laid.held, expected.held)
        for rows, cols in ((slice(0, 7), slice(0, 11)), (slice(2, 5), slice(4, 5))):
            np.testing.assert_array_equal(laid.patch(rows, cols), expected.patch(rows, cols))
    assert not path.exists()
    assert seen[-1] == (expected.shape[0],) * 2


def test_frames_without_a_number_show_the_one_before_and_pixels_with_holes_are_left_out():
    values = holed()
    movie = ArrayMovie.of([values])
    pixels = movie.patch(slice(0, 7), slice(0, 11)).T.reshape(41, 7, 11)
    assert np.flatnonzero(movie.held).tolist() == [0, 1, 2, 17, 18]
    assert np.argwhere(~movie.usable).tolist() == [[0, 0], [2, 3], [6, 10]]
    assert not pixels[:, ~movie.usable].any()
    for frame, shown in ((0, 3), (2, 3), (17, 16), (18, 16), (19, 19)):
        np.testing.assert_array_equal(pixels[frame, movie.usable], values[shown, movie.usable].astype(np.float32))


@pytest.mark.parametrize(
    "arrays",
    [[], [np.zeros((4, 5))], [np.zeros((0, 4, 5))], [WHOLE, WHOLE[:, 1:]], [WHOLE + 1j], [np.full((20, 3, 4), np.nan)]],
)
def test_what_is_no_movie_is_said_in_one_line(arrays):
    with pytest.raises(BadMovie, match=r"expected|leave out") as said:
        ArrayMovie.of(arrays)
    assert "\n" not in str(said.value)
    with pytest.raises(BadMovie, match=r"expected|leave out"), scratch(opened(arrays)):
        pass


def test_a_file_with_fewer_frames_than_it_says_is_refused_and_not_filled_with_black():
    with (
        pytest.raises(BadMovie, match=r"movie 1 .* cut short"),
        scratch([((60, 7, 11), WHOLE.dtype, lambda: nullcontext(WHOLE))]),
    ):
        pass


def test_trouble_of_the_caller_is_not_taken_for_a_full_disk():
    with pytest.raises(BrokenPipeError), scratch(opened([WHOLE])):
        raise BrokenPipeError

    @contextmanager
    def torn():
        raise OSError("unreadable")
        yield

    with pytest.raises(OSError, match="unreadable"), scratch([(WHOLE.shape, WHOLE.dtype, torn)]):
        pass


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(BadMovie, match="TMPDIR"), scratch(opened([WHOLE])):
        pass


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("starts", [(0,), (0, 5), (0, 5, 6, 20)])
def test_frames_are_averaged_within_movies_and_stretched_by_lines(step, starts):
    movie = WHOLE.reshape(41, -1).T.astype(np.float32)
    groups = [
        np.arange(at, min(at + step, end))
        for first, end in zip(starts, [*starts[1:], 41], strict=True)
        for at in range(first, end, step)
    ]
    found = averaged(movie, starts, step)
    np.testing.assert_allclose(found, np.stack([movie[:, group].mean(axis=1) for group in groups], axis=1), rtol=1e-5)
    back = stretched(found[:3], starts, 41, step)
    middles = [group.mean() for group in groups]
    expected = [np.interp(np.arange(41), middles, row) for row in found[:3]] if step > 1 else movie[:3]
    np.testing.assert_allclose(back, expected, rtol=1e-5)
    assert stretched(found[:0], starts, 41, step).shape == (0, 41)


def test_what_is_constant_stays_so():
    assert np.ptp(averaged(np.full((4, 50), 1001.3, np.float32), (0,), 3), axis=1).max() == 0
