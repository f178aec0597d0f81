"""Metrics against hand-worked cases, an independent library and a ten-line brute force."""

import math
import random

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.evaluate.metrics import mean, mrr_at, ndcg_at, neighbour_recall, recall_at

METRICS = {"recall": recall_at, "ndcg": ndcg_at, "mrr": mrr_at}
LOG3 = math.log2(3)

HAND = [
    # ranking, judged, k, recall, ndcg, mrr
    (["a"], {"a": 1}, 10, 1, 1, 1),
    (["b", "a"], {"a": 1}, 10, 1, 1 / LOG3, 1 / 2),
    (["b", "a"], {"a": 1}, 1, 0, 0, 0),
    ([], {"a": 1}, 10, 0, 0, 0),
    (["a", "b"], {"a": 1, "b": 3}, 10, 1, (1 + 3 / LOG3) / (3 + 1 / LOG3), 1),
    (["a", "b"], {"a": 1, "b": 3}, 1, 1 / 2, 1 / 3, 1),
    (["a", "c"], {"a": 0, "b": 1, "c": -2}, 10, 0, 0, 0),
    (["x", "a"], {"x": -1, "a": 2}, 10, 1, 1 / LOG3, 1 / 2),
    (["a"], {"a": 0}, 10, 0, 0, 0),
    (["a"], {"a": 1, "gone": 1}, 10, 1 / 2, 1 / (1 + 1 / LOG3), 1),
]


@pytest.mark.parametrize(("ranking", "judged", "k", "recall", "ndcg", "mrr"), HAND)
def test_a_query_scores_what_a_hand_calculation_gives(ranking, judged, k, recall, ndcg, mrr):
    expected = {"recall": recall, "ndcg": ndcg, "mrr": mrr}
    for name, metric in METRICS.items():
        assert metric({"q": ranking}, {"q": judged}, k)["q"] == pytest.approx(expected[name])


def _random_run(seed):
    rng = random.Random(seed)
    docs = [f"d{i}" for i in range(rng.randint(1, 40))]
    qrels, rankings = {}, {}
    for number in range(rng.randint(1, 6)):
        judged = rng.sample(docs, rng.randint(1, len(docs)))
        qrels[f"q{number}"] = {doc: rng.randint(-1, 4) for doc in judged}
        rankings[f"q{number + rng.randint(0, 1) * 3}"] = rng.sample(docs, rng.randint(1, len(docs)))
    return rankings, qrels


@pytest.mark.parametrize("seed", range(300))
def test_random_runs_score_what_trec_eval_gives(seed):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="install pytrec-eval-terrier")
    rankings, qrels = _random_run(seed)
    k = 1 + seed % 12
    scored = {q: {d: float(-i) for i, d in enumerate(docs)} for q, docs in rankings.items()}
    cut = {q: dict(list(docs.items())[:k]) for q, docs in scored.items()}
    names = {f"recall_{k}", f"ndcg_cut_{k}"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(scored)
    reciprocal = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(cut)
    for metric, expected in (
        (recall_at, {q: v[f"recall_{k}"] for q, v in theirs.items()}),
        (ndcg_at, {q: v[f"ndcg_cut_{k}"] for q, v in theirs.items()}),
        (mrr_at, {q: v["recip_rank"] for q, v in reciprocal.items()}),
    ):
        assert metric(rankings, qrels, k) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_only_queries_with_ranking_and_judgements_count(metric):
    values = metric({"a": ["x"], "unjudged": ["x"]}, {"a": {"x": 1}, "unranked": {"x": 1}})
    assert set(values) == {"a"}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_document_ranked_twice_is_refused(metric):
    with pytest.raises(InputError, match="names a document twice"):
        metric({"a": ["x", "y", "x"]}, {"a": {"x": 1}})


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_cut_that_is_no_count_is_refused(metric, k):
    with pytest.raises(InputError, match="k must be"):
        metric({"a": ["x"]}, {"a": {"x": 1}}, k)


def test_the_mean_weighs_every_query_alike():
    assert mean({"a": 1.0, "b": 0.0, "c": 0.5}) == 0.5


def test_the_mean_of_no_query_is_refused():
    with pytest.raises(InputError, match="no query"):
        mean({})


NEIGHBOURS = [
    ([[1, 2, 3]], [[1, 2, 3]], 3, [1]),
    ([[3, 2, 1]], [[1, 2, 3]], 3, [1]),
    ([[9, 8, 7]], [[1, 2, 3]], 3, [0]),
    ([[1, 9, 3]], [[1, 2, 3]], 3, [2 / 3]),
    ([[1, 2]], [[1, 2, 3, 4]], 4, [1 / 2]),  # fewer hits than k
    ([[2, 1]], [[1, 2]], 10, [1]),  # fewer rows than k
    ([[1, 1, 1]], [[1, 2, 3]], 3, [1 / 3]),  # a repeat counts once
    ([[4, 1, 2]], [[1, 2, 4]], 2, [1 / 2]),  # both are cut at k
    ([["a", "b"]], [["b", "c"]], 2, [1 / 2]),
    (np.empty((2, 0), dtype=np.int64), [[1], [2]], 5, [0, 0]),
]


@pytest.mark.parametrize(("found", "truth", "k", "expected"), NEIGHBOURS)
def test_neighbour_recall_counts_shared_ids(found, truth, k, expected):
    assert neighbour_recall(found, truth, k) == pytest.approx(expected)


def test_neighbour_recall_in_blocks_equals_sets(monkeypatch):
    monkeypatch.setattr("fewbits.evaluate.metrics._COMPARED", 500)
    rng = np.random.default_rng(0)
    found = np.argsort(rng.random((101, 30)))[:, :12]
    truth = np.argsort(rng.random((101, 30)))[:, :12]
    sets = [len({*f[:10]} & {*t[:10]}) / 10 for f, t in zip(found, truth, strict=True)]
    assert neighbour_recall(found, truth, 10) == pytest.approx(sets)


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        ([1, 2], [[1, 2]], "found must be 2-D"),
        ([[1]], [[1], [2]], "same queries"),
        ([[1]], np.empty((1, 0)), "at least one exact"),
        ([["1"]], [[1]], "one kind of id"),
    ],
)
def test_neighbour_recall_refuses_what_does_not_match(found, truth, message):
    with pytest.raises(InputError, match=message):
        neighbour_recall(found, truth, 1)
