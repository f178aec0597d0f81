"""The pictures of a run as plain SVG: texts per second as bars, and against what is kept.

The colours are of medium lightness and there is no background: it reads on white and on dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, tostring

from benchmarks.encoders.tables import good_rows

from fewbits.evaluate.labels import Box, place_labels
from fewbits.evaluate.markup import element

_STYLE = """text { font: 12px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
 fill: #7b8794; } .head { font-size: 15px; font-weight: 600; } .middle { text-anchor: middle; }
.end { text-anchor: end; } .grid { stroke: #7b8794; opacity: 0.22; } .axis { stroke: #7b8794; }
.leader { stroke: #7b8794; stroke-width: 0.6; } .bar, .dot { fill: #7b8794; }
.ours.bar, .ours.dot { fill: #e8590c; } text.ours { fill: #e8590c; font-weight: 600; }"""
_CHARACTER, _LINE = 6.4, 14.0  # pixels of a label at 12 px

SPEED = "Texts per second, token ids to vectors"
COSINE = "Texts per second and the error of the worst vector, 1 - cosine to float32"

_WIDTH = 920
_NAMES, _STEP, _HEAD = 250, 24, 40  # pixels: names to the left of bars, a bar, what is above

_HEIGHT = 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, _WIDTH - 20, 44, _HEIGHT - 52
_LEAST_ERROR = 1e-6  # an error of float32 rounding is drawn at the upper edge


def drawn(book: dict[str, Any], quality: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return title and SVG document of every picture that there are results for, by name."""
    rows = list(reversed(good_rows(book)))
    if not rows:
        return {}
    found = {"speed": (SPEED, bars([(name, row["texts_per_s"]) for name, row in rows]))}
    kept = {
        name: row["cosine_worst"]
        for name, row in quality.get("rows", {}).items()
        if row["status"] == "ok"
    }
    points = [(name, row["texts_per_s"], kept[name]) for name, row in rows if name in kept]
    if points:
        found["cosine"] = (COSINE, scatter(points))
    return found


def bars(rows: Sequence[tuple[str, float]]) -> str:
    """Return one bar per engine, in the order given."""
    most = max(value for _, value in rows)
    parts: list[Element] = [_text(10, 20, SPEED, "head")]
    for i, (name, value) in enumerate(rows):
        y = _HEAD + i * _STEP
        length = (_WIDTH - _NAMES - 70) * value / most
        parts.append(_text(_NAMES - 8, y + 13, name, _kind("end", name)))
        parts.append(
            element(
                "rect", x=_NAMES, y=y, width=length, height=_STEP - 7, class_=_kind("bar", name)
            )
        )
        parts.append(_text(_NAMES + length + 6, y + 13, f"{value:,.0f}", _kind("", name)))
    words = "; ".join(f"{name}: {value:,.0f}" for name, value in rows)
    return _document(parts, SPEED, words, _HEAD + len(rows) * _STEP + 8)


def scatter(rows: Sequence[tuple[str, float, float]]) -> str:
    """Return one point per engine (name, texts per second, cosine): right and up is better."""
    speeds = [math.log10(speed) for _, speed, _ in rows]
    errors = [_error(cosine) for _, _, cosine in rows]
    low, high = min(speeds) - 0.06, max(speeds) + 0.06
    worst = max(errors) + 0.3

    def place(speed: float, cosine: float) -> tuple[float, float]:
        across = (math.log10(speed) - low) / (high - low)
        up = (worst - _error(cosine)) / (worst - math.log10(_LEAST_ERROR))
        return _LEFT + across * (_RIGHT - _LEFT), _BOTTOM - up * (_BOTTOM - _TOP)

    parts = [_text(10, 20, COSINE, "head"), _stroke((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "axis")]
    for power in range(math.floor(worst), -7, -1):
        y = place(1.0, 1 - 10.0**power)[1]
        parts.append(_stroke((_LEFT, y), (_RIGHT, y), "grid"))
        parts.append(_text(_LEFT - 8, y + 4, f"{10.0**power:g}", "end"))
    for value in _round_values(low, high):
        x = place(value, 0.5)[0]
        parts.append(_stroke((x, _BOTTOM), (x, _BOTTOM + 5), "axis"))
        parts.append(_text(x, _BOTTOM + 19, f"{value:,.0f}", "middle"))
    parts.append(_text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "texts per second, log", "middle"))
    places = [place(speed, cosine) for _, speed, cosine in rows]
    parts += _dots([name for name, _, _ in rows], places)
    words = "; ".join(f"{name}: {speed:,.0f}, {cosine:.5f}" for name, speed, cosine in rows)
    return _document(parts, COSINE, words, _HEIGHT)


def _error(cosine: float) -> float:
    return math.log10(max(1 - cosine, _LEAST_ERROR))


def _dots(names: Sequence[str], places: Sequence[tuple[float, float]]) -> list[Element]:
    boxes = place_labels(
        places,
        [(_CHARACTER * len(name) + 2, _LINE) for name in names],
        [Box(x - 6, y - 6, x + 6, y + 6) for x, y in places],
        Box(_LEFT + 2, _TOP - 10, _RIGHT + 16, _BOTTOM - 2),
    )
    parts = []
    for name, (x, y), box in zip(names, places, boxes, strict=True):
        near = (min(max(x, box.left), box.right), min(max(y, box.top), box.bottom))
        if math.dist(near, (x, y)) > 14:
            parts.append(_stroke((x, y), near, "leader"))
        parts.append(element("circle", cx=x, cy=y, r="4.5", class_=_kind("dot", name)))
        middle = (box.left + box.right) / 2
        parts.append(_text(middle, box.bottom - 3.5, name, _kind("middle", name)))
    return parts


def _round_values(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between 10^low and 10^high."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return [value for value in values if low <= math.log10(value) <= high]


def _document(parts: list[Element], title: str, words: str, height: int) -> str:
    root = element(
        "svg",
        element("title", title),
        element("desc", f"{words}."),
        element("style", _STYLE),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
    )
    return tostring(root, encoding="unicode") + "\n"


def _kind(kind: str, name: str) -> str:
    return f"{kind} ours".strip() if name.startswith("fewbits ") else kind


def _stroke(start: tuple[float, float], end: tuple[float, float], kind: str) -> Element:
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=kind)


def _text(x: float, y: float, text: str, kind: str) -> Element:
    return element("text", text, x=x, y=y, class_=kind or None)
