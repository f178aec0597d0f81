"""Quantizing an encoder: what each recipe makes of its tensors, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, MODELS

from fewbits.errors import InputError, ModelError
from fewbits.models import Encoder
from fewbits.models.batching import batches
from fewbits.models.calibrate import Calibrated
from fewbits.models.probe import probe_inputs
from fewbits.models.ptq import quantize_model, quantized_tensors
from fewbits.models.quantized import QuantizedReference
from fewbits.models.recipe import Recipe
from fewbits.models.tensors import Activation

TEXTS = [
    "How should you do that?",
    "This is not a good idea.",
    "A man is playing a large flute.",
    "Boundary layer transition on a flat plate with a sharp leading edge in hypersonic flow.",
    "The museum, which opened in 1911, holds letters, maps and photographs of the expedition.",
    "",
    "3.14159",
]


def frame_of(encoder):
    return encoder.tokenizer.encode([""]).ids[0]


def tensors_of(encoder, recipe, calibrated=None):
    return quantized_tensors(encoder.spec, encoder.weights, recipe, frame_of(encoder), calibrated)


def calibrated_as(encoder, name, **known):
    k = encoder.weights[f"{name}.weight"].shape[1]
    mean = np.linspace(-1, 1, k, dtype=np.float32)
    absmax = np.linspace(1, 9, k, dtype=np.float32)
    return Calibrated(1000, mean, mean**2 + 1, absmax, **known)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["float32", "fp16", "bf16", "int8"])
def test_the_tensors_stand_for_nearly_the_same_checkpoint(family, name):
    encoder = Encoder.load(MODELS / family)
    tensors = tensors_of(encoder, getattr(Recipe, name)())
    dense = tensors.dense()
    off = {"float32": 0, "fp16": 2**-10, "bf16": 2**-7, "int8": 0.04}[name]
    assert set(dense) == set(encoder.spec.shapes())
    for tensor, original in encoder.weights.items():
        assert np.abs(dense[tensor] - original).max() <= off * np.abs(original).max()


def test_norms_and_biases_stay_as_they_are(tiny):
    tensors = tensors_of(tiny, Recipe.int8())
    for name, tensor in tensors.others.items():
        np.testing.assert_array_equal(tensor, tiny.weights[name])
    for name, linear in tensors.linears.items():
        np.testing.assert_array_equal(linear.bias, tiny.weights[f"{name}.bias"])


def test_quantizing_twice_gives_the_same_numbers(tiny):
    one, two = (tensors_of(tiny, Recipe.int8()) for _ in range(2))
    for name, linear in one.linears.items():
        np.testing.assert_array_equal(linear.values, two.linears[name].values)
        np.testing.assert_array_equal(linear.scale, two.linears[name].scale)


def test_smoothing_divides_inputs_by_what_weights_carry(tiny):
    name = "layers.1.ffn_in"
    linear = tensors_of(tiny, Recipe.int8()).linears[name]
    carried = linear.dense() * linear.activation.inverse
    w = tiny.weights[f"{name}.weight"]
    assert linear.activation.inverse.dtype == np.float32
    assert linear.activation.inverse.std() > 0
    assert np.abs(carried - w).max() <= 0.02 * np.abs(w).max()


def test_calibrated_magnitudes_take_the_place_of_probed_ones(tiny):
    name = "layers.0.qkv"
    found = {name: calibrated_as(tiny, name)}
    probed = tensors_of(tiny, Recipe.int8()).linears
    made = tensors_of(tiny, Recipe.int8(), found).linears
    assert not np.array_equal(made[name].activation.inverse, probed[name].activation.inverse)
    np.testing.assert_array_equal(
        made["layers.1.qkv"].activation.inverse, probed["layers.1.qkv"].activation.inverse
    )


@pytest.mark.parametrize("match", ["layers.0.qkv", "layers.0.ffn_out"])
def test_a_corrected_bias_makes_the_mean_output_right(tiny, match):
    recipe = Recipe.int8().with_row(
        match, weights="int8", activations="dynamic", smooth=0.5, correct_bias=True
    )
    found = calibrated_as(tiny, match)
    linear = tensors_of(tiny, recipe, {match: found}).linears[match]
    stands_for = linear.dense() * linear.activation.inverse
    exact = tiny.weights[f"{match}.weight"] @ found.mean + tiny.weights[f"{match}.bias"]
    np.testing.assert_allclose(stands_for @ found.mean + linear.bias, exact, atol=1e-5)
    assert np.abs(linear.bias - tiny.weights[f"{match}.bias"]).max() > 1e-5


def test_a_static_linear_takes_its_inputs_as_calibrated(tiny):
    name = "layers.0.attention_out"
    k = tiny.weights[f"{name}.weight"].shape[1]
    smooth = np.linspace(0.5, 2, k, dtype=np.float32)
    taken = Activation("static", scale=0.03, zero_point=120, inverse=1 / (smooth * 0.03))
    recipe = Recipe.int8().with_row(name, weights="int8", activations="static")
    found = {name: calibrated_as(tiny, name, activation=taken, smooth=smooth)}
    linear = tensors_of(tiny, recipe, found).linears[name]
    w = tiny.weights[f"{name}.weight"]
    assert linear.activation is taken
    assert np.abs(linear.dense() - w * smooth).max() <= 0.02 * np.abs(w * smooth).max()


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"activations": "static"}, "static activations"),
        ({"activations": "dynamic", "correct_bias": True}, "a corrected bias"),
    ],
)
def test_what_needs_texts_says_so(tiny, choices, what):
    recipe = Recipe().with_row("layers.0.qkv", weights="int8", **choices)
    with pytest.raises(InputError, match=f"{what} of 'layers.0.qkv' must be learned from texts"):
        tensors_of(tiny, recipe)


def test_a_recipe_for_another_model_is_refused(tiny):
    with pytest.raises(ModelError, match="matches no layer"):
        tensors_of(tiny, Recipe.int8().with_row("layers.17.qkv", weights="float16"))


def test_a_quantized_encoder_encodes_and_leaves_the_original_as_it_was(tiny):
    before = tiny.encode(TEXTS)
    made = quantize_model(tiny, Recipe.int8())
    assert made.recipe == Recipe.int8()
    assert made.calibration is None
    assert made.tokenizer is tiny.tokenizer
    np.testing.assert_array_equal(tiny.encode(TEXTS), before)
    batch = next(batches(tiny.tokenizer.encode(TEXTS).ids, 10_000))
    expected = QuantizedReference(tiny.spec, made.tensors)(batch)
    off = np.abs(made.encode(TEXTS)[batch.rows] - expected).max()
    assert off <= 1e-2 * np.abs(expected).max()  # a code next to a tie may round the other way
    assert np.abs(made.encode(TEXTS) - before).max() > 0


def test_static_ranges_come_from_the_calibration_texts(tiny):
    made = quantize_model(tiny, Recipe.int8("static"), calibration=TEXTS * 10)
    linears = {name for name in tiny.spec.linears() if not name.startswith("dense")}
    assert {made.tensors.linears[name].activation.mode for name in linears} == {"static"}
    assert set(made.calibration.ends) == linears
    assert made.calibration.tokens == 10 * sum(map(len, tiny.tokenizer.encode(TEXTS).ids))


def test_a_quantized_encoder_is_not_quantized_again(tiny):
    made = quantize_model(tiny, Recipe.fp16())
    with pytest.raises(InputError, match="must have float32 weights, got those of 'fp16'"):
        quantize_model(made, Recipe.int8())


@pytest.mark.parametrize("family", FAMILIES)
def test_probing_sees_every_input_of_the_linears_asked_for(family):
    encoder = Encoder.load(MODELS / family)
    names = ["layers.0.qkv", "layers.1.ffn_out"]
    found = probe_inputs(encoder.spec, encoder.weights, frame_of(encoder), names)
    assert set(found) == set(names)
    for name in names:
        assert found[name].shape == (encoder.weights[f"{name}.weight"].shape[1],)
        assert (found[name] > 0).all()


def test_probing_nothing_runs_nothing(tiny):
    assert probe_inputs(tiny.spec, {}, frame_of(tiny), []) == {}


def test_the_default_recipe_keeps_the_default_model(minilm):
    forward = QuantizedReference(minilm.spec, tensors_of(minilm, Recipe.int8()))
    batch = next(batches(minilm.tokenizer.encode(TEXTS).ids, 10_000))
    cosine = (forward(batch) * minilm.encode(TEXTS)[batch.rows]).sum(axis=1)
    assert cosine.mean() >= 0.998
    assert cosine.min() >= 0.995
