"""The parts an index is made of: growing arrays, segments, the id table, samples, the top k."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variants import same_bits, sample

from fewbits.errors import FormatError, InputError
from fewbits.vectors import idtable
from fewbits.vectors.growing import Growing
from fewbits.vectors.ids import IntIds, StrIds, column_of
from fewbits.vectors.idtable import ABSENT, IdTable
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.topk import best, best_of_blocks

# Growing arrays.


@given(st.lists(st.integers(0, 70), max_size=40))
def test_a_view_never_changes_whatever_is_appended(sizes):
    growing, model, views = Growing(np.empty((0, 2), np.int64)), [], []
    for count, n in enumerate(sizes):
        rows = np.arange(2 * n).reshape(n, 2) + 1000 * count
        growing.append(rows)
        model += rows.tolist()
        assert len(growing) == len(model)
        assert growing.view.tolist() == model
        views.append((growing.view, list(model)))
    assert all(view.tolist() == rows for view, rows in views)


def test_the_array_it_started_from_is_never_written_to():
    start = np.arange(10)
    for writeable in (True, False):
        start.flags.writeable = writeable
        growing = Growing(start[:5])
        growing.append(np.full(3, 99))
        assert start.tolist() == list(range(10))
        assert growing.view.tolist() == [0, 1, 2, 3, 4, 99, 99, 99]


def test_one_row_at_a_time_copies_seldom():
    growing, buffers = Growing(np.empty(0, np.int64)), set()
    for i in range(5000):
        growing.append(np.array([i]))
        buffers.add(growing.view.__array_interface__["data"][0])
    assert growing.view.tolist() == list(range(5000))
    assert len(buffers) < 20


# Id columns.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.lists(TEXT, max_size=30), st.data())
def test_a_column_of_strings_is_a_list_of_strings(texts, data):
    column = StrIds()
    cut = data.draw(st.integers(0, len(texts)))
    column.append(np.array(texts[:cut], object))
    column.append(np.array(texts[cut:], object))
    again = column_of(column.tensors(), "here")
    for found in (column, again):
        assert found.take(slice(None)).tolist() == texts
        assert len(found) == len(texts)
    rows = data.draw(st.lists(st.integers(0, max(0, len(texts) - 1)), max_size=5)) if texts else []
    assert column.take(np.array(rows, np.int64)).tolist() == [texts[row] for row in rows]


BIG = 2**63 - 1
BAD_COLUMNS = {
    "nothing": {},
    "ids of int32": {"ids": np.zeros(3, np.int32)},
    "ids of two dimensions": {"ids": np.zeros((3, 1), np.int64)},
    "no text": {"id_offsets": np.zeros(1, np.int64)},
    "no offsets": {"id_text": np.zeros(1, np.uint8)},
    "offsets of int32": {"id_offsets": np.zeros(1, np.int32), "id_text": np.zeros(0, np.uint8)},
    "no first offset": {"id_offsets": np.zeros(0, np.int64), "id_text": np.zeros(0, np.uint8)},
    "a start that is not 0": {
        "id_offsets": np.array([1, 3]),
        "id_text": np.frombuffer(b"abc", "u1"),
    },
    "an early end": {"id_offsets": np.array([0, 2]), "id_text": np.frombuffer(b"abc", "u1")},
    "a late end": {"id_offsets": np.array([0, 4]), "id_text": np.frombuffer(b"abc", "u1")},
    "descending": {"id_offsets": np.array([0, 2, 1, 3]), "id_text": np.frombuffer(b"abc", "u1")},
    "differences that wrap around": {
        "id_offsets": np.array([0, BIG, -BIG - 1, -1, 3]),
        "id_text": np.frombuffer(b"abc", "u1"),
    },
    "negative": {"id_offsets": np.array([0, -1, 3]), "id_text": np.frombuffer(b"abc", "u1")},
    "not UTF-8": {"id_offsets": np.array([0, 3]), "id_text": np.frombuffer(b"a\xff\xfe", "u1")},
    "a cut character": {
        "id_offsets": np.array([0, 1, 2]),
        "id_text": np.frombuffer("é".encode(), "u1"),
    },
    "text of int8": {"id_offsets": np.array([0, 3]), "id_text": np.zeros(3, np.int8)},
}


@pytest.mark.parametrize("what", BAD_COLUMNS)
def test_id_tensors_that_are_no_column_are_refused(what):
    with pytest.raises(FormatError, match="here: "):
        column_of(BAD_COLUMNS[what], "here")


def test_a_column_of_integers_goes_through_its_tensors():
    column = IntIds()
    column.append(np.array([5, -3, 7]))
    assert column_of(column.tensors(), "here").take(np.array([2, 0])).tolist() == [7, 5]


# The id table, against a dict.

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "find"]), st.lists(st.integers(0, 40), max_size=12)
    ),
    max_size=30,
)


class Pair:
    """An id table beside the dict that it must equal."""

    def __init__(self, name):
        self.name, self.stored, self.model = name, [], {}
        self.table = IdTable(lambda row: self.stored[row])

    def ids(self, numbers):
        named = [self.name(v) for v in numbers]
        if named and isinstance(named[0], int):
            return np.array(named, np.int64)
        return np.array([*named, None], object)[:-1]

    def add(self, numbers):
        fresh = [v for v in numbers if self.name(v) not in self.model]
        rows = np.arange(len(self.stored), len(self.stored) + len(fresh))
        self.stored += [self.name(v) for v in fresh]
        self.model.update(zip([self.name(v) for v in fresh], rows.tolist(), strict=True))
        if fresh:
            self.table.add(self.ids(fresh), rows)

    def remove(self, numbers):
        there = [v for v in numbers if self.name(v) in self.model]
        for v in there:
            del self.model[self.name(v)]
        if there:
            self.table.remove(self.ids(there))

    def find(self, numbers):
        found = self.table.find(self.ids(numbers)) if numbers else []
        assert list(found) == [self.model.get(self.name(v), ABSENT) for v in numbers]


def check_table(operations, name, merge, keys=idtable._keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idtable, "_MIN_MERGE", merge)
        patch.setattr(idtable, "_keys", keys)
        pair = Pair(name)
        for what, numbers in operations:
            getattr(pair, what)(list(dict.fromkeys(numbers)))
            pair.find(list(range(41)))


def colliding(ids):
    """Give every string one of three keys, so that most of them collide."""
    if ids.dtype == np.int64:
        return ids
    return np.array([int(value[1:]) % 3 for value in ids], np.int64)


@settings(max_examples=60)
@given(OPERATIONS, st.sampled_from([1, 2, 4, 4096]))
def test_the_table_is_a_dict_of_integers(operations, merge):
    check_table(operations, lambda v: v * 10**12 - 7, merge)


@settings(max_examples=60)
@given(OPERATIONS, st.sampled_from([1, 2, 4, 4096]))
def test_the_table_is_a_dict_of_strings(operations, merge):
    check_table(operations, lambda v: f"v{v}", merge)


@settings(max_examples=100)
@given(OPERATIONS, st.sampled_from([1, 2, 4, 4096]))
def test_the_table_is_a_dict_where_hashes_collide(operations, merge):
    check_table(operations, lambda v: f"v{v}", merge, colliding)


# Samples.


def test_a_sample_keeps_the_order_of_the_rows_and_takes_each_once():
    x = np.arange(1000, dtype=np.float32)[:, None]
    for given_x in (x, iter([x[:333], x[333:]])):
        drawn = draw_sample(given_x, 100)[:, 0]
        assert len(set(drawn.tolist())) == 100
        assert (np.diff(drawn) > 0).all()


def test_a_sample_of_a_stream_is_uniform():
    x = np.arange(1000, dtype=np.float32)[:, None]
    drawn = draw_sample(iter(np.array_split(x, 37)), 300)[:, 0]
    counts = np.histogram(drawn, bins=10, range=(0, 1000))[0]
    assert counts.min() > 10  # thirty expected


def test_few_rows_are_all_taken():
    x = sample(10, 3)
    assert same_bits(draw_sample(x, 10), x)
    assert same_bits(draw_sample(iter([x[:4], x[4:]]), 10), x)
    assert len(draw_sample(iter([]), 10)) == 0


@pytest.mark.parametrize("limit", [0, -1, 1.5, True])
def test_a_sample_must_be_a_count(limit):
    from fewbits.vectors import Int8

    with pytest.raises(InputError, match="sample"):
        Int8().fit(sample(10, 3), sample=limit)


# The top k in numpy.


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 50))
def test_the_best_are_sorted_by_score_then_row(values, k):
    scores = np.array([values], np.float32)
    rows = np.arange(len(values))[None] * 3
    found, numbers = best(scores, rows, k)
    expected = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert numbers[0].tolist() == [3 * i for i in expected]
    assert found[0].tolist() == [values[i] for i in expected]


def test_nan_scores_come_last():
    found = best(np.array([[1, np.nan, 2]], np.float32), np.arange(3)[None], 3)
    assert found[1].tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("n", [0, 1, 4095, 4096, 4097, 9000])
def test_the_best_of_blocks_are_the_best_of_all(n):
    codes = np.random.default_rng(n).integers(0, 256, (n, 2)).astype(np.uint8)

    def score(part):
        return part[:, :1].T.astype(np.float32) * np.array([[1], [-1]], np.float32)

    rows = np.broadcast_to(np.arange(n), (2, n))
    expected = best(score(codes), rows, 50)
    found = best_of_blocks(score, codes, None, 2, 50)
    assert same_bits(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
