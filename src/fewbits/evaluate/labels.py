"""Places for chart labels: near their point, off every other label, marker and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STEPS = (10.0, 18.0, 28.0, 40.0, 54.0, 70.0, 88.0, 108.0)
# Right, below right, left, below, above left, above: a recall curve climbs to the upper right, so
# there is room below it.
_TURNS = ((1, 0), (1, 1), (1, 0.5), (0, 1), (-1, 0), (-1, -1), (0, -1), (-1, 1), (1, -1))


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the shared area in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    taken: Sequence[Box],
    area: Box,
) -> list[Box]:
    """Return one box per label, in the order given; the first points choose first.

    A label takes the nearest free place of its list, or the least crowded one if none is free.

    Args:
        points: where each label belongs, (x, y).
        sizes: width and height of each label.
        taken: boxes that no label may cover: markers, error bars, lines.
        area: the box that all labels stay in.
    """
    placed: list[Box] = []
    for point, size in zip(points, sizes, strict=True):
        options = [_pushed_inside(box, area) for box in _options(point, size)]
        blocked = [*taken, *placed]
        crowd = [sum(box.overlap(other) for other in blocked) for box in options]
        placed.append(options[crowd.index(min(crowd))])
    return placed


def _options(point: tuple[float, float], size: tuple[float, float]) -> Iterator[Box]:
    x, y = point
    width, height = size
    for step in _STEPS:
        for across, down in _TURNS:
            left = x + across * step - (width if across < 0 else 0 if across > 0 else width / 2)
            top = y + down * step - height / 2
            yield Box(left, top, left + width, top + height)


def _pushed_inside(box: Box, area: Box) -> Box:
    width, height = box.right - box.left, box.bottom - box.top
    left = max(area.left, min(box.left, area.right - width))
    top = max(area.top, min(box.top, area.bottom - height))
    return Box(left, top, left + width, top + height)
