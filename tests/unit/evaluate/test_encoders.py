"""An encoder beside itself, beside its 8-bit version, and beside encoders made up for the test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.evaluate import compare_encoders
from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.correlation import spearman
from fewbits.evaluate.datasets import Dataset
from fewbits.evaluate.pairs import Pairs
from fewbits.models import Encoder, Recipe, quantize_model

MODELS = Path(__file__).parents[2] / "data" / "models"
WORDS = "load network score zero vector a the of measure under free".split()


def sentences(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 20))) for _ in range(n)]


@pytest.fixture(scope="module")
def tiny():
    return Encoder.load(MODELS / "bert")


@pytest.fixture(scope="module")
def small(tiny):
    return quantize_model(tiny, Recipe.int8())


@pytest.fixture(scope="module")
def pairs(tiny):
    left, right = sentences(40, 1), sentences(40, 2)
    cosines = cosine(tiny.encode(left), tiny.encode(right))
    noise = np.random.default_rng(3).normal(0, cosines.std(), 40)
    return Pairs("made-up", left, right, np.round(cosines + noise, 2).tolist())


@pytest.fixture(scope="module")
def dataset():
    docs, queries = sentences(30, 4), sentences(6, 5)
    names = [f"d{i}" for i in range(30)]
    qrels = {f"q{i}": {names[i]: 1, names[i + 7]: 2} for i in range(6)}
    return Dataset("toy", names, docs, [f"q{i}" for i in range(6)], queries, qrels)


def cosine(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def test_an_encoder_keeps_all_of_itself(tiny, pairs, dataset):
    told = []
    got = compare_encoders(
        tiny, tiny, ["", *sentences(70)], pairs=pairs, dataset=dataset, advance=told.append
    )
    assert got.texts == 71
    assert got.cosine.low == pytest.approx(1, abs=1e-12)
    assert got.worst_cosine == pytest.approx(1, abs=1e-12)
    assert got.largest_difference == 0
    assert got.spearman.kept == Interval(1, 1, 1)
    assert got.spearman.before == got.spearman.after
    assert (got.spearman.data, got.spearman.count, got.spearman.change) == ("made-up", 40, None)
    assert got.ndcg.kept == Interval(1, 1, 1)
    assert got.ndcg.change == Interval(0, 0, 0)
    assert (got.ndcg.data, got.ndcg.count) == ("toy", 6)
    assert told == ["texts", "batches", "sentence pairs", "retrieval"]


def test_eight_bits_cost_little_and_something(tiny, small, pairs, dataset):
    texts = sentences(50)
    got = compare_encoders(tiny, small, texts, pairs=pairs, dataset=dataset)
    cosines = cosine(tiny.encode(texts), small.encode(texts))
    assert 0.99 < got.worst_cosine < got.cosine.mean < 1
    assert got.cosine.low < got.cosine.mean < got.cosine.high
    assert got.cosine.mean == pytest.approx(cosines.mean(), abs=1e-12)
    assert got.worst == [
        (pytest.approx(cosines[i], abs=1e-12), texts[i]) for i in np.argsort(cosines)[:5]
    ]
    assert got.worst[0][0] == got.worst_cosine
    assert got.largest_difference == 0
    for key, encoder in (("before", tiny), ("after", small)):
        scores = cosine(encoder.encode(pairs.left), encoder.encode(pairs.right))
        assert getattr(got.spearman, key) == spearman(scores, pairs.scores)
    assert got.spearman.kept.mean == got.spearman.after / got.spearman.before
    assert got.ndcg.kept.mean == pytest.approx(got.ndcg.after / got.ndcg.before, abs=1e-12)
    assert got.ndcg.change.mean == pytest.approx(got.ndcg.after - got.ndcg.before, abs=1e-12)


def test_the_document_is_plain_data(tiny, small, pairs):
    got = compare_encoders(tiny, small, sentences(5), pairs=pairs).to_dict()
    assert set(got) == {
        "texts",
        "cosine",
        "worst_cosine",
        "worst",
        "largest_difference",
        "spearman",
        "ndcg",
    }
    assert set(got["cosine"]) == {"mean", "low", "high"}
    assert set(got["spearman"]) == {"data", "count", "before", "after", "kept", "change"}
    assert got["ndcg"] is None
    json.dumps(got, allow_nan=False)


class Rows:
    """An encoder that looks vectors up, and adds an error where texts come together."""

    dims = 2

    def __init__(self, rows, together=0.0):
        self.rows, self.together = rows, together

    def encode(self, texts, **_):
        if isinstance(texts, str):
            return np.array(self.rows[texts], dtype=np.float32)
        return np.array([self.rows[text] for text in texts], dtype=np.float32) + self.together


def test_two_zero_vectors_are_the_same_and_one_is_unlike_all():
    before = Rows({"a": [0, 0], "b": [0, 0], "c": [1, 0], "d": [3, 4]})
    after = Rows({"a": [0, 0], "b": [1, 0], "c": [0, 2], "d": [-3, -4]})
    got = compare_encoders(before, after, ["a", "b", "c", "d"])
    assert dict((text, value) for value, text in got.worst) == {"a": 1, "b": 0, "c": 0, "d": -1}
    assert got.worst_cosine == -1


def test_a_vector_that_depends_on_its_neighbours_is_found():
    rows = {"a": [1, 0], "b": [0, 1]}
    got = compare_encoders(Rows(rows), Rows(rows, together=np.float32(0.25)), ["a", "b"])
    assert got.largest_difference == 0.25


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "at least 2 texts, got 0"),
        (["one"], "at least 2 texts, got 1"),
        ("a bare string", "at least 2 texts, got a bare string"),
    ],
)
def test_fewer_than_two_texts_are_refused(tiny, texts, message):
    with pytest.raises(InputError, match=message):
        compare_encoders(tiny, tiny, texts)


def test_another_width_is_refused(tiny):
    with pytest.raises(InputError, match="both encoders must have the same width, got 32 and 2"):
        compare_encoders(tiny, Rows({}), ["a", "b"])


def test_an_original_that_finds_nothing_has_nothing_to_keep(tiny, dataset):
    rows = {text: [1, 0] for text in (*dataset.docs, *dataset.queries)}
    far = Dataset("far", dataset.doc_ids, dataset.docs, ["q0"], dataset.queries[:1],
                  {"q0": {"d29": 1}})  # fmt: skip
    with pytest.raises(InputError, match="far: the original finds no relevant document"):
        compare_encoders(Rows(rows), Rows(rows), dataset.docs[:2], dataset=far)
