"""Files for the tests of `fewbits model`: texts, pairs, recipes good and bad, and the program."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from fewbits.cli.app import app
from fewbits.models import Recipe

TINY = Path(__file__).parents[2] / "data" / "models" / "bert"
WORDS = "load network score zero vector a the of measure under free".split()


def lines(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 12))) for _ in range(n)]


def invoke(*args, expect=0):
    """Run `fewbits model args...`; an exception other than an exit is a bug."""
    done = CliRunner().invoke(app, ["model", *map(str, args)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == expect, done.output
    return done


def document(*args):
    """Run with --json; stdout holds one line, the document, and stderr nothing."""
    done = invoke(*args, "--json")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    return json.loads(done.stdout)


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
    "no-rows.json": {"name": "x"},
    "text-rows.json": {"rows": "int8"},
    "list.json": [INT8],
    "cut.json": '{"rows": [',
    "deep.json": "[" * 200_000,
    "empty.json": "",
    "static.json": Recipe.int8("static").to_dict(),
    "observer.json": {"rows": [{**INT8, "activations": "static", "observer": "guess"}]},
}


def write_files(path):
    """Texts, pairs, a retrieval set, recipes good and bad, and models of every method."""
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
