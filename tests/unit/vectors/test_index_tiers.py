"""A second tier that codes what the first one leaves over, through everything an index does."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from toytiers import even as sample
from toytiers import make_kinds
from variants import quiet, same_bits

from fewbits.errors import FormatError, InputError
from fewbits.vectors import Float16, Index, Int8, make_quantizer, quantizer_names
from fewbits.vectors.store import Store

D = 8


@pytest.fixture
def toy(registry):
    return make_kinds()[0]


def two_tiers(n=300, **params):
    return Index("toy", metric="ip", rescore_bits=8, **params).add(sample(n, D))


def test_parameters_go_to_the_quantizer(toy):
    assert Index("toy", levels=9).info()["quantizer_params"]["levels"] == 9
    assert Index("int8", metric="ip", symmetric=False).quantizer.symmetric is False
    assert Index("toy", clusters=7).quantizer.centroids == 7


REFUSED = {
    "an unknown parameter": ({"quantizer": "int8", "bits": 3}, "int8 has no parameter 'bits'.*obs"),
    "parameters beside an object": ({"quantizer": Int8(), "seed": 3}, "seed cannot be given"),
    "two second tiers": (
        {"quantizer": "toy", "rescore": "int8", "rescore_bits": 2},
        "rescore or rescore_bits, not both",
    ),
    "no residual plane": ({"quantizer": "int8", "rescore_bits": 2}, "int8 has no residual plane"),
    "bits of text": ({"quantizer": "toy", "rescore_bits": "2"}, "rescore_bits must be a number"),
    "bits true": ({"quantizer": "toy", "rescore_bits": True}, "rescore_bits must be a number"),
    "no clusters": ({"quantizer": "int8", "clusters": 4}, "int8 has no clusters"),
    "no clusters at all": ({"quantizer": "toy", "clusters": 0}, "clusters must be at least 1"),
    "clusters twice": ({"quantizer": "toy", "clusters": 4, "centroids": 4}, "not both"),
    "clusters beside an object": ({"quantizer": Int8(), "clusters": 4}, "as a name"),
    "half a quantizer": ({"quantizer": "toy-rest"}, "no quantizer of its own; use rescore_bits="),
    "half a second tier": ({"quantizer": "toy", "rescore": "toy-rest"}, "no quantizer of its own"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arguments_that_do_not_go_together_are_refused(toy, what):
    arguments, words = REFUSED[what]
    with pytest.raises(InputError, match=words):
        Index(**arguments)


def test_half_a_quantizer_is_made_by_name_but_not_offered(toy):
    assert "toy" in quantizer_names()
    assert "toy-rest" not in quantizer_names()
    assert make_quantizer("toy-rest").name == "toy-rest"


@pytest.mark.parametrize("threads", [1, 2])
def test_hits_and_vectors_come_from_both_tiers(toy, threads):
    x, q = sample(300, D), sample(5, D, seed=1)
    index = two_tiers()
    near = index.decode(range(300))
    assert np.abs(near - x).max() < 0.2 * np.abs(Index("toy").add(x).decode(range(300)) - x).max()
    hits = index.search(q, 10, threads=threads)
    exact = q @ near.T
    for i in range(5):
        order = np.argsort(-exact[i], kind="stable")[:10]
        assert np.allclose(hits.scores[i], exact[i, order], rtol=1e-5)
    assert index.info()["rescore"] == "toy-rest"
    assert index.info()["rescore_bytes_per_vector"] == 2 * D


def changed(index):
    """Do everything that moves code rows of both tiers."""
    index.add(sample(40, D, seed=3), ids=range(1000, 1040))
    index.add(sample(1, D, seed=4), ids=[2000])
    index.add(sample(5, D, seed=5), ids=range(5), replace=True)
    index.delete([10, 11, 1003])
    index.delete(12)
    index.add(iter([sample(7, D, seed=6), sample(9, D, seed=7)]))
    return index


def expected_rows():
    x = {i: row for i, row in enumerate(sample(300, D))}
    x.update(zip(range(1000, 1040), sample(40, D, seed=3), strict=True))
    x[2000] = sample(1, D, seed=4)[0]
    for i, row in enumerate(sample(5, D, seed=5)):
        del x[i]
        x[i] = row
    for i in (10, 11, 1003, 12):
        del x[i]
    for i, row in enumerate(np.vstack([sample(7, D, seed=6), sample(9, D, seed=7)])):
        x[2001 + i] = row
    return x


@pytest.mark.parametrize("then", ["", "compact", "save", "compact save", "save compact"])
def test_both_tiers_move_together(toy, tmp_path, then):
    index, x = changed(two_tiers()), expected_rows()
    for step in then.split():
        if step == "compact":
            index.compact()
        else:
            index.save(tmp_path / "i")
            index = Index.open(tmp_path / "i")
    assert sorted(index.ids.tolist()) == sorted(x)
    near = index.decode(index.ids)
    far = np.array([x[i] for i in index.ids.tolist()])
    limit = index.quantizer.step * 2.0**-8
    assert np.abs(near - far).max() <= limit
    q = sample(4, D, seed=1)
    hits = index.search(q, 20)
    again = index.search(q, 20, oversample=len(x) / 20)
    assert np.array_equal(hits.ids, again.ids)
    assert same_bits(hits.scores, again.scores)


def test_a_second_tier_cannot_be_the_first_in_a_crafted_index(toy, tmp_path):
    two_tiers().save(tmp_path / "good")
    snapshot = Store(tmp_path / "good").read()
    with Store(tmp_path / "bad").writer(None) as writer:
        for entry in snapshot.files:
            params, tensors = dict(entry.contents.params), dict(entry.contents.tensors)
            if entry.kind == "quantizer" and params["tier"] == "codes":
                params["name"] = "toy-rest"
                params["params"] = {"metric": "ip"}
                params["state"] = {"dims": D, "calibration_rows": 300, "step": 1.0}
                tensors = {}
            writer.add(entry.kind, tensors, params)
        writer.commit(dict(snapshot.params))
    with pytest.raises(FormatError, match="cannot be the first tier"):
        Index.open(tmp_path / "bad")


def test_a_failed_first_add_leaves_both_tiers_unfitted(toy):
    index = Index("toy", metric="ip", rescore_bits=8)
    with pytest.raises(ZeroDivisionError), quiet():
        index.add(block if block is not None else 1 / 0 for block in (sample(300, D), None))
    assert index.dims is None
    assert not index.quantizer.fitted
    index.add(sample(300, D) * 5)
    assert same_bits(index.search(sample(2, D), 5).scores, two_by_five())


def two_by_five():
    index = Index("toy", metric="ip", rescore_bits=8).add(sample(300, D) * 5)
    return index.search(sample(2, D), 5).scores


# Candidates.


def test_info_says_how_candidates_are_chosen(toy):
    assert two_tiers().info()["candidates"] == "adaptive"
    assert Index("toy").info()["candidates"] is None
    assert Index("int8", rescore="float16").info()["candidates"] == 4.0
    json.dumps(two_tiers().info(), allow_nan=False)


class Counted:
    def __init__(self, monkeypatch, index):
        self.rows = 0
        kind = type(index._state.tiers.rescore)
        inner = kind.rescan_after

        def counted(second, q, codes, rows, first_codes, threads):
            self.rows += int(np.count_nonzero(rows >= 0))
            return inner(second, q, codes, rows, first_codes, threads)

        monkeypatch.setattr(kind, "rescan_after", counted)


def test_sure_queries_rescore_few_and_unsure_ones_many(toy, monkeypatch):
    found = {}
    for levels in (4, 64):
        index = Index("toy", metric="ip", rescore_bits=8, levels=levels).add(sample(3000, D))
        counted = Counted(monkeypatch, index)
        hits = index.search(sample(20, D, seed=1), 10)
        found[levels] = counted.rows / 20
        every = index.search(sample(20, D, seed=1), 10, oversample=300)
        assert np.array_equal(hits.ids, every.ids)
        monkeypatch.undo()
    assert found[64] < 40
    assert found[4] > 1.5 * found[64]


def test_a_number_of_candidates_is_that_number(toy, monkeypatch):
    index = two_tiers()
    counted = Counted(monkeypatch, index)
    index.search(sample(3, D), 10, oversample=2.5)
    assert counted.rows == 3 * 25
    index.search(sample(3, D), 10, oversample=1)
    assert counted.rows == 3 * 25


@pytest.mark.parametrize("k", [0, 1, 10, 299, 300, 1000])
@pytest.mark.parametrize("nq", [0, 1, 3])
def test_any_number_of_hits_and_queries(toy, k, nq):
    hits = two_tiers().search(sample(4, D)[:nq], k)
    assert hits.ids.shape == hits.scores.shape == (nq, min(k, 300))
    assert all(len(set(line)) == len(line) for line in hits.ids.tolist())
    assert np.all(np.isfinite(hits.scores))


def test_a_query_alone_finds_what_it_finds_in_a_batch(toy, monkeypatch):
    from fewbits.vectors import segments

    monkeypatch.setattr(segments, "_SEAL_ROWS", 70)
    index = changed(two_tiers())
    assert index.info()["segments"] > 1
    q = sample(9, D, seed=1)
    batch = index.search(q, 7, filter=range(0, 3000, 2))
    for i in range(9):
        one = index.search(q[i], 7, filter=range(0, 3000, 2))
        assert same_bits(one.scores, batch.scores[i])
        assert np.array_equal(one.ids, batch.ids[i])


def test_originals_are_asked_for_candidates_that_may_win_only(toy):
    x, asked = sample(3000, D), []

    def fetch(ids):
        asked.append(len(ids))
        return x[ids]

    index = Index("toy", metric="ip", levels=64).add(x)
    hits = index.search(sample(2, D, seed=1), 10, originals=fetch)
    exact = np.sort(sample(2, D, seed=1) @ x.T, axis=1)[:, ::-1][:, :10]
    assert np.allclose(hits.scores, exact, rtol=1e-5)
    assert 0 < sum(asked) < 200
    assert min(asked) > 0


def test_objects_as_tiers_follow_too(toy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = Index(toy(metric="ip", levels=8).fit(sample(300, D)), rescore=Float16())
    assert index.add(sample(10, D)).search(sample(1, D), 3).ids.shape == (1, 3)
