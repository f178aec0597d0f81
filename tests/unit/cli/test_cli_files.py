from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewbits.cli.idfiles import as_kind, id_lines, ids_beside, read_ids
from fewbits.cli.limits import first_documents
from fewbits.cli.vectorfile import write_vectors
from fewbits.errors import FormatError, InputError
from fewbits.evaluate import Dataset


def test_vectors_written_in_blocks_load_as_one_array(tmp_path):
    x = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)
    write_vectors(tmp_path / "x.npy", (10, 3), iter([x[:4], x[4:]]))
    back = np.load(tmp_path / "x.npy")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("rows", [9, 11])
def test_another_number_of_rows_leaves_the_old_file(tmp_path, rows):
    target = tmp_path / "x.npy"
    target.write_bytes(b"old")
    with pytest.raises(FormatError, match="changed while being read"):
        write_vectors(target, (10, 3), [np.zeros((rows, 3), np.float32)])
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]
    assert target.read_bytes() == b"old"


def test_a_failure_midway_leaves_the_old_file_and_nothing_else(tmp_path):
    def blocks():
        yield np.zeros((1, 3), np.float32)
        raise InputError("stop")

    target = tmp_path / "x.npy"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match="stop"):
        write_vectors(target, (2, 3), blocks())
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_ids_survive_writing_and_reading(tmp_path):
    names = ["a", "ü\n", '"', "漢字", "\u2028"]
    path = tmp_path / "x.ids.jsonl"
    path.write_bytes(b"".join(id_lines(names)))
    assert list(read_ids(path)) == names


def test_ids_lie_beside_their_vectors():
    assert ids_beside(Path("a/x.v1.npy")) == Path("a/x.v1.ids.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("i.txt", "007\nb c\n", ["007", "b c"]),
        ("i.jsonl", '"a"\n5\n', ["a", 5]),
        ("i.jsonl", '{"_id": "a", "text": "t"}\n{"id": 5}\n', ["a", "5"]),
    ],
)
def test_ids_are_read_from_lines_values_and_records(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert list(read_ids(tmp_path / name)) == expected


def test_integer_ids_are_read_from_npy(tmp_path):
    np.save(tmp_path / "i.npy", np.array([5, 3]))
    assert list(read_ids(tmp_path / "i.npy")) == [5, 3]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("i.jsonl", "{", FormatError),
        ("i.jsonl", "1.5\n", FormatError),
        ("i.jsonl", "true\n", FormatError),
        ("i.jsonl", '{"text": "no id"}\n', FormatError),
        ("i.npy", "not numpy", FormatError),
        ("missing.npy", None, InputError),
        ("missing.txt", None, InputError),
    ],
)
def test_a_bad_file_of_ids_is_refused(tmp_path, name, content, error):
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(error, match=name):
        list(read_ids(tmp_path / name))


def test_a_filter_takes_the_kind_of_the_index():
    assert as_kind(["5", "6"], 0) == [5, 6]
    assert as_kind([5, 6], "a") == ["5", "6"]
    with pytest.raises(InputError, match="integer ids"):
        as_kind(["x"], 0)


def data(qrels):
    return Dataset("d", ["a", "b", "c"], ["A", "B", "C"], ["p", "q"], ["P", "Q"], qrels)


def test_a_limit_keeps_the_queries_judged_on_what_is_left():
    cut = first_documents(data({"p": {"a": 1, "c": 2}, "q": {"c": 1}}), 2)
    assert (cut.doc_ids, cut.docs, cut.query_ids, cut.queries) == (
        ["a", "b"],
        ["A", "B"],
        ["p"],
        ["P"],
    )
    assert cut.qrels == {"p": {"a": 1}}


def test_a_limit_without_judgements_keeps_all_queries():
    assert first_documents(data({}), 1).query_ids == ["p", "q"]


def test_a_limit_that_leaves_nothing_judged_is_refused():
    with pytest.raises(InputError, match="--limit 1 leaves no judged document"):
        first_documents(data({"q": {"c": 1}}), 1)


def test_the_id_lines_are_one_json_value_each():
    assert [json.loads(line) for line in id_lines(["a", "b\n"])] == ["a", "b\n"]


@pytest.mark.parametrize("ids", [np.array([1.5]), np.array([[1, 2]]), np.array([np.inf])])
def test_a_filter_of_an_array_must_be_a_row_of_integers(ids):
    with pytest.raises(InputError, match="one-dimensional integers"):
        as_kind(ids, 0)


def test_a_folder_is_no_file_of_vectors():
    with pytest.raises(InputError, match="is a folder"):
        ids_beside(Path("."))
