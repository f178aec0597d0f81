"""How far a mean over queries can be trusted: percentile bootstrap over the queries.

Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Queries are drawn with
replacement; for two systems the same draw serves both (paired), so the spread between easy and
hard queries cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import as_count
from fewbits.errors import InputError

_DRAWN = 1 << 18  # query indices drawn at a time, 2 MB whatever the number of queries or resamples


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of its confidence interval, `low <= mean <= high`, in its own unit."""

    mean: float
    low: float
    high: float


def mean_interval(
    values: ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean of per-query values with its percentile bootstrap interval.

    One query, or queries that all agree, give an interval of zero width: the sample shows no
    spread, which is not the same as certainty.

    Args:
        values: one finite number per query, shape (nq,), nq >= 1.
        confidence: share of the bootstrap means inside the interval, between 0 and 1.
        resamples: number of draws, at least 1.
        seed: the same seed and number of queries draw the same queries.

    Raises:
        InputError: no value, a value that is not finite, or a parameter out of range.
    """
    numbers = _numbers(values, "values")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence!r}")
    resamples = as_count(resamples, "resamples", least=1)
    centre = float(numbers.mean())
    if np.ptp(numbers) == 0:
        value = float(numbers[0])
        return Interval(value, value, value)
    means = _resampled_means(numbers, resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    # A few resamples can all fall on one side; the mean belongs to its own interval.
    return Interval(centre, min(float(low), centre), max(float(high), centre))


def difference_interval(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the mean of `values - baseline`, query by query, with its interval.

    An interval that excludes 0 says that the two systems differ on such queries.

    Raises:
        InputError: the two do not hold the same number of queries, or as in `mean_interval`.
    """
    left, right = _numbers(values, "values"), _numbers(baseline, "baseline")
    if len(left) != len(right):
        raise InputError(
            f"values and baseline must hold the same queries, got {len(left)} and {len(right)}"
        )
    return mean_interval(left - right, confidence=confidence, resamples=resamples, seed=seed)


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    means = np.empty(resamples, dtype=np.float64)
    step = max(1, _DRAWN // len(values))
    for start in range(0, resamples, step):
        rows = means[start : start + step]
        drawn = rng.integers(0, len(values), size=(len(rows), len(values)))
        rows[:] = values[drawn].mean(axis=1)
    return means


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must hold one number per query: {error}") from error
    if numbers.ndim != 1 or len(numbers) == 0:
        raise InputError(f"{name} must hold one number per query, got shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        where = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise InputError(f"{name}[{where}] is {numbers[where]}; drop such queries first")
    return numbers
