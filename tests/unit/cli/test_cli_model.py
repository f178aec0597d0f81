"""`fewbits model ...` on the tiny checkpoint: what it writes, and its documents to the key."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_models import METHODS, TINY, document, invoke, lines
from safetensors.numpy import load_file, save_file

from fewbits.models import Encoder, Recipe

ROW = {"match", "weights", "clip", "activations", "symmetric", "observer", "smooth", "correct_bias"}
NAMES = {"dynamic": "int8-dynamic", "static": "int8-static", "fp16": "fp16", "bf16": "bf16"}
QUANTIZED = {
    "path",
    "recipe",
    "calibration_texts",
    "seconds",
    "folder_bytes",
    "float32_bytes",
}


@pytest.mark.parametrize("method", METHODS)
def test_quantize_writes_a_model_and_says_what(here, method, tmp_path):
    target = tmp_path / "new" / "small"
    got = document("quantize", TINY, "-o", target, *METHODS[method])
    assert set(got) == QUANTIZED
    assert got["path"] == str(target)
    assert got["recipe"]["name"] == NAMES[method]
    assert set(got["recipe"]) == {"name", "rows"}
    assert all(set(row) == ROW for row in got["recipe"]["rows"])
    assert got["calibration_texts"] == (80 if method == "static" else 0)  # blank lines apart
    assert got["seconds"] > 0
    assert got["folder_bytes"] == sum(f.stat().st_size for f in target.rglob("*") if f.is_file())
    encoder, original = Encoder.load(target), Encoder.load(TINY)
    assert got["float32_bytes"] == sum(4 * w.size for w in original.weights.values())
    assert encoder.recipe.to_dict() == got["recipe"]
    x, y = encoder.encode(lines(9, 5)), original.encode(lines(9, 5))
    assert ((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)).min() > 0.97


def test_quantize_takes_a_recipe_from_a_file(here, tmp_path):
    got = document("quantize", TINY, "-o", tmp_path / "m", "--recipe", "mine.json")
    assert got["recipe"]["name"] == "mine"
    linears = Encoder.load(tmp_path / "m").tensors.linears
    modes = {name: linear.activation.mode for name, linear in linears.items()}
    assert modes["layers.0.ffn_in"] == "dynamic"
    assert modes["layers.1.ffn_in"] == "float32"
    assert {linear.weights for linear in linears.values()} == {"int8"}


def test_the_recipe_in_a_document_is_one_that_quantize_takes(here, tmp_path):
    recipe = document("info", "dynamic")["recipe"]
    (tmp_path / "r.json").write_text(json.dumps(recipe))
    got = document("quantize", TINY, "-o", tmp_path / "m", "--recipe", tmp_path / "r.json")
    assert got["recipe"] == recipe


@pytest.mark.filterwarnings("ignore")  # fewer texts than advisable
@pytest.mark.parametrize(
    ("source", "extra", "count"),
    [
        ("t.txt", ["--calibration-texts", "65"], 65),
        ("t.jsonl.gz", ["--field", "body"], 80),
        ("beir", [], 80),
        ("few.txt", [], 3),
    ],
)
def test_calibration_texts_come_from_anywhere(here, source, extra, count, tmp_path):
    args = ("quantize", TINY, "-o", tmp_path / "m", "--method", "static", "--calibration", source)
    done = invoke(*args, *extra, "--json")
    assert json.loads(done.stdout)["calibration_texts"] == count
    assert ("warning: " in done.stderr) == (count < 64)


def test_a_quantized_version_of_the_same_model_is_replaced(here, tmp_path):
    for method in ("dynamic", "fp16"):
        document("quantize", TINY, "-o", tmp_path / "m", "--method", method)
    assert Encoder.load(tmp_path / "m").recipe == Recipe.fp16()


@pytest.mark.parametrize("name", [*METHODS, TINY])
def test_info_adds_up(here, name):
    got = document("info", name)
    assert list(got) == [
        *("family", "source", "dims", "layers", "heads", "hidden_size", "intermediate_size"),
        *("vocab_size", "max_length", "stages", "recipe", "bytes", "modules"),
    ]
    assert (got["family"], got["source"], got["dims"]) == ("bert", str(name), 32)
    assert (got["layers"], got["heads"], got["vocab_size"]) == (2, 4, 400)
    assert got["stages"] == ["Pooling(modes=('mean',), include_prompt=True)"]
    assert all(
        list(module) == ["name", "shape", "weights", "activations", "bytes"]
        for module in got["modules"]
    )
    encoder = Encoder.load(name)
    names = [*encoder.tensors.tables, *encoder.spec.linears()]
    assert [module["name"] for module in got["modules"]] == names
    plain = sum(array.nbytes for array in encoder.tensors.others.values())
    assert got["bytes"] == plain + sum(module["bytes"] for module in got["modules"])
    qkv = got["modules"][names.index("layers.0.qkv")]
    assert qkv["shape"] == [96, 32]
    assert qkv["activations"] == (name if name in ("dynamic", "static") else "float32")
    assert got["modules"][0]["activations"] is None


COMPARED = {
    *("model", "original", "texts", "cosine", "worst_cosine", "worst"),
    *("largest_difference", "spearman", "ndcg"),
}
KEPT = {"data", "count", "before", "after", "kept", "change"}


def test_evaluate_says_what_is_kept(here):
    got = document(
        *("evaluate", "static", "--texts", "t.txt", "--original", TINY),
        *("--pairs", "pairs.tsv", "--beir", "beir"),
    )
    assert set(got) == COMPARED
    assert (got["model"], got["original"], got["texts"]) == ("static", str(TINY), 80)
    assert set(got["cosine"]) == {"mean", "low", "high"}
    assert 0.95 < got["worst_cosine"] <= got["cosine"]["mean"] < 1
    assert got["largest_difference"] == 0
    assert set(got["spearman"]) == set(got["ndcg"]) == KEPT
    assert got["spearman"]["count"] == 10
    assert (got["ndcg"]["data"], got["ndcg"]["count"]) == ("beir", 1)
    assert len(got["worst"]) == 5
    assert got["worst"][0][0] == got["worst_cosine"]


def test_evaluate_takes_other_splits_and_fewer_texts(here):
    args = ("evaluate", "fp16", "--original", TINY, "--texts", "t.jsonl.gz", "--field", "body")
    got = document(*args, "--limit", "7", "--pairs", "pairs.tsv", "--split", "all")
    assert (got["texts"], got["spearman"]["count"], got["ndcg"]) == (7, 20, None)


def test_evaluate_finds_the_original_by_name_and_knows_it_by_its_weights(
    here, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, "bert")
    got = document("evaluate", here / "fp16", "--texts", here / "few.txt")
    assert got["original"] == "bert"
    weights = load_file("bert/model.safetensors")
    save_file({name: -array for name, array in weights.items()}, "bert/model.safetensors")
    done = invoke("evaluate", here / "fp16", "--texts", here / "few.txt", expect=1)
    assert "bert holds other weights; give --original" in done.stderr


def test_an_original_compared_with_itself_keeps_everything(here):
    got = document("evaluate", TINY, "--original", TINY, "--texts", "few.txt")
    assert got["cosine"]["mean"] == pytest.approx(1, abs=1e-12)
    assert got["spearman"] is None


TIMED = {
    *("model", "level", "texts", "tokens", "threads", "texts_per_second", "tokens_per_second"),
    *("short_tokens", "p50", "p95", "load_seconds", "resident_bytes", "folder_bytes"),
}


@pytest.mark.parametrize("executor", ["auto", "native", "reference"])
def test_bench_times_a_model(here, executor):
    args = ("bench", "dynamic", "--texts", "few.txt", "--rounds", "1", "--executor", executor)
    got = document(*args, "--threads", "1")
    assert set(got) == TIMED
    assert (got["model"], got["texts"], got["threads"]) == ("dynamic", 3, 1)
    assert 0 < got["p50"] <= got["p95"]
    assert got["folder_bytes"] == sum(
        f.stat().st_size for f in (here / "dynamic").rglob("*") if f.is_file()
    )


@pytest.mark.parametrize(
    ("model", "variant", "name"),
    [
        (TINY, "float32", "model.onnx"),
        (TINY, "float16", "model_fp16.onnx"),
        ("static", "int8-static", "model_qint8_static.onnx"),
        ("dynamic", "int8-dynamic", "model_qint8_dynamic.onnx"),
    ],
)
def test_export_writes_a_graph(here, model, variant, name, tmp_path):
    pytest.importorskip("onnx", reason="the exporter needs the package onnx")
    got = document("export", model, "-o", tmp_path, "--onnx", variant)
    path = tmp_path / "onnx" / name
    assert got == {"path": str(path), "variant": variant, "bytes": path.stat().st_size}


VIEWS = {
    "quantize": (("-o", "again"), ["recipe", "int8-dynamic", "float32 weights alone"]),
    "info": ((), ["layers.1.ffn_out", "32 x 64", "2 layers, 4 heads"]),
    "evaluate": (
        ("--texts", "few.txt", "--original", TINY, "--pairs", "pairs.tsv"),
        ["cosine, worst", "Spearman, ", "% kept", "the same to the bit"],
    ),
    "bench": (("--texts", "few.txt", "--rounds", "1"), ["texts/s", "ms", "more than before"]),
}


@pytest.mark.parametrize("command", VIEWS)
def test_without_json_people_can_read_it(here, command):
    args, words = VIEWS[command]
    shown = invoke(command, TINY, *args)
    for word in words:
        assert word in " ".join(shown.stdout.split()), word
    assert "{" not in shown.stdout
