"""Search in two tiers: scan the small codes for candidates, score these again more accurately."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.vectors.candidates import SURE, most_candidates, rescore_while_unsure
from fewbits.vectors.exact import rescore_exactly
from fewbits.vectors.ids import IdArray, Rows
from fewbits.vectors.probing import FLAT, Probes, choose, search_segment
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments
from fewbits.vectors.state import State
from fewbits.vectors.tiers import Tiers
from fewbits.vectors.topk import best

OVERSAMPLE = 4.0  # candidates per wanted hit where the scan's error is not known
_MOST = 1e6

Parts = list[tuple[Segment, "Rows | None"]]


def candidates_rule(tiers: Tiers) -> str | float | None:
    """Return how many candidates a search rescores from the second tier unless it is told.

    "adaptive", a number per hit wanted, or None without a second tier.
    """
    if tiers.rescore is None:
        return None
    return OVERSAMPLE if type(tiers.codes).noise is Quantizer.noise else "adaptive"


class TwoTier:
    """One search's tiers: codes to scan, then a second tier or the caller's vectors, if any."""

    def __init__(
        self,
        state: State,
        originals: Any,  # noqa: ANN401 - array or function, see `fewbits.vectors.exact`
        threads: int | None,
        nprobe: Probes = None,
        recall: float = 1.0,
    ) -> None:
        """Take the tiers and rows of one state; `originals` takes the place of a second tier."""
        self._tiers: Tiers = state.tiers
        self._segments: Segments = state.segments
        self._originals = originals
        self._threads = threads
        self._nprobe = nprobe
        self._recall = recall
        self._probing = FLAT

    def factor(self, oversample: float | None) -> float | None:
        """Return how many candidates to take per wanted hit; None to take as many as it needs.

        Raises:
            InputError: not a number from 1 on, or more than 1 without a second tier.
        """
        second = self._tiers.rescore is not None or self._originals is not None
        if oversample is None:
            return None if second else 1.0
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
        factor: float | None,
        allowed: Any,  # noqa: ANN401
    ) -> tuple[Floats, IdArray]:
        """Return (scores, ids) of the k best, each (nq, min(k, rows allowed))."""
        parts = self._segments.candidates(allowed)
        k = min(k, sum(len(segment) if local is None else len(local) for segment, local in parts))
        self._probing = choose(self._segments, self._tiers.codes, self._nprobe, self._recall, k)
        if k == 0:
            none = np.empty((len(q), 0), np.int64)
            return np.empty((len(q), 0), np.float32), self._segments.ids_of(none)
        noise = self._tiers.codes.noise(q) if factor is None else None
        if noise is not None:
            kept, reach = most_candidates(k), np.float32(SURE) * noise
        else:
            kept = math.ceil(k * (OVERSAMPLE if factor is None else factor))
            reach = np.full(len(q), np.inf, dtype=np.float32)
        found = self._scan(q, kept, parts)
        if factor != 1 or self._originals is not None:
            found = self._refine(q, found, reach, k, parts)
        return found[0], self._segments.ids_of(found[1])

    def _refine(
        self, q: Floats, found: tuple[Floats, Rows], reach: Floats, k: int, parts: Parts
    ) -> tuple[Floats, Rows]:
        """Return (scores, global rows) of the k best by the more accurate scores."""
        second, every = self._tiers.rescore, list(self._segments)
        if second is not None and self._originals is None:
            codes = [segment.rescore for segment in every if segment.rescore is not None]
            best_ = second.refine(q, codes, found, reach, k, self._threads)
            if best_ is not None:
                return best_
        if np.isinf(reach).all():  # a caller's function is asked once
            return best(self._again(q, found[1], parts), found[1], k)
        return rescore_while_unsure(
            *found, reach, k, lambda some, rows: self._again(q[some], rows, parts)
        )

    def _scan(self, q: Floats, k: int, parts: Parts) -> tuple[Floats, Rows]:
        """Return (scores, global rows) of the k best, best first."""
        codes, threads = self._tiers.codes, self._threads
        scores = [np.empty((len(q), 0), dtype=np.float32)]
        rows = [np.empty((len(q), 0), dtype=np.int64)]
        for segment, local in parts:
            found = search_segment(codes, q, segment, local, k, self._probing, threads)
            scores.append(found[0])
            rows.append(found[1] + segment.start)
        if len(scores) == 2:
            return scores[1], rows[1]
        return best(np.hstack(scores), np.hstack(rows), k)

    def _again(self, q: Floats, rows: Rows, parts: Parts) -> Floats:
        """Return the more accurate scores (nq, m) of global rows; -inf where negative."""
        if self._originals is None:
            return self._by_second_tier(q, rows, parts)
        ids = self._segments.ids_of(np.maximum(rows, 0))
        return rescore_exactly(q, ids, rows >= 0, self._originals, self._tiers.codes.metric)

    def _by_second_tier(self, q: Floats, rows: Rows, parts: Parts) -> Floats:
        second = self._tiers.rescore
        assert second is not None
        scores = np.full(rows.shape, -np.inf, dtype=np.float32)
        for segment, _ in parts:
            inside: NDArray[np.bool_] = (rows >= segment.start) & (
                rows < segment.start + len(segment)
            )
            if not inside.any():
                continue
            local = np.where(inside, rows - segment.start, -1)
            assert segment.rescore is not None
            found = second.rescan_after(q, segment.rescore, local, segment.codes, self._threads)
            scores = np.where(inside, found, scores)
        return scores
