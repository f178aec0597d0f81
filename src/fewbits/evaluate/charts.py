"""The one picture: bytes per vector against the neighbours kept, as inline SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from fewbits.evaluate.bootstrap import Interval
from fewbits.evaluate.labels import Box, place_labels
from fewbits.evaluate.markup import element
from fewbits.evaluate.results import Results, Row
from fewbits.evaluate.wording import amount, percent, times

_CHARACTER, _LINE = 6.7, 14.0  # pixels of a label at 12 px, on the generous side
_LONGEST = 24  # characters of a label in the picture; the table holds it whole


@dataclass(frozen=True)
class _Frame:
    """Plot area in pixels and the scales: log2 of bytes across, recall upwards."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    low_x: float
    high_x: float
    low_y: float

    def x(self, size: float) -> float:
        share = (math.log2(size) - self.low_x) / (self.high_x - self.low_x)
        return self.left + share * (self.right - self.left)

    def y(self, recall: float) -> float:
        share = (recall - self.low_y) / (1 - self.low_y)
        return self.bottom - share * (self.bottom - self.top)


def recall_chart(
    results: Results, *, width: int = 760, height: int = 460, key: str = "c"
) -> Element:
    """Return the chart as an `<svg>` element with a title and a description in words.

    Args:
        results: at least one row.
        width: of the drawing in CSS pixels; text keeps its size, so a phone gets its own drawing.
        height: of the drawing in CSS pixels.
        key: makes the ids of title and description unique within a page.
    """
    frame = _frame(results, width, height)
    rows = sorted(results.rows, key=lambda row: (row.bytes_per_vector, row.plain.recall.mean))
    parts = [*_axes(frame, results), _frontier(frame, rows, "plain")]
    if any(row.rescored for row in rows):
        parts.append(_frontier(frame, rows, "rescored"))
    parts += [_marks(frame, row) for row in rows]
    parts += _labels(frame, rows)
    title, text = _in_words(results, rows)
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", text, id=f"{key}-desc"),
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def _frame(results: Results, width: int, height: int) -> _Frame:
    sizes = [row.bytes_per_vector for row in results.rows]
    lows = [
        found.recall.low for row in results.rows for found in (row.plain, row.rescored) if found
    ]
    low_x, high_x = math.log2(min(sizes)) - 0.35, math.log2(max(sizes)) + 0.35
    spread = max(2.0, high_x - low_x)
    middle = (low_x + high_x) / 2
    return _Frame(
        width=width,
        height=height,
        left=52,
        right=width - 12,
        top=30,
        bottom=height - 62,
        low_x=middle - spread / 2,
        high_x=middle + spread / 2,
        low_y=max(0.0, min(0.9, math.floor(min(lows) * 10 - 0.3) / 10)),
    )


def _axes(frame: _Frame, results: Results) -> list[Element]:
    parts = []
    count = round((1 - frame.low_y) * 10)
    step = 1 if count <= 6 else 2
    for tenth in range(10, round(frame.low_y * 10) - 1, -step):
        y = frame.y(tenth / 10)
        parts.append(_line(frame.left, y, frame.right, y, "grid"))
        label = element(
            "text", f"{tenth * 10}\N{NARROW NO-BREAK SPACE}%", x=frame.left - 8, y=y + 4
        )
        label.set("class", "tick end")
        parts.append(label)
    whole = results.baseline.bytes_per_vector
    for power in range(math.ceil(frame.low_x), math.floor(frame.high_x) + 1):
        x = frame.x(2.0**power)
        parts.append(_line(x, frame.bottom, x, frame.bottom + 5, "axis"))
        parts.append(_text(x, frame.bottom + 19, amount(2.0**power), "tick middle"))
        ratio = times(whole / 2.0**power)
        parts.append(_text(x, frame.bottom + 33, ratio, "tick middle faint"))
    parts.append(_line(frame.left, frame.bottom, frame.right, frame.bottom, "axis"))
    middle = (frame.left + frame.right) / 2
    words = "bytes per vector, log scale"
    if frame.width > 500:
        words += "; below: times smaller than float32"
    parts.append(_text(middle, frame.bottom + 54, words, "name middle"))
    return parts


def _frontier(frame: _Frame, rows: list[Row], kind: str) -> Element:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _corners(frame, rows, kind))
    return element("polyline", points=points, class_=f"frontier {kind}")


