"""Ids of an index: which are taken, which are refused, and what looking them up gives."""

from __future__ import annotations

import numpy as np
import pytest
from variants import quiet, sample

from fewbits.errors import DuplicateIdError, InputError, UnknownIdError
from fewbits.vectors import Index

D = 8


def built(ids=None, n=None):
    with quiet():
        return Index("int8", metric="ip").add(sample(n or len(ids), D), ids=ids)


GOOD = {
    "ints": ([5, 3, -7], [5, 3, -7]),
    "a range": (range(3), [0, 1, 2]),
    "a generator": ((i * i for i in range(3)), [0, 1, 4]),
    "a tuple": ((1, 2, 4), [1, 2, 4]),
    "numpy ints": ([np.int32(4), np.uint8(2), 9], [4, 2, 9]),
    "an int8 array": (np.array([-1, 0, 1], np.int8), [-1, 0, 1]),
    "a big-endian array": (np.array([1, 2, 3], ">i4"), [1, 2, 3]),
    "an unsigned array": (np.array([1, 2, 2**63 - 1], np.uint64), [1, 2, 2**63 - 1]),
    "a strided array": (np.arange(6)[::2], [0, 2, 4]),
    "objects holding ints": (np.array([7, 8, 9], object), [7, 8, 9]),
    "the limits of int64": ([-(2**63), 0, 2**63 - 1], [-(2**63), 0, 2**63 - 1]),
    "strings": (["a", "b", "c"], ["a", "b", "c"]),
    "an array of strings": (np.array(["x", "yy", "zzz"]), ["x", "yy", "zzz"]),
    "objects holding strings": (np.array(["x", "yy", "zzz"], object), ["x", "yy", "zzz"]),
    "Unicode": (["Zürich", "東京", "🙂"], ["Zürich", "東京", "🙂"]),
    "an empty string": (["", "a", "b"], ["", "a", "b"]),
    "strings of one start": (["a", "aa", "a\0"], ["a", "aa", "a\0"]),
    "a long string": (["x" * 100_000, "y", "z"], ["x" * 100_000, "y", "z"]),
    "digits": (["1", "01", "1.0"], ["1", "01", "1.0"]),
    "subclasses of str": ([type("S", (str,), {})("s"), "t", "u"], ["s", "t", "u"]),
}


@pytest.mark.parametrize("what", GOOD)
def test_ids_of_many_kinds_are_taken_and_given_back(what):
    given, expected = GOOD[what]
    index = built(given, 3)
    assert index.ids.tolist() == expected
    assert list(index) == expected
    assert index.ids.dtype == (np.int64 if isinstance(expected[0], int) else object)
    assert all(value in index for value in expected)
    hits = index.search(sample(3, D), 3)
    assert sorted(hits.ids[0].tolist(), key=str) == sorted(expected, key=str)
    assert index.decode([expected[1]]).shape == (1, D)


BAD = {
    "floats": [1.0, 2.0, 3.0],
    "an array of floats": np.array([1.0, 2.0, 3.0]),
    "booleans": [True, False, True],
    "an array of booleans": np.array([True, False, True]),
    "None": [None, "a", "b"],
    "ints and strings": [1, "a", 2],
    "strings and ints": ["a", 1, "b"],
    "ints and a boolean": [1, True, 2],
    "tuples": [(1, 2), (3, 4), (5, 6)],
    "lists of one length": [[1], [2], [3]],
    "bytes in a list": [b"a", b"b", b"c"],
    "an array of bytes": np.array([b"a", b"b", b"c"]),
    "bytes": b"abc",
    "a string": "abc",
    "a number": 3,
    "two-dimensional": np.zeros((3, 1), int),
    "no dimensions": np.array(3),
    "beyond int64": [2**63, 1, 2],
    "far beyond int64": [10**30, 1, 2],
    "below int64": [-(2**63) - 1, 1, 2],
    "unsigned beyond int64": np.array([2**63, 1, 2], np.uint64),
    "dates": np.array(["2020-01-01"] * 3, "M8[D]"),
    "a lone surrogate": ["\ud800", "a", "b"],
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("call", ["add", "delete", "decode", "filter"])
def test_what_is_no_id_is_refused_by_name_and_changes_nothing(what, call):
    index = built([10, 11, 12])
    if call == "filter" and what == "an array of booleans":
        return  # a mask: allowed there
    if call == "filter" and what == "booleans":
        return
    if call == "delete" and what in ("a string", "a number"):
        return  # one id
    word = "filter" if call == "filter" else "ids"
    with pytest.raises(InputError, match=word):
        {
            "add": lambda: index.add(sample(3, D), ids=BAD[what]),
            "delete": lambda: index.delete(BAD[what]),
            "decode": lambda: index.decode(BAD[what]),
            "filter": lambda: index.search(sample(1, D), filter=BAD[what]),
        }[call]()
    assert index.ids.tolist() == [10, 11, 12]


@pytest.mark.parametrize("value", [3.5, None, b"a", (1, 2), [1], True, 2**70, "\ud800", "", -1])
def test_what_is_no_id_is_not_in_the_index(value):
    assert value not in built([10, 11, 12])
    assert value not in built(["a", "b", "c"])
    assert value not in Index("int8")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2, 1], "1 is given twice"),
        (["a", "b", "b"], "'b' is given twice"),
        (np.array([3, 3, 3], np.uint8), "3 is given twice"),
    ],
)
def test_an_id_given_twice_is_refused(ids, message):
    index = Index("int8")
    for replace in (False, True):
        with pytest.raises(DuplicateIdError, match=message), quiet():
            index.add(sample(3, D), ids=ids, replace=replace)
    assert len(index) == 0
    assert index.dims is None


