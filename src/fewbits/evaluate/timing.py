"""How fast: encoding, single queries on one thread, all queries in one call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_SINGLE_QUERIES = 200
_BUDGET = 3.0  # seconds for one figure; a slow quantizer is timed on fewer repetitions
_WARM = 3


def seconds_per_call(call: Callable[[], T], *, budget: float = 0.5) -> tuple[float, T]:
    """Return the median seconds of `call` and its result; up to 3 calls within `budget` seconds."""
    spent: list[float] = []
    while True:
        start = time.perf_counter()
        result = call()
        spent.append(time.perf_counter() - start)
        if len(spent) == 3 or sum(spent) > budget:
            return max(statistics.median(spent), 1e-9), result


def milliseconds_per_query(search: Callable[[int], object], queries: int) -> float:
    """Return the median milliseconds of `search(i)` over up to 200 queries, after 3 to warm up."""
    for number in range(min(_WARM, queries)):
        search(number)
    spent: list[float] = []
    for number in range(min(_SINGLE_QUERIES, queries)):
        start = time.perf_counter()
        search(number)
        spent.append(time.perf_counter() - start)
        if sum(spent) > _BUDGET:
            break
    return 1e3 * statistics.median(spent)
