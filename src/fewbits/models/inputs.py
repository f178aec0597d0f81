"""What calibration keeps of the inputs of a linear: statistics per channel and a sample of rows.

Channel extremes, means and second moments are exact. They serve every choice of smoothing factors
s, because division by s[i] > 0 keeps the order within a channel: one pass over the texts is enough.
What needs whole rows (histograms, output errors) reads the sample: a uniform one, of bounded size,
decided by each row's number alone, so that the same rows in the same order give the same sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats

SAMPLE_VALUES = 1 << 20
"""Values of a sample, 4 MiB; at most `SAMPLE_ROWS` rows of them."""
SAMPLE_ROWS = 2048

_STEP, _MIX_1, _MIX_2 = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


class Inputs:
    """Statistics of a stream of rows of width k, in memory that does not grow with the stream.

    Attributes:
        count: rows so far.
        low: float32 (k,), the least value of every input; `high`, the greatest.
    """

    def __init__(self, k: int) -> None:
        """Start without rows."""
        self.count = 0
        self.low: Floats = np.full(k, np.inf, dtype=np.float32)
        self.high: Floats = np.full(k, -np.inf, dtype=np.float32)
        self._sum = np.zeros(k)
        self._squares = np.zeros(k)
        self._rows: Floats = np.empty((0, k), dtype=np.float32)
        self._numbers = np.empty(0, dtype=np.uint64)
        self._most = max(1, min(SAMPLE_ROWS, SAMPLE_VALUES // k))

    def add(self, x: Floats) -> None:
        """Take in rows, float32 (rows, k); nothing of `x` is held but copies of sampled rows."""
        if not len(x):
            return
        np.minimum(self.low, x.min(axis=0), out=self.low)
        np.maximum(self.high, x.max(axis=0), out=self.high)
        self._sum += x.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("ij,ij->j", x, x)
        self._sample(x)
        self.count += len(x)

    @property
    def absmax(self) -> Floats:
        """The largest |x| of every input, float32 (k,)."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def mean(self) -> Floats:
        """E[x] of every input, float32 (k,)."""
        return (self._sum / max(1, self.count)).astype(np.float32)

    @property
    def second_moment(self) -> Floats:
        """E[x^2] of every input, float32 (k,)."""
        return (self._squares / max(1, self.count)).astype(np.float32)

    @property
    def rows(self) -> Floats:
        """The sample in the order of the stream, float32 (rows, k)."""
        return self._rows[np.argsort(self._numbers, kind="stable")]

    def _sample(self, x: Floats) -> None:
        """Keep the rows whose scrambled numbers are the least of the whole stream."""
        numbers = np.arange(self.count, self.count + len(x), dtype=np.uint64)
        if len(self._numbers) == self._most:
            within = _scramble(numbers) < _scramble(self._numbers).max()
            numbers, x = numbers[within], x[within]
        self._numbers = np.concatenate([self._numbers, numbers])
        self._rows = np.concatenate([self._rows, x])
        if len(self._numbers) > self._most:
            chosen = np.argpartition(_scramble(self._numbers), self._most)[: self._most]
            self._numbers, self._rows = self._numbers[chosen], self._rows[chosen]


def _scramble(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return splitmix64 of each number (Steele, Lea and Flood 2014): all different."""
    z = (numbers + np.uint64(1)) * _STEP
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
