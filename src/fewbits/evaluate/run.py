"""Measure quantizers on the user's own vectors: what is kept, what it costs, what it saves."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from fewbits.errors import InputError
from fewbits.evaluate.bootstrap import mean_interval
from fewbits.evaluate.grid import QuantizerSpec, candidates
from fewbits.evaluate.machine import fingerprint
from fewbits.evaluate.measure import measure
from fewbits.evaluate.metrics import Judgements
from fewbits.evaluate.results import Baseline, Results, Row
from fewbits.evaluate.task import Task, prepare

Progress: TypeAlias = Callable[[str, int, int], object]


def evaluate(
    x: ArrayLike,
    q: ArrayLike,
    *,
    quantizers: Iterable[QuantizerSpec] | None = None,
    metric: str = "cosine",
    k: int = 10,
    rescore: str | None = "float16",
    oversample: int = 4,
    qrels: Judgements | None = None,
    doc_ids: Sequence[str] | None = None,
    query_ids: Sequence[str] | None = None,
    calibration: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    name: str = "vectors",
) -> Results:
    """Search `x` for `q` with every quantizer and compare with exact float32 search.

    Args:
        x: vectors, shape (n, d), n >= 1; a memory-mapped array is walked, not copied.
        q: queries, shape (nq, d), nq >= 1.
        quantizers: names, (name, parameters) pairs or quantizer objects (copied; one that was
            fitted keeps its ranges). None takes every registered quantizer and lists those that
            cannot serve these vectors, with the reason, in `meta["skipped"]`; one that was asked
            for raises.
        metric: "cosine", "ip" or "l2".
        k: neighbours per query; recall and nDCG are cut there.
        rescore: the second copy that candidates are rescored from, or None for none.
        oversample: candidates per neighbour wanted, read from the second copy.
        qrels: judgements, query id -> {document id: grade}; adds nDCG@k.
        doc_ids: one unique string per row of `x`; row numbers where None.
        query_ids: one unique string per row of `q`; row numbers where None.
        calibration: vectors, shape (m, d), that quantizers are fitted on; None takes `x`.
        threads: for batch search; None takes all cores. Latency is always measured on one.
        progress: called as `progress(label, done, total)` before each quantizer and at the end.
        seed: of the bootstrap.
        name: what a report calls these vectors.

    Raises:
        InputError: an argument is refused, or a quantizer asked for cannot serve these vectors.
    """
    todo, skipped = candidates(quantizers, metric)
    task = prepare(
        x,
        q,
        metric=metric,
        k=k,
        rescore=rescore,
        oversample=oversample,
        qrels=qrels,
        doc_ids=doc_ids,
        query_ids=query_ids,
        calibration=calibration,
        threads=threads,
        seed=seed,
    )
    rows: list[Row] = []
    for done, candidate in enumerate(todo):
        _tell(progress, candidate.label, done, len(todo))
        try:
            rows.append(measure(task, candidate))
        except InputError as error:
            if quantizers is not None:
                raise
            skipped[candidate.label] = str(error)
    if not rows:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in skipped.items())
        raise InputError(
            f"no quantizer can serve these vectors with rescore={rescore!r}: {reasons}"
        )
    _tell(progress, "done", len(todo), len(todo))
    ndcg = list(task.exact_ndcg.values())
    baseline = Baseline(4.0 * task.q.shape[1], mean_interval(ndcg, seed=seed) if ndcg else None)
    return Results(rows, baseline, {"name": name, "skipped": skipped, **_meta(task)})


def _tell(progress: Progress | None, label: str, done: int, total: int) -> None:
    if progress is not None:
        progress(label, done, total)


def _meta(task: Task) -> dict[str, Any]:
    return {
        "n": len(task.doc_ids),
        "d": int(task.q.shape[1]),
        "queries": len(task.query_ids),
        "judged_queries": len(task.exact_ndcg),
        "metric": task.metric,
        "k": task.k,
        "rescore": task.rescore,
        "oversample": None if task.rescore is None else task.oversample,
        "threads": task.threads,
        "seed": task.seed,
        "calibration_rows": len(task.calibration),
        "created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": fingerprint(),
    }
