"""Reading BEIR-style folders and .npy files: what is read, and every failure by name."""

import gzip
import json

import numpy as np
import pytest

from fewbits.errors import FormatError, InputError
from fewbits.evaluate import textlines
from fewbits.evaluate.datasets import read_dataset, read_vectors

GOOD = {
    "corpus.jsonl": '{"_id": "d1", "title": "T", "text": "one"}\n{"_id": "d2", "text": "two"}\n',
    "queries.jsonl": '{"_id": "q1", "text": "which?"}\n{"_id": "q2", "text": "what?"}\n',
    "qrels.tsv": "query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td1\t0\n",
}


def folder(tmp_path, **changed):
    for name, text in {**GOOD, **changed}.items():
        if text is None:
            continue
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def test_a_folder_is_read_whole(tmp_path):
    data = read_dataset(folder(tmp_path))
    assert data.doc_ids == ["d1", "d2"]
    assert data.docs == ["T one", "two"]
    assert data.query_ids == ["q1", "q2"]
    assert data.queries == ["which?", "what?"]
    assert data.qrels == {"q1": {"d2": 1, "d1": 0}}
    assert data.dropped == {}
    assert data.name == tmp_path.name


VARIANTS = {
    "gzip": {
        "corpus.jsonl": None,
        "corpus.jsonl.gz": gzip.compress(GOOD["corpus.jsonl"].encode()),
    },
    "no header": {"qrels.tsv": "q1\td2\t1\nq1\td1\t0\n"},
    "trec columns": {"qrels.tsv": "q1 0 d2 1\nq1 0 d1 0\n"},
    "beir layout": {"qrels.tsv": None, "qrels/test.tsv": GOOD["qrels.tsv"]},
    "carriage returns": {"qrels.tsv": GOOD["qrels.tsv"].replace("\n", "\r\n")},
    "no last newline": {"qrels.tsv": GOOD["qrels.tsv"].rstrip()},
    "blank lines": {"corpus.jsonl": GOOD["corpus.jsonl"].replace("\n", "\n\n  \n")},
    "byte order mark": {"corpus.jsonl": "\ufeff" + GOOD["corpus.jsonl"]},
    "id key": {"corpus.jsonl": GOOD["corpus.jsonl"].replace("_id", "id")},
    "the same grade twice": {"qrels.tsv": GOOD["qrels.tsv"] + "q1\td2\t1\n"},
    "empty title": {
        "corpus.jsonl": '{"_id": "d1", "text": "T one"}\n{"_id": "d2", "title": "", "text": "two"}'
    },
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_layout_reads_as_the_same_data(tmp_path, variant):
    plain = read_dataset(folder(tmp_path / "set" / "x"))
    other = read_dataset(folder(tmp_path / "x", **variant))
    assert other == plain


def test_integer_ids_become_strings(tmp_path):
    path = folder(tmp_path, **{"corpus.jsonl": '{"id": 7, "text": "x"}', "qrels.tsv": "q1\t7\t2"})
    data = read_dataset(path)
    assert data.doc_ids == ["7"]
    assert data.qrels == {"q1": {"7": 2}}


def test_texts_without_judgements_are_read_on_request(tmp_path):
    path = folder(tmp_path, **{"qrels.tsv": None})
    assert read_dataset(path, judged=False).qrels == {}
    with pytest.raises(InputError, match=r"holds no qrels\.tsv.*judged=False"):
        read_dataset(path)


LINE = '{"_id": "d3", "text": "x"}\n'
BAD = {
    "bad json": ("corpus.jsonl", GOOD["corpus.jsonl"] + "{nope\n", "line 3: not valid JSON"),
    "a list": ("corpus.jsonl", "[1]\n", "line 1: expected a JSON object, got list"),
    "deep json": ("corpus.jsonl", "[" * 200_000, "line 1: not valid JSON"),
    "no text": ("corpus.jsonl", '{"_id": "d1"}\n', 'line 1: "text" must be a string, got None'),
    "no id": ("corpus.jsonl", LINE + '{"text": "x"}', 'line 2: expected an "_id" or "id"'),
    "empty id": ("corpus.jsonl", '{"_id": "", "text": "x"}', "line 1: expected an"),
    "true as id": ("corpus.jsonl", '{"_id": true, "text": "x"}', "line 1: expected an"),
    "title is a number": ("corpus.jsonl", '{"_id": "a", "title": 3, "text": ""}', '"title" must'),
    "duplicate id": ("corpus.jsonl", LINE + "\n" + LINE, "line 3: id 'd3' was given before, on"),
    "duplicate query": ("queries.jsonl", LINE + LINE, "queries.jsonl, line 2: id 'd3'"),
    "lone surrogate": ("corpus.jsonl", '{"_id": "a", "text": "\\ud800"}', "lone surrogate"),
    "empty corpus": ("corpus.jsonl", "", "is empty"),
    "blank queries": ("queries.jsonl", "\n \n", "is empty"),
    "not utf-8": ("corpus.jsonl", LINE.encode() + b"\xff\n", "line 2: not UTF-8 at byte 0"),
    "utf-16": ("queries.jsonl", GOOD["queries.jsonl"].encode("utf-16"), "line 1: not UTF-8"),
    "truncated gzip": (
        "corpus.jsonl.gz",
        gzip.compress(GOOD["corpus.jsonl"].encode())[:-12],
        "gzip data is truncated or damaged",
    ),
    "flipped gzip": (
        "corpus.jsonl.gz",
        gzip.compress(GOOD["corpus.jsonl"].encode())[:-8] + bytes(8),
        "gzip data is truncated or damaged",
    ),
    "no gzip at all": ("corpus.jsonl.gz", b"plain text", "gzip data is truncated or damaged"),
    "two columns": ("qrels.tsv", "q1\td1\n", "line 1: expected query id"),
    "five columns": ("qrels.tsv", "a\tb\tc\td\te\n", "got 5 fields"),
    "grade in words": ("qrels.tsv", GOOD["qrels.tsv"] + "q1\td1\tgood\n", "line 4: the grade must"),
    "fractional grade": ("qrels.tsv", "q1\td1\t1\nq1\td2\t0.5\n", "line 2: the grade must"),
    "two grades": ("qrels.tsv", "q1\td1\t1\nq1\td1\t2\n", "line 2: q1 -> d1 has two unlike"),
    "unknown document": ("qrels.tsv", "q1\td9\t1\n", "line 1: q1 -> d9 names an unknown document"),
    "unknown query": ("qrels.tsv", "q9\td1\t1\n", "line 1: q9 -> d1 names an unknown query"),
    "only a header": ("qrels.tsv", "a\tb\tc\n", "holds no judgement"),
    "empty judgements": ("qrels.tsv", "", "holds no judgement"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD)
def test_a_damaged_file_is_refused_with_its_name_and_line(tmp_path, name, content, message):
    changed = {name: content}
    if name.endswith(".gz"):
        changed[name.removesuffix(".gz")] = None
    with pytest.raises(FormatError, match=message) as caught:
        read_dataset(folder(tmp_path, **changed))
    assert str(tmp_path / name) in str(caught.value)


def test_every_truncation_of_a_gzip_file_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    lines = [json.dumps({"_id": str(i), "text": str(rng.random())}) for i in range(20)]
    whole = gzip.compress("\n".join(lines).encode())
    for length in range(len(whole)):
        path = folder(tmp_path, **{"corpus.jsonl": None, "corpus.jsonl.gz": whole[:length]})
        with pytest.raises(FormatError):
            read_dataset(path)


def test_an_endless_line_is_refused_before_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(textlines, "_MAX_LINE", 100)
    with pytest.raises(FormatError, match="line 1: longer than"):
        read_dataset(folder(tmp_path, **{"corpus.jsonl": "x" * 1000}))


def test_unknown_documents_are_dropped_and_counted_on_request(tmp_path):
    path = folder(tmp_path, **{"qrels.tsv": "q1\td1\t1\nq1\td8\t1\nq1\td9\t1\nq9\td1\t1\n"})
    with pytest.warns(UserWarning, match="left out") as caught:
        data = read_dataset(path, unknown="drop")
    assert data.qrels == {"q1": {"d1": 1}}
    assert data.dropped == {"an unknown document": 2, "an unknown query": 1}
    assert len(caught) == 2


@pytest.mark.parametrize(
    ("missing", "message"),
    [("corpus.jsonl", "holds no corpus.jsonl"), ("queries.jsonl", "holds no queries.jsonl")],
)
def test_a_missing_file_is_named(tmp_path, missing, message):
    with pytest.raises(InputError, match=message):
        read_dataset(folder(tmp_path, **{missing: None}))


def test_arguments_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="must be a directory"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match='"error" or "drop"'):
        read_dataset(folder(tmp_path), unknown="ignore")


def test_a_missing_text_file_is_named():
    with pytest.raises(InputError, match="not a readable file"):
        list(textlines.read_lines(textlines.Path("/nowhere/at/all")))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
def test_vectors_stay_memory_mapped(tmp_path, dtype):
    x = np.arange(12, dtype=dtype).reshape(4, 3)
    np.save(tmp_path / "x.npy", x)
    got = read_vectors(tmp_path / "x.npy", rows=4)
    assert isinstance(got, np.memmap)
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, x)


