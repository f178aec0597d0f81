"""The quantized executor against the formulas, written out with Python integers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, MODELS

from fewbits.errors import ModelError
from fewbits.models import Encoder
from fewbits.models.batching import batches
from fewbits.models.panels import pack_panels
from fewbits.models.ptq import quantized_tensors
from fewbits.models.quantized import (
    MAX_INPUTS,
    QuantizedReference,
    exact_product,
    fixed_codes,
    gather,
    row_codes,
)
from fewbits.models.recipe import Recipe
from fewbits.models.spec import EncoderSpec, Positions
from fewbits.models.tensors import Activation, Linear, Table

F = np.float32
SHAPES = [(1, 1), (3, 4), (5, 130), (2, 1537)]
# Cosine to float32 that every recipe keeps on the tiny models, whose weights are random.
KEPT = {"float32": 1.0, "fp16": 0.99999, "bf16": 0.9995, "int8": 0.995, "symmetric": 0.99}


def recipe(name):
    if name == "symmetric":
        return Recipe.int8().with_row(
            "layers.*", weights="int8", activations="dynamic", symmetric=True
        )
    return getattr(Recipe, name)()


def tensors_of(encoder, name):
    frame = encoder.tokenizer.encode([""]).ids[0]
    return quantized_tensors(encoder.spec, encoder.weights, recipe(name), frame)


def batch_of(encoder, texts):
    return next(batches(encoder.tokenizer.encode(texts).ids, 10_000))


TEXTS = ["a red fox", "", "the quick brown fox jumps over the lazy dog", "fox " * 9]


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("rows", "width"), SHAPES)
def test_row_codes_follow_the_formula_value_by_value(rows, width, symmetric):
    x = np.random.default_rng(width).standard_normal((rows, width), dtype=F) * 3 + F(0.5)
    codes, scale, zero = row_codes(x, symmetric)
    assert (codes.dtype, scale.dtype, zero.dtype) == (np.uint8, np.float32, np.int32)
    for r in range(rows):
        low, high = min(F(0), x[r].min()), max(F(0), x[r].max())
        span, levels = (max(-low, high), F(127)) if symmetric else (high - low, F(255))
        inverse = F(levels / span)
        assert scale[r] == F(span / levels)
        assert zero[r] == (128 if symmetric else round(float(F(-low * inverse))))
        for i in range(0, width, 7):
            code = round(float(F(x[r, i] * inverse))) + int(zero[r])
            assert codes[r, i] == min(max(code, 0), 255)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("size", [1e-25, 1.0, 1e15])
def test_codes_are_at_most_half_a_step_away(size, symmetric):
    x = np.random.default_rng(3).standard_normal((40, 60), dtype=F) * F(size)
    codes, scale, zero = row_codes(x, symmetric)
    back = scale[:, None] * (codes.astype(np.float64) - zero[:, None])
    # The zero-point is rounded too, so that the outermost values may clip by half a step.
    allowed = 0.5 if symmetric else 1.0
    assert (np.abs(back - x) <= scale[:, None] * (allowed + 1e-4)).all()


@pytest.mark.parametrize(("symmetric", "zero"), [(False, 0), (True, 128)])
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-31, -1e-31, 1e-45])
def test_a_row_of_next_to_nothing_is_zeros(value, symmetric, zero):
    codes, scale, zeros = row_codes(np.full((2, 5), value, dtype=F), symmetric)
    assert (codes == zero).all()
    assert scale.tolist() == [1, 1]
    assert zeros.tolist() == [zero, zero]


@pytest.mark.parametrize("symmetric", [False, True])
def test_zero_is_decoded_as_exactly_zero(symmetric):
    x = np.random.default_rng(4).standard_normal((50, 9), dtype=F) - F(3)
    x[:, 4] = 0
    codes, _, zero = row_codes(x, symmetric)
    np.testing.assert_array_equal(codes[:, 4], zero)


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_row_has_the_same_codes_alone(symmetric):
    x = np.random.default_rng(5).standard_normal((7, 33), dtype=F)
    together = row_codes(x, symmetric)
    for r in range(7):
        for whole, alone in zip(together, row_codes(x[r : r + 1], symmetric), strict=True):
            np.testing.assert_array_equal(whole[r], alone[0])


def test_fixed_codes_saturate_and_round_ties_to_even():
    x = np.array([[-9.0, -0.25, 0.25, 0.75, 1.25, 500.0]], dtype=F)
    codes = fixed_codes(x, np.full(6, 2, dtype=F), 10)
    assert codes.tolist() == [[0, 10, 10, 12, 12, 255]]


@pytest.mark.parametrize("k", [1, 511, 513, 1536, 4096])
def test_sums_are_exact_at_their_largest(k):
    codes = np.array([[255] * k, [0] * k, [255, 254] * (k // 2) + [255] * (k % 2)], np.uint8)
    zero = np.array([0, 255, 1], dtype=np.int32)
    wide = np.full((k, 3), 127, dtype=F)
    wide[:, 1] = -127
    wide[::3, 2] = -126
    got = exact_product(codes, zero, wide)
    expected = (codes.astype(np.int64) - zero[:, None]) @ wide.astype(np.int64)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mode", ["dynamic", "smoothed", "static"])
def test_a_linear_is_its_integer_sums_scaled(tiny, mode):
    tensors = tensors_of(tiny, "int8")
    name = "layers.0.attention_out"
    linear = tensors.linears[name]
    factors = np.linspace(0.5, 2, linear.k, dtype=F)
    taken = {
        "dynamic": Activation("dynamic"),
        "smoothed": Activation("dynamic", inverse=factors),
        "static": Activation("static", scale=0.02, zero_point=99, inverse=factors / F(0.02)),
    }[mode]
    linear = dataclasses.replace(linear, activation=taken)
    recipe = tensors.recipe.with_row(name, weights="int8", activations=taken.mode)
    linears = {**tensors.linears, name: linear}
    forward = QuantizedReference(
        tiny.spec, dataclasses.replace(tensors, recipe=recipe, linears=linears)
    )
    x = np.random.default_rng(6).standard_normal((5, linear.k), dtype=F)
    if mode == "static":
        codes, scale, zero = fixed_codes(x, taken.inverse, 99), [F(0.02)] * 5, [99] * 5
    else:
        codes, scale, zero = row_codes(x * factors if mode == "smoothed" else x, False)
    got, stored = forward.linear(name, x), linear.codes()
    for i in range(5):
        for j in range(linear.n):
            pairs = zip(codes[i].tolist(), stored[j].tolist(), strict=True)
            total = sum((a - int(zero[i])) * w for a, w in pairs)
            assert got[i, j] == F(F(total) * F(scale[i] * linear.scale[j])) + linear.bias[j]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", KEPT)
def test_every_family_keeps_its_vectors(family, name):
    encoder = Encoder.load(MODELS / family)
    batch = batch_of(encoder, TEXTS)
    forward = QuantizedReference(encoder.spec, tensors_of(encoder, name))
    got, plain = forward(batch), encoder.encode(TEXTS)[batch.rows]
    if name == "float32":
        np.testing.assert_allclose(got, plain, atol=1e-6 * np.abs(plain).max())
    lengths = np.linalg.norm(got, axis=1) * np.linalg.norm(plain, axis=1)
    assert ((got * plain).sum(axis=1) / lengths >= KEPT[name] - 1e-6).all()


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_wide_weights_run_as_the_checkpoint_that_they_stand_for(tiny, name):
    tensors = tensors_of(tiny, name)
    plain = Encoder(tiny.spec, tensors.dense(), tiny.tokenizer)
    batch = batch_of(tiny, TEXTS)
    got = QuantizedReference(tiny.spec, tensors)(batch)
    np.testing.assert_allclose(got, plain.encode(TEXTS)[batch.rows], atol=1e-6)


def test_a_tap_sees_the_inputs_before_they_are_codes(tiny):
    seen = []
    forward = QuantizedReference(tiny.spec, tensors_of(tiny, "int8"))
    forward(batch_of(tiny, TEXTS), tap=lambda name, x: seen.append((name, x.dtype)))
    assert {name for name, _ in seen} >= {f"{name}.input" for name in tiny.spec.linears()}
    assert {dtype for _, dtype in seen} == {np.dtype(np.float32)}


def test_rows_of_an_int8_table_are_widened_one_by_one():
    codes = np.array([[1, -2], [127, 0], [4, 4]], dtype=np.int8)
    table = Table("int8", codes, np.array([1, 0.5, 2], dtype=F))
    np.testing.assert_array_equal(gather(table, np.array([2, 1, 2])), [[8, 8], [63.5, 0], [8, 8]])


def test_tensors_of_another_spec_are_refused(tiny):
    tensors = dataclasses.replace(tensors_of(tiny, "int8"), linears={})
    with pytest.raises(ModelError, match=r"must hold the modules .* nothing for 'layers\.0\.qkv'"):
        QuantizedReference(tiny.spec, tensors)


def test_more_inputs_than_sums_hold_are_refused():
    spec = EncoderSpec(
        family="bert",
        vocab_size=3,
        hidden_size=4,
        layers=1,
        heads=1,
        intermediate_size=MAX_INPUTS + 1,
        activation="gelu",
        norm_eps=1e-12,
        positions=Positions(4),
        max_length=4,
    )
    weights = {name: np.ones(shape, F) for name, shape in spec.shapes().items()}
    tensors, name = quantized_tensors(spec, weights, Recipe(), np.array([1, 2])), "layers.0.ffn_out"
    codes, ones = np.ones((4, MAX_INPUTS + 1), np.int8), np.ones(4, F)
    linear = Linear("int8", pack_panels(codes), *codes.shape, ones, ones, Activation("dynamic"))
    tensors = dataclasses.replace(
        tensors,
        recipe=Recipe().with_row(name, weights="int8", activations="dynamic"),
        linears={**tensors.linears, name: linear},
    )
    with pytest.raises(
        ModelError, match=r"at most 65536 inputs, got 65537 in 'layers\.0\.ffn_out'"
    ):
        QuantizedReference(spec, tensors)


def test_an_unknown_activation_is_refused(tiny):
    spec = dataclasses.replace(tiny.spec, activation="sine")
    with pytest.raises(ModelError, match="activation 'sine' is not supported"):
        QuantizedReference(spec, tensors_of(tiny, "int8"))
