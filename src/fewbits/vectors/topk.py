"""The k best of scored blocks, in numpy, for quantizers without a native scan.

Ties go to the lower row, as in the native scan.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats

Rows = NDArray[np.int64]

_BLOCK = 4096  # rows scored at a time


def best(scores: Floats, rows: Rows, k: int) -> tuple[Floats, Rows]:
    """Return the k best of scores (nq, m) with their row numbers (nq, m), best first."""
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def best_of_blocks(
    score: Callable[[Bytes], Floats], codes: Bytes, rows: Rows | None, nq: int, k: int
) -> tuple[Floats, Rows]:
    """Scan code rows block by block, keeping k. `score` maps code rows to float32 (nq, m)."""
    candidates = np.arange(len(codes)) if rows is None else rows
    kept_scores = np.empty((nq, 0), dtype=np.float32)
    kept_rows = np.empty((nq, 0), dtype=np.int64)
    for start in range(0, len(candidates), _BLOCK):
        block = candidates[start : start + _BLOCK]
        scores = score(np.ascontiguousarray(codes[block]))
        numbers = np.broadcast_to(block, scores.shape)
        kept_scores, kept_rows = best(
            np.hstack([kept_scores, scores]), np.hstack([kept_rows, numbers]), k
        )
    return kept_scores, kept_rows
