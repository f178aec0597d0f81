"""The best path through the trellis: which bits to store for each column. The specification.

32 states are the last five bits of the stream. A column of R bits extends them to a window of six,
which selects the column's value; the path of least total squared error is found by the Viterbi
algorithm on 16-bit integers, so that every machine stores the same bits.
Source: G. D. Forney, "The Viterbi algorithm", Proc. IEEE 61, 1973.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.vectors.trellis.tables import (
    COST_SCALE,
    DOUBLINGS,
    STATES,
    UNREACHED,
    VALUES,
    WINDOWS,
)

Ints: TypeAlias = NDArray[np.int64]

_GROUP = 8  # columns after which the costs are brought back to start at 0
_MOST = 65_535  # costs saturate here


def best_windows(y: Ints, bits: Ints) -> Ints:
    """Return the window of every column, int64 (n, m), 0 to 63.

    Args:
        y: (n, m), columns in units of SCALE / COST_SCALE, within the table's range.
        bits: (m,), 1 to 4 each.
    """
    n, m = y.shape
    costs = np.full((n, STATES), UNREACHED, dtype=np.int64)
    costs[:, 0] = 0
    windows = np.empty((m, n, STATES), dtype=np.uint8)  # best window into each state
    before = np.empty((m, n, WINDOWS), dtype=np.uint8)  # best state in front of each window
    for j in range(m):
        costs, windows[j], before[j] = _step(costs, y[:, j], int(bits[j]))
        if j % _GROUP == _GROUP - 1:
            costs -= costs.min(axis=1, keepdims=True)
    state = costs.argmin(axis=1)
    out = np.empty((n, m), dtype=np.int64)
    rows = np.arange(n)
    for j in range(m - 1, -1, -1):
        out[:, j] = windows[j, rows, state]
        state = before[j, rows, out[:, j]]
    return out


def _step(costs: Ints, y: Ints, bits: int) -> tuple[Ints, NDArray[np.uint8], NDArray[np.uint8]]:
    """Extend all paths by one column: (costs, window into each state, state before a window)."""
    merged, origin = _merge(costs, bits)
    window = np.arange(WINDOWS)
    total = np.minimum(merged[:, window >> bits] + _distance(y, bits), _MOST)
    high = total[:, STATES:] < total[:, :STATES]  # a tie keeps the lower window
    best = np.where(high, total[:, STATES:], total[:, :STATES])
    chosen = np.arange(STATES) + STATES * high
    return best, chosen.astype(np.uint8), origin[:, window >> bits].astype(np.uint8)


def _merge(costs: Ints, bits: int) -> tuple[Ints, Ints]:
    """Keep the best of the states that share their last 6 - bits bits, halving; ties stay low."""
    origin = np.broadcast_to(np.arange(costs.shape[1]), costs.shape)
    while costs.shape[1] > WINDOWS >> bits:
        half = costs.shape[1] // 2
        high = costs[:, half:] < costs[:, :half]
        costs = np.where(high, costs[:, half:], costs[:, :half])
        origin = np.where(high, origin[:, half:], origin[:, :half])
    return costs, origin


def _distance(y: Ints, bits: int) -> Ints:
    """Squared differences to the 64 values, scaled and saturated as 16-bit arithmetic does."""
    values = VALUES[bits].astype(np.int64) * COST_SCALE[bits]
    gap = _saturated(y[:, None] - values)
    for _ in range(DOUBLINGS[bits]):
        gap = _saturated(gap + gap)
    return (gap * gap) >> 16


def _saturated(values: Ints) -> Ints:
    return np.clip(values, -32_768, 32_767)
