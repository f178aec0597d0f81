"""`search` is the brute-force top k of `score`, whatever the shape of the work."""

from __future__ import annotations

import numpy as np
import pytest
from variants import at_every_level, cases, same_bits, sample

from fewbits.errors import InputError

CASES = cases()
NQ, N, D = 4, 70, 24


def setup(variant, n=N, d=D):
    """Return a quantizer, queries and codes with many duplicate rows."""
    quantizer = variant.fitted(d)
    x = sample(n, d, seed=4)
    x[n // 2 :] = x[: n - n // 2]  # every row twice: the lower one must come first
    return quantizer, sample(NQ, d, seed=5), quantizer.encode(x)


def brute(scores, rows, k):
    """Sort by score, highest first, then by row number."""
    order = [sorted(range(len(rows)), key=lambda i: (-s[i], rows[i]))[:k] for s in scores]
    numbers = np.array([[rows[i] for i in line] for line in order], dtype=np.int64)
    kept = np.array([[s[i] for i in line] for s, line in zip(scores, order, strict=True)])
    return kept.astype(np.float32).reshape(len(scores), -1), numbers.reshape(len(scores), -1)


@pytest.mark.parametrize("k", [1, 3, 35, N, N + 5, 2**63, 10**30])
@pytest.mark.parametrize("variant", CASES, ids=str)
def test_search_is_the_brute_force_top_k(variant, k):
    quantizer, q, codes = setup(variant)
    scores, rows = brute(quantizer.score(q, codes), range(N), k)
    for found in at_every_level(lambda: quantizer.search(q, codes, k)):
        assert np.array_equal(found[1], rows)
        assert same_bits(found[0], scores)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_equal_rows_come_in_the_order_of_their_numbers(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(np.repeat(sample(3, D), 500, axis=0))
    rows = quantizer.search(sample(2, D, seed=1), codes, 1200)[1]
    best = rows[:, :500] % 500
    assert (best == np.arange(500)).all()
    assert (np.diff(rows[:, :500]) == 1).all()


SUBSETS = {
    "contiguous": np.arange(10, 50),
    "first": np.arange(5),
    "last": np.arange(N - 5, N),
    "sparse": np.arange(0, N, 3),
    "single": np.array([N - 1]),
    "two": np.array([0, N - 1]),
    "empty": np.empty(0, np.int64),
    "all": np.arange(N),
}


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("variant", CASES, ids=str)
def test_search_in_some_rows_is_the_brute_force_top_k_of_them(variant, subset):
    quantizer, q, codes = setup(variant)
    chosen = SUBSETS[subset]
    for k in (1, 4, N):
        scores, rows = brute(quantizer.score(q, codes)[:, chosen], chosen.tolist(), k)
        for found in at_every_level(lambda k=k: quantizer.search(q, codes, k, rows=chosen)):
            assert np.array_equal(found[1], rows)
            assert same_bits(found[0], scores)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_no_hits_are_asked_for_or_there_are_none(variant):
    quantizer, q, codes = setup(variant)
    for k, stored in ((0, codes), (0, codes[:0]), (5, codes[:0])):
        for scores, rows in at_every_level(lambda k=k, s=stored: quantizer.search(q, s, k)):
            assert scores.shape == rows.shape == (NQ, 0)
            assert (scores.dtype, rows.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_no_queries_give_no_hits(variant):
    quantizer, q, codes = setup(variant)
    scores, rows = quantizer.search(q[:0], codes, 3)
    assert scores.shape == rows.shape == (0, 3)
    assert quantizer.score(q[:0], codes).shape == (0, N)
    assert quantizer.score_rows(q[:0], codes, np.empty((0, 4), np.int64)).shape == (0, 4)


@pytest.mark.parametrize("variant", [v for v in CASES if v.metric == "l2"], ids=str)
def test_the_number_of_threads_changes_nothing(variant):
    quantizer = variant.fitted(D)
    base = quantizer.encode(sample(500, D, seed=4))
    codes = np.tile(base, (1 + (2 << 20) // base.nbytes, 1))  # work for more than two threads
    q = sample(2, D, seed=5)
    expected = quantizer.search(q, codes, 50, threads=1)
    for threads in (2, 5, 64):
        found = quantizer.search(q, codes, 50, threads=threads)
        assert same_bits(found[0], expected[0])
        assert same_bits(found[1], expected[1])
    assert same_bits(quantizer.score(q, codes, threads=3), quantizer.score(q, codes))


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_scores_of_chosen_rows_are_those_of_all_rows(variant):
    quantizer, q, codes = setup(variant)
    rows = np.random.default_rng(1).integers(-1, N, (NQ, 9))
    every = quantizer.score(q, codes)
    expected = np.where(rows >= 0, np.take_along_axis(every, np.maximum(rows, 0), 1), -np.inf)
    for found in at_every_level(lambda: quantizer.score_rows(q, codes, rows)):
        assert same_bits(found, expected.astype(np.float32))


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_a_score_depends_on_nothing_but_the_query_and_the_row(variant):
    quantizer, q, codes = setup(variant)
    every = quantizer.score(q, codes)
    for i, r in ((0, 0), (1, 33), (3, N - 1)):
        alone = quantizer.score(q[i], codes[r : r + 1])
        assert alone.shape == (1,)
        assert same_bits(alone, every[i, r : r + 1])


BAD_ROWS = {
    "descending": [3, 2],
    "twice": [2, 2],
    "negative": [-1, 3],
    "too large": [0, N],
    "floats": [0.0, 1.0],
    "booleans": [True, False],
    "two-dimensional": [[0, 1]],
    "a number": 3,
    "strings": ["a"],
    "huge": [2**70],
}


@pytest.mark.parametrize("bad", BAD_ROWS)
@pytest.mark.parametrize("variant", [v for v in CASES if v.label == "default"], ids=str)
def test_rows_that_are_no_ascending_row_numbers_are_refused(variant, bad):
    quantizer, q, codes = setup(variant)
    with pytest.raises(InputError, match="rows"):
        quantizer.search(q, codes, 3, rows=BAD_ROWS[bad])


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", ">i8", "u8"])
def test_rows_of_any_integer_type_and_stride_are_taken(dtype):
    quantizer, q, codes = setup(CASES[0])
    expected = quantizer.search(q, codes, 3, rows=np.arange(0, 60, 2))
    found = quantizer.search(q, codes, 3, rows=np.arange(60).astype(dtype)[::2])
    assert same_bits(found[0], expected[0])
    assert same_bits(found[1], expected[1])


@pytest.mark.parametrize("bad", ["too large", "floats", "one-dimensional", "too few lines"])
def test_impossible_rows_to_score_are_refused(bad):
    quantizer, q, codes = setup(CASES[0])
    rows = {
        "too large": np.full((NQ, 2), N),
        "floats": np.zeros((NQ, 2)),
        "one-dimensional": np.zeros(NQ, int),
        "too few lines": np.zeros((NQ - 1, 2), int),
    }[bad]
    with pytest.raises(InputError, match="rows"):
        quantizer.score_rows(q, codes, rows)


@pytest.mark.parametrize("k", [-1, 1.0, True, "3", None])
@pytest.mark.parametrize("variant", [v for v in CASES if v.label == "default"], ids=str)
def test_k_must_be_a_count(variant, k):
    quantizer, q, codes = setup(variant)
    with pytest.raises(InputError, match="k must be"):
        quantizer.search(q, codes, k)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
@pytest.mark.parametrize("call", ["encode", "score", "search", "score_rows"])
def test_threads_must_be_a_count_from_one(call, threads):
    quantizer, q, codes = setup(CASES[0])
    arguments = {
        "encode": (q,),
        "score": (q, codes),
        "search": (q, codes, 3),
        "score_rows": (q, codes, np.zeros((NQ, 1), np.int64)),
    }[call]
    with pytest.raises(InputError, match="threads"):
        getattr(quantizer, call)(*arguments, threads=threads)
