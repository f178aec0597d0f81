"""What `fewbits model ...` refuses, and how."""

from __future__ import annotations

import json

import pytest
from cli_models import TINY, invoke

MAKE = ("quantize", str(TINY), "-o", "out")
TEXTS = ("--texts", "t.txt")
ERRORS = {
    "static without texts": ((*MAKE, "--method", "static"), "pass calibration="),
    "recipe without texts": ((*MAKE, "--recipe", "static.json"), "pass calibration="),
    "no such layer": ((*MAKE, "--recipe", "unknown-layer.json"), "'layers.7.qkv' matches no layer"),
    "no such field": ((*MAKE, "--recipe", "unknown-field.json"), "got 'bits'"),
    "no such format": ((*MAKE, "--recipe", "unknown-word.json"), "weights must be one of"),
    "impossible row": ((*MAKE, "--recipe", "impossible.json"), "needs weights='int8'"),
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
    "an original that is not here": (("evaluate", "fp16", *TEXTS), "give --original"),
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


@pytest.mark.parametrize(
    "row",
    [
        {"weights": "int8"},
        {"match": 5},
        {"match": ["*"]},
        {"match": "*", "weights": "int8", "activations": "dynamic", "symmetric": None},
        {"match": "*", "weights": "int8", "activations": "static", "observer": ["minmax"]},
    ],
    ids=lambda row: json.dumps(row),
)
def test_a_recipe_row_of_another_type_is_refused(here, row, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"rows": [row]}))
    done = invoke(*MAKE, "--recipe", tmp_path / "r.json", "--calibration", "t.txt", expect=1)
    assert done.stderr.splitlines()[-1].startswith("error: ")


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
