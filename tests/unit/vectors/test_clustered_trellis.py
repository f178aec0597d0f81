"""Clustered search over trellis codes: the native kernels by lists find what they find flat."""

from __future__ import annotations

import numpy as np
import pytest
from variants import quiet, same_bits

from fewbits.vectors import Index
from fewbits.vectors import arrange as layout
from fewbits.vectors import probing as rules
from fewbits.vectors.margins import DEFAULT
from fewbits.vectors.trellis.quantizer import Trellis

D, L, N = 32, 24, 3000


def corpus(n=N, seed=0):
    """Rows (n, 32) in 60 groups, the larger axes first."""
    points = np.random.default_rng(7).standard_normal((60, D))
    rng = np.random.default_rng(seed)
    x = points[rng.integers(0, 60, n)] + 0.7 * rng.standard_normal((n, D))
    return (x * np.linspace(2, 0.3, D)).astype(np.float32)


@pytest.fixture(params=["cosine", "ip", "l2"])
def index(request, monkeypatch):
    monkeypatch.setattr(layout, "TAIL_ROWS", 500)
    monkeypatch.setattr(rules, "LEAST_ROWS", 500)
    monkeypatch.setattr(rules, "_FEW", 10)
    with quiet():
        quantizer = Trellis(bits=2, centroids=L, metric=request.param).fit(corpus())
    quantizer.margins = DEFAULT
    return Index(quantizer).add(corpus())


def test_all_lists_give_the_hits_of_a_flat_search(index):
    [part] = index._state.segments
    quantizer, q = index.quantizer, corpus(40, seed=1)
    for k in (1, 10, 500):
        scores, rows, probed = quantizer.scan_lists(q, part.codes, part.lists, None, k, 0, -1.0, 2)
        flat = index.search(q, k, nprobe=None)
        assert same_bits(scores, flat.scores)
        assert part.ids.take(rows).tolist() == flat.ids.tolist()
        assert probed.tolist() == [L] * 40


@pytest.mark.parametrize("nprobe", [1, 3, 12, "auto"])
def test_hits_are_true_scores_and_do_not_depend_on_the_queries_beside(index, nprobe):
    index.delete(np.arange(0, N, 7))
    q = corpus(40, seed=1)
    for allowed in (None, np.arange(0, N, 3)):
        together = index.search(q, 10, nprobe=nprobe, filter=allowed)
        every = index.search(q, N, nprobe=None, filter=allowed)
        for i in range(40):
            alone = index.search(q[i], 10, nprobe=nprobe, filter=allowed, threads=1)
            assert same_bits(alone.scores, together.scores[i])
            assert alone.ids.tolist() == together.ids[i].tolist()
            true = dict(zip(every.ids[i].tolist(), every.scores[i].tolist(), strict=True))
            assert [true[key] for key in alone.ids.tolist()] == alone.scores.tolist()


def test_more_lists_miss_fewer_hits(index):
    q = corpus(60, seed=2)
    flat = index.search(q, 10, nprobe=None).ids
    shares = [
        np.mean([np.isin(a, b).mean() for a, b in zip(flat, found, strict=True)])
        for found in (index.search(q, 10, nprobe=nprobe).ids for nprobe in (1, 6, 20))
    ]
    assert shares == sorted(shares)
    assert shares[2] > 0.95


def test_a_margin_for_more_recall_misses_fewer_hits(index):
    q = corpus(60, seed=2)
    assert index.info()["search"] == "clustered"
    flat = index.search(q, 10, nprobe=None).ids
    for recall in (0.8, 0.95, 0.99):
        found = index.search(q, 10, recall=recall).ids
        assert np.mean([np.isin(a, b).mean() for a, b in zip(flat, found, strict=True)]) > recall


def test_rows_added_one_by_one_and_in_blocks_end_in_the_same_lists(index):
    x, again = corpus(), Index(index.quantizer)
    for start in range(0, N, 170):
        again.add(x[start : start + 170])
    again.compact()
    index.compact()
    assert [len(part) for part in again._state.segments] == [N]
    a, b = (one.search(corpus(9, seed=3), 20, nprobe=2) for one in (index, again))
    assert same_bits(a.scores, b.scores)
    assert a.ids.tolist() == b.ids.tolist()


def test_a_saved_index_answers_by_lists_as_before(index, tmp_path):
    index.delete([5, 6])
    index.save(tmp_path / "index")
    again, q = Index.open(tmp_path / "index"), corpus(9, seed=3)
    for nprobe in (None, 2, "auto"):
        a, b = (one.search(q, 10, nprobe=nprobe) for one in (index, again))
        assert same_bits(a.scores, b.scores)
        assert a.ids.tolist() == b.ids.tolist()
