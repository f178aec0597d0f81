"""Rows are sorted by their list, in few segments, and everything about a row moves with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toylists import filled, toy_kind
from variants import same_bits, sample

from fewbits.vectors import arrange as layout
from fewbits.vectors.arrange import arrange
from fewbits.vectors.ids import IntIds, StrIds
from fewbits.vectors.lists import as_clustered, offsets_of, sort_by_list
from fewbits.vectors.segments import Segments

D, L = 4, 8


@pytest.fixture
def toy(registry):
    return toy_kind()(metric="ip", clusters=L).fit(sample(300, D))


@pytest.fixture
def small(monkeypatch):
    """Sort from 50 rows on."""
    monkeypatch.setattr(layout, "TAIL_ROWS", 50)
    monkeypatch.setattr(layout, "_PER_LIST", 0)


def names(n):
    return np.array([f"é{i}" * (i % 3) + str(i) for i in range(n)], dtype=object)


def numbers(n):
    return np.arange(n) * 7 + 3


def held(segments):
    """Each live id with its code row and second code row."""
    out = {}
    for segment in segments:
        rows = segment.live_rows()
        for row in range(len(segment)) if rows is None else rows.tolist():
            again = None if segment.rescore is None else segment.rescore[row].tobytes()
            out[segment.ids.take(np.array([row]))[0]] = (segment.codes[row].tobytes(), again)
    return out


@pytest.mark.parametrize("ids", [names, numbers], ids=["str", "int"])
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("size", [None, 70])
def test_a_row_keeps_its_codes_and_its_id(toy, small, ids, second, size):
    x, ids = sample(300, D), ids(300)
    again = np.arange(900, dtype=np.uint8).reshape(300, 3) if second else None
    segments = filled(toy, x, ids, again, size)
    segments.find(ids[:1])  # builds the table
    before = held(segments)
    segments.delete(ids[5:25])
    sorted_ = arrange(segments, toy)
    [part] = sorted_
    assert held(sorted_) == {key: before[key] for key in ids.tolist()[:5] + ids.tolist()[25:]}
    assert len(sorted_) == sorted_.rows == 280
    places = sorted_.find(ids)
    assert np.all(places[5:25] == -1)
    assert sorted_.ids_of(places[25:]).tolist() == ids[25:].tolist()
    assert np.all(np.diff(toy.list_of(part.codes)) >= 0)
    assert part.lists.tolist() == offsets_of(toy.list_of(part.codes), L).tolist()
    assert sorted_.next_id == segments.next_id


def test_the_state_of_before_stays_whole_for_searches_that_still_run(toy, small):
    x = sample(300, D)
    segments = filled(toy, x, size=90)
    segments.find(np.arange(3))
    before, codes = held(segments), [part.codes.copy() for part in segments]
    after = arrange(segments, toy)
    after.delete(np.arange(100, 200))
    assert held(segments) == before
    assert segments.find(np.arange(300)).tolist() == list(range(300))
    assert all(same_bits(a, part.codes) for a, part in zip(codes, segments, strict=True))


def test_rows_of_one_list_keep_their_order(toy, small):
    segments = arrange(filled(toy, sample(300, D)), toy)
    part = segments.list[0]
    ids = part.ids.take(slice(None))
    for begin, end in zip(part.lists[:-1], part.lists[1:], strict=True):
        assert np.all(np.diff(ids[begin:end]) > 0)


def test_little_is_left_unsorted_and_a_sorted_segment_is_never_appended_to(toy, small):
    x = sample(300, D)
    segments = filled(toy, x[:40])
    assert arrange(segments, toy) is segments
    segments = arrange(filled(toy, x[:60]), toy)
    fixed = segments.list[0].codes.copy()
    staged = Segments()
    staged.append(toy.encode(x[60:80]), None, np.arange(60, 80))
    segments.attach(staged, np.arange(60, 80), np.empty(0, np.int64))
    assert [part.lists is not None for part in segments] == [True, False]
    assert same_bits(segments.list[0].codes, fixed)
    assert arrange(segments, toy) is segments


def test_adding_for_long_keeps_segments_few_and_moves_rows_seldom(toy, small, monkeypatch):
    moved = []
    merge = layout._merge
    monkeypatch.setattr(
        layout,
        "_merge",
        lambda parts, kind: moved.append(sum(map(len, parts))) or merge(parts, kind),
    )
    segments, codes = Segments(), toy.encode(sample(10, D))
    for start in range(0, 20_000, 10):
        staged, ids = Segments(), np.arange(start, start + 10)
        staged.append(codes, None, ids)
        segments.attach(staged, ids, ids[:0])
        segments = arrange(segments, toy)
        assert len(segments.list) <= 10
    assert len(segments) == 20_000
    assert sum(moved) < 12 * 20_000
    assert segments.find(np.arange(20_000)).min() >= 0


def test_replaced_rows_of_a_sorted_segment_are_only_marked(toy, small):
    segments = arrange(filled(toy, sample(100, D)), toy)
    part = segments.list[0]
    staged, ids = Segments(), np.arange(10)
    staged.append(toy.encode(sample(10, D)), None, ids)
    segments.attach(staged, ids, ids)
    assert part.deleted == 0  # a search may still hold it
    assert segments.list[0].deleted == 10
    assert segments.list[0].lists is part.lists
    assert len(segments) == 100


def test_force_makes_one_segment_of_however_few_rows_and_then_nothing(toy):
    segments = filled(toy, sample(30, D), size=7)
    one = arrange(segments, toy, force=True)
    assert [part.lists is not None for part in one] == [True]
    assert arrange(one, toy, force=True) is one
    one.delete(np.arange(10))
    again = arrange(one, toy, force=True)
    assert (again.rows, len(again)) == (20, 20)


def test_no_rows_or_none_left_give_no_segment(toy):
    assert arrange(Segments(), toy, force=True).list == []
    segments = filled(toy, sample(30, D))
    segments.delete(np.arange(30))
    empty = arrange(segments, toy, force=True)
    assert (empty.list, empty.next_id, len(empty)) == ([], 30, 0)


def test_a_quantizer_without_clusters_leaves_rows_as_they_are(registry):
    for kind in (toy_kind()(), "no quantizer"):
        assert as_clustered(kind) is None
        segments = Segments()
        assert arrange(segments, kind, force=True) is segments


@given(st.lists(st.integers(0, 70_000), max_size=50), st.sampled_from([70_001, 1 << 17]))
def test_sorting_by_list_is_stable(values, lists):
    order, offsets = sort_by_list(np.array(values, np.int32), lists)
    assert order.tolist() == sorted(range(len(values)), key=lambda i: values[i])
    assert offsets[-1] == len(values)
    assert all(offsets[v + 1] - offsets[v] == values.count(v) for v in values)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=50)
@given(st.lists(TEXT, max_size=20), st.lists(TEXT, max_size=20), st.data())
def test_columns_are_joined_and_picked_like_lists(first, second, data):
    columns = [StrIds(), StrIds()]
    for column, texts in zip(columns, (first, second), strict=True):
        column.append(np.array(texts, object))
    joined = StrIds.join(columns)
    assert joined.take(slice(None)).tolist() == first + second
    every = st.lists(st.integers(0, max(0, len(joined) - 1)), max_size=30)
    rows = np.array(data.draw(every) if len(joined) else [], np.int64)
    picked = joined.pick(rows)
    assert picked.take(slice(None)).tolist() == [(first + second)[row] for row in rows]
    column = IntIds.join([IntIds(np.array([4, 5])), IntIds(np.array([9]))]).pick(np.array([2, 0]))
    column.append(np.array([1]))
    assert column.take(slice(None)).tolist() == [9, 4, 1]


def test_strings_are_copied_block_by_block(monkeypatch):
    from fewbits.vectors import ids as module

    monkeypatch.setattr(module, "_BLOCK", 7)
    column = StrIds()
    column.append(names(50))
    rows = np.random.default_rng(0).permutation(50)
    assert column.pick(rows).take(slice(None)).tolist() == names(50)[rows].tolist()
