"""Rank correlation against hand-worked and published values, and what of it is kept."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.correlation import ranks, spearman, spearman_kept


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], [3, 1, 2]),
        ([5, 5, 5], [2, 2, 2]),
        ([1, 2, 2, 3], [1, 2.5, 2.5, 4]),
        ([0.0, -0.0, -1], [2.5, 2.5, 1]),
        ([2, 1, 2, 1, 2], [4, 1.5, 4, 1.5, 4]),
        ([1e-300, 1e300], [1, 2]),
        ([7], [1]),
    ],
)
def test_tied_values_share_their_mean_rank(values, expected):
    assert ranks(np.array(values, dtype=np.float64)).tolist() == expected


KNOWN = [
    ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
    ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
    ([1, 2, 3], [1, 1000, 1001], 1.0),  # ranks alone count
    # Without ties rho = 1 - 6 sum(d^2) / (n (n^2 - 1)): 1 - 6 * 6 / (4 * 15)
    ([1, 2, 3, 4], [2, 1, 4, 2.5], 1 - 6 * (1 + 1 + 1 + 1) / 60),
    # IQ and hours of television, the worked example of many textbooks: -29 / 165.
    (
        [106, 100, 86, 101, 99, 103, 97, 113, 112, 110],
        [7, 27, 2, 50, 28, 29, 20, 12, 6, 17],
        -29 / 165,
    ),
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5)
    ([1, 2, 2, 3], [1, 3, 2, 4], 4.5 / np.sqrt(22.5)),
    # Ranks 1.5, 1.5, 3.5, 3.5 and 1.5, 3.5, 1.5, 3.5: independent
    ([0, 0, 1, 1], [0, 1, 0, 1], 0.0),
    ([5, 5, 5], [1, 2, 3], 0.0),
    ([1, 2], [4, 4], 0.0),
]


@pytest.mark.parametrize(("x", "y", "rho"), KNOWN)
def test_spearman_is_the_known_value(x, y, rho):
    assert spearman(x, y) == pytest.approx(rho, abs=1e-12)
    assert spearman(y, x) == pytest.approx(rho, abs=1e-12)
    assert spearman(np.negative(x), y) == pytest.approx(-rho, abs=1e-12)


def test_spearman_is_the_ratio_of_sums_over_all_pairs_of_ranks():
    rng = np.random.default_rng(0)
    for n in (2, 3, 17, 60):
        x, y = rng.integers(0, 9, n), rng.integers(0, 5, n)
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        left, right = (
            [sum(b < a for b in z) + (sum(b == a for b in z) + 1) / 2 for a in z] for z in (x, y)
        )
        pairs = list(itertools.product(range(n), repeat=2))
        cross = sum((left[i] - left[j]) * (right[i] - right[j]) for i, j in pairs)
        own = [sum((z[i] - z[j]) ** 2 for i, j in pairs) for z in (left, right)]
        assert spearman(x, y) == pytest.approx(cross / np.sqrt(own[0] * own[1]), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y"),
    [([1, 2], [1, 2, 3]), ([1], [1]), ([], []), ([[1, 2]], [[1, 2]]), (3, 4)],
)
def test_what_is_no_pair_of_sequences_is_refused(x, y):
    with pytest.raises(InputError, match="two sequences of the same length, at least 2"):
        spearman(x, y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_refused(value):
    for x, y in (([1, value, 3], [1, 2, 3]), ([1, 2, 3], [1, value, 3])):
        with pytest.raises(InputError, match="finite"):
            spearman(x, y)
    with pytest.raises(InputError, match="finite"):
        spearman_kept([1, 2, 3], [1, 2, value], [1, 2, 3])


@pytest.mark.parametrize("values", [["a", "b"], [1, {}], [[1, 2], [3]]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(InputError, match="numbers"):
        spearman(values, [1, 2])


def systems(seed, n, noise):
    """Return (before, after, truth): both systems see the truth through noise of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    before = truth + rng.normal(0, 0.5, n)
    return before, before + rng.normal(0, noise, n), np.round(truth * 2) / 2


def test_the_same_system_keeps_everything():
    before, _, truth = systems(0, 60, 0)
    assert spearman_kept(before, before, truth) == Interval(1.0, 1.0, 1.0)
    assert spearman_kept(before, 3 * before - 7, truth) == Interval(1.0, 1.0, 1.0)


def test_the_ratio_is_that_of_the_two_correlations():
    before, after, truth = systems(1, 200, 0.4)
    got = spearman_kept(before, after, truth, resamples=50)
    assert got.mean == spearman(after, truth) / spearman(before, truth)
    assert got.low < got.mean < got.high < 1


def test_an_interval_covers_the_ratio_of_the_whole_population():
    population = systems(2, 20_000, 0.3)
    before, after, truth = population
    true = spearman(after, truth) / spearman(before, truth)
    rng, hits, widths = np.random.default_rng(3), 0, []
    for seed in range(60):
        rows = rng.integers(0, len(truth), 150)
        got = spearman_kept(before[rows], after[rows], truth[rows], resamples=120, seed=seed)
        hits += got.low <= true <= got.high
        widths.append(got.high - got.low)
    assert hits >= 51  # of 60 at 0.95: below 52 once in 200 tries; the draws are fixed
    assert np.mean(widths) < 0.1  # paired: the noise that both share cancels


def test_the_interval_depends_on_seed_and_confidence_alone():
    data = systems(4, 80, 0.4)
    assert spearman_kept(*data, resamples=99) == spearman_kept(*data, resamples=99)
    assert spearman_kept(*data, resamples=99) != spearman_kept(*data, resamples=99, seed=1)
    wide, narrow = (spearman_kept(*data, resamples=99, confidence=c) for c in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_mean_is_inside_even_with_one_resample():
    for seed in range(20):
        got = spearman_kept(*systems(seed, 10, 0.4), resamples=1, seed=seed)
        assert got.low <= got.mean <= got.high


def test_few_pairs_whose_draws_are_constant_give_finite_bounds():
    got = spearman_kept([1, 2], [1, 2], [1, 2])
    assert got == Interval(1.0, 1.0, 1.0)
    got = spearman_kept([1, 2, 3], [3, 2, 1], [1, 2, 3])
    assert (got.mean, np.isfinite([got.low, got.high]).all()) == (-1.0, True)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"resamples": 0}, "resamples must be at least 1"),
        ({"resamples": 1.5}, "resamples must be an integer"),
        ({"confidence": 0}, "confidence must lie between 0 and 1"),
        ({"confidence": 1}, "confidence must lie between 0 and 1"),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
    ],
)
def test_a_choice_out_of_range_is_named(choices, message):
    with pytest.raises(InputError, match=message):
        spearman_kept([1, 2, 3], [1, 2, 3], [1, 2, 3], **choices)


def test_a_system_without_any_correlation_has_no_ratio():
    with pytest.raises(InputError, match="before must correlate with truth"):
        spearman_kept([1, 1, 1], [1, 2, 3], [1, 2, 3])
    with pytest.raises(InputError, match="same length"):
        spearman_kept([1, 2, 3], [1, 2], [1, 2, 3])
