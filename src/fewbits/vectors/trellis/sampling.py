"""What calibration rows say before any axis is learned: their centre, and how alike they are."""

from __future__ import annotations

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.lanes import lane_dot

_SHRINK = 8.0  # rows' worth of 0 that a mean of few rows is averaged with
COARSE = 3.0  # bits per dimension up to which a byte per scalar is exact enough
_RANGE_ROWS = 256  # rows that show the range of scalars


def too_few(n: int, d: int) -> bool:
    """Whether n rows of d dimensions say less about their axes than a random rotation knows."""
    return 3 * n < d


def centre(y: Floats) -> Floats:
    """Return the mean of rows (n, d), float32 (1, d); that of few rows is drawn towards 0."""
    mean = y.mean(axis=0, dtype=np.float64)
    if too_few(*y.shape):
        mean *= len(y) / (len(y) + _SHRINK)  # the mean of few rows is mostly their own noise
    return np.ascontiguousarray(mean[None, :].astype(np.float32))


def scalar_size(r: Floats, size: int) -> int:
    """Return bytes per scalar for rows of `size` bytes that code residuals r (n, d).

    One where their lengths are alike and the codes too coarse to need more, else two.
    """
    if len(r) < _RANGE_ROWS or 8 * size > COARSE * r.shape[1]:
        return 2
    low, middle, high = np.quantile(np.sqrt(lane_dot(r, r)), (0.001, 0.5, 0.999))
    return 1 if high - low <= 2 * middle else 2
