"""What a search returns."""

from __future__ import annotations

from typing import NamedTuple

from fewbits.arrays import Floats
from fewbits.vectors.ids import IdArray


class Hits(NamedTuple):
    """What a search found, best first.

    Attributes:
        scores: float32 (nq, k'), or (k',) for one 1-D query; in units of the metric.
        ids: int64, or object holding str; same shape. k' = min(k, rows the filter leaves).
    """

    scores: Floats
    ids: IdArray
