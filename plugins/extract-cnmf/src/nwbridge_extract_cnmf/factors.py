"""The two halves of a factorization Y ≈ A C, solved by coordinates: footprints for all pixels at once, and traces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

Array = npt.NDArray[np.float32]
ENOUGH = 1e-3  # relative change of the largest weight, below which sweeps end


def footprints(
    products: Array,
    gram: Array,
    start: Array,
    support: npt.NDArray[np.bool_],
    penalty: Array | float = 0.0,
    sweeps: int = 30,
) -> Array:
    """Return the weights A ≥ 0, (pixel, component), of least ½‖y - Cᵀa‖² + Σ penalty·a for every pixel.

    One coordinate descent for all pixels at once: a component's weights are updated in all pixels of its support.

    Args:
        products: Y Cᵀ, (pixel, component).
        gram: C Cᵀ, (component, component).
        start: weights to begin with.
        support: where a component may have weights.
        penalty: (pixel, component), or one for all.
        sweeps: over all components, at most.
    """
    rows = [np.flatnonzero(column) for column in support.T]
    weights = np.where(support, start, 0).astype(np.float32)
    left = products - penalty - weights @ gram  # the gradient, downhill
    for _ in range(sweeps):
        change = 0.0
        for k, at in enumerate(rows):
            if not len(at) or gram[k, k] <= 0:
                continue
            old = weights[at, k]
            new = np.maximum(old + left[at, k] / gram[k, k], 0)
            step = new - old
            moved = np.flatnonzero(step)
            if len(moved):
                weights[at, k] = new
                left[at[moved]] -= step[moved, np.newaxis] * gram[k]
                change = max(change, float(np.abs(step).max()) / max(float(new.max()), 1e-12))
        if change < ENOUGH:
            break
    return weights


def penalty(noise: Array, gram: Array, share: float) -> Array:
    """Return the penalty, (pixel, component), that makes weights smaller by a share of their standard deviation.

    `noise` is that of the pixels; it is what makes the weights of traces with C Cᵀ = `gram` uncertain.
    """
    return np.asarray(share * np.outer(noise, np.sqrt(np.diag(gram))), np.float32)


class Traces:
    """Temporal half: everything that the movie says of traces is in A'Y and A'A."""

    def __init__(self, products: Array, gram: sparse.csr_matrix, traces: Array) -> None:
        self.products, self.traces = products, traces
        self.gram = gram.tocsr()
        self.norms = self.gram.diagonal()

    def raw(self, k: int) -> Array:
        """Return the trace that fits best with all others as they are; this is C + YrA of CaImAn."""
        if self.norms[k] <= 0:
            return np.zeros_like(self.traces[k])
        first, last = self.gram.indptr[k], self.gram.indptr[k + 1]
        others = self.gram.data[first:last] @ self.traces[self.gram.indices[first:last]]
        return np.asarray(self.traces[k] + (self.products[k] - others) / self.norms[k], np.float32)

    def sweep(self, times: int = 1, first: int | None = None) -> None:
        """Update every trace in turn, or the `first` ones, none below 0."""
        for _ in range(times):
            for k in range(len(self.traces) if first is None else first):
                self.traces[k] = np.maximum(self.raw(k), 0)


def gram_of(weights: sparse.csc_matrix) -> sparse.csr_matrix:
    """Return A'A."""
    return sparse.csr_matrix(weights.T @ weights)


def factorize(movie: Array, count: int, sweeps: int = 20, sparsity: float = 0.0, seed: int = 0) -> tuple[Array, Array]:
    """Return W ≥ 0, (pixel, component), and H ≥ 0, (component, time), of the least ‖Y - WH‖² + a penalty on W.

    Hierarchical alternating least squares (Cichocki and Phan 2009), begun with the singular vectors' positive parts
    (Boutsidis and Gallopoulos 2008). `sparsity` is the penalty, as a share of each component's largest weight.
    """
    count = min(count, *movie.shape)
    if count < 1 or not movie.any():
        return np.zeros((movie.shape[0], count), np.float32), np.zeros((count, movie.shape[1]), np.float32)
    weights, courses = _positive(*_singular(movie, count, seed))
    everywhere = np.ones(weights.shape, bool)
    for _ in range(sweeps):
        size = np.maximum(np.linalg.norm(courses, axis=1), 1e-12).astype(np.float32)
        courses, weights = courses / size[:, np.newaxis], weights * size
        weights = footprints(movie @ courses.T, courses @ courses.T, weights, everywhere, sparsity * weights.max(0), 1)
        solved = Traces(weights.T @ movie, sparse.csr_matrix(weights.T @ weights), courses)
        solved.sweep()
        courses = solved.traces
    return weights, courses


def _singular(movie: Array, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Return the first singular vectors and values, the largest first: of a movie Y = U S V, U, S and V."""
    if count == min(movie.shape):  # which the iterative solver cannot give
        u, s, v = np.linalg.svd(movie, full_matrices=False)
        return u, s, v
    start = np.random.default_rng(seed).standard_normal(min(movie.shape)).astype(np.float32)
    u, s, v = linalg.svds(movie, count, v0=start)
    order = np.argsort(s)[::-1]
    return u[:, order], s[order], v[order]


def _positive(u: Array, s: Array, v: Array) -> tuple[Array, Array]:
    """Return for each pair of singular vectors the stronger of their positive and negative parts."""
    weights, courses = np.zeros_like(u), np.zeros_like(v)
    for k in range(len(s)):
        sides = []
        for sign in (1, -1):
            a, c = np.maximum(sign * u[:, k], 0), np.maximum(sign * v[k], 0)
            sides.append((float(np.linalg.norm(a)), float(np.linalg.norm(c)), a, c))
        first, second, a, c = max(sides, key=lambda side: side[0] * side[1])
        scale = np.sqrt(s[k] * np.float32(first * second))
        weights[:, k], courses[k] = scale * a / max(first, 1e-12), scale * c / max(second, 1e-12)
    return np.maximum(weights, 1e-6 * weights.max()), np.maximum(courses, 1e-6 * courses.max())
