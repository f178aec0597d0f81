"""Exact scores of a few candidates from the caller's own float vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_matrix
from fewbits.errors import InputError
from fewbits.vectors.form import Metric
from fewbits.vectors.ids import IdArray

# A float array indexed by integer ids, or a function from ids to float vectors.
Originals: TypeAlias = "ArrayLike | Callable[[IdArray], ArrayLike]"


def fetch(originals: Any, ids: IdArray, dims: int) -> Floats:  # noqa: ANN401 - see Originals
    """Return the original vectors of ids, float32 (len(ids), d).

    Raises:
        InputError: the array has no row for an id, ids are strings, or the vectors do not fit.
    """
    if callable(originals):
        found = as_matrix(originals(ids), "originals(ids)", dims=dims)
        if len(found) != len(ids):
            raise InputError(f"originals must return {len(ids)} rows, got {len(found)}")
        return found
    if ids.dtype != np.int64:
        raise InputError("originals must be a function from ids to vectors where ids are strings")
    array = np.asarray(originals)
    if array.ndim != 2:
        raise InputError(f"originals must be 2-D (n, {dims}), got {array.ndim}-D {array.shape}")
    if len(ids) and not (ids.min() >= 0 and ids.max() < len(array)):
        raise InputError(
            f"originals must have a row for every id: {len(array)} rows, largest id {ids.max()}"
        )
    return as_matrix(array[ids], "originals", dims=dims)


def dense_scores(q: Floats, x: Floats, metric: Metric) -> Floats:
    """Return float32 scores (nq, n) of queries (nq, d) and vectors (n, d), computed in float64.

    cosine: <q, x> / (|q| |x|), 0 where either is zero; ip: <q, x>; l2: -|q - x|^2.
    """
    wide, far = q.astype(np.float64), x.astype(np.float64)
    if metric == "l2":
        # 2 <q, x> - |q|^2 - |x|^2 would cancel where vectors lie close together and far from 0.
        return np.array([_minus_squares(far - row) for row in wide], np.float32).reshape(
            len(wide), len(far)
        )
    dots = wide @ far.T
    if metric == "cosine":
        squares_q = np.einsum("ij,ij->i", wide, wide)[:, None]
        squares_x = np.einsum("ij,ij->i", far, far)[None, :]
        norms = np.sqrt(squares_q * squares_x)
        dots = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
    return np.asarray(dots, dtype=np.float32)


def _minus_squares(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -|gap|^2 of each row, never -0.0."""
    squares: NDArray[np.float64] = 0.0 - np.einsum("ij,ij->i", gaps, gaps)
    return squares


def rescore_exactly(
    q: Floats,
    ids: IdArray,
    there: NDArray[np.bool_],
    originals: Any,  # noqa: ANN401 - see Originals
    metric: Metric,
) -> Floats:
    """Return float32 (nq, m), the exact scores of ids[i, :] for query i; -inf if not `there`."""
    scores = np.full(ids.shape, -np.inf, dtype=np.float32)
    for i, mask in enumerate(there):
        if mask.any():
            x = fetch(originals, ids[i, mask], q.shape[1])
            scores[i, mask] = dense_scores(q[i : i + 1], x, metric)[0]
    return scores
