"""Adding: from arrays, lists, memory maps and iterators; all rows or none; in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from variants import cases, quiet, same_bits, sample

from fewbits.errors import CalibrationWarning, ConflictError, InputError, NotFittedError
from fewbits.vectors import Index, Int8

D = 8
DEFAULTS = [v for v in cases() if v.label == "default"]


def state_of(index):
    q = sample(3, D, seed=9)
    hits = index.search(q, 1000)
    learned = {k: np.asarray(v).tolist() for k, v in index.quantizer.state().items()}
    info = {k: v for k, v in index.info().items() if k != "clipped_fraction"}
    return hits.ids.tolist(), hits.scores.tolist(), index.ids.tolist(), learned, info


@pytest.mark.parametrize("variant", DEFAULTS, ids=str)
def test_rows_come_in_as_an_array_a_list_a_map_or_blocks(variant, tmp_path):
    x = sample(300, D)
    np.save(tmp_path / "x.npy", x)
    whole = Index(variant.make(D)).add(x)
    q = sample(3, D, seed=1)
    expected = whole.search(q, 20)
    for given in (
        x.tolist(),
        x.astype(np.float64),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        (row[None] for row in x),
        iter([x[:0], x[:299], x[299:]]),
    ):
        fresh = Index(variant.make(D)).fit(x)
        hits = fresh.add(given).search(q, 20)
        assert np.array_equal(hits.ids, expected.ids)
        assert same_bits(hits.scores, expected.scores)


def test_one_call_or_many_give_the_same_hits():
    x, q = sample(300, D), sample(5, D, seed=1)
    one, many = Index(Int8().fit(x)), Index(Int8().fit(x))
    one.add(x)
    for start in range(0, 300, 7):
        many.add(x[start : start + 7])
    assert same_bits(one.search(q, 50).scores, many.search(q, 50).scores)
    assert np.array_equal(one.search(q, 50).ids, many.search(q, 50).ids)


FAILURES = {
    "nan in block 3": [sample(5, D), sample(5, D), np.full((1, D), np.nan, np.float32)],
    "another width": [sample(5, D), sample(5, D), sample(5, D + 1)],
    "integers": [sample(5, D), sample(5, D), np.ones((2, D), int)],
    "one dimension": [sample(5, D), sample(5, D)[0]],
    "an exception": [sample(5, D), ZeroDivisionError()],
    "an interrupt": [sample(5, D), KeyboardInterrupt()],
}


def failing(blocks):
    for block in blocks:
        if isinstance(block, BaseException):
            raise block
        yield block


@pytest.mark.parametrize("rescore", [None, "float16"])
@pytest.mark.parametrize("before", ["empty", "rows", "rows deleted"])
@pytest.mark.parametrize("what", FAILURES)
def test_adding_is_all_or_nothing(what, before, rescore):
    index = Index("int8", rescore=rescore)
    if before != "empty":
        index.add(sample(300, D))
    if before == "rows deleted":
        index.delete([0, 299, 17])
    was = state_of(index)
    with pytest.raises((InputError, ZeroDivisionError, KeyboardInterrupt)), quiet():
        index.add(failing(FAILURES[what]), ids=range(1000, 1100))
    assert state_of(index) == was
    with quiet():
        index.add(sample(100, D), ids=range(1000, 1100))
    assert index.ids.tolist()[-100:] == list(range(1000, 1100))
    assert len(index.search(sample(1, D), 500).ids[0]) == len(was[2]) + 100


def test_a_failed_replacement_keeps_the_old_rows():
    index = Index("int8").add(sample(300, D))
    was = state_of(index)
    with pytest.raises(InputError):
        index.add(failing(FAILURES["nan in block 3"]), ids=range(11), replace=True)
    assert state_of(index) == was


def test_rows_of_an_unfinished_add_are_not_found():
    """A search sees an add as a whole or not at all, even from inside the iterator."""
    index = Index("int8").add(sample(300, D))
    seen = []

    def blocks():
        yield sample(10, D, seed=1)
        seen.append((len(index), index.search(sample(1, D), 1000).ids.shape, len(index.ids)))
        yield sample(10, D, seed=2)

    index.add(blocks())
    assert seen == [(300, (1, 300), 300)]
    assert len(index) == 320


CHANGES = {
    "add": lambda index: index.add(sample(3, D)),
    "replace": lambda index: index.add(sample(3, D), ids=[1, 2, 3], replace=True),
    "compact": lambda index: index.compact(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_iterator_that_changes_the_index_it_feeds_is_refused(what):
    index = Index("int8").add(sample(300, D))

    def blocks():
        yield sample(10, D, seed=1)
        CHANGES[what](index)
        yield sample(10, D, seed=2)

    with pytest.raises(ConflictError, match="changed by the iterator"):
        index.add(blocks())
    assert len(index) == 300 + 3 * (what == "add")
    assert index.add(sample(2, D)).search(sample(1, D), 999).ids.shape == (1, len(index))


def test_many_replacements_leave_one_row_per_id():
    index = Index("int8").add(sample(300, D))
    for seed in range(5):
        index.add(sample(200, D, seed=seed), ids=range(100, 300), replace=True)
    assert len(index) == 300
    assert sorted(index.search(sample(1, D), 2000).ids[0].tolist()) == list(range(300))
    assert index.info()["deleted"] == 1000
    before = index.search(sample(3, D), 30)
    index.compact()
    after = index.search(sample(3, D), 30)
    assert index.info()["deleted"] == 0
    assert index.info()["segments"] == 1
    assert np.array_equal(before.ids, after.ids)
    assert same_bits(before.scores, after.scores)


def test_compacting_an_empty_or_emptied_index_is_allowed():
    index = Index("int8").compact()
    assert len(index) == 0
    index.add(sample(300, D))
    index.delete(list(range(300)))
    index.compact()
    assert index.info()["segments"] == 0
    assert index.add(sample(1, D)).ids.tolist() == [300]


def test_nothing_to_add_changes_nothing():
    index = Index("int8").add(np.empty((0, D), np.float32)).add(iter([]))
    assert len(index) == 0
    assert index.dims is None
    index.add(sample(300, D)).add(np.empty((0, D), np.float32), ids=[])
    assert len(index) == 300


def test_a_width_that_differs_is_refused_with_both_numbers():
    index = Index("int8").add(sample(300, D))
    with pytest.raises(InputError, match=f"{D} columns .*got {D + 1}"):
        index.add(sample(3, D + 1))


def test_ranges_come_from_the_first_add_and_say_so():
    index = Index("int8", metric="ip")
    with pytest.warns(CalibrationWarning, match="10 rows"):
        index.add(sample(10, D))
    assert index.info()["calibration_rows"] == 10
    before = index.quantizer.state()["step"].copy()
    index.add(sample(300, D) * 100)
    assert np.array_equal(index.quantizer.state()["step"], before)
    assert index.info()["clipped_fraction"] > 0.5


def test_ranges_are_learned_before_the_first_add_or_never():
    index = Index("int8").fit(sample(300, D))
    assert index.dims == D
    index.fit(block for block in (sample(200, D), sample(100, D, seed=1)))
    assert index.info()["calibration_rows"] == 300
    index.add(sample(3, D))
    with pytest.raises(InputError, match="before the first add"):
        index.fit(sample(300, D))


def test_the_index_does_not_change_the_quantizer_it_was_given():
    given = Int8()
    Index(given).add(sample(300, D))
    assert not given.fitted
    fitted = Int8().fit(sample(300, D))
    codes = fitted.encode(sample(5, D))
    index = Index(fitted)
    fitted.fit(sample(300, D) * 50)
    index.add(sample(5, D))
    assert np.array_equal(index.search(sample(1, D), 5).ids.shape, (1, 5))
    assert same_bits(index.quantizer.encode(sample(5, D)), codes)


def test_a_quantizer_of_another_metric_is_refused_once_fitted():
    assert Index(Int8(metric="ip"), metric="l2").info()["metric"] == "l2"
    with pytest.raises(InputError, match="fitted for metric 'ip', the index wants 'l2'"):
        Index(Int8(metric="ip").fit(sample(300, D)), metric="l2")
    with pytest.raises(InputError, match="rescore was fitted for metric"):
        Index("int8", metric="l2", rescore=Int8(metric="ip").fit(sample(300, D)))


@pytest.mark.parametrize("wrong", [3, None, Int8, b"int8", ["int8"]])
def test_what_is_no_quantizer_is_refused(wrong):
    with pytest.raises(InputError, match="quantizer"):
        Index(wrong)


def test_an_index_without_rows_has_no_code_size():
    with pytest.raises(NotFittedError):
        _ = Index("int8").quantizer.code_size


def test_adding_a_large_memory_map_takes_little_memory(tmp_path):
    n, d = 200_000, 64
    path = tmp_path / "x.npy"
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    rng = np.random.default_rng(0)
    for start in range(0, n, 20_000):
        mapped[start : start + 20_000] = rng.standard_normal((20_000, d), dtype=np.float32)
    mapped.flush()
    index = Index("int8", metric="ip").fit(mapped[:1000])
    tracemalloc.start()
    index.add(np.load(path, mmap_mode="r"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    codes = n * index.quantizer.code_size
    assert len(index) == n
    # Codes double when they grow (old and new copy at once), ids take 8 bytes; a block is 8 MiB.
    assert peak < 3 * codes + 3 * 8 * n + 4 * (8 << 20)
    assert peak < mapped.nbytes
