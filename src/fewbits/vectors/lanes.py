"""Sums in a fixed order, so that every machine and every CPU level gets the same bits."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]


def lane_sum(values: Doubles) -> Doubles:
    """Sum (n, d) along rows in eight lanes.

    Lane l takes elements l, 8 + l, ... in order; then lanes 4, 2 and 1 apart are added.
    """
    n, d = values.shape
    padded = np.zeros((n, -(-d // 8) * 8))
    padded[:, :d] = values
    lanes = np.zeros((n, 8))
    for start in range(0, padded.shape[1], 8):
        lanes += padded[:, start : start + 8]
    pairs = lanes[:, :4] + lanes[:, 4:]
    evens = pairs[:, :2] + pairs[:, 2:]
    total: Doubles = evens[:, 0] + evens[:, 1]
    return total


def lane_dot(a: NDArray[Any], b: NDArray[Any]) -> Doubles:
    """Return the inner product of matching rows; float32 products are exact in float64."""
    return lane_sum(a.astype(np.float64) * b.astype(np.float64))
