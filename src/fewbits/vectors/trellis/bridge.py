"""The native trellis kernels behind numpy signatures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits import _native
from fewbits.arrays import Bytes, Floats
from fewbits.vectors.form import METRICS
from fewbits.vectors.lanes import Doubles
from fewbits.vectors.trellis import specification
from fewbits.vectors.trellis.plan import TrellisPlan

_ROWS = 4096  # decoded at a time: their doubles stay in the cache


def encode(
    x: Floats, plan: TrellisPlan, extra: Doubles | None = None, threads: int = 1
) -> tuple[Bytes, Floats]:
    """Return (code rows uint8 (n, code_size), distortion float32 (n,))."""
    return _native.trellis_encode(_native_plan(plan), x, extra, threads)


def assign(x: Floats, plan: TrellisPlan, threads: int = 1) -> NDArray[np.int32]:
    """Return the nearest centroid of each row, int32 (n,)."""
    return _native.trellis_assign(_native_plan(plan), x, threads)


def unpack(codes: Bytes, plan: TrellisPlan, threads: int = 1) -> Bytes:
    """Return the stored values of code rows, uint8 (n, m + m12)."""
    return _native.trellis_unpack(_native_plan(plan), codes, threads)


def decode(codes: Bytes, plan: TrellisPlan) -> Floats:
    """Return the vectors that code rows stand for, float32 (n, d), in blocks of rows."""
    out = np.empty((len(codes), plan.d), dtype=np.float32)
    for start in range(0, len(codes), _ROWS):
        part = codes[start : start + _ROWS]
        out[start : start + _ROWS] = specification.decode(part, plan, unpack(part, plan))
    return out


def score(q: Floats, codes: Bytes, plan: TrellisPlan, threads: int = 1) -> Floats:
    """Return scores float32 (nq, n)."""
    return _native.trellis_score_all(_native_plan(plan), codes, q, threads)


def score_rows(
    q: Floats, codes: Bytes, rows: NDArray[np.int64], plan: TrellisPlan, threads: int = 1
) -> Floats:
    """Return float32 (nq, m), the scores of the code rows rows[i, :]; -inf where negative."""
    return _native.trellis_score_rows(_native_plan(plan), codes, q, rows, threads)


def search(
    q: Floats,
    codes: Bytes,
    plan: TrellisPlan,
    k: int,
    rows: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return (scores, rows) of the k best, each (nq, min(k, candidates)), best first."""
    return _native.trellis_search(_native_plan(plan), codes, q, rows, k, threads)


def search_lists(
    q: Floats,
    codes: Bytes,
    plan: TrellisPlan,
    offsets: NDArray[np.int64],
    alive: NDArray[np.uint8] | None,
    k: int,
    probes: int,
    margin: float,
    threads: int = 1,
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int32]]:
    """Return (scores, rows, lists visited) of rows sorted by centroid; -inf and -1 as padding.

    List l is the rows offsets[l] to offsets[l + 1]; rows that must not be found are 0 in `alive`
    (n,). At most `probes` lists are visited, 0 for no limit; with a margin from 0 on, only until
    the next list's score plus margin times the query's noise is below the k-th best score.
    """
    return _native.trellis_search_lists(
        _native_plan(plan), codes, offsets, alive, q, k, probes, margin, threads
    )


def refine(
    q: Floats,
    codes: list[Bytes],
    plan: TrellisPlan,
    scores: Floats,
    rows: NDArray[np.int64],
    reach: Floats,
    offset: Floats,
    k: int,
    threads: int = 1,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return (scores, rows) of the k best candidates, each (nq, k), best first.

    Candidates (nq, c) are scored scores + (second score + offset), in descending order of `scores`,
    until the next one plus `reach` (nq,) is below the k-th best. `codes` follow one another: the
    first row of an array has the number after the last one of the array before.
    """
    starts = np.cumsum([0, *[len(part) for part in codes[:-1]]], dtype=np.int64)
    native = _native_plan(plan)
    return _native.trellis_refine(
        native, codes, starts[: len(codes)], q, scores, rows, reach, offset, k, threads
    )


def _native_plan(plan: TrellisPlan) -> _native.TrellisPlan:
    cached: _native.TrellisPlan | None = plan.__dict__.get("_native")
    if cached is None:
        cached = _native.TrellisPlan(
            d=plan.d,
            metric=METRICS.index(plan.metric),
            basis=plan.basis,
            sigma=plan.sigma,
            widths=plan.widths,
            centroids=plan.centroids,
            mh=plan.mh,
            id_bytes=plan.id_bytes,
            rest_weight=plan.rest_weight,
            scalar_bytes=plan.scalar_bytes,
            s_low=plan.s_low,
            s_step=plan.s_step,
            b_low=plan.b_low,
            b_step=plan.b_step,
            residual_norm=plan.residual_norm,
        )
        object.__setattr__(plan, "_native", cached)
    return cached
