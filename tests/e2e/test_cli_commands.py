from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_program import TEXTS, TINY_MODEL, call, document, write_corpus, write_vectors

import fewbits

EMBED = {"path", "rows", "dims", "ids", "truncated", "max_length", "seconds"}
QUANTIZE = {
    "path", "rows", "dims", "metric", "quantizer", "quantizer_params", "rescore",
    "bytes_per_vector", "rescore_bytes_per_vector", "clipped_fraction", "calibration_rows",
    "ratio", "encode_mb_per_second", "folder_bytes", "ids",
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Embed, quantize: the folder that searches start from, and what the commands said."""
    folder = tmp_path_factory.mktemp("built")
    corpus = write_corpus(folder / "data")
    embedded = document("embed", corpus, "-o", "x.npy", "--model", TINY_MODEL, cwd=folder)
    options = ("--to", "int4", "--rescore", "float16", "--param", "dynamic=true")
    quantized = document("quantize", "x.npy", "-o", "c.fewbits", *options, cwd=folder)
    return folder, embedded, quantized


def test_embed_writes_what_the_encoder_says_and_the_ids(built):
    folder, embedded, _ = built
    assert set(embedded) == EMBED
    assert (embedded["rows"], embedded["ids"]) == (4, "x.ids.jsonl")
    x = np.load(folder / "x.npy")
    np.testing.assert_array_equal(x, fewbits.Encoder.load(TINY_MODEL).encode(TEXTS))
    ids = (folder / "x.ids.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in ids] == [f"dök-{i}" for i in range(4)]


def test_quantize_writes_the_index_that_the_python_names_make(built):
    folder, _, quantized = built
    assert set(quantized) == QUANTIZE
    x = np.load(folder / "x.npy")
    index = fewbits.Index(fewbits.Int4(dynamic=True), rescore="float16").add(x)
    opened = fewbits.Index.open(folder / "c.fewbits")
    assert opened.ids.tolist() == [f"dök-{i}" for i in range(4)]
    np.testing.assert_array_equal(opened.search(x).scores, index.search(x).scores)
    assert quantized["bytes_per_vector"] == index.quantizer.code_size
    assert quantized["ratio"] == 4 * 32 / index.quantizer.code_size


def test_search_by_text_finds_the_text_and_quotes_it(built):
    folder, _, _ = built
    args = ("--text", TEXTS[3], "--text", TEXTS[0], "-k", 2, "--model", TINY_MODEL)
    found = document("search", "c.fewbits", *args, "--show", "data", cwd=folder)
    assert set(found) == {"index", "k", "metric", "queries"}
    best = [query["hits"][0] for query in found["queries"]]
    assert [hit["id"] for hit in best] == ["dök-3", "dök-0"]
    assert best[0] == {
        "rank": 1, "score": pytest.approx(1, abs=1e-3), "id": "dök-3", "text": TEXTS[3]
    }  # fmt: skip
    assert [len(query["hits"]) for query in found["queries"]] == [2, 2]


def test_search_reads_queries_from_standard_input_and_files(built):
    folder, _, _ = built
    model = ("--model", TINY_MODEL, "-k", 1)
    stdin = f"{TEXTS[1]}\n{TEXTS[3]}\n"
    lines = document("search", "c.fewbits", "--texts", "-", *model, cwd=folder, stdin=stdin)
    assert [query["query"] for query in lines["queries"]] == [TEXTS[1], TEXTS[3]]
    assert [query["hits"][0]["id"] for query in lines["queries"]] == ["dök-1", "dök-3"]
    vectors = document("search", "c.fewbits", "--vectors", "x.npy", "-k", 1, cwd=folder)
    assert [query["hits"][0]["id"] for query in vectors["queries"]] == [
        f"dök-{i}" for i in range(4)
    ]


def test_a_filter_leaves_only_its_ids(built):
    folder, _, _ = built
    (folder / "allowed.txt").write_text("dök-2\ndök-1\n", encoding="utf-8")
    args = ("--vectors", "x.npy", "--filter-ids", "allowed.txt")
    found = document("search", "c.fewbits", *args, cwd=folder)
    for query in found["queries"]:
        assert {hit["id"] for hit in query["hits"]} == {"dök-1", "dök-2"}


def test_people_get_a_table_with_ids_scores_and_texts(built):
    folder, _, _ = built
    args = ("--vectors", "x.npy", "-k", "1", "--show", "data/corpus.jsonl")
    done = call("search", "c.fewbits", *args, cwd=folder)
    assert done.stderr == ""
    for i, text in enumerate(TEXTS):
        assert f"dök-{i}" in done.stdout
        assert text in done.stdout


def test_info_describes_an_index_and_says_whether_it_was_verified(built):
    folder, _, quantized = built
    about = document("info", "c.fewbits", cwd=folder)
    assert (about["kind"], about["rows"], about["checksums"]) == ("index", 4, "verified")
    assert about["folder_bytes"] == quantized["folder_bytes"]
    unread = document("info", "c.fewbits", "--no-verify", cwd=folder)
    assert unread["checksums"] == "not verified"


def test_info_describes_a_model():
    about = document("info", TINY_MODEL)
    assert (about["kind"], about["family"], about["dims"]) == ("model", "bert", 32)
    assert about["parameters"] == 32_064


def test_a_text_file_gets_row_numbers_and_drops_stale_ids(tmp_path):
    (tmp_path / "t.txt").write_text("a\n\nb\n", encoding="utf-8")
    (tmp_path / "x.ids.jsonl").write_text('"stale"\n', encoding="utf-8")
    args = ("embed", "t.txt", "-o", "x.npy", "--model", TINY_MODEL)
    assert document(*args, cwd=tmp_path)["rows"] == 3
    assert not (tmp_path / "x.ids.jsonl").exists()


def test_ids_metric_and_calibration_are_taken_as_given(tmp_path):
    x = write_vectors(tmp_path)
    np.save(tmp_path / "ids.npy", np.arange(len(x)) * 10)
    np.save(tmp_path / "half.npy", x[:280] / 2)
    options = ("--ids", "ids.npy", "--metric", "ip", "--calibration", "half.npy", "--threads", 1)
    said = document("quantize", "x.npy", "-o", "i", "--to", "int8", *options, cwd=tmp_path)
    assert (said["metric"], said["ids"], said["calibration_rows"]) == ("ip", "ids.npy", 280)
    assert said["clipped_fraction"] > 0
    (tmp_path / "allowed.txt").write_text("20\n", encoding="utf-8")
    args = ("--vectors", "q.npy", "--filter-ids", "allowed.txt")
    found = document("search", "i", *args, cwd=tmp_path)
    assert [hit["id"] for hit in found["queries"][0]["hits"]] == [20]


def test_few_rows_are_warned_about_on_stderr_only(tmp_path):
    write_vectors(tmp_path, n=20)
    done = call("quantize", "x.npy", "-o", "i", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["rows"] == 20
    assert done.stderr.startswith("warning: int8 was fitted on 20 rows")
    assert done.stderr.count("\n") == 1


def test_evaluate_on_vectors_gives_one_row_per_quantizer(tmp_path):
    write_vectors(tmp_path)
    args = ("--vectors", "x.npy", "--queries", "q.npy", "--report", "r.html", "--results", "r.json")
    said = document("evaluate", *args, cwd=tmp_path)
    assert set(said) == {"rows", "baseline", "meta"}
    assert sorted(row["name"] for row in said["rows"]) == fewbits.quantizer_names()
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == said
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_evaluate_on_texts_judges_them(tmp_path):
    folder = write_corpus(tmp_path / "data")
    args = ("--quantizers", "float16", "--rescore", "none", "-k", 3, "--model", TINY_MODEL)
    said = document("evaluate", folder, *args)
    assert [row["name"] for row in said["rows"]] == ["float16"]
    assert said["rows"][0]["plain"]["ndcg"]["mean"] == said["baseline"]["ndcg"]["mean"]
    assert said["rows"][0]["rescored"] is None
    limited = document("evaluate", folder, *args, "--limit", 2)
    assert (limited["meta"]["n"], limited["meta"]["queries"]) == (2, 1)
    (folder / "qrels.tsv").unlink()
    shown = call("evaluate", folder, *args, "--unjudged").stdout
    assert "recall@3" in shown
    assert "nDCG" not in shown


def test_the_demo_needs_no_argument_and_says_what_it_found(tmp_path):
    done = call("demo", "--docs", 60, "--model", TINY_MODEL, cwd=tmp_path)
    for name in fewbits.quantizer_names():
        assert done.stdout.count(f"\n{name} ") == 1
    assert "What was found:" in done.stdout
    assert "fewbits-demo/report.html" in done.stdout.splitlines()[-1]
    results = json.loads((tmp_path / "fewbits-demo" / "results.json").read_text(encoding="utf-8"))
    assert results["meta"]["n"] == 60
    assert (tmp_path / "fewbits-demo" / "report.html").stat().st_size > 10_000


def test_an_index_is_replaced_and_another_folder_is_refused(tmp_path):
    write_vectors(tmp_path)
    for to in ("int8", "binary"):
        document("quantize", "x.npy", "-o", "i", "--to", to, cwd=tmp_path)
    assert document("info", "i", cwd=tmp_path)["quantizer"] == "binary"
    shutil.copytree(tmp_path / "i", tmp_path / "other")
    (tmp_path / "other" / "manifest.json").unlink()
    (tmp_path / "other" / "thesis.txt").write_text("mine", encoding="utf-8")
    refused = call("quantize", "x.npy", "-o", "other", cwd=tmp_path, expect=1)
    assert refused.stderr.startswith("error: ")
    assert (tmp_path / "other" / "thesis.txt").read_text(encoding="utf-8") == "mine"
