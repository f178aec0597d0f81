"""A histogram per channel that grows by doubling its range, so that blocks may come in any order.

Channel c covers [-R, R) with R = 2^e, e the exponent just above the largest magnitude seen, in B
equal bins. Bin widths are powers of two: the bin of x is floor(x / width), which is exact, and
doubling R merges bins in pairs, which is exact too. The counts therefore depend on the rows alone,
not on how they were split into blocks or in which order histograms were merged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import InputError

_MIN_EXPONENT = -78  # smaller magnitudes are below the least scale and share the middle bins
_BLOCK_VALUES = 1 << 20  # values binned at a time: 8 MiB of float64


class Histogram:
    """Counts (channels, bins) int64 over [-2^e, 2^e) per channel, with exact extremes.

    Attributes:
        counts: int64 (channels, bins).
        exponents: int64 (channels,), e above.
        zeros: int64 (channels,), how many of the counts are values exactly 0.
        low: float32 (channels,), the least value seen.
        high: float32 (channels,), the greatest.
    """

    def __init__(self, channels: int, bins: int) -> None:
        """Start without counts; bins is a power of two, at least 4."""
        if bins < 4 or bins & (bins - 1):
            raise InputError(f"bins must be a power of two, at least 4, got {bins}")
        self.counts = np.zeros((channels, bins), dtype=np.int64)
        self.exponents = np.full(channels, _MIN_EXPONENT, dtype=np.int64)
        self.zeros = np.zeros(channels, dtype=np.int64)
        self.low = np.full(channels, np.inf, dtype=np.float32)
        self.high = np.full(channels, -np.inf, dtype=np.float32)

    @property
    def bins(self) -> int:
        """Bins per channel."""
        return self.counts.shape[1]

    @property
    def widths(self) -> NDArray[np.float64]:
        """Bin width of each channel, a power of two."""
        return np.ldexp(2.0 / self.bins, self.exponents)

    def add(self, rows: Floats) -> None:
        """Count (n, d) finite rows, n >= 1; the channels take d / channels columns each."""
        step = max(1, _BLOCK_VALUES // rows.shape[1])
        for start in range(0, len(rows), step):
            self._add_block(rows[start : start + step])

    def merge(self, other: Histogram) -> None:
        """Add the counts of a histogram of the same shape, which stays as it is."""
        counts = other.counts.copy()
        exponents = np.maximum(self.exponents, other.exponents)
        _widen(counts, exponents - other.exponents)
        self._grow(exponents)
        self.counts += counts
        self.zeros += other.zeros
        self.low = np.minimum(self.low, other.low)
        self.high = np.maximum(self.high, other.high)

    def folded(self) -> NDArray[np.int64]:
        """Return the counts of |x|: (channels, bins / 2), bin i covers [i, i + 1) widths."""
        half = self.bins // 2
        return self.counts[:, half:] + self.counts[:, half - 1 :: -1]

    def _add_block(self, rows: Floats) -> None:
        channels = len(self.counts)
        low = rows.min(axis=0).reshape(channels, -1).min(axis=1)
        high = rows.max(axis=0).reshape(channels, -1).max(axis=1)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        reach = np.maximum(-low, high)
        _, exponents = np.frexp(reach)  # reach < 2^e, strictly; but frexp(0) says e = 0
        exponents = np.where(reach > 0, exponents, _MIN_EXPONENT)
        self._grow(np.maximum(self.exponents, exponents))
        grouped = rows.reshape(len(rows), channels, -1)
        self.zeros += np.count_nonzero(grouped == 0, axis=(0, 2))
        # float64, because a subnormal divided by a large width must keep its sign
        places = np.multiply(grouped, (1.0 / self.widths)[:, None], dtype=np.float64)
        index = np.floor(places, out=places).astype(np.int64)
        index += (np.arange(channels) * self.bins + self.bins // 2)[:, None]
        self.counts += np.bincount(index.ravel(), minlength=self.counts.size).reshape(
            self.counts.shape
        )

    def _grow(self, exponents: NDArray[np.int64]) -> None:
        _widen(self.counts, exponents - self.exponents)
        self.exponents = exponents


def _widen(counts: NDArray[np.int64], doublings: NDArray[np.int64]) -> None:
    """Double the range of each channel so many times, in place."""
    bins = counts.shape[1]
    # After log2(bins) doublings all counts lie in the two middle bins and stay there.
    left = np.minimum(doublings, bins.bit_length())
    while left.any():
        grow = left > 0
        pairs = counts[grow].reshape(-1, bins // 2, 2).sum(axis=2)
        counts[grow] = 0
        counts[grow, bins // 4 : bins // 4 + bins // 2] = pairs
        left = left - grow
