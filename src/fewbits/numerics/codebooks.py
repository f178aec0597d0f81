"""Codebooks of few levels: Lloyd-Max for a normal variable or for data.

A codebook is (centroids, thresholds), both ascending, thresholds between neighbours. The code of x
is the number of thresholds below x: `codes = np.searchsorted(thresholds, x)`. With two levels of a
normal variable that is `x > 0`. Sources: Max, "Quantizing for minimum distortion", IRE Trans. IT
1960; Lloyd, "Least squares quantization in PCM", IEEE Trans. IT 1982.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Bytes, Floats, as_count, as_matrix
from fewbits.errors import InputError

_SWEEPS = 30  # of Lloyd's iteration, after which Newton's converges from every start tried
_NEWTON = 50
_MAX_FIT_SWEEPS = 300
_CUTS = 256  # of each of two kinds

Values = NDArray[np.float64]


def lloyd_max(levels: int) -> tuple[Floats, Floats]:
    """Return (centroids (levels,), thresholds (levels - 1,)) of least squared error for N(0, 1).

    Lloyd's two conditions hold: each threshold is midway between its centroids, each centroid is
    the mean of its cell, (phi(a) - phi(b)) / (Phi(b) - Phi(a)). Lloyd's iteration alone needs about
    levels^2 sweeps, so Newton's method finishes it. Both arrays are read-only float32.

    Raises:
        InputError: levels not in 2..256.
    """
    return _lloyd_max(_as_levels(levels))


def lloyd_max_fit(samples: ArrayLike, levels: int) -> tuple[Floats, Floats]:
    """Return (centroids, thresholds) fitted to the data by Lloyd's iteration; float32.

    Starts from the best of all codebooks whose cells end at some 500 candidate cuts (quantiles and
    even steps), found by dynamic programming: for at most 256 samples that is the global optimum.
    Then iterates until no sample changes its cell (at most 300 sweeps).

    Args:
        samples: (n, d) finite floats, taken as one set of n * d numbers.
        levels: 2..256.

    Raises:
        InputError: no samples, not finite, or levels out of range.
    """
    count = _as_levels(levels)
    values = np.sort(as_matrix(samples, "samples"), axis=None).astype(np.float64)
    if not values.size:
        raise InputError("samples must hold at least one number")
    middle = values.mean()  # sums of squares cancel less around it
    centred = values - middle
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    start = _best_cells(centred, sums, count)
    centroids = _iterate(centred, sums, start) + middle
    return centroids.astype(np.float32), _midpoints(centroids).astype(np.float32)


def to_codes(x: ArrayLike, thresholds: ArrayLike) -> Bytes:
    """Return how many thresholds lie below each value: uint8 (n, d), ascending in x."""
    edges = np.asarray(thresholds, dtype=np.float32)
    if edges.ndim != 1 or not 1 <= len(edges) <= 255 or np.any(edges[1:] < edges[:-1]):
        raise InputError(f"thresholds must be 1 to 255 ascending numbers, got {edges.shape}")
    return np.searchsorted(edges, as_matrix(x), side="left").astype(np.uint8)


def from_codes(codes: Bytes, centroids: ArrayLike) -> Floats:
    """Return `centroids[codes]` as float32 (n, d).

    Raises:
        InputError: a code has no centroid.
    """
    book = np.asarray(centroids, dtype=np.float32)
    if codes.size and int(codes.max()) >= len(book):
        raise InputError(f"codes must lie in 0..{len(book) - 1}, got {codes.max()}")
    decoded: Floats = book[codes]
    return decoded


@lru_cache(maxsize=256)
def _lloyd_max(levels: int) -> tuple[Floats, Floats]:
    # By symmetry only the positive centroids are unknown; an odd codebook has one at 0 besides.
    odd = levels % 2
    rank = np.arange(levels // 2) + 0.5 + 0.5 * odd
    half = _start(rank / levels)
    for _ in range(_SWEEPS):
        half = _cell_means(half, odd)[0]
    for _ in range(_NEWTON):
        means, by_left, by_right = _cell_means(half, odd)
        step = _solve(by_left, by_right, means - half)
        half = half + step
        if np.max(np.abs(step)) < 1e-13:
            break
    book = np.concatenate([-half[::-1], np.zeros(odd), half])
    centroids, thresholds = book.astype(np.float32), _midpoints(book).astype(np.float32)
    centroids.flags.writeable = thresholds.flags.writeable = False
    return centroids, thresholds


def _start(share: Values) -> Values:
    """Return the points with `share` of N(0, 3), the best density of many levels, right of 0."""
    grid = np.linspace(0, 10, 4001)
    mass = np.array([math.erf(x / math.sqrt(6)) / 2 for x in grid])
    points: Values = np.interp(share, mass, grid)
    return points


def _cell_means(half: Values, odd: int) -> tuple[Values, Values, Values]:
    """Return the mean of each positive cell and half its derivatives by its two edges."""
    inner = half[0] / 2 if odd else 0.0
    left = np.concatenate([[inner], _midpoints(half)])
    right = np.append(left[1:], np.inf)
    mass = np.array([_tail(a) - _tail(b) for a, b in zip(left, right, strict=True)])
    density_left, density_right = _density(left), _density(right)
    means = (density_left - density_right) / mass
    # Each finite edge is the mean of two centroids: its derivative is halved by either.
    by_left = density_left * (means - left) / mass / 2
    by_right = np.zeros_like(means)
    by_right[:-1] = (density_right[:-1] * (right[:-1] - means[:-1]) / mass[:-1]) / 2
    if not odd:
        by_left[0] = 0.0  # the innermost edge of an even codebook is 0 whatever the centroids
    return means, by_left, by_right


def _solve(by_left: Values, by_right: Values, right_side: Values) -> Values:
    """Solve (I - J) step = right_side, J tridiagonal with rows (by_left, both, by_right).

    The matrix is diagonally dominant, so Thomas's elimination needs no pivots.
    """
    count = len(right_side)
    upper, values = np.zeros(count), np.zeros(count)
    for i in range(count):
        before = i - 1 if i else 0  # upper[0] and values[0] are still 0 when i is 0
        pivot = 1 - by_left[i] - by_right[i] + by_left[i] * upper[before]
        upper[i] = -by_right[i] / pivot
        values[i] = (right_side[i] + by_left[i] * values[before]) / pivot
    for i in range(count - 2, -1, -1):
        values[i] -= upper[i] * values[i + 1]
    return values


def _density(x: Values) -> Values:
    # math.exp, because numpy's differs in the last bit from one CPU level to another
    return np.array([math.exp(-0.5 * edge * edge) for edge in x]) / math.sqrt(2 * math.pi)


def _tail(x: float) -> float:
    return 0.5 * math.erfc(x / math.sqrt(2))


def _midpoints(book: Values) -> Values:
    middle: Values = (book[1:] + book[:-1]) / 2
    return middle


def _cells(values: Values, book: Values) -> NDArray[np.int64]:
    inner = np.searchsorted(values, _midpoints(book), side="right")
    return np.concatenate([[0], inner, [len(values)]])


def _best_cells(values: Values, sums: Values, levels: int) -> NDArray[np.int64]:
    """Return the cell borders of least squared error among the candidate cuts, ascending."""
    n = len(values)
    even = np.searchsorted(values, np.linspace(values[0], values[-1], _CUTS + 1))
    cuts = np.unique(np.concatenate([np.linspace(0, n, _CUTS + 1).astype(np.int64), even]))
    squares = np.concatenate([[0.0], np.cumsum(values * values)])[cuts]
    sizes = np.subtract.outer(cuts, cuts).T  # [i, j]: samples from cut i to cut j
    totals = np.subtract.outer(sums[cuts], sums[cuts]).T
    cost = np.subtract.outer(squares, squares).T - totals**2 / np.maximum(sizes, 1)
    cost[sizes < 0] = np.inf
    least, choices = cost[0], []
    for _ in range(levels - 1):
        trials = least[:, None] + cost
        choices.append(np.argmin(trials, axis=0))
        least = np.take_along_axis(trials, choices[-1][None], axis=0)[0]
    borders = [len(cuts) - 1]
    for choice in reversed(choices):
        borders.append(int(choice[borders[-1]]))
    return cuts[[0, *reversed(borders)]]


def _iterate(values: Values, sums: Values, cells: NDArray[np.int64]) -> Values:
    book = values[np.minimum(cells[:-1], len(values) - 1)]  # what an empty cell keeps
    for _ in range(_MAX_FIT_SWEEPS):
        sizes = np.diff(cells)
        means = np.diff(sums[cells]) / np.maximum(sizes, 1)
        book = np.sort(np.where(sizes > 0, means, book))
        moved = _cells(values, book)
        if np.array_equal(moved, cells):
            break
        cells = moved
    return book


def _as_levels(levels: int) -> int:
    count = as_count(levels, "levels", least=2)
    if count > 256:
        raise InputError(f"levels must be 2 to 256, got {count}")
    return count
