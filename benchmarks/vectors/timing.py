"""Rounds of searches, and a pulse of fixed work beside each: was the machine quiet?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from benchmarks.vectors.engine import Floats, Ids

K = 10
_SINGLES = 100  # single queries of a round
_FEWEST = 20  # measured whatever they cost

Search = Callable[[Floats, int], Ids]


@dataclass
class Pulse:
    """Milliseconds of the same work, over and over: arithmetic in cache and a walk in memory."""

    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._small = np.full((192, 192), 0.5, dtype=np.float32)
        self._large = np.ones(2_000_000, dtype=np.int64)  # 16 MB
        self.beat()
        self.times.clear()

    def beat(self) -> None:
        """Do the work once and note its time."""
        begin = time.perf_counter()
        for _ in range(20):
            self._small @ self._small
        self._large.sum()
        self.times.append((time.perf_counter() - begin) * 1e3)

    def summary(self) -> dict[str, float]:
        """Return the fastest, the median and the slowest beat in milliseconds."""
        ordered = sorted(self.times)
        return {
            "fastest_ms": ordered[0],
            "median_ms": median(ordered),
            "slowest_ms": ordered[-1],
            "beats": len(ordered),
        }


def time_singles(
    search: Search, q: Floats, rounds: int, budget_s: float, pulse: Pulse
) -> dict[str, float]:
    """Return median and 95th percentile of one query at a time: medians over rounds.

    A round ends after 100 queries, or after its share of the budget and 20 queries.
    """
    middle, high = [], []
    search(q[:1], K)
    for turn in range(rounds):
        pulse.beat()
        taken: list[float] = []
        for i in range(_SINGLES):
            row = (turn * _SINGLES + i) % len(q)
            begin = time.perf_counter()
            search(q[row : row + 1], K)
            taken.append(time.perf_counter() - begin)
            if i + 1 >= _FEWEST and sum(taken) > budget_s / rounds:
                break
        middle.append(float(np.quantile(taken, 0.5)) * 1e3)
        high.append(float(np.quantile(taken, 0.95)) * 1e3)
    spread = (max(middle) - min(middle)) / median(middle)
    return {"p50_ms": median(middle), "p95_ms": median(high), "spread": spread}


def time_batch(
    search: Search, q: Floats, rounds: int, budget_s: float, pulse: Pulse
) -> dict[str, float]:
    """Return queries per second with all queries in one call: the median round.

    Rounds end when the budget is spent, after one at the earliest.
    """
    rates: list[float] = []
    started = time.perf_counter()
    for _ in range(rounds):
        pulse.beat()
        begin = time.perf_counter()
        search(q, K)
        rates.append(len(q) / (time.perf_counter() - begin))
        if time.perf_counter() - started > budget_s:
            break
    return {
        "batch_qps": median(rates),
        "batch_rounds": len(rates),
        "batch_spread": (max(rates) - min(rates)) / median(rates),
    }
