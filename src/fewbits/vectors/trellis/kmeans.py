"""k-means: the centroids that rows are coded relative to, and that clustered search goes by."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats, as_count
from fewbits.errors import CalibrationWarning, InputError
from fewbits.vectors.kernels import thread_count
from fewbits.vectors.lanes import lane_dot
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis import bridge
from fewbits.vectors.trellis.plan import bare_plan

ROWS_PER_CENTROID = 64  # of a larger sample this many are drawn: more move no centroid noticeably
ADVISED_PER_CENTROID = 16

_BLOCK = 512  # rows whose doubles fit in the cache
_REPAIRS = 4


def train(
    x: Floats,
    k: int,
    *,
    spherical: bool,
    seed: int = 0,
    iterations: int = 10,
    threads: int | None = None,
) -> Floats:
    """Return centroids float32 (k, d) that minimise sum |x_i - c(i)|^2 (Lloyd's algorithm).

    The centroids are means, not normalised where rows are: what is coded is the residual, and the
    mean makes it shortest. A centroid that no row chose moves to the row that lies farthest from
    the centre of the cluster that costs most. What stays empty, as when fewer than k rows are
    distinct, is left out, with a warning. Rows find their centroids by sums of integers, so the
    same input gives the same centroids on every machine.

    Args:
        x: float32 (n, d), finite, n >= 1, d <= 16,384. Of more than 64 k rows a seeded sample.
        k: centroids wanted, 1 to 65,536.
        spherical: normalise the rows first, as for cosine.
        seed: of the first centroids and of the sample.
        iterations: steps.
        threads: at most this many; None for all cores. The result does not depend on it.

    Raises:
        InputError: no rows, or k or iterations below 1.

    Warns:
        CalibrationWarning: fewer centroids than k, or fewer than 16 rows per centroid.
    """
    k, iterations = as_count(k, "k", least=1), as_count(iterations, "iterations", least=1)
    if len(x) == 0:
        raise InputError("x must have at least one row to find centroids, got none")
    rng = np.random.default_rng(seed)
    if len(x) > ROWS_PER_CENTROID * k:
        x = x[np.sort(rng.choice(len(x), size=ROWS_PER_CENTROID * k, replace=False))]
    rows = _normalised(x) if spherical else x
    first = rng.choice(len(rows), size=min(k, len(rows)), replace=False)
    centroids = _settle(rows, rows[first], iterations, thread_count(threads))
    _warn(len(x), k, len(centroids))
    return centroids


def assign(x: Floats, centroids: Floats, threads: int | None = 1) -> NDArray[np.int32]:
    """Return the nearest centroid of each row, int32 (n,), the first of equally near ones.

    Rows are taken as they are, normalised or not, see `specification.assign`.
    """
    return bridge.assign(x, bare_plan(centroids, "l2"), thread_count(threads))


def _settle(rows: Floats, centroids: Floats, iterations: int, threads: int) -> Floats:
    """Run Lloyd's algorithm until no centroid is empty; return those that rows chose."""
    for step in range(iterations + _REPAIRS + 1):
        lists = assign(rows, centroids, threads)
        used = np.bincount(lists, minlength=len(centroids)) > 0
        if step >= iterations and used.all():
            break
        if step < iterations + _REPAIRS:
            centroids = _moved(rows, lists, centroids)
    return centroids[used]


def _normalised(x: Floats) -> Floats:
    out = np.empty_like(x)
    for start in range(0, len(x), _BLOCK):  # a block's doubles fit in the cache
        out[start : start + _BLOCK] = normalise(x[start : start + _BLOCK])
    return out


def _moved(rows: Floats, lists: NDArray[np.int32], centroids: Floats) -> Floats:
    """Return the means of the clusters; an empty one begins at a row of a wide one."""
    k = len(centroids)
    counts = np.bincount(lists, minlength=k)
    order = np.argsort(lists, kind="stable")
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[filled]
    out = centroids.copy()
    out[filled] = (_sums(rows, order, starts) / counts[filled, None]).astype(np.float32)
    if len(filled) < k:
        out[counts == 0] = _far_rows(rows, lists, out, k - len(filled))
    return out


def _far_rows(rows: Floats, lists: NDArray[np.int32], centroids: Floats, wanted: int) -> Floats:
    """Return the farthest rows of the clusters that cost most, (wanted, d).

    Cost is the sum of squared distances, not the number of rows: equal rows cannot be split.
    """
    far = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        gap = rows[block] - centroids[lists[block]]
        far[block] = lane_dot(gap, gap)
    cost = np.bincount(lists, weights=far, minlength=len(centroids))
    cost[np.bincount(lists, minlength=len(centroids)) == 0] = -1  # an empty one has no row to give
    chosen = np.empty(wanted, dtype=np.int64)
    for i in range(wanted):
        widest = int(np.argmax(cost))
        members = np.flatnonzero(lists == widest)
        chosen[i] = members[np.argmax(far[members])]
        far[chosen[i]] = 0.0
        cost[widest] /= 2  # about half will follow
    return rows[chosen]


def _sums(rows: Floats, order: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of runs of `order`, float64 (len(starts), d), added in that order."""
    out = np.empty((len(starts), rows.shape[1]))
    ends = np.append(starts[1:], len(order))
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        out[i] = rows[order[start:end]].sum(axis=0, dtype=np.float64)
    return out


def _warn(n: int, k: int, found: int) -> None:
    if found < k:
        warnings.warn(
            f"only {found} of {k} centroids are used: the sample of {n} rows has no more distinct "
            "clusters; pass more rows to fit, or ask for fewer clusters",
            CalibrationWarning,
            stacklevel=3,
        )
    elif n < ADVISED_PER_CENTROID * k:
        warnings.warn(
            f"{k} centroids were found from {n} rows; with fewer than {ADVISED_PER_CENTROID} rows "
            "each they may not fit other data: pass more rows to fit, or ask for fewer clusters",
            CalibrationWarning,
            stacklevel=3,
        )
