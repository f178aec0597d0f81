"""numpy: exact float32, one matrix product."""

from __future__ import annotations

import numpy as np
from benchmarks.vectors.engine import Engine, Entry, Floats, Ids, Point, Setting

_BLOCK = 256  # queries of one product: 100 MB of scores for 100,000 rows


class Exact(Engine):
    """All scores, then the best k."""

    def __init__(self, setting: Setting) -> None:
        self.size = 4 * setting.d

    def add(self, x: Floats) -> None:
        self.x = np.array(x)

    def search(self, q: Floats, k: int) -> Ids:
        return np.vstack(
            [self._block(q[start : start + _BLOCK], k) for start in range(0, len(q), _BLOCK)]
        )

    def _block(self, q: Floats, k: int) -> Ids:
        scores = q @ self.x.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1)

    def total_bytes(self) -> float:
        return float(self.x.nbytes)

    def code_bytes(self) -> float | None:
        return float(self.size)

    def scanned_bytes(self, point: Point) -> float | None:
        return float(self.size)


ENTRIES = [Entry("numpy float32", "numpy", "flat", Exact)]
