"""How far below the hits a centroid may score and its list still be worth a look.

A row's score is that of its centroid plus <q, residual>, whose standard deviation over all rows is
`noise`. A list is left out when (score of the last hit held - score of its centroid) / noise
exceeds a margin. How large that must be for a recall is measured on calibration rows: some serve as
queries, and of the others it is known in which list each true neighbour lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.vectors.candidates import most_candidates
from fewbits.vectors.form import Metric

RECALLS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
KS = (1, 10, 100)
REFERENCE_ROWS = 100_000
QUERIES = 256

# As measured on titles of 300,000 papers, 384 dimensions, 1024 centroids; for samples too small.
DEFAULT = np.array(
    [
        [3.31, 4.01, 4.55, 4.95, 5.43, 5.61, 6.0],
        [2.79, 3.33, 3.76, 4.25, 4.62, 4.94, 5.6],
        [2.24, 2.75, 3.16, 3.62, 3.92, 4.2, 4.85],
        [0.58, 0.62, 0.62, 0.63, 0.63, 0.63, 0.63],
    ],
    dtype=np.float32,
)

_PARTS = (8, 4, 2, 1)  # the sample is searched whole and in such parts, to see how margins grow
_LEAST, _MOST = 16_384, 32_768  # rows
_TINY = 1e-30
_NEAREST = 128  # one list in so many is left out for queries whose subject is not in the rows


def measure_margins(
    x: Floats,
    lists: NDArray[np.int64],
    centroids: Floats,
    metric: Metric,
    noise: Callable[[Floats], Floats],
    *,
    seed: int = 0,
) -> Floats:
    """Return margins float32 (len(KS) + 1, len(RECALLS)); `DEFAULT` from fewer than 16,384 rows.

    Row i holds the margins for KS[i] hits in `REFERENCE_ROWS` rows, the last row how much they
    grow when rows become e times as many.

    Queries are 256 of the rows, searched once in all other rows and once in those outside the
    lists nearest to the query, like a user's query whose subject the rows do not treat. The larger
    margin counts.

    Args:
        x: calibration rows float32 (n, d), normalised for cosine; 33,024 of them are used.
        lists: the centroid of each row.
        centroids: float32 (L, d).
        metric: how queries score rows.
        noise: maps queries (nq, d) to the standard deviation of <q, residual> (l2: of twice that).
        seed: of the choice of queries.
    """
    if len(x) < _LEAST:
        return DEFAULT.copy()
    order = np.random.default_rng(seed).permutation(len(x))[: QUERIES + _MOST]
    q, rows = x[order[:QUERIES]], order[QUERIES:]
    keys, unit = _scores(q, centroids, metric), np.maximum(noise(q), _TINY)[:, None]
    least = np.partition(keys, -_left_out(len(centroids)), axis=1)[:, -_left_out(len(centroids))]
    found = []
    for size in _PARTS:
        part = rows[: len(rows) // size]
        scores, below = _scores(q, x[part], metric), keys[:, lists[part]]
        near = _quantiles(scores, below, unit)
        scores[below >= least[:, None]] = -np.inf
        found.append(np.maximum(near, _quantiles(scores, below, unit)))
    return _fitted(np.stack(found), np.log([len(rows) // size for size in _PARTS]))


def margin_for(table: Floats, rows: int, k: int, recall: float) -> float:
    """Return the margin for a search of k hits in so many rows.

    Args:
        table: as `measure_margins` returned it.
        rows: rows searched by lists, >= 1.
        k: hits wanted; below 1 and above 100 as for these.
        recall: below 0.8 as for 0.8, above 0.999 as for that.
    """
    levels = np.asarray(table, dtype=np.float64)
    at = np.log1p(-np.array(RECALLS)), np.log1p(-min(max(recall, RECALLS[0]), RECALLS[-1]))
    # Margins are nearly linear in log(1 - recall), in log(k) and in log(rows).
    by_k = [np.interp(-at[1], -at[0], row) for row in levels]
    level = np.interp(math.log(min(max(k, KS[0]), KS[-1])), np.log(KS), by_k[:-1])
    return max(0.0, float(level + by_k[-1] * math.log(rows / REFERENCE_ROWS)))


def check_margins(table: object) -> None:
    """Refuse a table that `measure_margins` cannot have returned; it may come from a file.

    Raises:
        InputError: another type or shape, or values that are not finite.
    """
    shape = (len(KS) + 1, len(RECALLS))
    right = isinstance(table, np.ndarray) and table.dtype == np.float32 and table.shape == shape
    if not right or not np.all(np.isfinite(table)):  # type: ignore[call-overload]
        raise InputError(f"learned margins must be finite float32 {shape}")


def _left_out(lists: int) -> int:
    return max(1, lists // _NEAREST)


def _scores(q: Floats, x: Floats, metric: Metric) -> Floats:
    """Return float32 (nq, n); of rows that are normalised for cosine."""
    dots: Floats = q @ x.T
    if metric != "l2":
        return dots
    squares = [np.einsum("ij,ij->i", rows, rows) for rows in (q, x)]
    scores: Floats = 2 * dots - squares[0][:, None] - squares[1]
    return scores


def _quantiles(scores: Floats, below: Floats, unit: Floats) -> NDArray[np.float64]:
    """Return the margins that reach RECALLS for each of KS, (len(KS), len(RECALLS)).

    Args:
        scores: of rows, (nq, n).
        below: of the rows' centroids, (nq, n).
        unit: noise of each query, (nq, 1).
    """
    n = scores.shape[1]
    ranks = [n - min(count, n) for k in KS for count in (k, most_candidates(k))]
    ordered = np.partition(scores, sorted(set(ranks)), axis=1)
    out = np.empty((len(KS), len(RECALLS)))
    for i in range(len(KS)):
        worst, held = ordered[:, ranks[2 * i]], ordered[:, ranks[2 * i + 1]]
        query, row = np.nonzero(scores >= worst[:, None])
        needed = np.sort((held[query] - below[query, row]) / unit[query, 0])
        at = np.ceil(np.array(RECALLS) * (len(needed) - 1)).astype(np.int64)
        out[i] = needed[at]  # -inf where fewer rows are left than are held: no list is left out
    return out


def _fitted(found: NDArray[np.float64], logs: NDArray[np.float64]) -> Floats:
    """Return the table from margins (parts, len(KS), len(RECALLS)) of parts of e**logs rows."""
    x = logs - logs.mean()
    growth = np.einsum("p,pkr->r", x, found) / ((x @ x) * len(KS))
    growth = np.maximum(growth, 0.0)
    levels = found.mean(axis=0) + growth * (math.log(REFERENCE_ROWS) - logs.mean())
    table = np.vstack([np.maximum.accumulate(levels, axis=1), growth])
    return table.astype(np.float32)
