from __future__ import annotations

import gzip
import io
import json
from types import SimpleNamespace

import pytest

from fewbits.cli.texts import batched, read_texts, text_file
from fewbits.errors import FormatError, InputError


def records(path, *items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def test_row_i_of_a_text_file_is_line_i(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("one\n\n\nfour\r\nfünf", encoding="utf-8")
    assert list(read_texts(path)) == [(None, text) for text in ("one", "", "", "four", "fünf")]


def test_records_give_their_ids_and_put_the_title_first(tmp_path):
    path = records(
        tmp_path / "c.jsonl",
        {"_id": "a", "title": "T", "text": "x"},
        {"id": 2, "title": "", "text": "y", "note": "n"},
    )
    assert list(read_texts(path)) == [("a", "T x"), ("2", "y")]


def test_another_field_is_taken_without_the_title(tmp_path):
    path = records(tmp_path / "c.jsonl", {"_id": "a", "title": "T", "text": "x", "note": "n"})
    assert list(read_texts(path, "note")) == [("a", "n")]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"_id": "a"}], "line 1: 'text' must be a string, got None; --field"),
        ([{"_id": "a", "text": 5}], "must be a string, got 5"),
        ([{"_id": "a", "text": "x"}, {"text": "y"}], "line 2: either all records"),
        ([{"text": "x"}, {"id": 1, "text": "y"}], "line 2: either all records"),
        ([{"_id": True, "text": "x"}], "must be a string or an integer"),
        ([{"_id": "", "text": "x"}], "must be a string or an integer"),
        ([["x"]], "expected a JSON object"),
    ],
)
def test_a_bad_record_names_its_line(tmp_path, items, words):
    with pytest.raises(FormatError, match=words):
        list(read_texts(records(tmp_path / "c.jsonl", *items)))


def test_a_folder_means_its_corpus(tmp_path):
    with gzip.open(tmp_path / "corpus.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"_id": "é", "text": "x"}\n')
    with text_file(str(tmp_path)) as path:
        assert list(read_texts(path)) == [("é", "x")]


def test_standard_input_is_read_as_lines_and_leaves_no_file(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO("a\nß\n".encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    with text_file("-") as path:
        assert list(read_texts(path)) == list(read_texts(path)) == [(None, "a"), (None, "ß")]
    assert not path.exists()


@pytest.mark.parametrize("name", ["table.csv", "x.npy", "noending"])
def test_a_file_of_unknown_kind_is_refused(name):
    with pytest.raises(InputError, match=r"texts must be a \.txt or \.jsonl"), text_file(name):
        pass


def test_a_folder_without_a_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"without corpus\.jsonl"), text_file(str(tmp_path)):
        pass


def test_batches_hold_everything_once():
    items = [(None, str(i)) for i in range(7)]
    assert [len(part) for part in batched(iter(items), 3)] == [3, 3, 1]
    assert [item for part in batched(iter(items), 3) for item in part] == items
