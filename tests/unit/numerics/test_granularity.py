from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics import Granularity, expand, extrema

X = np.array([[1, -2, 3, 4], [5, 6, -7, 0]], dtype=np.float32)


@pytest.mark.parametrize("text", ["tensor", "dimension", "vector", "group:1", "group:32"])
def test_the_text_form_reads_back(text):
    assert str(Granularity.parse(text)) == text
    assert Granularity.parse(Granularity.parse(text)) == Granularity.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "row", "Tensor", "group", "group:", "group:0", "group:-4", "group:4.0", "group: 4",
     "tensor:4", "group:٣", "group:4:4", None, 32, b"tensor"],
)  # fmt: skip
def test_any_other_text_is_refused(text):
    with pytest.raises(InputError):
        Granularity.parse(text)


@pytest.mark.parametrize(
    ("kind", "group"), [("tensor", 4), ("group", 0), ("group", 2.0), ("group", True), ("cell", 0)]
)
def test_a_size_that_does_not_belong_is_refused(kind, group):
    with pytest.raises(InputError):
        Granularity(kind, group)


def test_a_granularity_is_immutable_and_hashable():
    grain = Granularity.parse("group:8")
    with pytest.raises(AttributeError):
        grain.group = 4
    assert {grain: 1}[Granularity("group", 8)] == 1


@pytest.mark.parametrize(
    ("text", "channels"),
    [("tensor", 1), ("vector", 1), ("dimension", 12), ("group:4", 3), ("group:12", 1)],
)
def test_channels_follow_the_columns(text, channels):
    assert Granularity.parse(text).channels(12) == channels


@pytest.mark.parametrize("d", [1, 5, 7, 13])
def test_a_group_that_does_not_divide_is_refused(d):
    with pytest.raises(InputError, match="must divide"):
        Granularity.parse("group:4").channels(d)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("tensor", [-7], [6]),
        ("dimension", [1, -2, -7, 0], [5, 6, 3, 4]),
        ("group:2", [-2, -7], [6, 4]),
        ("vector", [[-2], [-7]], [[4], [6]]),
    ],
)
def test_extrema_are_taken_per_channel(text, low, high):
    least, most = extrema(X, text)
    np.testing.assert_array_equal(least, np.array(low, dtype=np.float32))
    np.testing.assert_array_equal(most, np.array(high, dtype=np.float32))
    assert least.dtype == most.dtype == np.float32


def test_extrema_of_no_rows_are_refused():
    with pytest.raises(InputError, match="at least one row"):
        extrema(np.zeros((0, 4), dtype=np.float32), "tensor")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (5, [5] * 6),
        ([5], [5] * 6),
        ([1, 2], [1, 1, 1, 2, 2, 2]),
        ([1, 2, 3], [1, 1, 2, 2, 3, 3]),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
        ([[1, 2], [3, 4]], [[1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4]]),
    ],
)
def test_expand_repeats_each_entry_over_its_columns(params, expected):
    np.testing.assert_array_equal(expand(np.array(params), 6), expected)


@pytest.mark.parametrize("entries", [0, 4, 5, 12])
def test_expand_refuses_entries_that_do_not_divide(entries):
    with pytest.raises(InputError, match="must divide"):
        expand(np.ones(entries), 6)