def test_an_id_that_is_there_is_refused_unless_it_is_to_be_replaced():
    index = built([1, 2, 3])
    with pytest.raises(
        DuplicateIdError, match=r"id 2 is in the index already \(1 of the ids are\)"
    ):
        index.add(sample(2, D), ids=[4, 2])
    assert index.ids.tolist() == [1, 2, 3]
    index.add(sample(2, D, seed=1)[::-1], ids=[4, 2], replace=True)
    assert index.ids.tolist() == [1, 3, 4, 2]
    assert np.allclose(index.decode([2]), sample(2, D, seed=1)[0], atol=0.2)


@pytest.mark.parametrize(("first", "second"), [([1, 2], ["a", "b"]), (["a", "b"], [1, 2])])
def test_ids_of_the_other_kind_are_refused(first, second):
    index = built(first)
    for call in (
        lambda: index.add(sample(2, D), ids=second),
        lambda: index.delete(second),
        lambda: index.decode(second),
        lambda: index.search(sample(1, D), filter=second),
    ):
        with pytest.raises(InputError, match="ids must be"):
            call()
    assert second[0] not in index
    assert index.ids.tolist() == first


def test_automatic_ids_go_on_after_the_largest():
    index = built(n=3)
    assert index.ids.tolist() == [0, 1, 2]
    index.add(sample(1, D), ids=[10]).add(sample(2, D))
    assert index.ids.tolist() == [0, 1, 2, 10, 11, 12]
    index.delete([12])
    assert index.add(sample(1, D)).ids.tolist()[-1] == 13  # never a deleted one again
    assert built([-5]).add(sample(1, D)).ids.tolist() == [-5, 0]


def test_automatic_ids_that_do_not_fit_are_refused():
    index = built([2**63 - 1])
    with pytest.raises(InputError, match="ids must be given"):
        index.add(sample(1, D))
    assert len(index) == 1


def test_an_index_of_strings_needs_ids():
    index = built(["a"])
    with pytest.raises(InputError, match="ids must be given"):
        index.add(sample(1, D))


@pytest.mark.parametrize("ids", [[1], [1, 2, 3], [], iter([1])])
def test_there_must_be_as_many_ids_as_rows(ids):
    index = Index("int8")
    with pytest.raises(InputError, match="one entry per row"), quiet():
        index.add(sample(2, D), ids=ids)
    assert len(index) == 0
    with quiet():
        index.add(sample(2, D), ids=[1, 2])
    assert index.ids.tolist() == [1, 2]


@pytest.mark.parametrize("one", [11, np.int64(11), np.uint8(11)])
def test_one_id_can_be_deleted_by_itself(one):
    index = built([10, 11, 12])
    index.delete(one)
    assert index.ids.tolist() == [10, 12]
    named = built(["aa", "b"])
    named.delete("aa")
    assert named.ids.tolist() == ["b"]


def test_deleting_is_all_or_nothing():
    index = built([10, 11, 12])
    with pytest.raises(UnknownIdError, match=r"id 99 is not in the index \(1 of 2 are not\)"):
        index.delete([10, 99])
    with pytest.raises(DuplicateIdError):
        index.delete([10, 10])
    assert index.ids.tolist() == [10, 11, 12]
    index.delete([])
    index.delete([12, 10])
    with pytest.raises(UnknownIdError):
        index.delete(10)
    assert index.ids.tolist() == [11]


def test_a_deleted_id_can_come_back_and_is_found_at_its_new_place():
    index = built(["a", "b", "c"])
    index.delete(["a"])
    index.add(sample(1, D, seed=5), ids=["a"])
    assert index.ids.tolist() == ["b", "c", "a"]
    assert len(index.search(sample(1, D), 10).ids[0]) == 3
    assert np.allclose(index.decode(["a"]), sample(1, D, seed=5), atol=0.2)
    index.delete(["a", "b", "c"])
    assert index.search(sample(1, D), 10).ids.shape == (1, 0)
    assert len(index) == 0


def test_an_unknown_id_cannot_be_decoded():
    with pytest.raises(UnknownIdError, match="id 4 is not"):
        built([1, 2]).decode([1, 4])
