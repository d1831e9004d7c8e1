"""What one patch gives: cells, the traces they have in the recording, and what is worth knowing of the patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf import factors
from nwbridge_extract_cnmf.grounds import Ground, floor_of, in_blocks
from nwbridge_extract_cnmf.movies import Movie, averaged, stretched
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.patches import Patch
from nwbridge_extract_cnmf.ring import block_means, spread
from nwbridge_extract_cnmf.shapes import to_unit_norm
from nwbridge_extract_cnmf.signals import noise_of

Array = npt.NDArray[np.float32]
COARSE = 8  # pixels of the blocks that the background of the whole field is found on
SHRINK = 0.5  # of the standard deviation that noise gives a weight: so much smaller weights become in a patch


@dataclass(frozen=True, eq=False)
class Look:
    """A patch in memory: as recorded, and averaged as cells are looked for in it."""

    patch: Patch
    parameters: Parameters
    rate_hz: float
    starts: tuple[int, ...]
    movie: Array  # (pixel, time)
    usable: npt.NDArray[np.bool_]  # (row, column)

    @classmethod
    def at(
        cls, movie: Movie, patch: Patch, parameters: Parameters, rate_hz: float, usable: npt.NDArray[np.bool_]
    ) -> Look:
        """Read a patch; where the background is a product of what is not negative, above each pixel's floor."""
        pixels = movie.patch(patch.rows, patch.cols)
        if not parameters.one_photon and (floor := floor_of(pixels)) is not None:
            pixels -= floor[:, np.newaxis]
        return cls(patch, parameters, rate_hz, movie.starts, pixels, usable[patch.rows, patch.cols])

    def binned(self) -> tuple[Array, tuple[int, int], npt.NDArray[np.bool_]]:
        """Return the movie with pixels averaged (`ssub`), its rows and columns, and where it is usable."""
        shape = self.patch.shape
        movie, grid = block_means(self.movie, shape, self.parameters.ssub)
        whole = block_means(self.usable.reshape(-1, 1).astype(np.float32), shape, self.parameters.ssub)[0][:, 0] > 0.99
        return movie, grid, whole.reshape(grid)

    def in_time(self, binned: Array) -> Array:
        """Return a binned movie with frames averaged (`tsub`)."""
        return averaged(binned, self.starts, self.parameters.tsub)

    def scale_of(self, binned: Array) -> Array | None:
        """Return the noise that pixels are divided by (`normalize_init`), (pixel, 1), 0 where they have none."""
        return noise_of(binned)[:, np.newaxis] if self.parameters.normalize_init else None

    def cell(self) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return a cell's half size and its box, rows and columns each, in binned pixels."""
        chosen = self.parameters
        rows, cols = (max(0.7, one / chosen.ssub) for one in chosen.gSig)
        high, wide = (max(3, round(one / chosen.ssub)) for one in chosen.gSiz)
        return (rows, cols), (high, wide)

    def to_pixels(self, footprints: Array, grid: tuple[int, int]) -> sparse.csc_matrix:
        """Return footprints of binned pixels, (pixel, component), for those of the recording."""
        images = spread(footprints, grid, self.parameters.ssub, self.patch.shape)
        return sparse.csc_matrix((images * self.usable.reshape(-1, 1)).astype(np.float32))

    def enlarged(self, image: Array) -> Array:
        """Return an image of binned pixels, (row, column), in those of the recording."""
        flat = spread(image.reshape(-1, 1), (image.shape[0], image.shape[1]), self.parameters.ssub, self.patch.shape)
        return flat.reshape(self.patch.shape)

    def to_frames(self, traces: Array) -> Array:
        """Return traces of averaged frames at every frame of the recording."""
        return stretched(traces, self.starts, self.movie.shape[1], self.parameters.tsub)

    def weighed(self, footprints: sparse.csc_matrix, traces: Array, ground: Ground) -> tuple[sparse.csc_matrix, Array]:
        """Return footprints found again for traces as they are, of norm 1, where they had weights, and the traces."""
        gram, dense = traces @ traces.T, footprints.toarray()
        penalty = factors.penalty(noise_of(self.movie), gram, SHRINK)
        products = self.movie @ traces.T - ground.times(traces)
        weights = factors.footprints(products, gram, dense, dense > 0, penalty)
        return to_unit_norm(sparse.csc_matrix(weights), traces)


def divided(movie: Array, scale: Array | None) -> Array:
    """Return a movie whose pixels are divided by their noise; 0 where they have none."""
    return movie if scale is None else np.asarray(movie / np.where(scale > 0, scale, np.inf), np.float32)


@dataclass(frozen=True, eq=False)
class Found:
    """Cells of one patch."""

    patch: Patch
    footprints: sparse.csc_matrix  # (pixel of the patch, component), of norm 1
    traces: Array  # (component, time)
    images: dict[str, Array]  # (row, column) of the patch
    coarse: Array  # (block of the core, time): what is left without cells; none with the ring model
    courses: Array  # (component, time): of the patch's own background; none with the ring model


def coarse_of(look: Look, footprints: sparse.csc_matrix, traces: Array) -> Array:
    """Return what cells leave of the patch's own part, in blocks of pixels, (block, time)."""
    patch = look.patch
    inside = np.flatnonzero(patch.core().ravel())
    left = block_means(look.movie[inside], patch.core_shape, COARSE)[0]
    if traces.size:
        cells = sparse.csc_matrix(footprints.tocsr()[inside])
        left = left - sparse.csr_matrix(in_blocks(cells, patch.core_shape, COARSE, mean=True)) @ traces
    return np.asarray(left, np.float32)


def pictures(found: Sequence[Found], shape: tuple[int, int]) -> dict[str, Array]:
    """Return the images of patches, each patch's own part, as those of the field."""
    made: dict[str, Array] = {}
    for one in found:
        core = one.patch.core()
        for name, image in one.images.items():
            whole = made.setdefault(name, np.zeros(shape, np.float32))
            whole[one.patch.core_rows, one.patch.core_cols] = image[core].reshape(one.patch.core_shape)
    return made
