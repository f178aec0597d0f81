"""Observers that clip: they give up rare large values for smaller steps everywhere else.

All three work on a `Histogram`, so their ranges depend on the rows alone, not on block or merge
order. None ever returns more than the extremes seen.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats, as_count
from fewbits.errors import InputError
from fewbits.numerics.affine import code_range
from fewbits.numerics.calibration import Observer
from fewbits.numerics.histogram import Histogram
from fewbits.numerics.search import best_asymmetric, best_symmetric

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclasses.dataclass(eq=False)
class HistogramObserver(Observer):
    """Base of the observers that keep a histogram of `bins` bins per channel.

    Attributes:
        bins: bins per channel, a power of two; 0 takes the default of the granularity.
    """

    bins: int = 0

    default_bins: ClassVar[tuple[int, int]] = (2048, 512)  # per tensor; per dimension or group

    def __post_init__(self) -> None:
        """Settle the number of bins."""
        super().__post_init__()
        as_count(self.bins, "bins")
        self.bins = self.bins or self.default_bins[self.grain.kind != "tensor"]
        Histogram(1, self.bins)  # raises if bins is no power of two

    def _start(self, channels: int) -> None:
        self.histogram = Histogram(channels, self.bins)

    def _update(self, rows: Floats) -> None:
        self.histogram.add(rows)

    def _merge(self, other: HistogramObserver) -> None:
        self.histogram.merge(other.histogram)

    def _range(self, bits: int, symmetric: bool) -> Bounds:
        low, high = self._clip(bits, symmetric)
        least = self.histogram.low.astype(np.float64)
        most = self.histogram.high.astype(np.float64)
        if symmetric:
            reach = np.maximum(np.abs(least), np.abs(most))
            least, most = -reach, reach
        # A constant channel has one value, which no bin edge can name better.
        still = self.histogram.low == self.histogram.high
        high = np.where(still, most, np.clip(high, least, most))
        low = np.where(still, least, np.clip(low, least, high))
        return low, high

    @abstractmethod
    def _clip(self, bits: int, symmetric: bool) -> Bounds:
        """Return (low, high) per channel, which the base limits to the extremes seen."""


@dataclasses.dataclass(eq=False)
class Percentile(HistogramObserver, name="percentile"):
    """Clip to the central `percentile` percent of the values.

    Symmetric: the quantile p of |x|. Asymmetric: the quantiles (1 - p) / 2 and (1 + p) / 2 of x.
    Values count as spread evenly within their bin.

    Attributes:
        percentile: above 0, at most 100; 100 is min-max.
    """

    percentile: float = 99.99

    def __post_init__(self) -> None:
        """Check the percentile."""
        super().__post_init__()
        if not 0 < self.percentile <= 100:
            raise InputError(f"percentile must be above 0, at most 100, got {self.percentile!r}")

    def _clip(self, bits: int, symmetric: bool) -> Bounds:
        share, widths = self.percentile / 100, self.histogram.widths
        if symmetric:
            high = _quantile(self.histogram.folded(), share) * widths
            return -high, high
        counts, half = self.histogram.counts, self.histogram.bins // 2
        tail = (1 - share) / 2
        low = half - _quantile(counts[:, ::-1], 1 - tail)
        high = _quantile(counts, 1 - tail) - half
        return low * widths, high * widths


@dataclasses.dataclass(eq=False)
class Entropy(HistogramObserver, name="entropy"):
    """Clip |x| where the quantized distribution loses least information (KL divergence).

    For each threshold i: P = the first i bins with everything beyond added to the last one, Q = the
    same bins merged to 2^(b-1) levels and spread over the non-empty ones; the threshold of least
    KL(P || Q) wins (Migacz, "8-bit inference with TensorRT", 2017). A threshold whose last bin is
    empty, but not its tail, has infinite divergence. Asymmetric ranges are the same symmetric
    clip, cut to the extremes seen. A histogram with fewer bins than levels is not clipped.
    """

    default_bins: ClassVar[tuple[int, int]] = (4096, 2048)  # the threshold is one of half of them

    def _clip(self, bits: int, symmetric: bool) -> Bounds:
        levels = 2 ** (bits - 1)
        folded = self.histogram.folded().astype(np.float64)
        bins = folded.shape[1]
        best = np.full(len(folded), np.inf)
        reach = np.full(len(folded), bins)
        first = max(levels, bins // 16)
        for width in range(first, bins + 1, max(1, bins // 128)):
            loss = _divergence(folded, width, levels)
            better = loss < best
            best[better], reach[better] = loss[better], width
        high = reach * self.histogram.widths
        return -high, high


@dataclasses.dataclass(eq=False)
class MSE(HistogramObserver, name="mse"):
    """Clip where the expected squared quantization error at the given bits is least.

    E[(x - Q(x))^2] is integrated exactly over the histogram, values spread evenly within their bin:
    rounding inside the range, clipping outside. See `fewbits.numerics.search`.
    """

    def _clip(self, bits: int, symmetric: bool) -> Bounds:
        limits = code_range(bits, symmetric)
        if symmetric:
            high = best_symmetric(self.histogram, limits)
            return -high, high
        return best_asymmetric(self.histogram, limits)


def _quantile(counts: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return, per channel, how many bin widths from the left hold that share of the counts."""
    total = np.cumsum(counts, axis=1)
    wanted = share * total[:, -1:]
    place = np.argmax(total >= wanted, axis=1)[:, None]
    inside = np.take_along_axis(counts, place, axis=1)
    before = np.take_along_axis(total, place, axis=1) - inside
    found: NDArray[np.float64] = place + (wanted - before) / np.maximum(inside, 1)
    return found[:, 0]


def _divergence(folded: NDArray[np.float64], width: int, levels: int) -> NDArray[np.float64]:
    """Return KL(P || Q) per channel for the threshold after `width` bins."""
    inside = folded[:, :width]
    starts = -(-np.arange(levels) * width // levels)
    sizes = np.diff(starts, append=width)
    filled = np.maximum(np.add.reduceat((inside > 0).astype(np.float64), starts, axis=1), 1)
    means = np.add.reduceat(inside, starts, axis=1) / filled
    spread = np.repeat(means, sizes, axis=1) * (inside > 0)
    clipped = inside.copy()
    clipped[:, -1] += folded[:, width:].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = clipped / clipped.sum(axis=1, keepdims=True)
        q = spread / spread.sum(axis=1, keepdims=True)
        terms = np.where(clipped > 0, p * np.log(p / q), 0.0)
    loss: NDArray[np.float64] = np.nan_to_num(terms, nan=np.inf).sum(axis=1)
    return loss
