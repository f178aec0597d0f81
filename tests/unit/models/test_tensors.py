"""Stored formats and the float32 weights that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from fewbits.models.panels import pack_panels
from fewbits.models.recipe import Recipe
from fewbits.models.tensors import (
    STORED,
    Activation,
    Linear,
    Table,
    Tensors,
    narrow_to_bfloat16,
    widen,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 1.0),
        (1 + 2**-8, 1.0),  # halfway, the even neighbour is below
        (1 + 3 * 2**-8, 1 + 2**-6),  # halfway, the even neighbour is above
        (1 + 2**-8 + 2**-20, 1 + 2**-7),
        (-(1 + 2**-8 + 2**-20), -(1 + 2**-7)),
        (0.0, 0.0),
        (2.0**127 + 2.0**118, 2.0**127),
    ],
)
def test_bfloat16_rounds_to_nearest_ties_to_even(value, expected):
    bits = narrow_to_bfloat16(np.array([value], dtype=np.float32))
    assert bits.dtype == np.uint16
    np.testing.assert_array_equal(widen(bits, "bfloat16", None), [expected])


def test_bfloat16_is_never_further_than_half_a_step():
    x = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    error = np.abs(widen(narrow_to_bfloat16(x), "bfloat16", None) - x)
    assert (error <= np.abs(x) * 2.0**-8).all()
    assert error.max() > 0


def test_widened_int8_is_code_times_scale_of_its_row():
    codes = np.array([[-127, 0, 5], [1, 2, 127]], dtype=np.int8)
    scale = np.array([0.5, 2.0], dtype=np.float32)
    np.testing.assert_array_equal(widen(codes, "int8", scale), [[-63.5, 0, 2.5], [2, 4, 254]])


@pytest.mark.parametrize("weights", STORED)
def test_a_linear_and_a_table_widen_alike(weights):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 127, (18, 6)).astype(STORED[weights])
    scale = rng.random(18, dtype=np.float32) if weights == "int8" else None
    linear = Linear(weights, pack_panels(values), 18, 6, scale)
    np.testing.assert_array_equal(linear.codes(), values)
    np.testing.assert_array_equal(linear.dense(), Table(weights, values, scale).dense())


@pytest.mark.parametrize(("mode", "scale"), [("dynamic", 1.0), ("static", 0.25)])
def test_a_checkpoint_of_smoothed_weights_is_free_of_the_factors(mode, scale):
    codes = np.array([[127, 64], [-3, 100]], dtype=np.int8)
    smooth = np.array([2.0, 0.5], dtype=np.float32)
    taken = Activation(mode, scale=scale, inverse=1 / (np.float32(scale) * smooth))
    linear = Linear("int8", pack_panels(codes), 2, 2, np.ones(2, np.float32), None, taken)
    dense = Tensors(Recipe.float32(), {"x": linear}, {}, {}).dense()
    np.testing.assert_allclose(dense["x.weight"], codes / smooth, rtol=1e-6)


def test_a_checkpoint_holds_every_tensor_under_its_name():
    linear = Linear("float32", pack_panels(np.ones((2, 3), np.float32)), 2, 3, bias=np.ones(2))
    table = Table("float16", np.ones((4, 3), np.float16))
    tensors = Tensors(Recipe.float32(), {"l": linear}, {"t": table}, {"n.weight": np.ones(3)})
    dense = tensors.dense()
    assert set(dense) == {"l.weight", "l.bias", "t.weight", "n.weight"}
    assert dense["t.weight"].dtype == np.float32
