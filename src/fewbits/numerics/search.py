"""The clip of least expected squared error, found on histograms, all channels at once.

With step s and grid s * k, k in kmin..kmax, the error of x is e(x) = x - s * clip(round(x/s)). Its
square has the continuous antiderivative G(x) = s^3 (k / 12 + f^3 / 3), k the clipped level and
f = x/s - k. Values spread evenly within bins of width w and counts h give the exact expectation
  E = sum_j h_j (G(w (j+1)) - G(w j)) / w = sum over edges of G(edge) * (h_left - h_right) / w,
which needs no bin centres and stays right where bins are as wide as steps. The outermost bins end
at the extremes seen, and values exactly 0, which every grid holds, cost nothing and are left out.
Everything below is in units of the bin width, so data of any magnitude behaves alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.numerics.histogram import Histogram

Values = NDArray[np.float64]
Loss = Callable[[Values], Values]

# A first pass in ratios of 1.12 down to 1/118 of the extremes, then finer ones around the best.
_COARSE = np.exp2(-np.arange(44) / 6.25)
_FINE = np.exp2(np.linspace(-1 / 6.25, 1 / 6.25, 15))
_MIN_WIDTH = 1e-3  # of an outermost bin, in bin widths
_MIN_STEP = 1e-9  # bin widths; channels without any magnitude would divide by 0


def best_symmetric(histogram: Histogram, limits: tuple[int, int]) -> Values:
    """Return the clip r per channel that is best for the levels r/kmax * k, |k| <= kmax."""
    reach = np.maximum(np.abs(histogram.low), np.abs(histogram.high)) / histogram.widths
    counts = histogram.folded()
    counts[:, 0] -= histogram.zeros
    edges, jumps = _edges(counts, 0, np.zeros_like(reach), reach)
    zero = np.zeros_like(reach)
    top = zero + limits[1]

    def loss(ratio: Values) -> Values:
        step = np.maximum(ratio * reach / limits[1], _MIN_STEP)
        return expected_error(edges, jumps, step, zero, top)

    return _search(loss, np.ones_like(reach)) * reach * histogram.widths


def best_asymmetric(histogram: Histogram, limits: tuple[int, int]) -> tuple[Values, Values]:
    """Return the best (low, high) per channel, 0 included, for the codes 0..kmax.

    Both ends shrink together first, by one ratio, then each in turn while the other is held: a
    descent, not all pairs.
    """
    half = histogram.bins // 2
    least, most = histogram.low / histogram.widths, histogram.high / histogram.widths
    counts = histogram.counts.copy()
    counts[:, half] -= histogram.zeros
    edges, jumps = _edges(counts, -half, least, most)
    low, high = np.minimum(least, 0), np.maximum(most, 0)

    def loss(bottom: Values, top: Values) -> Values:
        step = np.maximum((top - bottom) / limits[1], _MIN_STEP)
        zero = np.clip(np.rint(-bottom / step), 0, limits[1])
        return expected_error(edges, jumps, step, -zero, limits[1] - zero)

    def of_top(bottom: Values, ratio: Values) -> Values:
        return loss(bottom, ratio * high)

    def of_bottom(top: Values, ratio: Values) -> Values:
        return loss(ratio * low, top)

    ratio = _search(lambda both: loss(both * low, both * high), np.ones_like(low))
    bottom, top = ratio * low, ratio * high
    for search in (_search, _refine, _refine):
        top = high * search(partial(of_top, bottom), _share(top, high))
        bottom = low * search(partial(of_bottom, top), _share(bottom, low))
    return bottom * histogram.widths, top * histogram.widths


def _share(part: Values, whole: Values) -> Values:
    share: Values = part / np.where(whole == 0, 1, whole)
    return share


def expected_error(
    edges: Values, jumps: Values, step: Values, kmin: Values, kmax: Values
) -> Values:
    """Return the expected squared error per channel, in squared bin widths times the row count.

    Args:
        edges: (channels, E) bin edges in bin widths.
        jumps: (channels, E), the density left of each edge minus the density right of it.
        step: (channels,) in bin widths, positive.
        kmin: (channels,) lowest level.
        kmax: (channels,) highest level.
    """
    places = edges / step[:, None]
    levels = np.rint(places)
    np.clip(levels, kmin[:, None], kmax[:, None], out=levels)
    places -= levels
    levels *= 0.25
    levels += places * places * places
    error: Values = np.einsum("ce,ce->c", levels, jumps) * step**3 / 3
    return error


def _edges(
    counts: NDArray[np.int64], first: int, least: Values, most: Values
) -> tuple[Values, Values]:
    """Return each channel's bin edges, the outermost moved to the extremes seen, and the jumps."""
    grid = np.arange(first, first + counts.shape[1] + 1, dtype=np.float64)
    inner = np.minimum(least, np.floor(least) + 1 - _MIN_WIDTH)[:, None]
    outer = np.maximum(most, np.floor(most) + _MIN_WIDTH)[:, None]
    edges = np.clip(grid, inner, np.maximum(inner, outer))
    density = counts / np.maximum(np.diff(edges, axis=1), _MIN_WIDTH)
    padded = np.pad(density, ((0, 0), (1, 1)))
    return edges, padded[:, :-1] - padded[:, 1:]


def _search(loss: Loss, ratio: Values) -> Values:
    """Return the ratio in (0, 1] of least loss per channel, `ratio` or another."""
    coarse = (np.full_like(ratio, step) for step in _COARSE)
    return _refine(loss, _least(loss, ratio, coarse))


def _refine(loss: Loss, ratio: Values) -> Values:
    return _least(loss, ratio, (np.minimum(ratio * factor, 1) for factor in _FINE))


def _least(loss: Loss, best: Values, others: Iterable[Values]) -> Values:
    """Return `best`, or per channel the first of the others that is truly better."""
    least = loss(best)
    for ratio in others:
        new = loss(ratio)
        better = new < least
        best, least = np.where(better, ratio, best), np.where(better, new, least)
    return best
