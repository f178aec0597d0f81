"""Exact scores of a few candidates from the caller's own float vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fewbits.arrays import Floats, as_matrix
from fewbits.errors import InputError
from fewbits.vectors.form import Metric
from fewbits.vectors.ids import IdArray, Rows

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
    if len(ids) and not (ids.min() >= 0 and ids.max() < len(array)):
        raise InputError(
            f"originals must have a row for every id: {len(array)} rows, largest id {ids.max()}"
        )
    return as_matrix(array[ids], "originals", dims=dims)


def exact_scores(q: Floats, x: Floats, metric: Metric) -> Floats:
    """Return float32 scores of queries q (nq, d) and candidates x (nq, m, d), shape (nq, m)."""
    wide, far = q.astype(np.float64), x.astype(np.float64)
    if metric == "l2":
        gaps = wide[:, None, :] - far
        return -np.einsum("ijk,ijk->ij", gaps, gaps).astype(np.float32)
    dots = np.einsum("ik,ijk->ij", wide, far)
    if metric == "cosine":
        norms = np.linalg.norm(wide, axis=1)[:, None] * np.linalg.norm(far, axis=2)
        dots = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
    return dots.astype(np.float32)


def rescore_exactly(
    q: Floats, rows: Rows, ids: IdArray, originals: Any, metric: Metric  # noqa: ANN401
) -> Floats:
    """Return float32 (nq, m), the exact scores of candidate rows whose ids are given."""
    scores = np.empty(rows.shape, dtype=np.float32)
    for i in range(len(q)):
        x = fetch(originals, ids[i], q.shape[1])
        scores[i] = exact_scores(q[i : i + 1], x[None], metric)[0]
    return scores
