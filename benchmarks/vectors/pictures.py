"""The pictures of a run: recall against bytes, and against queries per second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.vectors.chart import Axes, Series, draw, front
from benchmarks.vectors.runner import Row
from benchmarks.vectors.tables import good_rows

BYTES = Axes(
    "Recall@10 by bytes per vector, everything counted",
    "bytes per vector, log",
    smaller_is_better=True,
    name_all_ours=True,
)
SPEED = Axes(
    "Recall@10 by queries per second, one at a time",
    "queries per second, one at a time, log",
    smaller_is_better=False,
    name_all_ours=False,
)
BATCH = Axes(
    "Recall@10 by queries per second, all in one call",
    "queries per second, all in one call, log",
    smaller_is_better=False,
    name_all_ours=False,
)

_MOST_BYTES = 2000  # copies in full would squeeze everything else to the left
_LEAST_RECALL = 0.5  # what finds less is fast and of no use


def recall_by_bytes(book: dict[str, Any]) -> str:
    """Return one point per engine, the best that it finds, as an SVG document."""
    rows = [row for row in good_rows(book, "flat") if row["bytes_per_vector"] <= _MOST_BYTES]
    series = []
    for row in rows:
        best = max(float(point["recall_at_10"]) for point in row["points"])
        series.append(_series(row, ((float(row["bytes_per_vector"]), best),)))
    return draw(series, BYTES)


def recall_by_speed(book: dict[str, Any]) -> str:
    """Return the operating points of every engine that are best of its own as an SVG document."""
    return _speeds(book, SPEED, lambda point: 1e3 / point["p50_ms"])


def recall_by_batch(book: dict[str, Any]) -> str:
    """Return the same as `recall_by_speed` for all queries in one call."""
    return _speeds(book, BATCH, lambda point: point["batch_qps"])


def _speeds(book: dict[str, Any], axes: Axes, speed: Callable[[dict[str, Any]], float]) -> str:
    series = []
    for row in good_rows(book, "flat", "lists", "graph"):
        points = [(speed(point), point["recall_at_10"]) for point in row["points"]]
        best = front([_series(row, tuple(points))], axes)
        useful = tuple(point for point in best if point[1] >= _LEAST_RECALL)
        if useful:
            series.append(_series(row, useful))
    return draw(series, axes)


def _series(row: Row, points: tuple[tuple[float, float], ...]) -> Series:
    return Series(row["engine"], points, row["package"] == "fewbits")
