from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from fewbits.models.inputs import SAMPLE_ROWS, SAMPLE_VALUES, Inputs


def rows(n, k, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32) * np.arange(
        1, k + 1, dtype=np.float32
    )


def watched(x, cuts):
    inputs = Inputs(x.shape[1])
    for part in np.split(x, cuts):
        inputs.add(part)
    return inputs


def test_statistics_equal_those_of_all_rows_at_once():
    x = rows(5_000, 12)
    inputs = watched(x, [0, 7, 1_000, 1_001])
    assert inputs.count == len(x)
    np.testing.assert_array_equal(inputs.low, x.min(axis=0))
    np.testing.assert_array_equal(inputs.high, x.max(axis=0))
    np.testing.assert_array_equal(inputs.absmax, np.abs(x).max(axis=0))
    np.testing.assert_allclose(inputs.mean, x.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(inputs.second_moment, (x * x).mean(axis=0), rtol=1e-4)


def test_a_short_stream_is_sampled_whole_and_in_order():
    x = rows(100, 8)
    np.testing.assert_array_equal(watched(x, [13]).rows, x)


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], list(range(512, 20_000, 512))])
def test_the_sample_does_not_depend_on_how_rows_are_cut(cuts):
    x = rows(20_000, 4)
    np.testing.assert_array_equal(watched(x, cuts).rows, watched(x, [10_000]).rows)


def test_the_sample_is_spread_evenly_over_the_stream():
    x = np.arange(50_000, dtype=np.float32)[:, None]
    kept = watched(x, range(1_000, 50_000, 1_000)).rows[:, 0]
    assert len(kept) == SAMPLE_ROWS
    assert len(set(kept)) == len(kept)
    tenths = np.histogram(kept, bins=10, range=(0, 50_000))[0]
    assert tenths.min() > 0.75 * SAMPLE_ROWS / 10
    assert tenths.max() < 1.25 * SAMPLE_ROWS / 10


def test_memory_does_not_grow_with_the_stream():
    def peak(blocks):
        tracemalloc.start()
        inputs, block = Inputs(1024), rows(256, 1024)
        for _ in range(blocks):
            inputs.add(block)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(64) < 1.2 * peak(16)


def test_samples_are_bounded_by_values_too():
    inputs = Inputs(8_192)
    inputs.add(np.zeros((300, 8_192), dtype=np.float32))
    assert inputs.rows.size <= SAMPLE_VALUES
