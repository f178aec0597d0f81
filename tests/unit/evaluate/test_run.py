"""Whole evaluations over a fake vectors room whose answers can be worked out apart."""

import json

import numpy as np
import pytest

from fewbits import vectors
from fewbits.errors import DuplicateIdError, InputError, StorageError
from fewbits.evaluate.exact import METRICS
from fewbits.evaluate.metrics import mean, ndcg_at, neighbour_recall
from fewbits.evaluate.results import Results
from fewbits.evaluate.run import evaluate


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((200, 16), np.float32), rng.standard_normal((30, 16), np.float32)


def judged(x, q):
    """Judge each query's nearest row relevant, and a random one highly so."""
    rng = np.random.default_rng(1)
    near = np.argmax(q @ x.T, axis=1)
    return {f"q{i}": {f"d{near[i]}": 1, f"d{rng.integers(len(x))}": 2} for i in range(0, len(q), 2)}


def names(prefix, rows):
    return [f"{prefix}{i}" for i in range(len(rows))]


@pytest.mark.parametrize("metric", METRICS)
def test_a_lossless_quantizer_keeps_everything(fake_room, data, metric):
    x, q = data
    row = evaluate(x, q, quantizers=["identity"], metric=metric).rows[0]
    assert row.plain.recall.low == row.plain.recall.mean == row.rescored.recall.mean == 1
    assert row.worst == []
    assert row.ratio == 1
    assert row.bytes_per_vector == 64
    assert row.rescore_bytes_per_vector == 32


def test_recall_and_ndcg_equal_a_calculation_by_hand(fake_room, data):
    x, q = data
    qrels = judged(x, q)
    options = {"qrels": qrels, "doc_ids": names("d", x), "query_ids": names("q", q)}
    results = evaluate(x, q, quantizers=["signs"], metric="ip", **options)
    row = results.rows[0]
    truth = np.argsort(-(q @ x.T), axis=1, kind="stable")[:, :10]
    signs = np.argsort(-(q @ np.sign(x).T), axis=1, kind="stable")[:, :40]
    exact = np.take_along_axis(q @ x.T, signs, axis=1)
    again = np.take_along_axis(signs, np.argsort(-exact, axis=1), axis=1)[:, :10]
    assert row.plain.recall.mean == pytest.approx(neighbour_recall(signs, truth, 10).mean())
    assert row.rescored.recall.mean == pytest.approx(neighbour_recall(again, truth, 10).mean())
    assert row.plain.recall.mean < row.rescored.recall.mean < 1
    ndcg = {
        key: ndcg_at({f"q{i}": [f"d{j}" for j in hits] for i, hits in enumerate(rows)}, qrels)
        for key, rows in {"truth": truth, "signs": signs, "again": again}.items()
    }
    assert results.baseline.ndcg.mean == pytest.approx(mean(ndcg["truth"]))
    assert row.plain.ndcg.mean == pytest.approx(mean(ndcg["signs"]))
    change = mean(ndcg["again"]) - mean(ndcg["truth"])
    assert row.rescored.ndcg_change.mean == pytest.approx(change)
    assert results.meta["judged_queries"] == 15
    losses = {query: ndcg["truth"][query] - ndcg["again"][query] for query in qrels}
    if max(losses.values()) > 0:
        assert losses[row.worst[0].query] == max(losses.values())


def test_the_worst_queries_name_what_was_found_and_lost(fake_room, data):
    x, q = data
    row = evaluate(x, q, quantizers=["signs"], rescore=None, doc_ids=names("d", x)).rows[0]
    assert row.rescored is None
    assert row.rescore_bytes_per_vector == 0
    assert len(row.worst) == 5
    shares = [lost.recall for lost in row.worst]
    assert shares == sorted(shares)
    for lost in row.worst:
        assert lost.recall == len({*lost.exact} & {*lost.found}) / 10
        assert lost.exact[0].startswith("d")
        assert lost.ndcg is None


def test_every_registered_quantizer_gets_a_row_and_the_rest_a_reason(fake_room, data):
    results = evaluate(*data)
    assert [row.name for row in results.rows] == ["identity", "signs"]
    assert results.meta["skipped"] == {"picky": "picky serves nobody"}
    fake_room["toy"] = type("Toy", (fake_room["identity"],), {"name": "toy"})
    assert [row.name for row in evaluate(*data).rows] == ["identity", "signs", "toy"]


def test_a_quantizer_asked_for_that_cannot_serve_raises(fake_room, data):
    with pytest.raises(InputError, match="picky serves nobody"):
        evaluate(*data, quantizers=["identity", "picky"])


def test_pairs_and_objects_are_taken_and_labels_stay_apart(fake_room, data):
    mine = fake_room["signs"](keep=3)
    specs = [("signs", {"keep": 1}), "signs", mine, mine, "identity"]
    rows = evaluate(*data, quantizers=specs).rows
    labels = ["signs (keep=1)", "signs (keep=0)", "signs (keep=3)", "signs (keep=3) #2", "identity"]
    assert [row.label for row in rows] == labels
    assert rows[0].params == {"keep": 1}
    assert mine.fitted_on is None


