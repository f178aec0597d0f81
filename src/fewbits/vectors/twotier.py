"""Search in two tiers: scan the small codes for candidates, score these again more accurately."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.vectors.exact import rescore_exactly
from fewbits.vectors.ids import IdArray, Rows
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments
from fewbits.vectors.topk import best

_OVERSAMPLE = 4.0  # candidates per wanted hit where they are scored again
_MOST = 1e6

Parts = list[tuple[Segment, "Rows | None"]]


class TwoTier:
    """One search's tiers: codes to scan, then a second tier or the caller's vectors, if any."""

    def __init__(
        self,
        codes: Quantizer,
        rescore: Quantizer | None,
        originals: Any,  # noqa: ANN401 - array or function, see `fewbits.vectors.exact`
        threads: int | None,
    ) -> None:
        """Name the tiers; `originals` takes the place of `rescore`."""
        self._codes = codes
        self._rescore = rescore
        self._originals = originals
        self._threads = threads

    def factor(self, oversample: float | None) -> float:
        """Return how many candidates to take per wanted hit.

        Raises:
            InputError: not a number from 1 on, or more than 1 without a second tier.
        """
        second = self._rescore is not None or self._originals is not None
        if oversample is None:
            return _OVERSAMPLE if second else 1.0
        if isinstance(oversample, bool) or not isinstance(oversample, (int, float, np.number)):
            raise InputError(f"oversample must be a number, got {type(oversample).__name__}")
        if not 1 <= oversample <= _MOST:
            raise InputError(f"oversample must be 1 to {_MOST:,.0f}, got {oversample}")
        if oversample > 1 and not second:
            raise InputError(
                "oversample needs something to rescore with: build the index with "
                "rescore='float16', or pass originals="
            )
        return float(oversample)

    def run(
        self,
        q: Floats,
        k: int,
        factor: float,
        segments: Segments,
        allowed: Any,  # noqa: ANN401
    ) -> tuple[Floats, IdArray]:
        """Return (scores, ids) of the k best, each (nq, min(k, rows allowed))."""
        parts = segments.candidates(allowed)
        k = min(k, sum(len(segment) if local is None else len(local) for segment, local in parts))
        if k == 0:
            return np.empty((len(q), 0), np.float32), segments.ids_of(
                np.empty((len(q), 0), np.int64)
            )
        scores, rows = self._scan(q, math.ceil(k * factor), parts)
        if self._originals is not None:
            ids = segments.ids_of(rows)
            again = rescore_exactly(q, ids, self._originals, self._codes.metric)
            scores, rows = best(again, rows, k)
        elif factor > 1:
            scores, rows = best(self._score_again(q, rows, parts), rows, k)
        return scores, segments.ids_of(rows)

    def _scan(self, q: Floats, k: int, parts: Parts) -> tuple[Floats, Rows]:
        """Return (scores, global rows) of the k best, best first."""
        scores = [np.empty((len(q), 0), dtype=np.float32)]
        rows = [np.empty((len(q), 0), dtype=np.int64)]
        for segment, local in parts:
            found = self._codes.scan(q, segment.codes, k, local, self._threads)
            scores.append(found[0])
            rows.append(found[1] + segment.start)
        if len(scores) == 2:
            return scores[1], rows[1]
        return best(np.hstack(scores), np.hstack(rows), k)

    def _score_again(self, q: Floats, rows: Rows, parts: Parts) -> Floats:
        assert self._rescore is not None
        scores = np.full(rows.shape, -np.inf, dtype=np.float32)
        for segment, _ in parts:
            inside = (rows >= segment.start) & (rows < segment.start + len(segment))
            if not inside.any():
                continue
            local = np.where(inside, rows - segment.start, -1)
            assert segment.rescore is not None
            found = self._rescore.rescan(q, segment.rescore, local, self._threads)
            scores = np.where(inside, found, scores)
        return scores