def _marks(frame: _Frame, row: Row) -> Element:
    x = frame.x(row.bytes_per_vector)
    group = element("g", element("title", _row_in_words(row)))
    low = frame.y(row.plain.recall.mean)
    if row.rescored is not None:
        high = frame.y(row.rescored.recall.mean)
        if low - high > 12:
            group.append(_line(x, low - 5, x, high + 6, "stem"))
        group.extend(_bar(frame, x, row.rescored.recall, "rescored"))
        path = f"M{x:.1f} {high - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
        group.append(element("path", d=path, class_="mark rescored"))
    group.extend(_bar(frame, x, row.plain.recall, "plain"))
    group.append(element("circle", cx=x, cy=low, r="4.5", class_="mark plain"))
    return group


def _bar(frame: _Frame, x: float, interval: Interval, kind: str) -> list[Element]:
    top, bottom = frame.y(interval.high), frame.y(interval.low)
    if bottom - top < 1:
        return []
    return [
        _line(x, top, x, bottom, f"bar {kind}"),
        _line(x - 3, top, x + 3, top, f"bar {kind}"),
        _line(x - 3, bottom, x + 3, bottom, f"bar {kind}"),
    ]


def _labels(frame: _Frame, rows: list[Row]) -> list[Element]:
    names = [_short(row.label) for row in rows]
    points = [(frame.x(row.bytes_per_vector), frame.y(row.plain.recall.mean)) for row in rows]
    boxes = place_labels(
        points,
        [(_CHARACTER * len(name) + 2, _LINE) for name in names],
        _taken(frame, rows),
        Box(frame.left + 2, frame.top - 24, frame.right + 8, frame.bottom - 2),
    )
    parts = []
    for name, (x, y), box in zip(names, points, boxes, strict=True):
        near_x = min(max(x, box.left), box.right)
        near_y = min(max(y, box.top), box.bottom)
        if math.hypot(near_x - x, near_y - y) > 16:
            parts.append(_line(x, y, near_x, near_y, "leader"))
        parts.append(_text((box.left + box.right) / 2, box.bottom - 3.5, name, "label middle"))
    return parts


def _taken(frame: _Frame, rows: list[Row]) -> list[Box]:
    """Return the boxes of markers, error bars and stems, and of pieces of the joining lines."""
    boxes: list[Box] = []
    for row in rows:
        x = frame.x(row.bytes_per_vector)
        lowest = frame.y(row.plain.recall.mean)
        boxes.append(Box(x - 2, frame.y(row.final.recall.mean), x + 2, lowest))
        for found in (row.plain, row.final):
            y = frame.y(found.recall.mean)
            boxes.append(Box(x - 7, y - 7, x + 7, y + 7))
            boxes.append(Box(x - 4, frame.y(found.recall.high), x + 4, frame.y(found.recall.low)))
    for kind in ("plain", "rescored"):
        for start, end in pairwise(_corners(frame, rows, kind)):
            boxes += _pieces(start, end)
    return boxes


def _corners(frame: _Frame, rows: list[Row], kind: str) -> list[tuple[float, float]]:
    """Return the points that no smaller row beats; `rows` are sorted by size."""
    best, points = -1.0, []
    for row in rows:
        found = row.plain if kind == "plain" else row.rescored
        if found is not None and found.recall.mean > best:
            best = found.recall.mean
            points.append((frame.x(row.bytes_per_vector), frame.y(best)))
    return points


def _pieces(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    across, down = end[0] - start[0], end[1] - start[1]
    count = max(1, int(math.hypot(across, down) // 6))
    centres = [(start[0] + across * i / count, start[1] + down * i / count) for i in range(count)]
    return [Box(x - 2, y - 2, x + 2, y + 2) for x, y in centres]


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _text(x: float, y: float, text: str, kind: str) -> Element:
    return element("text", text, x=x, y=y, class_=kind)


def _row_in_words(row: Row) -> str:
    words = f"{row.label}: {amount(row.bytes_per_vector)} bytes, {percent(row.plain.recall.mean)}"
    if row.rescored is not None:
        words += f", rescored {percent(row.rescored.recall.mean)}"
    return words


def _in_words(results: Results, rows: list[Row]) -> tuple[str, str]:
    k = results.meta["k"]
    title = f"Bytes per vector and the share of the {k} nearest neighbours kept"
    return title, "; ".join(_row_in_words(row) for row in rows) + "."
