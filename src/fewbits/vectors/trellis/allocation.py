"""How many bits each group of columns gets."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from fewbits.vectors.lanes import Doubles
from fewbits.vectors.trellis.plan import GROUP
from fewbits.vectors.trellis.tables import DISTORTION, WIDTHS


def allocate(importance: Doubles, code_bytes: int) -> NDArray[np.uint8]:
    """Return the bits per column of each group of eight, uint8 (groups,), 0 for none.

    Greedy on the lower convex hull of DISTORTION: the next step goes to the group that loses most
    error per bit. Optimal for a convex hull: A. Segall, "Bit allocation and encoding for vector
    sources", IEEE Trans. Inf. Theory 22, 1976.

    Args:
        importance: (8 * groups,), weight times variance of each column, in any order.
        code_bytes: bytes to spend; a group of R bits takes R bytes.
    """
    steps = _hull()
    total = importance.reshape(-1, GROUP).sum(axis=1)
    widths = np.zeros(len(total), dtype=np.uint8)
    queue = [(-gain * steps[0][1], g, 0) for g, gain in enumerate(total.tolist())]
    heapq.heapify(queue)
    left = code_bytes
    while queue and left > 0:
        _, g, k = heapq.heappop(queue)
        width = steps[k][0]
        if width - int(widths[g]) > left:
            continue
        left -= width - int(widths[g])
        widths[g] = width
        if k + 1 < len(steps):
            heapq.heappush(queue, (-float(total[g]) * steps[k + 1][1], g, k + 1))
    return widths


def _hull() -> list[tuple[int, float]]:
    """Return (width, error saved per bit) for the steps of the lower convex hull."""
    at, steps = 0, []
    while at < max(WIDTHS):
        slopes = [((DISTORTION[at] - DISTORTION[w]) / (w - at), w) for w in WIDTHS if w > at]
        slope, width = max(slopes)
        steps.append((width, slope))
        at = width
    return steps
