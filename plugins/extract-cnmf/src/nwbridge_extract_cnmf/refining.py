"""All cells of the field together: passes over the movie, tile by tile, and what follows from their products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf import factors
from nwbridge_extract_cnmf.grounds import Background, Ground, LowRank, RingGround, State, constant_of, floor_of
from nwbridge_extract_cnmf.looking import COARSE
from nwbridge_extract_cnmf.movies import Movie
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.patches import in_order, tiles
from nwbridge_extract_cnmf.ring import Ring, block_means
from nwbridge_extract_cnmf.shapes import grown, tidied, to_unit_norm
from nwbridge_extract_cnmf.signals import noise_of
from nwbridge_extract_cnmf.temporal import Denoised, Denoiser

Array = npt.NDArray[np.float32]
T = TypeVar("T")
Places = npt.NDArray[np.intp]
TILE = 96 << 20  # bytes of a tile with its halo, as float32
SMALLEST, LARGEST = 16, 128  # pixels of a tile's side
SHRINK = 1.0  # of the standard deviation that noise gives a weight: so much smaller weights become
SWEEPS = 3  # over all traces, before they are denoised
ROUNDS = 2  # of denoising every trace in turn
Tell = Callable[[str, int, int], None]


class Lasting(NamedTuple):
    """What is kept of a tile's background."""

    constant: Array | None  # b0 of its core, (pixel,)
    weights: sparse.csr_matrix | None  # W

    @classmethod
    def of(cls, ground: Ground, core: npt.NDArray[np.bool_]) -> Lasting:
        """Return what is kept, where `core` are the tile's own pixels."""
        constant = None if ground.constant is None else ground.constant[core]
        return cls(constant, ground.weights if isinstance(ground, RingGround) else None)


class Images(NamedTuple):
    """What a tile gives of footprints."""

    cells: sparse.csr_matrix  # in its core, (pixel, component)
    ground: sparse.csr_matrix  # (pixel, component of the background)
    lasting: Lasting


class Products(NamedTuple):
    """What a tile gives of traces."""

    places: Places  # components, cells first, that have pixels in its core
    products: Array  # A'(Y - B), (place, time)
    below: Array  # A'B, (place, time)
    lasting: Lasting


@dataclass(frozen=True, eq=False)
class Refined:
    """Cells after a pass over traces."""

    state: State
    pieces: list[Denoised]  # what each trace is made of
    raw: Array  # (component, time)
    below: Array  # the background in each footprint, (component, time)


