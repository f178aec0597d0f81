"""`fewbits model ...` on the tiny checkpoint: the documents to the key, and every refusal."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fewbits.cli.app import app
from fewbits.models import Encoder, Recipe

TINY = Path(__file__).parents[2] / "data" / "models" / "bert"
WORDS = "load network score zero vector a the of measure under free".split()
ROW = {"match", "weights", "clip", "activations", "symmetric", "observer", "smooth", "correct_bias"}


def lines(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 12))) for _ in range(n)]


def invoke(*args, expect=0):
    done = CliRunner().invoke(app, ["model", *map(str, args)])
    assert done.exit_code == expect, done.output
    return done


def document(*args):
    """Run with --json; stdout holds one line, the document, and stderr nothing."""
    done = invoke(*args, "--json")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Texts, pairs, a retrieval set, recipes good and bad, and models of every method."""
    path = tmp_path_factory.mktemp("model-cli")
    texts = lines(80)
    (path / "t.txt").write_text("\n\n".join(texts) + "\n \n", encoding="utf-8")
    (path / "blank.txt").write_text("\n \n\t\n", encoding="utf-8")
    (path / "none.txt").write_text("", encoding="utf-8")
    (path / "few.txt").write_text("\n\n".join(texts[:3]), encoding="utf-8")
    records = [json.dumps({"id": i, "body": text}) for i, text in enumerate(texts)]
    with gzip.open(path / "t.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(records))
    rows = zip(lines(20, 1), lines(20, 2), range(20), strict=True)
    table = "".join(f"{a}\t{b}\t{i}\t{'test' if i % 2 else 'dev'}\n" for a, b, i in rows)
    (path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\tsplit\n" + table)
    write_retrieval(path / "beir", texts)
    for name, content in RECIPES.items():
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (path / "latin.json").write_bytes(b'{"rows": "caf\xe9"}')
    (path / "foreign").mkdir()
    (path / "foreign" / "notes.txt").write_text("mine")
    shutil.copytree(TINY, path / "other")
    edit = json.loads((path / "other" / "config.json").read_text())
    (path / "other" / "config.json").write_text(json.dumps({**edit, "layer_norm_eps": 1e-6}))
    for name, extra in METHODS.items():
        args = [arg.replace("t.txt", str(path / "t.txt")) for arg in extra]
        invoke("quantize", TINY, "-o", path / name, *args, "-q")
    return path


def write_retrieval(folder, texts):
    folder.mkdir()
    docs = [json.dumps({"_id": f"d{i}", "text": text}) for i, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(docs))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": texts[0]}))
    (folder / "qrels.tsv").write_text("q\td0\t1\n")


METHODS = {
    "dynamic": [],
    "static": ["--method", "static", "--calibration", "t.txt"],
    "fp16": ["--method", "fp16"],
    "bf16": ["--method", "bf16"],
}
NAMES = {"dynamic": "int8-dynamic", "static": "int8-static", "fp16": "fp16", "bf16": "bf16"}
INT8 = {"match": "*", "weights": "int8"}
RECIPES = {
    "mine.json": {
        "name": "mine",
        "rows": [INT8, {**INT8, "match": "layers.0.*", "activations": "dynamic"}],
    },
    "unknown-layer.json": {"rows": [{**INT8, "match": "layers.7.qkv"}]},
    "unknown-field.json": {"rows": [{**INT8, "bits": 4}]},
    "unknown-word.json": {"rows": [{"match": "*", "weights": "int4"}]},
    "impossible.json": {"rows": [{"match": "*", "activations": "static"}]},
    "no-match.json": {"rows": [{"weights": "int8"}]},
    "number-match.json": {"rows": [{"match": 5}]},
    "no-rows.json": {"name": "x"},
    "text-rows.json": {"rows": "int8"},
    "list.json": [INT8],
    "cut.json": '{"rows": [',
    "deep.json": "[" * 200_000,
    "empty.json": "",
    "static.json": Recipe.int8("static").to_dict(),
    "observer.json": {"rows": [{**INT8, "activations": "static", "observer": "guess"}]},
}


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


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


MAKE = ("quantize", str(TINY), "-o", "out")
TEXTS = ("--texts", "t.txt")
ERRORS = {
    "static without texts": ((*MAKE, "--method", "static"), "pass calibration="),
    "recipe without texts": ((*MAKE, "--recipe", "static.json"), "pass calibration="),
    "no such layer": ((*MAKE, "--recipe", "unknown-layer.json"), "'layers.7.qkv' matches no layer"),
    "no such field": ((*MAKE, "--recipe", "unknown-field.json"), "got 'bits'"),
    "no such format": ((*MAKE, "--recipe", "unknown-word.json"), "weights must be one of"),
    "impossible row": ((*MAKE, "--recipe", "impossible.json"), "needs weights='int8'"),
    "row for nothing": ((*MAKE, "--recipe", "no-match.json"), "match"),
    "row for a number": ((*MAKE, "--recipe", "number-match.json"), "match"),
    "no rows": ((*MAKE, "--recipe", "no-rows.json"), "must have a list of rows"),
    "rows in words": ((*MAKE, "--recipe", "text-rows.json"), "must have a list of rows"),
    "no object": ((*MAKE, "--recipe", "list.json"), "must hold an object with rows, got list"),
    "cut JSON": ((*MAKE, "--recipe", "cut.json"), "cut.json is not valid JSON"),
    "deep JSON": ((*MAKE, "--recipe", "deep.json"), "deep.json is not valid JSON"),
    "empty JSON": ((*MAKE, "--recipe", "empty.json"), "empty.json is not valid JSON"),
    "latin JSON": ((*MAKE, "--recipe", "latin.json"), "latin.json is not valid JSON"),
    "no recipe": ((*MAKE, "--recipe", "nowhere.json"), "nowhere.json: No such file"),
    "a folder as recipe": ((*MAKE, "--recipe", "foreign"), "foreign: Is a directory"),
    "no observer": (
        (*MAKE, "--recipe", "observer.json", "--calibration", "t.txt"),
        "observer must be one of",
    ),
    "no calibration file": ((*MAKE, "--calibration", "nowhere.txt"), "nowhere.txt is not a"),
    "empty calibration": ((*MAKE, "--calibration", "none.txt"), "none.txt holds no text"),
    "blank calibration": ((*MAKE, "--calibration", "blank.txt"), "blank.txt holds no text"),
    "calibration of a kind": ((*MAKE, "--calibration", "mine.json"), "must be a .txt or .jsonl"),
    "no field": ((*MAKE, "--calibration", "t.jsonl.gz"), "'text' must be a string"),
    "no model": (("quantize", "nowhere", "-o", "out"), "existing model folder, got 'nowhere'"),
    "no model folder": (("quantize", "foreign", "-o", "out"), "config.json"),
    "quantized already": (("quantize", "fp16", "-o", "out"), "must have float32 weights"),
    "foreign target": (("quantize", str(TINY), "-o", "foreign"), "holds 'notes.txt'"),
    "target is a file": (("quantize", str(TINY), "-o", "t.txt"), "t.txt is a file"),
    "target is its source": (("quantize", str(TINY), "-o", str(TINY)), "is no quantized model"),
    "another model": (("quantize", "other", "-o", "fp16"), "holds another model"),
    "info of nothing": (("info", "nowhere"), "existing model folder, got 'nowhere'"),
    "info of a file": (("info", "t.txt"), "existing model folder, got 't.txt'"),
    "evaluate nothing": (("evaluate", "nowhere", *TEXTS), "existing model folder"),
    "no original": (("evaluate", "fp16", *TEXTS, "--original", "nowhere"), "existing model"),
    "no texts": (("evaluate", "fp16", "--texts", "nowhere.txt"), "nowhere.txt is not a"),
    "blank texts": (("evaluate", "fp16", "--texts", "blank.txt"), "blank.txt holds no text"),
    "no pairs": (("evaluate", "fp16", *TEXTS, "--pairs", "nowhere.tsv"), "pairs must be a .tsv"),
    "no split": (
        ("evaluate", "fp16", *TEXTS, "--pairs", "pairs.tsv", "--split", "train"),
        "holds 0 pairs of split 'train'",
    ),
    "no data set": (("evaluate", "fp16", *TEXTS, "--beir", "foreign"), "corpus.jsonl"),
    "bench nothing": (("bench", "nowhere", *TEXTS), "existing model folder"),
    "bench no texts": (("bench", "fp16", "--texts", "nowhere.txt"), "nowhere.txt is not a"),
    "export nothing": (("export", "nowhere", "-o", "out"), "existing model folder"),
    "export a float as int8": (
        ("export", str(TINY), "-o", "out", "--onnx", "int8-dynamic"),
        "int8-dynamic",
    ),
    "export dynamic as static": (
        ("export", "dynamic", "-o", "out", "--onnx", "int8-static"),
        "int8-static",
    ),
}


@pytest.mark.parametrize(("args", "words"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_line_that_names_the_cause(here, args, words):
    done = invoke(*args, "--json", expect=1)
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert words in done.stderr.splitlines()[-1]
    said = json.loads(done.stdout)
    assert set(said) == {"error"}
    assert set(said["error"]) == {"type", "message"}
    assert not (here / "out").exists()
    assert [path.name for path in (here / "foreign").iterdir()] == ["notes.txt"]


USAGE = {
    "no command": (),
    "no method of that name": (*MAKE, "--method", "int4"),
    "no target": ("quantize", str(TINY)),
    "no model": ("quantize", "-o", "out"),
    "no calibration text at all": (*MAKE, "--calibration-texts", "0"),
    "no texts": ("evaluate", "fp16"),
    "one text": ("evaluate", "fp16", *TEXTS, "--limit", "1"),
    "no rounds": ("bench", "fp16", *TEXTS, "--rounds", "0"),
    "no threads": ("bench", "fp16", *TEXTS, "--threads", "0"),
    "no such executor": ("bench", "fp16", *TEXTS, "--executor", "gpu"),
    "no such variant": ("export", "fp16", "-o", "out", "--onnx", "int4"),
    "no such option": ("info", "fp16", "--nonsense"),
}


@pytest.mark.parametrize("args", USAGE.values(), ids=USAGE)
def test_wrong_usage_exits_with_2_and_writes_nothing(here, args):
    before = sorted(path.name for path in here.iterdir())
    done = invoke(*args, expect=2)
    assert "Usage: " in done.output
    assert sorted(path.name for path in here.iterdir()) == before
