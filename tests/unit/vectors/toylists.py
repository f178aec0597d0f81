"""A quantizer with lists in plain numpy: a byte for the centroid, then the vector itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from fewbits.vectors.learner import learned
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segments import Segments


@dataclasses.dataclass(kw_only=True, eq=False)
class ToyLists(Quantizer):
    clusters: int = 8
    centroids: Any = learned()
    margins: Any = learned()

    @property
    def lists(self):
        return 0 if self.centroids is None else len(self.centroids)

    def list_of(self, codes):
        return codes[:, 0].astype(np.int32)

    def scan_lists(self, q, codes, offsets, alive, k, probes, margin, threads):
        scores = np.full((len(q), k), -np.inf, np.float32)
        rows = np.full((len(q), k), -1, np.int64)
        probed = np.zeros(len(q), np.int32)
        for i in range(len(q)):
            found = self._visit(q[i : i + 1], codes, offsets, alive, k, probes, margin)
            scores[i, : len(found[0])], rows[i, : len(found[1])], probed[i] = found
        return scores, rows, probed

    def _visit(self, q, codes, offsets, alive, k, probes, margin):
        best, rows = np.empty(0, np.float32), np.empty(0, np.int64)
        keys = self._pairs(q, self.centroids)[0]
        for visits, number in enumerate(np.argsort(-keys, kind="stable")):
            stop = margin >= 0 and len(best) == k and keys[number] + margin < best[-1]
            if stop or (probes and visits == probes):
                return best, rows, visits
            here = np.arange(offsets[number], offsets[number + 1])
            here = here if alive is None else here[alive[here] != 0]
            rows = np.concatenate([rows, here])
            best = np.concatenate([best, self._score(q, codes[here], 1)[0]])
            order = np.lexsort((rows, -best))[:k]
            best, rows = best[order], rows[order]
        return best, rows, self.lists

    def _pairs(self, q, x):
        if self.metric == "l2":
            return -np.einsum("qnd,qnd->qn", *[q[:, None] - x[None]] * 2).astype(np.float32)
        return np.einsum("qd,nd->qn", q, x).astype(np.float32)

    def _score(self, q, codes, threads):
        return self._pairs(q, self._decode(codes))

    def _fit(self, x):
        step = max(1, len(x) // self.clusters)
        self.centroids = np.ascontiguousarray(x[::step][: self.clusters])

    def _encode(self, x, threads):
        gaps = ((x[:, None] - self.centroids[None]) ** 2).sum(axis=2)
        numbers = gaps.argmin(axis=1).astype(np.uint8)
        return np.hstack([numbers[:, None], np.ascontiguousarray(x).view(np.uint8)])

    def _decode(self, codes):
        return np.ascontiguousarray(codes[:, 1:]).view(np.float32)

    def _code_size(self, d):
        return 1 + 4 * d


def toy_kind():
    """Register the toy and return its class; call it where `registry` cleans up."""

    @dataclasses.dataclass(kw_only=True, eq=False)
    class Toy(ToyLists, name="toylists"):
        pass

    return Toy


def filled(toy, x, ids=None, again=None, size=None):
    """Return segments of the rows x, a new one after every `size` rows."""
    segments = Segments()
    ids = np.arange(len(x)) if ids is None else ids
    for start in range(0, len(x), size or max(1, len(x))):
        end = start + (size or len(x))
        staged = Segments()
        part = None if again is None else again[start:end]
        staged.append(toy.encode(x[start:end]), part, ids[start:end])
        none = np.empty(0, ids.dtype if ids.dtype == np.int64 else object)
        if segments.list:
            segments.list[-1].entry = object()  # as if it were saved: closed
        segments.attach(staged, ids[start:end], none)
    return segments
