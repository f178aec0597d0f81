"""Search by lists: all lists give what a flat scan gives, few never give fewer hits than asked."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from toylists import filled, toy_kind
from variants import same_bits, sample

from fewbits.errors import InputError
from fewbits.vectors import probing as rules
from fewbits.vectors.arrange import arrange
from fewbits.vectors.margins import DEFAULT
from fewbits.vectors.probing import FLAT, Probing, choose, describe_lists, search_segment
from fewbits.vectors.segments import Segments

D, L, N = 4, 8, 400
EVERY = Probing(True, "all lists", probes=0)
ONE = Probing(True, "one list", probes=1)


@pytest.fixture(params=["ip", "l2"])
def toy(registry, request):
    return toy_kind()(metric=request.param, clusters=L).fit(sample(300, D))


@pytest.fixture
def segments(toy):
    return arrange(filled(toy, sample(N, D)), toy, force=True)


def search(toy, segments, q, k, probing, allowed=None):
    """Search the one segment; returns scores and ids."""
    [(segment, local)] = segments.candidates(allowed)
    scores, rows = search_segment(toy, q, segment, local, k, probing, 1)
    assert rows.shape == scores.shape
    assert rows.min() >= 0
    return scores, segment.ids.take(rows)


FILTERS = {
    "all": lambda ids: None,
    "a third": lambda ids: ids[::3],
    "three": lambda ids: ids[[5, 77, 300]],
    "one": lambda ids: ids[:1],
}


@pytest.mark.parametrize("allowed", FILTERS)
@pytest.mark.parametrize("deleted", [0, 100])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_all_lists_give_what_a_flat_scan_gives(toy, segments, allowed, deleted, k):
    q = sample(12, D)
    only = FILTERS[allowed](np.arange(N))
    segments.delete(np.arange(100, 100 + deleted))
    flat = search(toy, segments, q, k, FLAT, only)
    lists = search(toy, segments, q, k, EVERY, only)
    assert same_bits(flat[0], lists[0])
    assert flat[1].tolist() == lists[1].tolist()
    assert not set(lists[1].ravel().tolist()) & set(range(100, 100 + deleted))


@pytest.mark.parametrize("allowed", FILTERS)
@pytest.mark.parametrize("k", [1, 10, 150, 1000])
@pytest.mark.parametrize("depth", [0, 60])
def test_one_list_is_never_too_few_for_the_hits_wanted(toy, segments, allowed, k, depth):
    only = FILTERS[allowed](np.arange(N))
    rows = N if only is None else len(only)
    probing = Probing(True, "", probes=1, depth=depth)
    scores, ids = search(toy, segments, sample(12, D), k, probing, only)
    assert ids.shape == (12, min(k, rows))
    assert np.all(np.isfinite(scores))
    assert np.all(np.diff(scores, axis=1) <= 0)
    assert all(len(set(line)) == len(line) for line in ids.tolist())


def test_one_list_gives_the_best_rows_of_the_nearest_centroid(toy, segments):
    q = sample(12, D)
    part = segments.list[0]
    nearest = toy._pairs(q, toy.centroids).argmax(axis=1)
    scores, _ = search(toy, segments, q, 3, ONE)
    for i, number in enumerate(nearest):
        rows = np.arange(part.lists[number], part.lists[number + 1])
        assert len(rows) >= 3
        best = np.sort(toy._score(q[i : i + 1], part.codes[rows], 1)[0])[::-1][:3]
        assert same_bits(scores[i], best)


def test_a_wide_margin_finds_all_and_a_narrow_one_looks_at_fewer_lists(toy, segments):
    q, part = sample(12, D), segments.list[0]
    flat = search(toy, segments, q, 5, FLAT)
    wide = search(toy, segments, q, 5, Probing(True, "", margin=1e9))
    assert flat[1].tolist() == wide[1].tolist()
    probed = [
        toy.scan_lists(q, part.codes, part.lists, None, 5, 0, margin, 1)[2].mean()
        for margin in (0.0, 10.0, 1e9)
    ]
    assert probed[0] < probed[1] < probed[2] == L


@pytest.mark.parametrize("case", ["one list", "empty lists", "one row"])
def test_lists_of_any_length_are_searched(toy, case):
    x = sample(N, D)
    if case == "one list":
        x = np.repeat(toy.centroids[3:4], N, axis=0)
    elif case == "empty lists":
        x = np.repeat(toy.centroids[[1, 6]], N // 2, axis=0)
    else:
        x = x[:1]
    segments = arrange(filled(toy, x), toy, force=True)
    for k in (1, 10, 1000):
        _, ids = search(toy, segments, sample(5, D), k, ONE)
        assert ids.shape == (5, min(k, len(x)))


def test_few_rows_and_unsorted_ones_are_scanned_whole(toy, segments, monkeypatch):
    monkeypatch.setattr(type(toy), "scan_lists", None)  # not to be called
    q = sample(3, D)
    least = Probing(True, "", probes=1, least=N)
    assert search(toy, segments, q, 5, least)[1].shape == (3, 5)
    unsorted = filled(toy, sample(N, D))
    assert search(toy, unsorted, q, 5, ONE)[1].shape == (3, 5)


def test_a_deletion_after_candidates_were_taken_takes_no_hit_away(toy, segments):
    segments.delete(np.arange(10))
    [(segment, local)] = segments.candidates(None)
    segments.delete(np.arange(10, N - 2))
    _, rows = search_segment(toy, sample(3, D), segment, local, 50, ONE, 1)
    assert rows.shape == (3, 50)
    assert rows.min() >= 0


def test_deleting_everything_leaves_nothing_to_search(toy, segments):
    segments.delete(np.arange(N))
    assert segments.candidates(None) == []
    assert describe_lists(segments, toy)["search"] == "flat"


# Which way a search goes.


@pytest.fixture
def large(toy, segments, monkeypatch):
    """Segments that count as large."""
    monkeypatch.setattr(rules, "LEAST_ROWS", 100)
    toy.margins = DEFAULT
    return segments


WAYS = {
    "auto": (("auto", 0.95, 10), True),
    "a number": ((3, 0.95, 10), True),
    "all lists": ((L, 0.95, 10), False),
    "None": ((None, 0.95, 10), False),
    "full recall": (("auto", 1, 10), False),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_way_follows_the_arguments(toy, large, way):
    given, clustered = WAYS[way]
    found = choose(large, toy, *given)
    assert found.clustered is clustered
    assert found.why
    assert choose(Segments(), object(), *given).clustered is False


def test_margins_grow_with_recall_and_rows(toy, large):
    margins = [choose(large, toy, "auto", recall, 10).margin for recall in (0.8, 0.95, 0.99, 0.999)]
    assert margins == sorted(margins)
    few = arrange(filled(toy, sample(110, D)), toy, force=True)
    assert choose(few, toy, "auto", 0.999, 10).margin < margins[-1]


def test_few_rows_or_no_margins_are_scanned_flat_and_said_so(toy, large, monkeypatch):
    toy.margins = None
    assert "margins" in choose(large, toy, "auto", 0.9, 10).why
    monkeypatch.setattr(rules, "LEAST_ROWS", N + 1)
    assert f"{N} sorted rows" in choose(large, toy, "auto", 0.9, 10).why


@pytest.mark.parametrize(
    ("nprobe", "recall", "words"),
    [
        ("all", 0.9, "nprobe must be"),
        (0, 0.9, "nprobe must be at least 1"),
        (True, 0.9, "nprobe must be an integer"),
        (1.5, 0.9, "nprobe must be an integer"),
        ("auto", 0.4, "recall must be 0.5 to 1"),
        ("auto", 1.01, "recall must be 0.5 to 1"),
        ("auto", float("nan"), "recall must be 0.5 to 1"),
        ("auto", "high", "recall must be a number"),
        ("auto", True, "recall must be a number"),
    ],
)
def test_bad_arguments_are_named(toy, large, nprobe, recall, words):
    with pytest.raises(InputError, match=words):
        choose(large, toy, nprobe, recall, 10)


# What info tells.


def test_info_tells_how_rows_are_spread(toy, segments):
    about = describe_lists(segments, toy)
    assert (about["clusters"], about["sorted_rows"], about["search"]) == (L, N, "flat")
    assert 1 <= about["imbalance"] < 3
    assert about["clusters_warning"] is None
    assert describe_lists(segments, object()) == {}


def test_info_warns_of_rows_that_crowd_in_one_list(toy):
    x = np.repeat(toy.centroids[3:4], N, axis=0)
    about = describe_lists(arrange(filled(toy, x), toy, force=True), toy)
    assert about["largest_list_share"] == 1
    assert about["imbalance"] == L
    assert "100%" in about["clusters_warning"]
    few = arrange(filled(toy, x[:20]), toy, force=True)
    assert describe_lists(few, toy)["clusters_warning"] is None


# While rows come and go.


def test_searches_meet_whole_states_while_another_thread_adds_and_sorts(toy, monkeypatch):
    from fewbits.vectors import arrange as layout

    monkeypatch.setattr(layout, "TAIL_ROWS", 64)
    monkeypatch.setattr(layout, "_PER_LIST", 0)
    x = sample(2000, D)
    box, done, wrong = [filled(toy, x[:100])], threading.Event(), []

    def look():
        while not done.is_set():
            state = box[0]
            for segment, local in state.candidates(None):
                _, rows = search_segment(toy, x[:2], segment, local, 5, ONE, 1)
                ids = state.ids_of(rows + segment.start)
                codes = segment.codes[rows]
                if not same_bits(toy.decode(codes.reshape(-1, 1 + 4 * D)), x[ids.ravel()]):
                    wrong.append(ids)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(100, 2000, 20):
        staged, ids = Segments(), np.arange(start, start + 20)
        staged.append(toy.encode(x[ids]), None, ids)
        box[0].attach(staged, ids, ids[:0])
        box[0].delete(ids[:3])
        box[0] = arrange(box[0], toy)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(box[0]) == 2000 - 95 * 3
