"""Rows are named as the caller counts them, and an index keeps its quantizer to itself."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fewbits
from fewbits.evaluate import evaluate


@pytest.mark.parametrize("row", [0, 131_071, 131_072, 299_999])
def test_a_bad_row_of_a_large_array_is_named_by_its_own_number(row):
    x = np.random.default_rng(0).random((300_000, 16), dtype=np.float32)
    x[row, 3] = np.nan
    with pytest.raises(fewbits.InputError, match=rf"x\[{row}, 3\] is nan"):
        fewbits.Index(fewbits.Int8(dynamic=True)).add(x)


def test_a_bad_row_of_a_calibration_sample_is_named_by_its_own_number():
    x = np.zeros((40_000, 4), dtype=np.float32)
    x[:, 1] = np.inf
    with pytest.raises(fewbits.InputError, match=r"x\[0, 1\] is inf|x\[\d+, 1\] is inf"):
        fewbits.Int8().fit(x)
    x[:, 1] = 0
    x[39_000:, 2] = np.nan  # many rows, so that the sample meets one of them
    with pytest.raises(fewbits.InputError, match=r"x\[39\d\d\d, 2\] is nan"):
        fewbits.Int8().fit(x)


def test_fitting_the_quantizer_of_an_index_leaves_the_index_alone():
    x = np.random.default_rng(0).standard_normal((400, 16)).astype(np.float32)
    index = fewbits.Index("int8", metric="ip").add(x)
    before = index.search(x[:3], 5)
    index.quantizer.fit(x * 100 + 3)
    after = index.search(x[:3], 5)
    assert np.array_equal(before.ids, after.ids)
    assert np.array_equal(before.scores, after.scores)


def test_a_table_without_a_row_is_an_error_that_says_why():
    x = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32) * 1e6
    with pytest.raises(fewbits.InputError, match=r"no quantizer can serve.*rescore='float16'"):
        evaluate(x, x[:5], metric="ip")


def test_a_search_during_replacement_finds_the_id_exactly_once():
    x = np.random.default_rng(0).standard_normal((500, 16)).astype(np.float32)
    index = fewbits.Index("int8", metric="l2").add(x)
    done, wrong = threading.Event(), []

    def look():
        while not done.is_set():
            ids = index.search(x[7], 500).ids
            if np.count_nonzero(ids == 7) != 1 or len(np.unique(ids)) != len(ids):
                wrong.append(ids)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(1500):
        index.add(x[7:8] + np.float32(0.001 * (step % 7)), ids=[7], replace=True)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(index) == 500
