"""Searching an index: shapes, tiers, originals, oversampling, and what `info` says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import InputError
from fewbits.vectors import Hits, Index, simd_level

D = 16
DEFAULTS = [v for v in cases() if v.label == "default"]


def exact(q, x, metric):
    wide, far = q.astype(np.float64), x.astype(np.float64)
    if metric == "l2":
        return -((wide[:, None] - far) ** 2).sum(axis=2)
    dots = wide @ far.T
    if metric == "cosine":
        dots /= np.linalg.norm(wide, axis=1)[:, None] * np.linalg.norm(far, axis=1)
    return dots


def recall(found, q, x, metric, k=10):
    best = np.argsort(-exact(q, x, metric), axis=1)[:, :k]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(found.tolist(), best, strict=True)])


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_hits_have_the_shape_of_the_question(variant):
    index = Index(variant.make(D)).add(sample(300, D))
    q = sample(3, D, seed=1)
    hits = index.search(q, 7)
    assert isinstance(hits, Hits)
    scores, ids = hits
    assert scores.shape == ids.shape == (3, 7)
    assert (scores.dtype, ids.dtype) == (np.float32, np.int64)
    assert (np.diff(scores, axis=1) <= 0).all()
    one = index.search(q[1], 7)
    assert one.ids.shape == (7,)
    assert same_bits(one.scores, scores[1])
    assert index.search(q, 1000).ids.shape == (3, 300)
    assert index.search(q, 0).ids.shape == (3, 0)
    assert index.search(q[0], 0).ids.shape == (0,)
    assert index.search(q[:0], 7).ids.shape == (0, 7)
    assert index.search(q).ids.shape == (3, 10)


@pytest.mark.parametrize("rescore", [None, "float16"])
@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_an_empty_index_finds_nothing(variant, rescore):
    index = Index(variant.make(D), rescore=rescore)
    for _ in range(2):
        assert index.search(sample(3, D), 5).ids.shape == (3, 0)
        assert index.search(sample(3, D), 5).scores.dtype == np.float32
        assert index.search(sample(1, D)[0], 5).ids.shape == (0,)
        index.fit(sample(300, D))


@pytest.mark.parametrize("variant", [v for v in DEFAULTS if v.kind == "int8"], ids=str)
def test_hits_are_those_of_the_quantizer_over_all_segments(variant, monkeypatch):
    from fewbits.vectors import segments

    monkeypatch.setattr(segments, "_SEAL_ROWS", 50)
    x = sample(333, D)
    index = Index(variant.make(D)).fit(x)
    for start in range(0, 333, 30):
        index.add(x[start : start + 30])
    assert index.info()["segments"] > 3
    index.delete([0, 55, 332])
    quantizer = index.quantizer
    live = np.delete(np.arange(333), [0, 55, 332])
    expected = quantizer.search(x[:4], quantizer.encode(x), 40, rows=live)
    hits = index.search(x[:4], 40)
    assert np.array_equal(hits.ids, expected[1])
    assert same_bits(hits.scores, expected[0])
    assert index.compact().info()["rows"] == 330
    assert np.array_equal(index.search(x[:4], 40).ids, expected[1])


@pytest.mark.parametrize("rescore", [None, "float16"])
def test_equal_rows_in_different_segments_come_in_the_order_they_were_added(monkeypatch, rescore):
    from fewbits.vectors import segments

    monkeypatch.setattr(segments, "_SEAL_ROWS", 10)
    row = sample(1, D)
    index = Index("int8", rescore=rescore).fit(sample(300, D))
    for _ in range(7):
        index.add(np.repeat(row, 9, axis=0))
    hits = index.search(row, 40)
    assert hits.ids[0].tolist() == list(range(40))
    assert len(set(hits.scores[0].tolist())) == 1


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("kind", ["binary", "ternary", "int4"])
def test_a_second_tier_finds_more_than_one_tier(clustered, kind, metric):
    x, q = clustered
    alone = Index(kind, metric=metric).add(x)
    tiers = Index(kind, metric=metric, rescore="float16").add(x)
    one = recall(alone.search(q, 10).ids, q, x, metric)
    two = recall(tiers.search(q, 10, oversample=10).ids, q, x, metric)
    own = recall(alone.search(q, 10, oversample=10, originals=x).ids, q, x, metric)
    assert two > one
    assert two > 0.9
    assert own >= two - 0.01


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_rescored_hits_carry_the_scores_of_the_second_tier(clustered, metric):
    x, q = clustered
    index = Index("binary", metric=metric, rescore="float16").add(x)
    every = index.search(q, 10, oversample=1e6)
    assert recall(every.ids, q, x, metric) > 0.98
    scores = np.take_along_axis(exact(q, x, metric), every.ids, axis=1)
    assert np.allclose(every.scores, scores, rtol=2e-3, atol=2e-3)
    originals = index.search(q, 10, oversample=1e6, originals=x)
    scores = np.take_along_axis(exact(q, x, metric), originals.ids, axis=1)
    assert recall(originals.ids, q, x, metric) == 1
    assert np.allclose(originals.scores, scores, rtol=1e-6)


@pytest.mark.parametrize("oversample", [0, 0.99, -1, np.nan, np.inf, 1e7, "4", True, [4]])
def test_an_impossible_oversample_is_refused(oversample):
    index = Index("binary", rescore="int8").add(sample(300, D))
    with pytest.raises(InputError, match="oversample"):
        index.search(sample(1, D), 3, oversample=oversample)


def test_oversampling_with_nothing_to_rescore_with_is_refused_with_the_cure():
    index = Index("binary").add(sample(300, D))
    with pytest.raises(InputError, match="rescore='float16'"):
        index.search(sample(1, D), 3, oversample=2)
    assert index.search(sample(1, D), 3, oversample=1).ids.shape == (1, 3)


@pytest.mark.parametrize("oversample", [None, 1, 1.5, np.float32(2), 1000, np.int64(3)])
def test_oversampling_gives_k_hits_and_each_row_once(oversample):
    index = Index("binary", rescore="int8").add(sample(300, D))
    hits = index.search(sample(4, D, seed=1), 50, oversample=oversample)
    assert hits.ids.shape == (4, 50)
    assert all(len(set(line)) == 50 for line in hits.ids.tolist())
    assert index.search(sample(1, D), 400, oversample=oversample).ids.shape == (1, 300)


def test_originals_are_an_array_or_a_function_of_the_ids():
    x, q = sample(300, D), sample(3, D, seed=1)
    index = Index("binary").add(x)
    whole = index.search(q, 10, originals=x)
    asked = []

    def fetch(ids):
        asked.append(ids)
        return x[ids].astype(np.float64)

    again = index.search(q, 10, originals=fetch)
    assert np.array_equal(again.ids, whole.ids)
    assert same_bits(again.scores, whole.scores)
    assert all(ids.dtype == np.int64 and len(ids) == 40 for ids in asked)
    named = Index("binary").add(x, ids=[f"{i}" for i in range(300)])
    found = named.search(q, 10, originals=lambda ids: x[[int(i) for i in ids]])
    assert found.ids.astype(int).tolist() == whole.ids.tolist()
    with pytest.raises(InputError, match="must be a function"):
        named.search(q, 10, originals=x)


BAD_ORIGINALS = {
    "too few rows": lambda x: x[:100],
    "too narrow": lambda x: x[:, :3],
    "one dimension": lambda x: x[0],
    "a number": lambda x: 5,
    "text": lambda x: "vectors",
    "integers": lambda x: x.astype(int),
    "nan": lambda x: np.full_like(x, np.nan),
    "a function of too few rows": lambda x: lambda ids: x[ids][:-1],
    "a function of too narrow rows": lambda x: lambda ids: x[ids][:, :2],
    "a function of nan": lambda x: lambda ids: np.full((len(ids), D), np.nan),
    "a function of None": lambda x: lambda ids: None,
}


@pytest.mark.parametrize("what", BAD_ORIGINALS)
def test_originals_that_do_not_fit_are_refused(what):
    x = sample(300, D)
    index = Index("binary").add(x)
    with pytest.raises(InputError, match="originals"):
        index.search(sample(1, D), 30, originals=BAD_ORIGINALS[what](x))


def test_originals_with_negative_ids_are_not_read_from_the_end():
    x = sample(300, D)
    index = Index("binary").add(x, ids=range(-100, 200))
    with pytest.raises(InputError, match="a row for every id"):
        index.search(sample(1, D), 300, originals=x)


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_decoded_rows_are_those_of_the_better_tier_in_the_order_asked(variant):
    x = sample(300, D)
    alone = Index(variant.make(D)).add(x)
    picked = [299, 0, 0, 17]
    quantizer = alone.quantizer
    assert same_bits(alone.decode(picked), quantizer.decode(quantizer.encode(x[picked])))
    tiers = Index(variant.make(D), rescore="float16").add(x)
    y = x / np.linalg.norm(x, axis=1)[:, None] if variant.metric == "cosine" else x
    assert np.allclose(tiers.decode(picked), y[picked], rtol=1e-3, atol=1e-3)
    assert alone.decode([]).shape == (0, D)


@pytest.mark.parametrize("rescore", [None, "float16"])
@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_info_is_json_and_tells_the_truth(variant, rescore, tmp_path):
    index = Index(variant.make(D), rescore=rescore)
    empty = json.loads(json.dumps(index.info(), allow_nan=False))
    assert empty["rows"] == 0
    assert empty["dims"] is None
    assert empty["bytes_per_vector"] is None
    index.add(sample(300, D))
    index.delete([1, 2])
    found = json.loads(json.dumps(index.info(), allow_nan=False))
    assert found["rows"] == 298
    assert found["deleted"] == 2
    assert found["dims"] == D
    assert found["metric"] == variant.metric
    assert found["quantizer"] == variant.kind
    assert found["bytes_per_vector"] == index.quantizer.code_size
    assert found["rescore"] == rescore
    assert found["rescore_bytes_per_vector"] == (
        0 if rescore is None else 2 * D + 4 * (variant.metric == "l2")
    )
    assert found["id_bytes"] == 2400
    assert found["unsaved_rows"] == 300
    assert found["path"] is None
    assert found["simd_level"] == simd_level()
    index.save(tmp_path / "index")
    assert index.info()["unsaved_rows"] == 0
    assert index.info()["generation"] == 1
    assert index.info()["path"] == str(tmp_path / "index")


def test_threads_change_nothing_in_an_index():
    with quiet():
        index = Index("int8").add(np.tile(sample(300, D), (200, 1)), threads=3)
    q = sample(3, D, seed=1)
    one = index.search(q, 20, threads=1)
    for threads in (2, 5, None):
        found = index.search(q, 20, threads=threads)
        assert np.array_equal(found.ids, one.ids)
        assert same_bits(found.scores, one.scores)
