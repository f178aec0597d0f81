"""Files of sentence pairs: what is read, and every failure by file and line."""

from __future__ import annotations

import gzip

import pytest

from fewbits.errors import FormatError, InputError
from fewbits.evaluate.pairs import Pairs, read_pairs

GOOD = (
    "split\tsentence1\tsentence2\tscore\n"
    "test\ta dog\ta hound\t4.5\n"
    "dev\tx\ty\t1\n"
    "test\tgröße\t大小\t0\n"
)


def write(tmp_path, text, name="pairs.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_rows_of_a_split_are_read_in_order(tmp_path):
    pairs = read_pairs(write(tmp_path, GOOD))
    assert pairs == Pairs(tmp_path.name, ["a dog", "größe"], ["a hound", "大小"], [4.5, 0.0])


def test_every_row_is_read_where_no_split_is_asked_for(tmp_path):
    assert read_pairs(write(tmp_path, GOOD), split=None).scores == [4.5, 1.0, 0.0]


SAME = {
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "no last newline": GOOD.rstrip(),
    "byte order mark": "\ufeff" + GOOD,
    "blank lines": GOOD.replace("\n", "\n\n  \n"),
    "more columns": "".join(f"{line}\tnote\n" for line in GOOD.splitlines()),
    "another order": "".join(
        "\t".join(line.split("\t")[i] for i in (3, 1, 0, 2)) + "\n" for line in GOOD.splitlines()
    ),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_every_spelling_is_the_same_data(tmp_path, text):
    assert read_pairs(write(tmp_path, text)) == read_pairs(write(tmp_path, GOOD, "other.tsv"))


def test_a_folder_means_its_pairs_compressed_or_not(tmp_path):
    write(tmp_path, gzip.compress(GOOD.encode()), "pairs.tsv.gz")
    assert read_pairs(tmp_path).scores == [4.5, 0.0]
    assert read_pairs(tmp_path / "pairs.tsv.gz").scores == [4.5, 0.0]
    write(tmp_path, GOOD.replace("4.5", "3"))
    assert read_pairs(str(tmp_path)).scores == [3.0, 0.0]


def test_a_file_without_splits_is_read_whole(tmp_path):
    text = "sentence1\tsentence2\tscore\na\tb\t1\n\tc\t-2e1\n"
    pairs = read_pairs(write(tmp_path, text))
    assert pairs.left == ["a", ""]
    assert pairs.scores == [1.0, -20.0]


def test_quotes_and_spaces_are_part_of_a_sentence(tmp_path):
    text = 'sentence1\tsentence2\tscore\n"a\t b"\t1\n x \t#y\t2\n'
    assert read_pairs(write(tmp_path, text)).left == ['"a', " x "]


HEADER = "sentence1\tsentence2\tscore\n"
BAD = {
    "no score column": ("sentence1\tsentence2\na\tb\n", "line 1: .*; score is missing"),
    "no header": ("a\tb\t1\nc\td\t2\n", "line 1: .*; sentence1, sentence2, score is missing"),
    "a word as score": (HEADER + "a\tb\t1\na\tb\thigh\n", "line 3: score must be a number, got 'h"),
    "an empty score": (HEADER + "a\tb\t\n", "line 2: score must be a number, got ''"),
    "not a number": (HEADER + "a\tb\tnan\n", "line 2: score must be a number, got 'nan'"),
    "infinity": (HEADER + "a\tb\tinf\n", "line 2: score must be a number, got 'inf'"),
    "too few columns": (HEADER + "a\tb\n", "line 2: 3 columns are needed, got 2"),
    "too many columns": (HEADER + "\na\tb\t1\t2\n", "line 3: 3 columns are needed, got 4"),
    "commas": ("sentence1,sentence2,score\n", "line 1: .* is missing"),
    "a column twice": (
        "sentence1\tsentence2\tscore\tscore\na\tb\t1\t2\n",
        "line 1: .*score.*twice",
    ),
    "latin": (HEADER.encode() + b"caf\xe9\tb\t1\n", "line 2: not UTF-8"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(FormatError, match=message) as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)


def test_damaged_gzip_is_refused(tmp_path):
    path = write(tmp_path, gzip.compress(GOOD.encode())[:-12], "pairs.tsv.gz")
    with pytest.raises(FormatError, match="truncated or damaged"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("text", "split", "count"),
    [(GOOD, "train", 0), (GOOD, "dev", 1), (HEADER, "test", 0), ("", "test", 0), (HEADER, None, 0)],
)
def test_a_split_of_fewer_than_two_pairs_is_refused(tmp_path, text, split, count):
    with pytest.raises(InputError, match=f"holds {count} pairs.*2 are needed") as caught:
        read_pairs(write(tmp_path, text), split=split)
    assert ("None" in str(caught.value)) is False


@pytest.mark.parametrize("name", ["", "nowhere.tsv", "folder"])
def test_a_path_without_pairs_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"pairs must be a \.tsv file"):
        read_pairs(tmp_path / name)
