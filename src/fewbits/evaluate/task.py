"""The question that is put to every quantizer, checked once, with the exact float32 answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_count, as_matrix
from fewbits.errors import DuplicateIdError, InputError
from fewbits.evaluate.exact import exact_neighbours
from fewbits.evaluate.metrics import Judgements, ndcg_at
from fewbits.vectors.form import Metric


@dataclass(frozen=True)
class Task:
    """Checked arguments of one evaluation; `truth` holds exact rows (nq, min(k, n)), best first.

    `exact_ndcg` maps judged queries to the nDCG@k of exact float32 search; empty if none is judged.
    """

    x: Any
    q: Floats
    calibration: Any
    metric: Metric
    k: int
    rescore: str | None
    oversample: int
    doc_ids: list[str]
    query_ids: list[str]
    qrels: Judgements
    threads: int | None
    seed: int
    truth: NDArray[np.int64]
    exact_ndcg: dict[str, float]

    def ndcg(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return nDCG@k per judged query of hits given as row numbers, shape (nq, k')."""
        return ndcg_at(_rankings(self.query_ids, self.doc_ids, rows), self.qrels, self.k)


def prepare(
    x: ArrayLike,
    q: ArrayLike,
    *,
    metric: str,
    k: int,
    rescore: str | None,
    oversample: int,
    qrels: Judgements | None,
    doc_ids: Sequence[str] | None,
    query_ids: Sequence[str] | None,
    calibration: ArrayLike | None,
    threads: int | None,
    seed: int,
) -> Task:
    """Check the arguments of `evaluate` and answer the queries exactly."""
    k, oversample = as_count(k, "k", least=1), as_count(oversample, "oversample", least=1)
    # A memory-mapped array is checked block by block in the exact search below.
    rows: Any = x if isinstance(x, np.memmap) else as_matrix(x)
    queries = as_matrix(q, "q")
    if len(queries) == 0:
        raise InputError("q must hold at least one query, got none")
    docs = _names(doc_ids, len(rows), "doc_ids")
    asked = _names(query_ids, len(queries), "query_ids")
    learned = rows if calibration is None else as_matrix(calibration, "calibration")
    truth = exact_neighbours(rows, queries, k, metric=metric)
    exact_ndcg = ndcg_at(_rankings(asked, docs, truth), qrels or {}, k)
    if qrels is not None and not exact_ndcg:
        raise InputError("qrels names none of query_ids; check that both use the same ids")
    return Task(
        x=rows,
        q=queries,
        calibration=learned,
        metric=cast("Metric", metric),  # one of the three: the exact search has refused others
        k=k,
        rescore=rescore,
        oversample=oversample,
        doc_ids=docs,
        query_ids=asked,
        qrels=qrels or {},
        threads=threads,
        seed=seed,
        truth=truth,
        exact_ndcg=exact_ndcg,
    )


def _names(ids: Sequence[str] | None, count: int, name: str) -> list[str]:
    if ids is None:
        return [str(row) for row in range(count)]
    names = [str(value) if isinstance(value, (str, np.str_)) else value for value in ids]
    wrong = next((value for value in names if not isinstance(value, str)), None)
    if wrong is not None:
        raise InputError(f"{name} must hold strings, got {type(wrong).__name__} {wrong!r}")
    if len(names) != count:
        raise InputError(f"{name} must hold {count} ids, one per row, got {len(names)}")
    if len(set(names)) != count:
        raise DuplicateIdError(f"{name} holds an id twice; ids must be unique")
    return names


def _rankings(
    query_ids: Sequence[str], doc_ids: Sequence[str], rows: NDArray[np.int64]
) -> dict[str, list[str]]:
    hits = rows.tolist()
    return {query: [doc_ids[row] for row in hits[i]] for i, query in enumerate(query_ids)}
