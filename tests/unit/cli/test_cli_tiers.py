"""Options that are passed on to the index: bits, second copies, clusters."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from fewbits.cli.app import app
from fewbits.cli.choices import check_probes, check_widths, probes_in, with_widths


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    path = tmp_path_factory.mktemp("v") / "x.npy"
    centres = np.random.default_rng(0).standard_normal((16, 32))
    x = centres[np.arange(1500) % 16] + 0.5 * np.random.default_rng(1).standard_normal((1500, 32))
    np.save(path, x.astype(np.float32))
    return path


def said(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_bits_and_clusters_reach_the_index_and_searches_reach_clusters(vectors, tmp_path):
    options = ["--to", "trellis", "--bits", 3, "--rescore-bits", 4, "--clusters", 8]
    made = said("quantize", vectors, "-o", tmp_path / "i", *options)
    assert made["quantizer_params"]["bits"] == 3
    assert made["quantizer_params"]["centroids"] == 8
    assert made["bytes_per_vector"] == 12
    assert made["rescore_bytes_per_vector"] == 16
    about = said("info", tmp_path / "i")
    assert about["clusters"] == 8
    assert about["candidates"] == "adaptive"
    assert about["drift"] == pytest.approx(1, abs=0.2)
    found = {}
    for nprobe in ("1", "8", "auto", "all"):
        asked = ["--vectors", vectors, "-k", 5, "--nprobe", nprobe, "--recall", 0.9]
        found[nprobe] = said("search", tmp_path / "i", *asked)["queries"]
    assert found["auto"] == found["all"] == found["8"]


def test_evaluate_measures_every_width(vectors):
    options = ["--queries", vectors, "--limit", 300, "--rescore", "none"]
    results = said("evaluate", "--vectors", vectors, *options, "--bits", "4,2", "--quantizers",
                   "trellis,int8")  # fmt: skip
    assert [row["params"].get("bits") for row in results["rows"]] == [4.0, 2.0, None]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--to", "int8", "--bits", "3"], 2, "no parameter 'bits'"),
        (["--to", "trellis", "--bits", "3", "--param", "bits=2"], 2, "given twice"),
        (["--to", "int8", "--rescore-bits", "3"], 1, "no residual plane"),
        (["--to", "trellis", "--rescore-bits", "3", "--rescore", "int8"], 1, "not both"),
        (["--to", "int8", "--clusters", "3"], 1, "no clusters"),
    ],
)
def test_what_a_quantizer_does_not_have_is_refused(vectors, tmp_path, options, code, words):
    done = CliRunner().invoke(app, ["quantize", str(vectors), "-o", str(tmp_path / "i"), *options])
    assert done.exit_code == code, done.output
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_probes_are_a_number_or_a_word():
    assert [probes_in(check_probes(text)) for text in ("3", "auto", "all")] == [3, "auto", None]
    for wrong in ("0", "-1", "many", "1.5", ""):
        with pytest.raises(typer.BadParameter, match="number from 1 on"):
            check_probes(wrong)


def test_widths_apply_to_kinds_that_take_bits():
    pairs = [("trellis", {"bits": 1.0}), ("trellis", {"bits": 0.5})]
    assert with_widths(None, "1,0.5") == pairs
    assert with_widths(["int8", "trellis"], "1,0.5") == ["int8", *pairs]
    assert with_widths(["int8"], None) == ["int8"]
    assert with_widths(None, None) is None
    with pytest.raises(typer.BadParameter, match="numbers between commas"):
        check_widths("1,two")
