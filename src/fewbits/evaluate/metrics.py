"""Retrieval metrics: one value per query first, means second.

Semantics are those of trec_eval (and so of BEIR): only queries that have both a ranking and
judgements count; a grade <= 0 is "not relevant"; a judged query without any relevant document
scores 0 and stays in the mean; ties are the ranking's business, the order given is the order used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import as_count
from fewbits.errors import InputError

Judgements: TypeAlias = Mapping[str, Mapping[str, int]]
Rankings: TypeAlias = Mapping[str, Sequence[str]]
PerQuery: TypeAlias = NDArray[np.float64]

_COMPARED = 4_000_000  # id pairs compared at a time, 4 MB of booleans


def recall_at(rankings: Rankings, judgements: Judgements, k: int = 10) -> dict[str, float]:
    """Return, per judged query, `|relevant in the first k| / |relevant|`.

    Args:
        rankings: query id -> document ids, best first, without repeats.
        judgements: query id -> {document id: grade}; relevant means grade > 0.
        k: cut, at least 1.

    Raises:
        InputError: a ranking names a document twice, or `k` < 1.
    """

    def value(gains: list[int], ideal: list[int]) -> float:
        return sum(gain > 0 for gain in gains) / len(ideal)

    return _per_query(rankings, judgements, k, value)


def ndcg_at(rankings: Rankings, judgements: Judgements, k: int = 10) -> dict[str, float]:
    """Return nDCG@k per judged query, with linear gain: `DCG = sum(grade_i / log2(i + 1))`.

    `i` counts ranks from 1. The ideal DCG sorts all relevant judged documents of the query by
    grade and is cut at k as well. This is trec_eval's `ndcg_cut` (the `2**grade - 1` gain of other
    sources gives other values when grades exceed 1). Arguments and errors: see `recall_at`.
    """

    def value(gains: list[int], ideal: list[int]) -> float:
        return _dcg(gains) / _dcg(ideal[:k])

    return _per_query(rankings, judgements, k, value)


def mrr_at(rankings: Rankings, judgements: Judgements, k: int = 10) -> dict[str, float]:
    """Return, per judged query, 1 / rank of the first relevant document within k, or 0.

    Arguments and errors: see `recall_at`.
    """

    def value(gains: list[int], _ideal: list[int]) -> float:
        return next((1.0 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)

    return _per_query(rankings, judgements, k, value)


def mean(values: Mapping[str, float]) -> float:
    """Return the mean over queries.

    Raises:
        InputError: no query at all, so there is nothing to average.
    """
    if not values:
        raise InputError("values holds no query; the rankings and judgements share no query id")
    return math.fsum(values.values()) / len(values)


def neighbour_recall(found: ArrayLike, truth: ArrayLike, k: int = 10) -> PerQuery:
    """Return, per query, `|first k found ∩ first k exact| / k`, shape (nq,), float64.

    Where fewer than k exact neighbours exist (a collection of fewer rows, a filter), the divisor
    is their number, so a perfect search scores 1. Finding fewer than k costs what is missing; a
    repeated id counts once.

    Args:
        found: ids from the search under test, shape (nq, k'), any k' >= 0, best first.
        truth: ids of the exact float32 neighbours, shape (nq, k''), best first.
        k: cut, at least 1.

    Raises:
        InputError: not 2-D, other numbers of queries, no exact neighbour, or ids of unlike type.
    """
    k = as_count(k, "k", least=1)
    got, exact = _ids(found, "found")[:, :k], _ids(truth, "truth")[:, :k]
    if len(got) != len(exact):
        raise InputError(
            f"found and truth must hold the same queries, got {len(got)} and {len(exact)} rows"
        )
    if exact.shape[1] == 0:
        raise InputError("truth must hold at least one exact neighbour per query, got none")
    if got.size and (got.dtype.kind in "iu") != (exact.dtype.kind in "iu"):
        raise InputError(
            f"found and truth must use one kind of id, got {got.dtype} and {exact.dtype}"
        )
    out = np.zeros(len(exact), dtype=np.float64)
    step = max(1, _COMPARED // max(1, got.shape[1] * exact.shape[1]))
    for start in range(0, len(out), step):
        rows = slice(start, start + step)
        same = exact[rows, :, None] == got[rows, None, :]
        out[rows] = same.any(axis=2).sum(axis=1) / exact.shape[1]
    return out


def _ids(values: ArrayLike, name: str) -> NDArray[Any]:
    ids = np.asarray(values)
    if ids.ndim != 2:
        raise InputError(f"{name} must be 2-D (queries, hits), got {ids.ndim}-D {ids.shape}")
    return ids


def _per_query(
    rankings: Rankings,
    judgements: Judgements,
    k: int,
    value: Callable[[list[int], list[int]], float],
) -> dict[str, float]:
    k = as_count(k, "k", least=1)
    out: dict[str, float] = {}
    for query, ranking in rankings.items():
        judged = judgements.get(query)
        if judged is None:
            continue
        top = list(ranking[:k])
        if len(set(top)) < len(top):
            raise InputError(f"rankings[{query!r}] names a document twice among its first {k}")
        ideal = sorted((grade for grade in judged.values() if grade > 0), reverse=True)
        gains = [max(0, judged.get(document, 0)) for document in top]
        out[query] = value(gains, ideal) if ideal else 0.0
    return out


def _dcg(gains: list[int]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
