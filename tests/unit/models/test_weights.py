"""Rounded weights: error bounds, the clip search against brute force, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from fewbits.errors import InputError
from fewbits.models.tensors import STORED, widen
from fewbits.models.weights import int8_scales, round_weights


def heavy(n, k, seed=0):
    """Rows with rare large values, whose best scale clips."""
    return np.random.default_rng(seed).standard_t(3, (n, k)).astype(np.float32)


def squared_error(w, scale, importance=None):
    codes = np.clip(np.rint(w / scale[:, None]), -127, 127)
    weight = 1 if importance is None else importance
    return ((w - codes * scale[:, None]).astype(np.float64) ** 2 * weight).sum(axis=1)


@pytest.mark.parametrize("weights", STORED)
def test_stored_values_have_the_dtype_and_shape_of_their_format(weights):
    values, scale = round_weights(heavy(5, 7), weights)
    assert (values.dtype, values.shape) == (STORED[weights], (5, 7))
    assert (scale is None) == (weights != "int8")
    assert scale is None or (scale.dtype, scale.shape) == (np.float32, (5,))


@pytest.mark.parametrize(
    ("weights", "relative"), [("float32", 0), ("float16", 2**-11), ("bfloat16", 2**-8)]
)
def test_floats_are_rounded_to_nearest(weights, relative):
    w = heavy(20, 30)
    values, _ = round_weights(w, weights)
    # below 2^-14 the steps of float16 are 2^-24
    assert (np.abs(widen(values, weights, None) - w) <= np.abs(w) * relative + 2**-25).all()


def test_without_clipping_the_largest_weight_has_the_last_code():
    w = heavy(9, 31)
    values, scale = round_weights(w, "int8", clip="none")
    assert (np.abs(values).max(axis=1) == 127).all()
    assert (np.abs(widen(values, "int8", scale) - w) <= scale[:, None] * 0.5001).all()


def test_the_search_finds_what_trying_all_ratios_finds():
    w = heavy(12, 200)
    widest = int8_scales(w, "none")
    tried = [squared_error(w, widest * np.float32(r)) for r in np.linspace(0.5, 1, 501)]
    found = squared_error(w, int8_scales(w))
    assert (found <= np.min(tried, axis=0) * 1.02).all()
    assert (found < squared_error(w, widest) * 0.96).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_the_search_is_never_worse_than_the_largest_value(weighted):
    w = heavy(40, 64, seed=2)
    h = np.random.default_rng(3).random(64) ** 4 if weighted else None
    kept = squared_error(w, int8_scales(w, "mse", h), h)
    assert (kept <= squared_error(w, int8_scales(w, "none"), h) * (1 + 1e-5)).all()


def test_importance_moves_the_clip_to_what_counts():
    w = heavy(40, 64, seed=4)
    outlier = np.abs(w).argmax(axis=1)
    loud = np.full(64, 1e-3)
    loud[outlier[0]] = 1
    spared = int8_scales(w[:1], "mse", loud)
    np.testing.assert_allclose(spared, int8_scales(w[:1], "none"), rtol=0.02)
    assert int8_scales(w[:1], "mse", 1 - loud)[0] < spared[0]


def test_importance_of_any_unit_gives_the_same_scales():
    w, h = heavy(6, 20), np.random.default_rng(5).random(20)
    np.testing.assert_array_equal(int8_scales(w, "mse", h), int8_scales(w, "mse", h * 2.0**60))
    np.testing.assert_array_equal(int8_scales(w, "mse", np.zeros(20)), int8_scales(w))


@pytest.mark.parametrize("clip", ["none", "mse"])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1.0, 1e15])
def test_weights_of_any_size_have_a_positive_finite_scale(size, clip):
    values, scale = round_weights(heavy(4, 10) * np.float32(size) / 100, "int8", clip=clip)
    assert ((scale > 0) & np.isfinite(scale)).all()
    assert np.isfinite(widen(values, "int8", scale)).all()
    assert size or (scale == 1).all()


def test_rows_are_rounded_independently():
    w = heavy(700, 200)  # several blocks
    np.testing.assert_array_equal(int8_scales(w)[::50], int8_scales(w[::50].copy()))


def test_weights_beyond_float16_are_refused_with_the_cure():
    with pytest.raises(InputError, match="reach 70000, beyond float16's 65504; store them as bf"):
        round_weights(np.full((2, 2), 7e4, dtype=np.float32), "float16")


def test_importance_of_another_width_is_refused():
    with pytest.raises(InputError, match=r"importance must be \(7,\), one value per input"):
        round_weights(heavy(3, 7), "int8", importance=np.ones(3))
