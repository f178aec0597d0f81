"""Exact float32 neighbours, the truth that every quantizer is held against."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_count, as_queries, blocks
from fewbits.errors import InputError
from fewbits.vectors.form import METRICS

_ROWS, _QUERIES = 4096, 512  # one block of scores: 16 MB of float64 and as much of sort keys

_Doubles = NDArray[np.float64]
_Keys = NDArray[np.int64]


def exact_neighbours(
    x: ArrayLike, q: ArrayLike, k: int = 10, *, metric: str = "cosine"
) -> NDArray[np.int64]:
    """Return the row numbers of the k best vectors per query, best first, shape (nq, min(k, n)).

    Scores are summed in float64 and rounded once to float32; rows that tie come lowest row first.
    Vectors are walked in blocks, so memory does not grow with n.

    Args:
        x: vectors, shape (n, d), 1 <= n < 2**32; memory-mapped arrays are read block by block.
        q: queries, shape (nq, d).
        k: neighbours wanted, at least 1.
        metric: "cosine" (a zero vector scores 0), "ip", or "l2" (the score is -||q - x||^2).

    Raises:
        InputError: an array is refused, x is empty, or the metric is unknown.
    """
    k = as_count(k, "k", least=1)
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    queries, _ = as_queries(q)
    best: _Keys = np.empty((len(queries), 0), dtype=np.int64)
    start = 0
    for block in blocks(x):
        if block.shape[1] != queries.shape[1]:
            raise InputError(f"q must have {block.shape[1]} columns like x, got {queries.shape[1]}")
        for first in range(0, len(block), _ROWS):
            rows = block[first : first + _ROWS]
            best = _merge(best, rows, start + first, queries, k, metric)
        start += len(block)
    if start == 0:
        raise InputError("x must hold at least one vector, got none")
    best.sort(axis=1)
    return (0xFFFFFFFF - (best[:, ::-1] & 0xFFFFFFFF)).astype(np.int64)


def _merge(best: _Keys, rows: Floats, start: int, queries: Floats, k: int, metric: str) -> _Keys:
    """Return the k largest keys per query among those known and those of `rows`."""
    width = min(k, best.shape[1] + len(rows))
    out: _Keys = np.empty((len(queries), width), dtype=np.int64)
    doubles = _prepared(rows, metric)
    numbers = 0xFFFFFFFF - np.arange(start, start + len(rows), dtype=np.int64)
    for first in range(0, len(queries), _QUERIES):
        part = slice(first, first + _QUERIES)
        scores = _scores(_prepared(queries[part], metric), doubles, metric)
        keys = np.hstack([best[part], _ordered(scores) << 32 | numbers])
        out[part] = np.partition(keys, keys.shape[1] - width, axis=1)[:, -width:]
    return out


def _prepared(x: Floats, metric: str) -> _Doubles:
    out = x.astype(np.float64)
    if metric == "cosine":
        norms = np.sqrt(np.einsum("ij,ij->i", out, out))
        out /= np.where(norms > 0, norms, 1.0)[:, None]
    return out


def _scores(q: _Doubles, x: _Doubles, metric: str) -> NDArray[np.float32]:
    scores = q @ x.T
    if metric == "l2":
        scores *= 2
        scores -= np.einsum("ij,ij->i", x, x)
        scores -= np.einsum("ij,ij->i", q, q)[:, None]
    return np.asarray(scores + 0.0, dtype=np.float32)  # -0.0 + 0.0 is 0.0: one key for both zeros


def _ordered(scores: NDArray[np.float32]) -> NDArray[Any]:
    """Return int64 numbers in the order of the floats: negative floats have their bits turned."""
    bits = scores.view(np.int32)
    return (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)