def test_quantizers_are_fitted_on_calibration_rows_unless_they_came_fitted(fake_room, data):
    x, q = data
    seen = []

    class Watcher(fake_room["identity"]):
        name = "watcher"

        def fit(self, rows):
            seen.append(len(rows))
            return super().fit(rows)

    ready = Watcher().fit(x[:7])
    fake_room["watcher"] = Watcher
    results = evaluate(x, q, quantizers=["watcher", ready], calibration=x[:50])
    assert seen == [7, 50]
    assert results.meta["calibration_rows"] == 50
    evaluate(x, q, quantizers=["watcher"])
    assert seen == [7, 50, 200]


def test_fewer_rows_than_k_still_give_full_recall(fake_room, data):
    x, q = data
    row = evaluate(x[:4], q, quantizers=["signs"], k=10).rows[0]
    assert row.plain.recall.mean == 1


def test_one_row_and_one_query_are_enough(fake_room, data):
    x, q = data
    row = evaluate(x[:1], q[:1], quantizers=["identity"]).rows[0]
    assert row.plain.recall.mean == 1


def test_progress_is_told_before_each_quantizer_and_at_the_end(fake_room, data):
    told = []
    evaluate(*data, quantizers=["signs", "identity"], progress=lambda *args: told.append(args))
    assert told == [("signs", 0, 2), ("identity", 1, 2), ("done", 2, 2)]


def test_results_are_the_same_but_for_the_clock(fake_room, data):
    def steady(results):
        return [(r.label, r.plain.recall, r.rescored.recall, r.worst) for r in results.rows]

    assert steady(evaluate(*data, seed=3)) == steady(evaluate(*data, seed=3))


def test_a_memory_mapped_collection_gives_the_same_rows(fake_room, data, tmp_path):
    x, q = data
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    a, b = (evaluate(v, q, quantizers=["signs"]).rows[0] for v in (x, mapped))
    assert (a.plain.recall, a.worst) == (b.plain.recall, b.worst)


def test_results_survive_json(fake_room, data, tmp_path):
    x, q = data
    options = {"qrels": judged(x, q), "doc_ids": names("d", x), "query_ids": names("q", q)}
    results = evaluate(x, q, name="mine", **options)
    text = results.to_json(tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text() == text
    assert Results.from_dict(json.loads(text)) == results
    assert {"cpu", "cores", "simd_level", "python", "numpy", "fewbits"} <= {
        *json.loads(text)["meta"]["machine"]
    }
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_results_that_cannot_be_written_say_so(fake_room, data, tmp_path):
    results = evaluate(*data, quantizers=["identity"])
    with pytest.raises(StorageError, match="cannot write"):
        results.to_json(tmp_path / "no" / "r.json")


BAD = {
    "no query": ({"q": np.empty((0, 16), np.float32)}, InputError, "at least one query"),
    "no vector": ({"x": np.empty((0, 16), np.float32)}, InputError, "at least one vector"),
    "width": ({"q": np.ones((2, 3), np.float32)}, InputError, "16 columns"),
    "nan": ({"q": np.full((2, 16), np.nan, np.float32)}, InputError, r"q\[0, 0\] is nan"),
    "k": ({"k": 0}, InputError, "k must be"),
    "oversample": ({"oversample": 0}, InputError, "oversample must be"),
    "metric": ({"metric": "dot"}, InputError, "metric must be one of"),
    "a string": ({"quantizers": "signs"}, InputError, r"use \['signs'\]"),
    "an unknown name": ({"quantizers": ["int9"]}, InputError, "quantizer must be one of"),
    "a number": ({"quantizers": [8]}, InputError, "got int"),
    "an empty list": ({"quantizers": []}, InputError, "at least one"),
    "too few ids": ({"doc_ids": ["a"]}, InputError, "doc_ids must hold 200 ids"),
    "integer ids": ({"query_ids": list(range(30))}, InputError, "query_ids must hold strings"),
    "twice": ({"query_ids": ["a"] * 30}, DuplicateIdError, "query_ids holds an id twice"),
    "foreign qrels": ({"qrels": {"other": {"0": 1}}}, InputError, "names none of query_ids"),
}


@pytest.mark.parametrize(("changed", "error", "message"), BAD.values(), ids=BAD)
def test_arguments_that_cannot_be_served_are_refused(fake_room, data, changed, error, message):
    arguments = {"x": data[0], "q": data[1], "quantizers": ["identity"], **changed}
    with pytest.raises(error, match=message):
        evaluate(arguments.pop("x"), arguments.pop("q"), **arguments)


@pytest.mark.skipif(not hasattr(vectors, "Index"), reason="the vectors room has no index yet")
def test_every_real_quantizer_is_measured():
    rng = np.random.default_rng(0)
    x, q = rng.standard_normal((600, 64), np.float32), rng.standard_normal((20, 64), np.float32)
    results = evaluate(x, q)
    assert {row.name for row in results.rows} | {*results.meta["skipped"]} == {
        *vectors.quantizer_names()
    }
    for row in results.rows:
        assert 0 < row.plain.recall.mean <= row.rescored.recall.mean <= 1
        assert row.bytes_per_vector > 0
    json.loads(results.to_json())
