"""A uniform, seeded calibration sample of vectors that may not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fewbits.arrays import Floats, as_matrix, blocks
from fewbits.errors import InputError

_SEED = 0x5EED
_MAX_BYTES = 256 << 20  # of float32 rows kept, whatever was asked for


def draw_sample(x: ArrayLike | Iterable[ArrayLike], limit: int) -> Floats:
    """Return at most `limit` rows of x (n, d), in their order; all rows if there are no more.

    An array is indexed; an iterable of blocks is read once, keeping a reservoir: each row gets a
    random key, the rows of the smallest keys stay.
    """
    if hasattr(x, "__array__") or isinstance(x, (list, tuple)):
        return _of_array(x, limit)
    rng = np.random.default_rng(_SEED)
    kept: Floats | None = None
    keys = np.empty(0)
    for block in blocks(x):
        limit = min(limit, _row_limit(block.shape[1]))
        kept = block if kept is None else np.concatenate([kept, block])
        keys = np.concatenate([keys, rng.random(len(block))])
        if len(kept) > limit:
            chosen = np.sort(np.argpartition(keys, limit)[:limit])
            kept, keys = kept[chosen], keys[chosen]
    return np.empty((0, 1), dtype=np.float32) if kept is None else kept


def _of_array(x: Any, limit: int) -> Floats:  # noqa: ANN401 - any array-like
    raw = x if isinstance(x, np.ndarray) else as_matrix(x)
    if raw.ndim != 2 or len(raw) <= (limit := min(limit, _row_limit(raw.shape[1]))):
        return as_matrix(raw if raw.size else x)
    rng = np.random.default_rng(_SEED)
    chosen = np.sort(rng.choice(len(raw), size=limit, replace=False))
    try:
        return as_matrix(raw[chosen])
    except InputError:
        for number in chosen:  # again row by row, to name the row as the caller counts
            as_matrix(raw[number : number + 1], first_row=int(number))
        raise


def _row_limit(d: int) -> int:
    return max(1, _MAX_BYTES // (4 * max(1, d)))
