"""One quantizer under test: fit, time the encoding, search without and with rescoring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits import vectors
from fewbits.arrays import as_matrix
from fewbits.evaluate.bootstrap import difference_interval, mean_interval
from fewbits.evaluate.grid import Candidate
from fewbits.evaluate.metrics import PerQuery, neighbour_recall
from fewbits.evaluate.results import Found, Lost, Row
from fewbits.evaluate.task import Task
from fewbits.evaluate.timing import milliseconds_per_query, seconds_per_call

_ENCODED = 16_384  # rows that encoding is timed on
_WORST = 5  # queries listed per quantizer

_Rows = NDArray[np.int64]


def measure(task: Task, candidate: Candidate) -> Row:
    """Return the row of one quantizer; its index lives only for the time of this call.

    Raises:
        InputError: the quantizer cannot serve these vectors or this metric.
    """
    quantizer = candidate.quantizer
    if candidate.fresh:
        quantizer.fit(task.calibration)
    sample = as_matrix(task.x[:_ENCODED])
    seconds, _ = seconds_per_call(lambda: quantizer.encode(sample))
    rate = len(sample) / seconds

    index = _index(task, quantizer, None)
    used = float(index.info()["bytes_per_vector"])
    plain, rows = _search(task, index, None)
    rescored, second_copy = None, 0.0
    if task.rescore is not None:
        index = _index(task, quantizer, task.rescore)
        second_copy = float(index.info()["rescore_bytes_per_vector"])
        rescored, rows = _search(task, index, task.oversample)
    float_bytes = 4.0 * task.q.shape[1]
    return Row(
        label=candidate.label,
        name=candidate.name,
        params=candidate.params,
        bytes_per_vector=used,
        rescore_bytes_per_vector=second_copy,
        ratio=float_bytes / used,
        encode_vectors_per_second=rate,
        encode_mb_per_second=rate * float_bytes / 1e6,
        plain=plain,
        rescored=rescored,
        worst=_worst(task, rows),
    )


def _index(task: Task, quantizer: vectors.Quantizer, rescore: str | None) -> vectors.Index:
    index = vectors.Index(quantizer=quantizer, metric=task.metric, rescore=rescore)
    index.add(task.x)  # without ids: hits are row numbers
    return index


def _search(task: Task, index: vectors.Index, oversample: int | None) -> tuple[Found, _Rows]:
    """Return what all queries found, how fast, and the rows, shape (nq, k')."""
    options: dict[str, Any] = {"k": task.k, "oversample": oversample}
    seconds, hits = seconds_per_call(lambda: index.search(task.q, threads=task.threads, **options))
    rows: _Rows = np.asarray(hits.ids).astype(np.int64)
    ndcg = change = None
    if task.exact_ndcg:
        values, exact = list(task.ndcg(rows).values()), list(task.exact_ndcg.values())
        ndcg = mean_interval(values, seed=task.seed)
        change = difference_interval(values, exact, seed=task.seed)
    found = Found(
        recall=mean_interval(_recall(task, rows), seed=task.seed),
        ndcg=ndcg,
        ndcg_change=change,
        ms_per_query=milliseconds_per_query(
            lambda i: index.search(task.q[i], threads=1, **options), len(task.q)
        ),
        queries_per_second=len(task.q) / seconds,
    )
    return found, rows


def _recall(task: Task, rows: _Rows) -> PerQuery:
    return neighbour_recall(rows, task.truth, task.k)


def _worst(task: Task, rows: _Rows) -> list[Lost]:
    """Return the queries with the largest loss: of nDCG where judged, then of neighbours."""
    recall, ndcg = _recall(task, rows), task.ndcg(rows) if task.exact_ndcg else {}
    losses = [
        (task.exact_ndcg.get(query, 0.0) - ndcg.get(query, 0.0), 1.0 - float(recall[i]))
        for i, query in enumerate(task.query_ids)
    ]
    order = sorted(range(len(losses)), key=lambda i: (-losses[i][0], -losses[i][1], i))
    lost = [i for i in order if max(losses[i]) > 1e-9][:_WORST]
    return [
        Lost(
            query=task.query_ids[i],
            recall=float(recall[i]),
            ndcg=ndcg.get(task.query_ids[i]),
            ndcg_exact=task.exact_ndcg.get(task.query_ids[i]),
            exact=[task.doc_ids[row] for row in task.truth[i].tolist()],
            found=[task.doc_ids[row] for row in rows[i].tolist()],
        )
        for i in lost
    ]
