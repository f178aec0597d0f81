"""Panels of weights against the places that their documentation names."""

from __future__ import annotations

import numpy as np
import pytest

from fewbits.models.panels import PANEL, pack_panels, panels_shape, unpack_panels

SHAPES = [(1, 1), (16, 4), (17, 5), (15, 3), (48, 384), (33, 130)]
DTYPES = [np.float32, np.float16, np.uint16, np.int8]


def numbered(n, k, dtype):
    return (np.arange(n * k).reshape(n, k) % 127 + 1).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_unpacking_gives_back_what_was_packed(n, k, dtype):
    weights = numbered(n, k, dtype)
    back = unpack_panels(pack_panels(weights), n, k)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, weights)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_every_value_lies_where_the_kernels_look(n, k, dtype):
    weights = numbered(n, k, dtype)
    flat = pack_panels(weights).ravel()
    quads = -(-k // 4)
    for j in (0, n // 2, n - 1):
        for i in (0, k // 2, k - 1):
            if dtype == np.int8:
                place = ((j // 16) * quads + i // 4) * 64 + (j % 16) * 4 + i % 4
            else:
                place = ((j // 16) * k + i) * 16 + j % 16
            assert flat[place] == weights[j, i]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_missing_channels_and_inputs_are_zeros(n, k, dtype):
    panels = pack_panels(numbered(n, k, dtype))
    assert np.count_nonzero(panels) == n * k
    assert len(panels) * PANEL >= n


@pytest.mark.parametrize(
    ("weights", "dtype"),
    [("float32", np.float32), ("float16", np.float16), ("bfloat16", np.uint16), ("int8", np.int8)],
)
@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_the_shape_is_known_without_packing(n, k, weights, dtype):
    assert panels_shape(weights, n, k) == pack_panels(numbered(n, k, dtype)).shape


def test_strided_weights_pack_like_contiguous_ones():
    weights = numbered(20, 12, np.int8)
    np.testing.assert_array_equal(pack_panels(weights.T), pack_panels(weights.T.copy()))
