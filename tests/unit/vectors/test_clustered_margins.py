"""Margins: measured on calibration rows, they keep the recall that they were measured for."""

from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.vectors import margins as module
from fewbits.vectors.candidates import most_candidates
from fewbits.vectors.margins import (
    DEFAULT,
    RECALLS,
    check_margins,
    margin_for,
    measure_margins,
)
from fewbits.vectors.specification import normalise
from fewbits.vectors.trellis.kmeans import assign, train

D, L = 16, 64


def corpus(metric, n=24_000):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((n, D)).astype(np.float32) * np.linspace(2, 0.5, D, dtype=np.float32)
    x = normalise(x) if metric == "cosine" else x
    centroids = train(x[:4000], L, spherical=False, iterations=4)
    lists = assign(x, centroids)
    r = x - centroids[lists]
    second = r.T @ r / len(r)
    factor = 2 if metric == "l2" else 1
    return x, lists, centroids, lambda q: factor * np.sqrt(np.einsum("qd,de,qe->q", q, second, q))


def scores_of(q, x, metric):
    dots = q.astype(np.float64) @ x.T.astype(np.float64)
    return dots if metric != "l2" else 2 * dots - (x.astype(np.float64) ** 2).sum(axis=1)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_lists_within_the_margin_hold_the_share_of_neighbours_asked_for(metric):
    x, lists, centroids, noise = corpus(metric)
    table = measure_margins(x[1000:20_000], lists[1000:20_000], centroids, metric, noise)
    check_margins(table)
    q, rows, where = x[:200], x[1000:], lists[1000:]
    scores, keys = scores_of(q, rows, metric), scores_of(q, centroids, metric)
    ordered = np.sort(scores, axis=1)[:, ::-1]
    visited = []
    for recall in (0.8, 0.95, 0.99):
        margin = margin_for(table, len(rows), 10, recall)
        held = ordered[:, [most_candidates(10) - 1]]
        looked_at = keys + margin * noise(q)[:, None] >= held
        hits = scores >= ordered[:, [9]]
        found = np.take_along_axis(looked_at, np.broadcast_to(where, scores.shape), axis=1)
        assert (hits & found).sum() / hits.sum() > recall - 0.02
        visited.append(looked_at.mean())
    assert visited == sorted(visited)
    assert visited[0] < 0.7


def test_margins_grow_with_recall_and_rows_and_fall_with_hits():
    for rows in (10_000, 1_000_000):
        by_recall = [margin_for(DEFAULT, rows, 10, recall) for recall in RECALLS]
        assert by_recall == sorted(by_recall)
        by_k = [margin_for(DEFAULT, rows, k, 0.95) for k in (1, 3, 10, 50, 100)]
        assert by_k == sorted(by_k, reverse=True)
    by_rows = [margin_for(DEFAULT, rows, 10, 0.95) for rows in (1, 1000, 10**5, 10**9)]
    assert by_rows == sorted(by_rows)
    assert by_rows[0] == 0


@pytest.mark.parametrize(
    ("k", "recall", "same_as"),
    [(10, 0.5, (10, 0.8)), (10, 0.9999, (10, 0.999)), (1000, 0.9, (100, 0.9)), (0, 0.9, (1, 0.9))],
)
def test_beyond_the_table_its_ends_count(k, recall, same_as):
    assert margin_for(DEFAULT, 10**6, k, recall) == margin_for(DEFAULT, 10**6, *same_as)


def test_the_table_itself_is_met():
    for i, k in enumerate(module.KS):
        for j, recall in enumerate(RECALLS):
            found = margin_for(DEFAULT, module.REFERENCE_ROWS, k, recall)
            assert found == pytest.approx(DEFAULT[i, j])


def test_few_rows_take_the_margins_measured_elsewhere():
    x, lists, centroids, noise = corpus("ip", n=5000)
    table = measure_margins(x, lists, centroids, "ip", noise)
    assert np.array_equal(table, DEFAULT)
    assert table is not DEFAULT


def test_the_same_rows_give_the_same_margins():
    x, lists, centroids, noise = corpus("ip", n=17_000)
    tables = [measure_margins(x, lists, centroids, "ip", noise) for _ in range(2)]
    assert np.array_equal(*tables)


@pytest.mark.parametrize("x", [np.zeros((17_000, 4)), np.ones((17_000, 4))])
def test_rows_that_are_all_alike_give_finite_margins(x):
    x = x.astype(np.float32)
    lists, centroids = np.zeros(len(x), np.int64), np.eye(2, 4, dtype=np.float32)
    check_margins(measure_margins(x, lists, centroids, "cosine", lambda q: np.zeros(len(q), "f4")))


@pytest.mark.parametrize(
    "table",
    [None, [1.0], DEFAULT.astype(np.float64), DEFAULT[:3], DEFAULT * np.float32("nan")],
    ids=["none", "list", "float64", "shape", "nan"],
)
def test_a_table_that_is_none_is_refused(table):
    with pytest.raises(InputError, match="learned margins"):
        check_margins(table)
