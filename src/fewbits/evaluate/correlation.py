"""Rank correlation, and what of it a change of system keeps.

Spearman's rho is Pearson's correlation of ranks, ties sharing the mean of their ranks. It is what
sentence-similarity benchmarks report for the cosines of sentence pairs against people's scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import as_count
from fewbits.errors import InputError
from fewbits.evaluate.bootstrap import Interval


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's rank correlation of two sequences of numbers; 0 where one is constant.

    Raises:
        InputError: not two sequences of finite numbers of the same length, or fewer than two.
    """
    left, right = _pair(x, y)
    return _pearson(ranks(left), ranks(right))


def ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks from 1, tied values sharing their mean rank."""
    _, group, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: NDArray[np.float64] = ((last - counts + 1 + last) / 2)[group]
    return shared


def spearman_kept(
    before: ArrayLike,
    after: ArrayLike,
    truth: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return spearman(after, truth) / spearman(before, truth) with its bootstrap interval.

    Pairs are drawn with replacement, the same draw for both systems, and ranked anew.

    Args:
        before: one score per pair from the system before the change.
        after: one score per pair from the system after it.
        truth: what people said.
        confidence: share of the bootstrap ratios inside the interval, between 0 and 1.
        resamples: number of draws.
        seed: the same seed draws the same pairs.

    Raises:
        InputError: as in `spearman`, a parameter out of range, or a system before that is not
            correlated with the truth at all.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence!r}")
    old, wanted = _pair(before, truth)
    new, _ = _pair(after, truth)
    base = spearman(old, wanted)
    if base == 0:
        raise InputError("before must correlate with truth for a ratio; its correlation is 0")
    rng = np.random.default_rng(seed)
    ratios = np.empty(as_count(resamples, "resamples", least=1))
    for i in range(len(ratios)):
        rows = rng.integers(0, len(wanted), size=len(wanted))
        drawn = ranks(wanted[rows])
        below = _pearson(ranks(old[rows]), drawn)
        ratios[i] = _pearson(ranks(new[rows]), drawn) / below if below else 1.0
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    kept = spearman(new, wanted) / base
    return Interval(kept, min(float(low), kept), max(float(high), kept))


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    left, right = x - x.mean(), y - y.mean()
    size = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / size if size else 0.0


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = _numbers(x), _numbers(y)
    if left.ndim != 1 or left.shape != right.shape or len(left) < 2:
        raise InputError(
            f"two sequences of the same length, at least 2, are needed, "
            f"got shapes {left.shape} and {right.shape}"
        )
    for values in (left, right):
        if not np.isfinite(values).all():
            where = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(f"value {where} is {values[where]}, a finite number is needed")
    return left, right


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"two sequences of numbers are needed: {error}") from error
