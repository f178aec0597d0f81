"""Filters: which rows may be found, and that only these are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from variants import quiet, same_bits, sample

from fewbits.errors import InputError
from fewbits.vectors import Index, Int8, Quantizer

D, N = 8, 60


@pytest.fixture
def index():
    with quiet():
        made = Index("int8").add(sample(20, D, seed=1)).add(sample(40, D, seed=2))
    made.delete([3, 30])
    return made


LIVE = [i for i in range(N) if i not in (3, 30)]
FILTERS = {
    "a list": [5, 7, 40],
    "a tuple": (5, 7, 40),
    "a set": {5, 7, 40},
    "a frozenset": frozenset((5, 7, 40)),
    "a dict": {5: "", 7: "", 40: ""},
    "a range": range(5, 50, 7),
    "an array": np.array([5, 7, 40]),
    "unsigned": np.array([5, 7, 40], np.uint16),
    "a generator": None,
    "in any order, twice": [40, 5, 7, 5],
    "with unknown ids": [5, 7, 40, 999, -1, 2**62],
    "with deleted ids": [5, 7, 40, 3, 30],
    "only unknown ids": [999],
    "only deleted ids": [3],
    "empty": [],
    "an empty set": set(),
    "everything": range(N),
}


@pytest.mark.parametrize("k", [1, 2, 100])
@pytest.mark.parametrize("what", FILTERS)
def test_hits_are_the_best_of_the_rows_allowed(index, what, k):
    given = FILTERS[what] if what != "a generator" else (i for i in (5, 7, 40))
    allowed = {5, 7, 40} if what == "a generator" else set(given)
    q = sample(3, D, seed=3)
    every = index.search(q, N)
    hits = index.search(q, k, filter=given)
    for line in range(3):
        expected = [i for i in every.ids[line].tolist() if i in allowed][:k]
        assert hits.ids[line].tolist() == expected
        scores = dict(zip(every.ids[line].tolist(), every.scores[line].tolist(), strict=True))
        assert hits.scores[line].tolist() == [scores[i] for i in expected]
    assert hits.ids.shape == hits.scores.shape == (3, min(k, len(allowed & set(LIVE))))


@pytest.mark.parametrize("kind", [np.array, list, tuple])
def test_a_mask_has_one_value_per_live_row_in_order(index, kind):
    mask = np.arange(len(index)) % 3 == 0
    chosen = np.array(LIVE)[mask]
    q = sample(2, D, seed=3)
    masked = index.search(q, 50, filter=kind(mask.tolist()))
    named = index.search(q, 50, filter=chosen)
    assert np.array_equal(masked.ids, named.ids)
    assert same_bits(masked.scores, named.scores)


@pytest.mark.parametrize("n", [0, 1, N, N - 1])
def test_a_mask_of_another_length_is_refused(index, n):
    with pytest.raises(InputError, match=rf"shape \({N - 2},\)"):
        index.search(sample(1, D), filter=np.ones(n, bool))


def test_a_mask_that_allows_nothing_gives_no_hits(index):
    assert index.search(sample(2, D), 5, filter=np.zeros(N - 2, bool)).ids.shape == (2, 0)


def test_filters_of_strings():
    with quiet():
        index = Index("int8").add(sample(5, D), ids=["a", "b", "c", "", "é"])
    hits = index.search(sample(1, D), 9, filter={"é", "", "zz"})
    assert sorted(hits.ids[0]) == ["", "é"]


def test_an_empty_index_takes_any_filter():
    for given in ([1], {"a"}, [], np.empty(0, bool)):
        assert Index("int8").search(sample(1, D), 3, filter=given).ids.shape == (1, 0)


class Counting(Int8):
    """Counts the rows that a scan looks at."""

    looked = 0

    def scan(self, q, codes, k, rows, threads):
        Counting.looked += len(codes) if rows is None else len(rows)
        return super().scan(q, codes, k, rows, threads)


@pytest.mark.parametrize("left", [0, 1, 10, 500])
def test_the_cost_of_a_filter_falls_with_the_rows_left(left):
    index = Index(Counting()).add(sample(600, D))
    index.delete(list(range(500, 510)))
    Counting.looked = 0
    index.search(sample(2, D), 3, filter=range(left))
    assert Counting.looked == left
    Counting.looked = 0
    index.search(sample(2, D), 3)
    assert Counting.looked == 590


def test_the_base_scan_looks_at_the_chosen_rows_only(monkeypatch):
    seen = []
    quantizer = Int8().fit(sample(300, D))
    codes = quantizer.encode(sample(300, D))
    monkeypatch.setattr(
        Int8,
        "_score",
        lambda self, q, part, threads: (
            seen.append(len(part)) or np.zeros((1, len(part)), np.float32)
        ),
    )
    Quantizer.scan(quantizer, sample(1, D), codes, 2, np.array([1, 5, 9]), None)
    assert seen == [3]