class Refiner:
    """Passes over a movie."""

    def __init__(
        self, movie: Movie, parameters: Parameters, usable: npt.NDArray[np.bool_], workers: int, tell: Tell
    ) -> None:
        self.movie, self.parameters, self.usable = movie, parameters, usable
        self.workers, self.tell = workers, tell
        self.shape = (usable.shape[0], usable.shape[1])
        self.ring = Ring.of_radius(parameters.radius, parameters.ssub_B) if parameters.one_photon else None
        block = parameters.ssub_B if self.ring else 1
        halo = self.ring.reach * block if self.ring else 0
        self.tiles = tiles(self.shape, _side(movie.shape[0], halo), halo, block)

    def footprints(self, state: State) -> State:
        """Find the footprints, and the images of the background, for traces as they are."""
        support = grown(state.footprints, self.shape, self.parameters.gSig).tocsr()
        previous = state.footprints.tocsr()

        def work(number: int) -> Images:
            return self._footprints_of(number, state, support, previous)

        found = list(self._over_tiles("refining footprints", work))
        rows = self._rows([part.cells for part in found])
        weights = tidied(sparse.csc_matrix(rows), self.shape, connected=self.parameters.method_init != "sparse_NMF")
        footprints, traces = to_unit_norm(weights, state.traces)
        images = sparse.csc_matrix(self._rows([part.ground for part in found]))
        background = self._background(state, [part.lasting for part in found])
        return State(footprints, traces, replace(background, images=images))

    def _over_tiles(self, doing: str, work: Callable[[int], T]) -> Iterator[T]:
        numbers = range(len(self.tiles))
        return in_order(work, numbers, self.workers, lambda done, total: self.tell(doing, done, total))

    def _rows(self, parts: Sequence[sparse.csr_matrix]) -> sparse.csr_matrix:
        """Return what tiles give for their own pixels, for those of the field."""
        back = np.argsort(np.concatenate([self._own(number) for number in range(len(parts))]))
        return sparse.vstack(parts).tocsr()[back]

    def _own(self, number: int) -> Places:
        """Return the pixels of the field that are a tile's own."""
        tile = self.tiles[number]
        return tile.pixels(self.shape[1])[tile.core().ravel()]

    def _background(self, state: State, lasting: Sequence[Lasting]) -> Background:
        """Return the background with what tiles found of it."""
        constant = np.zeros(self.usable.size, np.float32)
        for number, part in enumerate(lasting):
            if part.constant is not None:
                constant[self._own(number)] = part.constant
        kept = {number: part.weights for number, part in enumerate(lasting) if part.weights is not None}
        return replace(state.background, constant=constant, weights=kept)

    def _footprints_of(
        self, number: int, state: State, support: sparse.csr_matrix, previous: sparse.csr_matrix
    ) -> Images:
        tile = self.tiles[number]
        pixels = self.movie.patch(tile.rows, tile.cols)
        core, own = tile.core().ravel(), self._own(number)
        ground = self._ground(number, pixels, state, again=self.parameters.update_background_components)
        mine = pixels[core]
        sigma = noise_of(mine)
        here = np.unique(support[own].indices)
        known = self._known(state)
        near = np.empty(0, np.intp) if known else _reaching(state.background, own)
        images = state.background.images.tocsr()[own]
        traces = np.concatenate([state.traces[here], state.background.courses[near]])
        gram = traces @ traces.T
        products = mine @ traces.T - ground.times(traces)[core]
        if known:
            products -= LowRank(images.toarray(), state.background.courses).times(traces)
        start = np.concatenate([previous[own][:, here].toarray(), images[:, near].toarray()], axis=1)
        allowed = [support[own][:, here].toarray() > 0, _within(state.background, own, near)]
        penalty = factors.penalty(sigma, gram, SHRINK)
        penalty[:, len(here) :] = 0
        weights = factors.footprints(products, gram, start, np.concatenate(allowed, axis=1), penalty)
        weights[~self.usable.ravel()[own]] = 0
        cells = _columns(weights[:, : len(here)], here, len(state.traces))
        if not known:
            images = _columns(weights[:, len(here) :], near, len(state.background.courses))
        return Images(cells, images, Lasting.of(ground, core))

    def _known(self, state: State) -> bool:
        """Whether a background of low rank stays what it is."""
        return not self.parameters.update_background_components and state.background.images.nnz > 0

    def _ground(self, number: int, pixels: Array, state: State, *, again: bool) -> Ground:
        """Return the background of a tile as far as it has no courses: found again, or as it was."""
        tile, frames = self.tiles[number], pixels.shape[1]
        if self.ring is None:
            if len(state.background.courses):
                floor = floor_of(pixels)
                return constant_of(np.zeros(len(pixels), np.float32) if floor is None else floor, frames)
            return constant_of(np.median(pixels, axis=1), frames)
        weights = None if again else state.background.weights.get(number)
        cells = state.footprints.tocsr()[tile.pixels(self.shape[1])].tocsc()
        some = np.flatnonzero(np.diff(cells.indptr))
        footprints, traces = sparse.csc_matrix(cells[:, some]), state.traces[some]
        block = self.parameters.ssub_B
        return RingGround.of(pixels, tile.shape, footprints, traces, self.ring, block, tile.core(), weights)

    def traces(self, state: State, denoise: Denoiser) -> Refined:
        """Find the traces, for footprints as they are."""
        count, frames = len(state.traces), self.movie.shape[0]
        both = sparse.csc_matrix(sparse.hstack([state.footprints, state.background.images])).astype(np.float32)
        rows = both.tocsr()
        products, below = (np.zeros((both.shape[1], frames), np.float32) for _ in range(2))
        lasting = []
        for part in self._over_tiles("refining traces", lambda number: self._products_of(number, state, rows)):
            products[part.places] += part.products
            below[part.places] += part.below
            lasting.append(part.lasting)
        start = np.concatenate([state.traces, state.background.courses]).astype(np.float32)
        solved = factors.Traces(products, factors.gram_of(both), start)
        pieces = self._denoised(solved, count, denoise)
        raw = np.array([solved.raw(k) for k in range(count)], np.float32).reshape(count, frames)
        below, courses = below[:count], solved.traces[count:].copy()
        if len(courses) and count:
            below += np.asarray(sparse.csr_matrix(state.footprints.T @ state.background.images) @ courses, np.float32)
        background = replace(self._background(state, lasting), courses=courses)
        return Refined(State(state.footprints, solved.traces[:count].copy(), background), pieces, raw, below)

    def _products_of(self, number: int, state: State, rows: sparse.csr_matrix) -> Products:
        tile = self.tiles[number]
        pixels = self.movie.patch(tile.rows, tile.cols)
        core = tile.core().ravel()
        own = rows[tile.pixels(self.shape[1])].copy()
        own = sparse.csr_matrix(sparse.diags(core.astype(np.float32)) @ own).tocsc()
        own.eliminate_zeros()
        some = np.flatnonzero(np.diff(own.indptr))
        own = sparse.csc_matrix(own[:, some])
        ground = self._ground(number, pixels, state, again=self.parameters.update_background_components)
        below = ground.under(own)
        return Products(some, np.asarray(own.T @ pixels, np.float32) - below, below, Lasting.of(ground, core))

    def _denoised(self, solved: factors.Traces, count: int, denoise: Denoiser) -> list[Denoised]:
        """Denoise the first `count` traces in turn, with the others as they are; find the others' courses again."""
        fixed = not self.parameters.update_background_components
        solved.sweep(SWEEPS, count if fixed else None)
        pieces: list[Denoised] = []
        for number in range(ROUNDS):
            found = []
            for k in range(count):
                self.tell("denoising traces", number * count + k, ROUNDS * count)
                piece = denoise(solved.raw(k), pieces[k].g or None if pieces else None)
                solved.traces[k] = piece.model
                found.append(piece)
            pieces = found
            for k in range(count, count if fixed else len(solved.traces)):
                solved.traces[k] = np.maximum(solved.raw(k), 0)
        return pieces

    def approximated(self, state: State, components: int, regions: tuple[Places, ...] | None) -> Background:
        """Return the background with courses and images that come near to what the ring model makes, b0 with it.

        `components` of the whole field, or of each of its `regions` (pixels).
        """
        found = list(self._over_tiles("approximating the background", lambda number: self._coarse_of(number, state)))
        middles, coarse = np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])
        courses, within = [], []
        for region in regions or (middles,):
            blocks = np.maximum(coarse[np.isin(middles, region)], 0)
            made = factors.factorize(blocks, components, seed=self.parameters.seed)[1]
            courses += list(made)
            within += [region] * len(made)
        frames, pixels = self.movie.shape[0], self.usable.size
        shown = np.array(courses, np.float32).reshape(-1, frames)
        known = Background.of(shown, pixels, tuple(within) if regions else None)
        images = list(self._over_tiles("approximating the background", lambda n: self._shown_in(n, state, known)))
        return replace(state.background, courses=shown, images=sparse.csc_matrix(self._rows(images)))

    def _coarse_of(self, number: int, state: State) -> tuple[Places, Array]:
        """Return the middle pixels of coarse blocks, and a tile's background in them, (block, time)."""
        tile = self.tiles[number]
        ground = self._ground(number, self.movie.patch(tile.rows, tile.cols), state, again=False)
        coarse, _ = block_means(ground.movie()[tile.core().ravel()], tile.core_shape, COARSE)
        rows, cols = (
            np.array([(at + min(at + COARSE, part.stop) - 1) // 2 for at in range(part.start, part.stop, COARSE)])
            for part in (tile.core_rows, tile.core_cols)
        )
        return (rows[:, np.newaxis] * self.shape[1] + cols).ravel(), coarse

    def _shown_in(self, number: int, state: State, known: Background) -> sparse.csr_matrix:
        """Return the images that known courses have in a tile's background."""
        tile, own = self.tiles[number], self._own(number)
        ground = self._ground(number, self.movie.patch(tile.rows, tile.cols), state, again=False)
        near = _reaching(known, own)
        courses = known.courses[near]
        products = ground.times(courses)[tile.core().ravel()]
        start = np.zeros(products.shape, np.float32)
        weights = factors.footprints(products, courses @ courses.T, start, _within(known, own, near))
        weights[~self.usable.ravel()[own]] = 0
        return _columns(weights, near, len(known.courses))


def _reaching(background: Background, own: Places) -> Places:
    """Return the components of the background that have some of these pixels."""
    if background.regions is None:
        return np.arange(len(background.courses))
    reach = [bool(np.isin(region, own, assume_unique=True).any()) for region in background.regions]
    return np.flatnonzero(reach)


def _within(background: Background, own: Places, near: Places) -> npt.NDArray[np.bool_]:
    """Return which of these pixels each of these components of the background has, (pixel, component)."""
    inside = np.ones((len(own), len(near)), bool)
    if background.regions is not None:
        for column, k in enumerate(near):
            inside[:, column] = np.isin(own, background.regions[k])
    return inside


def _columns(values: Array, columns: Places, count: int) -> sparse.csr_matrix:
    """Return values (row, column) at some of `count` columns."""
    rows, at = np.nonzero(values)
    return sparse.csr_matrix((values[rows, at], (rows, columns[at])), (len(values), count))


def _side(frames: int, halo: int) -> int:
    return int(np.clip(np.sqrt(TILE / (4 * frames)) - 2 * halo, SMALLEST, LARGEST))
