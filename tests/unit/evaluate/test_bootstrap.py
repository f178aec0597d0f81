"""Intervals: degenerate inputs, seeds, pairing, and coverage on data of known mean."""

import tracemalloc

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.evaluate import bootstrap
from fewbits.evaluate.bootstrap import Interval, difference_interval, mean_interval

DRAWS = {
    "normal": (lambda rng, n: rng.normal(3, 2, n), 3.0),
    "recall": (lambda rng, n: rng.binomial(10, 0.9, n) / 10, 0.9),
    "skewed": (lambda rng, n: rng.exponential(1, n), 1.0),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_95_percent_interval_covers_the_mean_about_95_times_in_100(name):
    draw, true = DRAWS[name]
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(200):
        got = mean_interval(draw(rng, 80), resamples=400, seed=seed)
        hits += got.low <= true <= got.high
    # 200 trials at 0.95 have a standard error of 0.015; skewed data cover a little less.
    assert 0.88 <= hits / 200 <= 0.99


def test_a_wider_confidence_gives_a_wider_interval():
    values = np.random.default_rng(0).random(50)
    narrow, wide = (mean_interval(values, confidence=c) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


@pytest.mark.parametrize("values", [[0.3], [0.3] * 7, [0.0], [1.0, 1.0]])
def test_values_without_spread_give_an_interval_of_no_width(values):
    assert mean_interval(values) == Interval(values[0], values[0], values[0])


def test_the_mean_is_inside_even_with_one_resample():
    for seed in range(20):
        got = mean_interval([0.0, 0.0, 1.0], resamples=1, seed=seed)
        assert got.low <= got.mean <= got.high


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(0).random(100)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_pairing_cancels_the_spread_between_queries():
    rng = np.random.default_rng(0)
    hard = rng.random(200)
    paired = difference_interval(hard - 0.01 + rng.normal(0, 0.002, 200), hard)
    assert paired.low < -0.009 < paired.high + 0.002
    assert paired.high < 0
    assert paired.high - paired.low < 0.002


def test_a_system_does_not_differ_from_itself():
    values = np.random.default_rng(0).random(30)
    assert difference_interval(values, values) == Interval(0.0, 0.0, 0.0)


def test_resampling_holds_memory_that_does_not_grow_with_resamples():
    values = np.random.default_rng(0).random(5_000)
    tracemalloc.start()
    mean_interval(values, resamples=1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 8 * bootstrap._DRAWN + 1_000_000  # all at once would take 40 MB


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, "one number per query"),
        ([[1.0]], {}, "one number per query"),
        (["a"], {}, "one number per query"),
        ([1.0, float("nan")], {}, r"values\[1\] is nan"),
        ([float("inf")], {}, r"values\[0\] is inf"),
        ([1.0], {"confidence": 0}, "confidence"),
        ([1.0], {"confidence": 1}, "confidence"),
        ([1.0], {"resamples": 0}, "resamples"),
    ],
)
def test_what_has_no_interval_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        mean_interval(values, **options)


def test_unlike_numbers_of_queries_are_refused():
    with pytest.raises(InputError, match="same queries, got 2 and 1"):
        difference_interval([1.0, 2.0], [1.0])
