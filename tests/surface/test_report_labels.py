"""Chart labels: off each other, off the markers, inside the picture."""

import random

import pytest

from fewbits.evaluate.labels import Box, place_labels

AREA = Box(50, 10, 760, 400)


def scene(seed, count):
    rng = random.Random(seed)
    xs = sorted(rng.uniform(60, 750) for _ in range(count))
    points = [(x, 380 - 0.45 * x + rng.uniform(-15, 15)) for x in xs]
    sizes = [(rng.uniform(25, 110), 14.0) for _ in points]
    markers = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    return points, sizes, markers


@pytest.mark.parametrize("seed", range(40))
def test_labels_cover_neither_each_other_nor_a_marker(seed):
    points, sizes, markers = scene(seed, 12)
    boxes = place_labels(points, sizes, markers, AREA)
    for number, box in enumerate(boxes):
        assert box.left >= AREA.left
        assert box.right <= AREA.right + 1e-9
        assert box.top >= AREA.top
        assert box.bottom <= AREA.bottom + 1e-9
        assert box.right - box.left == pytest.approx(sizes[number][0])
        for other in [*boxes[:number], *markers]:
            assert box.overlap(other) == 0


def test_one_label_stands_right_of_its_point():
    (box,) = place_labels([(100, 100)], [(40, 14)], [], AREA)
    assert (box.left, box.top) == (110, 93)


def test_a_label_too_wide_for_its_corner_is_pushed_inside():
    (box,) = place_labels([(758, 12)], [(90, 14)], [], AREA)
    assert box.right <= AREA.right
    assert box.top >= AREA.top


def test_a_crowd_without_a_free_place_still_gets_labels():
    boxes = place_labels([(100, 100)] * 60, [(600, 300)] * 60, [], AREA)
    assert len(boxes) == 60
