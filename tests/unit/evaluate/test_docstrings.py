"""Docstrings as a data set: what is taken, what is left out, and in which order."""

import sysconfig

import pytest

from fewbits.errors import InputError
from fewbits.evaluate.docstrings import docstring_dataset
from fewbits.evaluate.prose import cut_words, paragraphs, reads_like_prose, split_first_sentence

REST = (
    "The rest of this text explains at some length what the thing above does, in words that "
    "anybody can read without effort, number {}."
)


def source(number, first="Return the number of warm frogs in pond {}."):
    return f'"""{first.format(number)}\n\n{REST.format(number)}\n"""\n'


@pytest.fixture
def tree(tmp_path):
    for number, name in enumerate(["b.py", "a.py", "pkg/__init__.py", "pkg/c.py"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source(number))
    return tmp_path


def test_ids_are_dotted_names_and_relevance_is_known(tree):
    data = docstring_dataset(roots=[tree])
    assert sorted(data.doc_ids) == ["a", "b", "pkg", "pkg.c"]
    at = data.doc_ids.index("pkg.c")
    assert data.queries[at] == "Return the number of warm frogs in pond 3"
    assert data.docs[at] == REST.format(3)
    assert data.qrels["q:pkg.c"] == {"pkg.c": 1}
    assert len(set(data.doc_ids)) == len(data.docs) == len(data.queries) == len(data.qrels)


def test_classes_methods_and_conditional_definitions_are_found(tmp_path):
    body = "class K:\n    {}\n    def m(self):\n        {}\nif True:\n    def f():\n        {}\n"
    texts = [source(i).strip().replace("\n", " ").replace("  ", " ") for i in range(3)]
    (tmp_path / "m.py").write_text(body.format(*texts))
    assert sorted(docstring_dataset(roots=[tmp_path]).doc_ids) == ["m.K", "m.K.m", "m.f"]


def test_the_same_seed_gives_the_same_order_and_a_sample_is_a_subset(tree):
    whole = docstring_dataset(roots=[tree], seed=1)
    assert docstring_dataset(roots=[tree], seed=1) == whole
    orders = {tuple(docstring_dataset(roots=[tree], seed=seed).doc_ids) for seed in range(8)}
    assert len(orders) > 1
    two = docstring_dataset(2, roots=[tree])
    assert len(two.docs) == 2
    assert set(two.doc_ids) <= set(whole.doc_ids)


def test_fewer_queries_than_documents_may_be_kept(tree):
    data = docstring_dataset(roots=[tree], queries=1)
    assert len(data.docs) == 4
    assert len(data.queries) == len(data.query_ids) == len(data.qrels) == 1


def test_files_of_no_use_are_skipped_and_counted(tree):
    (tree / "broken.py").write_text('"""x"""\ndef (:\n')
    (tree / "zero.py").write_bytes(b'"""x"""\n\x00')
    (tree / "latin.py").write_bytes(b'"""\xff"""\n')
    (tree / "huge.py").write_text(source(77) + "#" * (1 << 20))
    (tree / "tests").mkdir()
    (tree / "tests" / "t.py").write_text(source(78))
    (tree / "gone.py").symlink_to(tree / "nowhere.py")
    (tree / "escape.py").write_text(source(5) + 'x = "\\d"\n')  # a SyntaxWarning is an error here
    data = docstring_dataset(roots=[tree])
    assert sorted(data.doc_ids) == ["a", "b", "escape", "pkg", "pkg.c"]
    assert data.dropped["file that does not parse"] == 3
    assert data.dropped["unreadable file"] == 1


def test_nothing_is_imported_or_run(tmp_path):
    (tmp_path / "evil.py").write_text(source(1) + "raise SystemExit(3)\n")
    assert docstring_dataset(roots=[tmp_path]).doc_ids == ["evil"]


def test_repeated_texts_are_left_out(tree):
    (tree / "copy.py").write_text(source(1))  # the whole docstring of a.py again
    (tree / "like.py").write_text(source(8, "Return the number of warm frogs in pond 0."))
    data = docstring_dataset(roots=[tree])
    assert len({"copy", "a"} & set(data.doc_ids)) == 1
    assert not {"like", "b"} & set(data.doc_ids)  # which of the two would be asked for?
    assert data.dropped == {"repeated document": 1, "repeated query": 2}


def test_a_folder_without_docstrings_is_refused(tmp_path):
    with pytest.raises(InputError, match="no docstring of use"):
        docstring_dataset(roots=[tmp_path])


def test_the_standard_library_alone_gives_clean_pairs():
    data = docstring_dataset(400, roots=[sysconfig.get_path("stdlib")])
    assert len(data.docs) == 400
    assert len({query.lower() for query in data.queries}) == 400
    for query, doc in zip(data.queries, data.docs, strict=True):
        assert 5 <= len(query.split()) <= 30
        assert 20 <= len(doc.split()) <= 120
        assert ">>>" not in doc
        assert "\n" not in query + doc


PROSE = {
    "numpy sections": (
        "Add things.\n\nParameters\n----------\nx : int\n    Some text here.\n\nNotes\n-----\n"
        "It is quick.",
        ["Add things.", "It is quick."],
    ),
    "google sections": (
        "Add things.\n\nArgs:\n    x: some text here\n        and more\n\nIt is quick.",
        ["Add things.", "It is quick."],
    ),
    "fields": (
        "Add things.\n\n:param x: some text\n    over lines\n:returns: a sum\n",
        ["Add things."],
    ),
    "prompts": (
        "Add things.\n\n>>> add(1)\n2\nmore\n\nIt is quick.",
        ["Add things.", "It is quick."],
    ),
    "code block": (
        "Add things like this::\n\n    x = 1\n    y = 2\n\nIt is quick.",
        ["It is quick."],
    ),
    "fence": ("Add things.\n\n```py\nx = 1\n```\n\nIt is quick.", ["Add things.", "It is quick."]),
    "directive": (
        "Add things.\n\n.. versionadded:: 3\n   More.\n\nQuick.",
        ["Add things.", "Quick."],
    ),
    "signature": ("add(x, y=None) -> int\n\nAdd two things.", ["Add two things."]),
    "roles": (
        "Add :class:`~a.B` to ``x`` and `text <http://x.y>`_ [1]_.",
        ["Add a.B to x and text."],
    ),
    "dunder": ("Call the `__init__` method or *not*.", ["Call the __init__ method or not."]),
    "table": ("Add things.\n\n1 2 3\n4 5 6", ["Add things."]),
    "links": ("See [the guide](http://a.b) and [`x`][y.x] now.", ["See the guide and x now."]),
    "note": ("> [!NOTE]\n> This is new.", ["This is new."]),
}


@pytest.mark.parametrize(("text", "expected"), PROSE.values(), ids=PROSE)
def test_only_prose_is_left_of_a_docstring(text, expected):
    assert paragraphs(text) == expected


SENTENCES = [
    ("Add. Then stop.", ("Add", "Then stop.")),
    ("Use e.g. this one. Then stop.", ("Use e.g. this one", "Then stop.")),
    ("Is it so? Yes.", ("Is it so?", "Yes.")),
    ("Set os.path now. Done", ("Set os.path now", "Done")),
    ("No stop here", ("No stop here", "")),
    ("One of the following:", ("", "")),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_the_first_sentence_is_split_off(text, expected):
    assert split_first_sentence(text) == expected


def test_a_cut_prefers_the_end_of_a_sentence():
    assert cut_words("One two three. Four five six", 5) == "One two three."
    assert cut_words("One. Two three four five six", 5) == "One. Two three four five"
    assert cut_words("One two", 5) == "One two"


def test_a_table_does_not_read_like_prose():
    assert reads_like_prose("Plain words, with a comma.")
    assert not reads_like_prose("0x1 = 2 + 3 -> y")
    assert not reads_like_prose("")