def npy(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    return (tmp_path / "x.npy").read_bytes()


BAD_VECTORS = {
    "integers": (lambda p: npy(p, np.ones((2, 2), int)), None, InputError, "must hold floats"),
    "one vector": (lambda p: npy(p, np.ones(3, "f4")), None, InputError, "2-D"),
    "nan": (lambda p: npy(p, np.float32([[1, np.nan]])), None, InputError, r"x.npy\[0, 1\] is nan"),
    "rows": (lambda p: npy(p, np.ones((2, 2), "f4")), 3, InputError, "must hold 3 rows"),
    "no columns": (lambda p: npy(p, np.ones((2, 0), "f4")), None, InputError, "columns"),
    "truncated": (lambda p: npy(p, np.ones((9, 9), "f4"))[:-1], None, FormatError, "complete .npy"),
    "header only": (lambda p: npy(p, np.ones((9, 9), "f4"))[:60], None, FormatError, "complete"),
    "empty": (lambda p: b"", None, FormatError, "complete .npy"),
    "text": (lambda p: b"hello, these are no numbers", None, FormatError, "complete .npy"),
    "objects": (lambda p: npy(p, np.array([{}])), None, FormatError, "complete .npy"),
}


@pytest.mark.parametrize(
    ("make", "rows", "error", "message"), BAD_VECTORS.values(), ids=BAD_VECTORS
)
def test_a_bad_vector_file_is_refused(tmp_path, make, rows, error, message):
    content = make(tmp_path)
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(error, match=message):
        read_vectors(tmp_path / "x.npy", rows=rows)


def test_an_npz_archive_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((2, 2)))
    with pytest.raises(FormatError, match="npz archive"):
        read_vectors(tmp_path / "x.npz")


def test_a_missing_vector_file_is_named(tmp_path):
    with pytest.raises(InputError, match="not a readable file"):
        read_vectors(tmp_path / "none.npy")
