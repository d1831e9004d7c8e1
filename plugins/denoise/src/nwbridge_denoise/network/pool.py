"""What the network learns from: pairs of neighbouring frames in memory, and random patches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadSource, arrays
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Block
from nwbridge_denoise.network.guides import AT_ONCE, Guided
from nwbridge_denoise.network.unet import Architecture

MEMORY = 384 * 2**20  # bytes of frames and guides held for training
WINDOW = 128  # rows and columns of what is taken from a larger field of view where memory does not hold all of it
TOGETHER = 4  # windows taken from the same frames
CONTEXT = 96  # pairs of frames to each side, for the guides
MOST_BLOCKS = 64  # that are read for the mean and the deviation of a long movie
LEAST = 32  # frames to learn from
LARGEST = 6e4  # what half precision holds

Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Pool:
    """Stretches of normalised frames and guides, even and odd frames apart: (2, movie, pair, row, column)."""

    stretches: tuple[Half, ...]
    patch: tuple[int, int, int]  # pairs, rows, columns

    def draw(self, random: np.random.Generator, count: int) -> tuple[Block, Block]:
        """Return `count` patches and what is to be predicted from each: swapped, turned and mirrored at random."""
        given, wanted = zip(*(self._one(random) for _ in range(count)), strict=True)
        return np.stack(given).astype(np.float32), np.stack(wanted).astype(np.float32)

    def _one(self, random: np.random.Generator) -> tuple[Half, Half]:
        sizes = np.array([stretch.shape[2] for stretch in self.stretches])
        stretch = self.stretches[random.choice(len(sizes), p=sizes / sizes.sum())]
        room = [size - part for size, part in zip(stretch.shape[2:], self.patch, strict=True)]
        time, row, column = (
            slice(at := int(random.integers(free + 1)), at + part) for free, part in zip(room, self.patch, strict=True)
        )
        half = int(random.integers(2))
        backwards, mirrored = random.random(2) < 0.5
        turns = int(random.integers(4)) if self.patch[1] == self.patch[2] else 2 * int(random.integers(2))
        both = (stretch[half, :, time, row, column], stretch[1 - half, :1, time, row, column])
        if backwards:
            both = (both[0][:, ::-1], both[1][:, ::-1])
        if mirrored:
            both = (both[0][..., ::-1], both[1][..., ::-1])
        return np.rot90(both[0], turns, (2, 3)), np.rot90(both[1], turns, (2, 3))


def fill(
    frames: Frames,
    architecture: Architecture,
    patch: int,
    normalisation: tuple[float, float],
    random: np.random.Generator,
) -> Pool:
    """Read what `MEMORY` holds of the frames: all, or stretches spread evenly over them."""
    pairs, rows, columns = len(frames) // 2, *frames.shape[1:]
    if 2 * pairs < LEAST:
        raise BadSource(
            f"{len(frames)} frames to learn from; the network needs {LEAST}, and a third more that test it: "
            "use --method gaussian or svd, or --model with the weights of a longer recording"
        )
    unit = architecture.multiple
    time, *sides = (max(unit, min(patch, size) // unit * unit) for size in (pairs, rows, columns))
    each = 2 * architecture.inputs * np.dtype(np.float16).itemsize  # bytes of a pixel of a pair
    if pairs * rows * columns * each <= MEMORY:
        pieces = iter([_Piece(frames, 0, pairs, 0.0)])
    else:
        pieces = _pieces(frames, min(pairs, 2 * time), sides, each, random)
    stretches = []
    for piece in pieces:
        nwbridge.progress("reading frames to learn from", round(100 * piece.done), 100)
        count = len(piece.frames) // 2 * 2
        halves = (
            Guided(piece.frames.view(half, count, 2), architecture.guides, normalisation, per_pair=1) for half in (0, 1)
        )
        stretches.append(np.stack([_read(half, piece.start, piece.start + piece.length, sides) for half in halves]))
    return Pool(tuple(stretches), (time, sides[0], sides[1]))


@dataclass(frozen=True)
class _Piece:
    """Frames with some before and after them, from which guides are made."""

    frames: Frames
    start: int  # first pair of those to learn from
    length: int
    done: float


def _pieces(
    frames: Frames, length: int, least: Sequence[int], each: int, random: np.random.Generator
) -> Iterator[_Piece]:
    """Yield what fits into memory: windows of the field of view, from times spread evenly over the movie."""
    pairs, *field = (len(frames) // 2, *frames.shape[1:])
    sides = [min(size, max(WINDOW, part)) for size, part in zip(field, least, strict=True)]
    number = max(1, MEMORY // (each * length * sides[0] * sides[1]))
    together = 1 if sides == field else min(TOGETHER, number)
    begins = np.linspace(0, pairs - length, max(1, number // together)).astype(int)
    for order, begin in enumerate(begins):
        low, high = max(0, begin - CONTEXT), min(pairs, begin + length + CONTEXT)
        corners = [
            [int(random.integers(size - side + 1)) for size, side in zip(field, sides, strict=True)]
            for _ in range(together)
        ]
        blocks = [np.empty((2 * (high - low), *sides), np.float32) for _ in corners]
        step = max(1, AT_ONCE // (4 * field[0] * field[1]))
        for at in range(0, len(blocks[0]), step):
            read = frames.read(2 * low + at, min(2 * low + at + step, 2 * high))
            for block, (row, column) in zip(blocks, corners, strict=True):
                block[at : at + len(read)] = read[:, row : row + sides[0], column : column + sides[1]]
        for block in blocks:
            yield _Piece(Frames(arrays.from_numpy(block)), int(begin - low), length, order / len(begins))


def _read(movie: Guided, start: int, stop: int, least: Sequence[int]) -> Half:
    """Return frames and guides, reflected at their edges where the field of view is smaller than a patch."""
    _, rows, columns = movie.frames.shape
    step = max(1, AT_ONCE // (4 * movie.count * rows * columns))
    whole = np.empty((movie.count, stop - start, rows, columns), np.float16)
    for at in range(start, stop, step):
        block = movie.read(at, min(at + step, stop))
        whole[:, at - start : at - start + block.shape[1]] = np.clip(block, -LARGEST, LARGEST)
    missing = [max(0, part - size) for size, part in zip((rows, columns), least, strict=True)]
    if any(missing):
        whole = np.pad(whole, [(0, 0), (0, 0), *((part // 2, part - part // 2) for part in missing)], mode="reflect")
    return whole


def normalisation(frames: Frames) -> tuple[float, float]:
    """Return one mean and one standard deviation of all frames, or of blocks spread evenly over a long movie."""
    count, rows, columns = frames.shape
    step = max(1, AT_ONCE // max(1, 4 * rows * columns))
    starts = np.arange(0, count, step)
    if len(starts) > MOST_BLOCKS:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_BLOCKS).astype(int)]
    sums: npt.NDArray[np.float64] = np.zeros(3)
    shift: float | None = None  # sums of squares of large values with small differences lose digits
    for start in starts:
        block = frames.read(int(start), min(int(start) + step, count)).astype(np.float64)
        shift = float(block.mean()) if shift is None else shift
        if not np.isfinite(block).all():
            raise BadSource(
                f"frames {start} to {start + len(block)} hold values that are not numbers; the network needs numbers"
            )
        block -= shift
        sums += (block.size, block.sum(), np.square(block).sum())
    mean = sums[1] / sums[0]
    scale = float(np.sqrt(max(0.0, sums[2] / sums[0] - mean**2)))
    if scale == 0:
        raise BadSource(f"every value of the movie is {(shift or 0.0):g}; expected a movie in which something changes")
    return float(mean + (shift or 0.0)), scale
