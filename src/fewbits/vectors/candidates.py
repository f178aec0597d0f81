"""How many candidates of a coarse scan deserve a second look: as many as can still win.

A scan score is off by a normal error of known deviation. In the order of scan scores, candidates
are scored again until the next one would have to be off by more than `SURE` deviations to reach
the k-th best score found so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.vectors.ids import Rows
from fewbits.vectors.topk import best

# Rows are off by unlike amounts, those near a query by more than most: at 3 deviations, 1 % of the
# hits were missed with half a bit per dimension; at 4.5, fewer than 0.1 % with any number of bits.
SURE = 4.5
_FIRST = 32  # candidates of the first round; each further round takes twice as many

# Scores some queries' candidates again: (query numbers (n,), rows (n, m), -1 to skip) -> (n, m).
Rescorer: TypeAlias = Callable[[NDArray[np.int64], Rows], Floats]


def most_candidates(k: int) -> int:
    """Return how many candidates to keep in the scan for k hits.

    The hits wanted lie ever closer together as k grows, but the noise stays: few hits need many
    candidates each, many hits need few each.
    """
    return k + math.ceil(64 * math.sqrt(k))


def rescore_while_unsure(
    scores: Floats, rows: Rows, reach: Floats, k: int, again: Rescorer
) -> tuple[Floats, Rows]:
    """Return (scores, rows) of the k best by the second tier, each (nq, k), best first.

    Args:
        scores: of the scan, float32 (nq, c), descending.
        rows: their row numbers (nq, c); -1 where there is none.
        reach: how much too low a scan score may be, float32 (nq,); inf to score all again.
        k: hits wanted, at most c.
        again: scores candidates by the second tier.
    """
    hoped = scores + reach[:, None]
    found = np.full(scores.shape, -np.inf, dtype=np.float32)
    worst = np.full(len(scores), -np.inf, dtype=np.float32)  # the k-th best score so far
    open_ = np.arange(len(scores))
    start, step, end = 0, max(2 * k, _FIRST), k
    while len(open_) and start < scores.shape[1]:
        end = min(start + step, scores.shape[1])
        wanted = hoped[open_, start:end] >= worst[open_, None]
        found[open_, start:end] = again(open_, np.where(wanted, rows[open_, start:end], -1))
        worst[open_] = np.partition(found[open_, :end], end - k, axis=1)[:, end - k]
        start, step = end, 2 * step
        if start < scores.shape[1]:
            open_ = open_[hoped[open_, start] >= worst[open_]]
    return best(found[:, :end], rows[:, :end], k)
