"""One scatter picture as plain SVG: a logarithmic quantity across, recall upwards.

Recall is drawn by its error on a log scale, so that .95 and .99 lie as far apart as .5 and .9. The
colours are of medium lightness and there is no background: it reads on white and on dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element, tostring

from fewbits.evaluate.labels import Box, place_labels
from fewbits.evaluate.markup import element

WIDTH, HEIGHT = 920, 600
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, WIDTH - 20, 44, HEIGHT - 52
_CHARACTER, _LINE = 6.4, 14.0  # pixels of a label at 12 px
_LEAST_ERROR = 5e-4  # a recall of .9995 and more is drawn at the upper edge
_ALIKE = 0.02
_TICKS = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_STYLE = """text { font: 12px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
 fill: #7b8794; } .head { font-size: 15px; font-weight: 600; } .middle { text-anchor: middle; }
.end { text-anchor: end; } .grid { stroke: #7b8794; opacity: 0.22; } .axis { stroke: #7b8794; }
.leader { stroke: #7b8794; stroke-width: 0.6; } .dot { fill: #7b8794; }
.path { fill: none; stroke: #7b8794; stroke-width: 1; opacity: 0.45; }
.front { fill: none; stroke: #7b8794; stroke-width: 1.5; stroke-dasharray: 5 4; }
.ours.dot { fill: #e8590c; } .ours.path { stroke: #e8590c; opacity: 0.6; }
.ours.front { stroke: #e8590c; stroke-width: 2.5; stroke-dasharray: none; }
text.ours { fill: #e8590c; font-weight: 600; }"""


@dataclass(frozen=True)
class Series:
    """One engine: its operating points (quantity, recall) in the order in which they are joined."""

    name: str
    points: tuple[tuple[float, float], ...]
    ours: bool


@dataclass(frozen=True)
class Axes:
    """The words of a picture, which quantity is better, and whether every fewbits is named."""

    title: str
    across: str
    smaller_is_better: bool
    name_all_ours: bool


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    least: float

    def x(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(self, recall: float) -> float:
        lowest = -math.log10(1 - self.least)
        share = (_height(recall) - lowest) / (-math.log10(_LEAST_ERROR) - lowest)
        return _BOTTOM - share * (_BOTTOM - _TOP)


def _height(recall: float) -> float:
    return -math.log10(max(1 - recall, _LEAST_ERROR))


def draw(series: Sequence[Series], axes: Axes) -> str:
    """Return the picture of at least one engine as an SVG document."""
    scale = _scale(series)
    fronts = [front([each for each in series if each.ours is ours], axes) for ours in (False, True)]
    parts = [element("style", _STYLE), *_frame(scale, axes)]
    parts += [_line("path", each.points, scale, each.ours) for each in series]
    parts += [
        _line("front", points, scale, ours)
        for points, ours in zip(fronts, (False, True), strict=True)
    ]
    parts += [mark for each in series for mark in _marks(each, scale)]
    parts += _labels(series, fronts, scale, axes)
    words = "; ".join(
        f"{each.name}: {max(point[1] for point in each.points):.3f}" for each in series
    )
    root = element(
        "svg",
        element("title", axes.title),
        element("desc", f"Best recall: {words}."),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
    )
    return tostring(root, encoding="unicode") + "\n"


def front(series: Sequence[Series], axes: Axes) -> list[tuple[float, float]]:
    """Return the points that no other beats in quantity and recall, from the best quantity on.

    A point is beaten too by one that finds more for 2 % more.
    """
    sign = 1 if axes.smaller_is_better else -1
    points = [point for each in series for point in each.points]
    kept: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (sign * point[0], -point[1])):
        if kept and point[1] <= kept[-1][1]:
            continue
        if kept and abs(math.log(point[0] / kept[-1][0])) < _ALIKE:
            kept.pop()
        kept.append(point)
    return kept


def _scale(series: Sequence[Series]) -> _Scale:
    values = [math.log10(value) for each in series for value, _ in each.points]
    lowest = min(recall for each in series for _, recall in each.points)
    return _Scale(min(values) - 0.06, max(values) + 0.06, max(0.0, lowest - 0.06))


def _frame(scale: _Scale, axes: Axes) -> list[Element]:
    parts = [_text(_LEFT - 40, 20, axes.title, "head")]
    for recall in _TICKS:
        if recall >= scale.least:
            y = scale.y(recall)
            parts.append(_stroke((_LEFT, y), (_RIGHT, y), "grid"))
            parts.append(_text(_LEFT - 8, y + 4, f"{recall:g}", "end"))
    for value in _round_values(scale.low, scale.high):
        x = scale.x(value)
        parts.append(_stroke((x, _BOTTOM), (x, _BOTTOM + 5), "axis"))
        parts.append(_text(x, _BOTTOM + 19, f"{value:,.0f}", "middle"))
    parts.append(_stroke((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "axis"))
    parts.append(_text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, axes.across, "middle"))
    return parts


def _round_values(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between 10^low and 10^high."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return [value for value in values if low <= math.log10(value) <= high]


def _line(kind: str, points: Sequence[tuple[float, float]], scale: _Scale, ours: bool) -> Element:
    text = " ".join(f"{scale.x(value):.1f},{scale.y(recall):.1f}" for value, recall in points)
    return element("polyline", points=text, class_=_kind(kind, ours))


def _marks(series: Series, scale: _Scale) -> list[Element]:
    return [
        element(
            "circle",
            element("title", f"{series.name}: {value:,.0f}, recall {recall:.3f}"),
            cx=scale.x(value),
            cy=scale.y(recall),
            r="4.5" if series.ours else "3",
            class_=_kind("dot", series.ours),
        )
        for value, recall in series.points
    ]


def _labels(
    series: Sequence[Series],
    fronts: Sequence[Sequence[tuple[float, float]]],
    scale: _Scale,
    axes: Axes,
) -> list[Element]:
    """Name the engines that have a point on a front; fewbits chooses its places first."""
    named: list[tuple[Series, tuple[float, float]]] = []
    for each in sorted(series, key=lambda each: not each.ours):
        shown = [point for point in each.points if point in fronts[each.ours]]
        if shown or (each.ours and axes.name_all_ours):
            places = shown or each.points
            named.append((each, places[len(places) // 2]))
    points = [(scale.x(value), scale.y(recall)) for _, (value, recall) in named]
    boxes = place_labels(
        points,
        [(_CHARACTER * len(each.name) + 2, _LINE) for each, _ in named],
        _taken(series, fronts, scale),
        Box(_LEFT + 2, _TOP - 10, _RIGHT + 16, _BOTTOM - 2),
    )
    parts = []
    for (each, _), (x, y), box in zip(named, points, boxes, strict=True):
        near = (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
        if math.dist(near, (x, y)) > 14:
            parts.append(_stroke((x, y), near, "leader"))
        middle = (box.left + box.right) / 2
        parts.append(_text(middle, box.bottom - 3.5, each.name, _kind("middle", each.ours)))
    return parts


def _taken(
    series: Sequence[Series], fronts: Sequence[Sequence[tuple[float, float]]], scale: _Scale
) -> list[Box]:
    """Return boxes of all dots and along the fronts, where no label may lie."""
    places = [(scale.x(value), scale.y(recall)) for each in series for value, recall in each.points]
    boxes = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for points in fronts:
        drawn = [(scale.x(value), scale.y(recall)) for value, recall in points]
        for start, end in pairwise(drawn):
            count = max(1, int(math.dist(start, end) // 6))
            for i in range(count):
                x = start[0] + (end[0] - start[0]) * i / count
                y = start[1] + (end[1] - start[1]) * i / count
                boxes.append(Box(x - 2, y - 2, x + 2, y + 2))
    return boxes


def _kind(kind: str, ours: bool) -> str:
    return f"{kind} ours" if ours else kind


def _stroke(start: tuple[float, float], end: tuple[float, float], kind: str) -> Element:
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=kind)


def _text(x: float, y: float, text: str, kind: str) -> Element:
    return element("text", text, x=x, y=y, class_=kind)
