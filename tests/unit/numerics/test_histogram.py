from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.numerics.histogram import Histogram


def _histogram(x, bins=16, channels=1):
    histogram = Histogram(channels, bins)
    histogram.add(np.asarray(x, dtype=np.float32))
    return histogram


def test_bins_are_half_open_intervals_of_a_power_of_two():
    histogram = _histogram([[-2, -1.75, -0.001, 0, 0.2, 0.25, 1.99]])
    assert histogram.exponents.tolist() == [2]  # |-2| must lie strictly inside 2^e
    assert histogram.widths.tolist() == [0.5]
    assert np.flatnonzero(histogram.counts[0]).tolist() == [4, 7, 8, 11]
    assert histogram.counts[0, [4, 7, 8, 11]].tolist() == [2, 1, 3, 1]


@pytest.mark.parametrize(
    ("value", "exponent"), [(1, 1), (0.999, 0), (-1, 1), (1e15, 50), (3, 2), (1e-30, -78), (0, -78)]
)
def test_the_range_is_the_power_of_two_above_the_largest_magnitude(value, exponent):
    assert _histogram([[value]]).exponents.tolist() == [exponent]


@pytest.mark.parametrize("bins", [16, 64, 512])
def test_growing_gives_the_counts_of_binning_afresh(bins):
    rng = np.random.default_rng(bins)
    blocks = [rng.standard_normal((50, 3)) * 2.0**k for k in (-30, -9, 0, 1, 3, 20, 2)]
    grown = Histogram(3, bins)
    for block in blocks:
        grown.add(block.astype(np.float32))
    fresh = _histogram(np.concatenate(blocks), bins, 3)
    np.testing.assert_array_equal(grown.counts, fresh.counts)
    np.testing.assert_array_equal(grown.exponents, fresh.exponents)


@pytest.mark.parametrize("tiny", [1e-45, -1e-45, 1e-38, -1e-38, -0.0])
def test_subnormals_keep_their_side_of_zero_when_the_range_grows(tiny):
    first = Histogram(1, 16)
    first.add(np.float32([[tiny]]))
    first.add(np.float32([[1e15]]))
    fresh = _histogram([[tiny], [1e15]])
    np.testing.assert_array_equal(first.counts, fresh.counts)


def test_zeros_first_leave_the_range_to_what_follows():
    grown = Histogram(1, 16)
    for block in ([[0.0]], [[0.01], [-0.0]]):
        grown.add(np.float32(block))
    fresh = _histogram([[0.0], [0.01], [-0.0]])
    assert grown.exponents.tolist() == fresh.exponents.tolist() == [-6]
    assert grown.zeros.tolist() == fresh.zeros.tolist() == [2]
    np.testing.assert_array_equal(grown.counts, fresh.counts)


def test_channels_grow_each_for_itself():
    histogram = Histogram(2, 8)
    histogram.add(np.float32([[1, 0.5], [-1, 0.5]]))
    histogram.add(np.float32([[100, 0.5]]))
    assert histogram.exponents.tolist() == [7, 0]
    assert histogram.counts.sum(axis=1).tolist() == [3, 3]
    assert histogram.low.tolist() == [-1, 0.5]
    assert histogram.high.tolist() == [100, 0.5]


def test_groups_of_columns_share_a_channel():
    histogram = _histogram([[1, 2, 3, 4], [-1, -2, -3, -4]], 16, 2)
    assert histogram.counts.sum(axis=1).tolist() == [4, 4]
    assert histogram.high.tolist() == [2, 4]


def test_folding_counts_magnitudes():
    histogram = _histogram([[-1.6, 1.6, 0.1, -0.1, 3.9]])
    magnitudes = _histogram([[1.6, 1.6, 0.1, 0.1, 3.9]])
    np.testing.assert_array_equal(histogram.folded()[0], magnitudes.counts[0, 8:])


def test_merging_leaves_the_other_as_it_was():
    a, b = _histogram([[1]]), _histogram([[0.1], [-0.1]])
    before = b.counts.copy()
    a.merge(b)
    np.testing.assert_array_equal(b.counts, before)
    assert b.exponents.tolist() == [-3]
    assert a.counts.sum() == 3
    a.merge(_histogram([[0], [0], [1]]))
    assert a.zeros.tolist() == [2]
    assert (a.low[0], a.high[0]) == (np.float32(-0.1), 1)


def test_large_blocks_are_binned_in_pieces():
    x = np.random.default_rng(0).standard_normal((1200, 1000)).astype(np.float32)
    whole, parts = _histogram(x, 32, 1000), Histogram(1000, 32)
    for start in range(0, 1200, 7):
        parts.add(x[start : start + 7])
    np.testing.assert_array_equal(whole.counts, parts.counts)
    assert (whole.counts.sum(axis=1) == 1200).all()


@pytest.mark.parametrize("bins", [0, 2, 3, 100, 2047])
def test_bins_that_are_no_power_of_two_are_refused(bins):
    with pytest.raises(InputError, match="power of two"):
        Histogram(1, bins)
