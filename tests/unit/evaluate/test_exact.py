"""The exact baseline against a brute force that sorts everything."""

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.evaluate import exact
from fewbits.evaluate.exact import METRICS, exact_neighbours


def brute(x, q, k, metric):
    x, q = x.astype(np.float64), q.astype(np.float64)
    if metric == "l2":
        scores = -((q[:, None] - x[None]) ** 2).sum(axis=2)
    else:
        if metric == "cosine":
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
            q = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-300)
        scores = q @ x.T
    scores = scores.astype(np.float32)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(10))
def test_neighbours_equal_a_full_sort(metric, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(exact, "_ROWS", int(rng.integers(1, 40)))
    monkeypatch.setattr(exact, "_QUERIES", int(rng.integers(1, 9)))
    x = rng.standard_normal((int(rng.integers(1, 120)), 7)).astype(np.float32)
    q = rng.standard_normal((11, 7)).astype(np.float32)
    k = int(rng.integers(1, 30))
    np.testing.assert_array_equal(exact_neighbours(x, q, k, metric=metric), brute(x, q, k, metric))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [1, 3, 64])
def test_ties_go_to_the_lowest_row_across_blocks(metric, block, monkeypatch):
    monkeypatch.setattr(exact, "_ROWS", block)
    x = np.float32([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [-1, 0], [1, 0]])
    got = exact_neighbours(x, np.float32([[1, 0]]), 3, metric=metric)
    assert got.tolist() == [[0, 2, 4]]


def test_zero_and_negative_zero_scores_tie():
    x = np.float32([[0, -1], [0, 1], [-0.0, 0], [0, 0]])
    assert exact_neighbours(x, np.float32([[1, 0]]), 4, metric="ip").tolist() == [[0, 1, 2, 3]]


def test_a_zero_vector_scores_zero_between_near_and_far():
    x = np.float32([[-1, 0], [0, 0], [1, 0]])
    assert exact_neighbours(x, np.float32([[1, 0]]), 3).tolist() == [[2, 1, 0]]


def test_memory_mapped_half_precision_gives_the_same(tmp_path):
    x = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float16)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    q = x[:5].astype(np.float32)
    np.testing.assert_array_equal(exact_neighbours(mapped, q), exact_neighbours(x, q))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.empty((0, 2), np.float32), {}, "at least one vector"),
        (np.ones((3, 3), np.float32), {}, "must have 3 columns"),
        (np.ones((3, 2), np.float32), {"metric": "dot"}, "metric must be one of"),
        (np.ones((3, 2), np.float32), {"k": 0}, "k must be"),
    ],
)
def test_what_cannot_be_searched_is_refused(x, options, message):
    with pytest.raises(InputError, match=message):
        exact_neighbours(x, np.ones((1, 2), np.float32), **options)
