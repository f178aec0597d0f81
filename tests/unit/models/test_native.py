"""The kernels against numpy, on every CPU level."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from encoder_fixtures import FAMILIES
from native_fixtures import (
    CODED,
    FORMATS,
    encoder_of,
    run,
    sequences,
    specification,
    tensors_of,
)

from fewbits.models.batching import batches
from fewbits.models.drift import Ends
from fewbits.models.native import Native
from fewbits.models.original import pack_float32
from fewbits.models.panels import pack_panels
from fewbits.models.quantized import QuantizedReference, activation_codes
from fewbits.models.spec import POOLING_MODES, EncoderSpec, Pooling, Positions
from fewbits.models.tensors import Activation, Linear
from fewbits.vectors import set_simd_level, simd_levels

F = np.float32
FLOATS = 1e-5
# A float that differs in its last bit may round to the neighbouring code, and later layers amplify
# that: rarely, and by less than rounding costs at all (0.04 to 0.4 on these models).
MOVED = 2e-2


@pytest.fixture(params=simd_levels())
def level(request, restored_level):
    set_simd_level(request.param)
    return request.param


@cache
def expected(family, form):
    spec, tensors = encoder_of(family).spec, tensors_of(family, form)
    return run(specification(spec, tensors), mixture(spec))


def mixture(spec):
    return sequences(spec, [5, 0, 17, spec.max_length, 1, 2, 17, 40, 3, 1])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_in_every_format_is_that_of_the_specification(level, family, form):
    spec = encoder_of(family).spec
    got, wanted = (
        run(Native(spec, tensors_of(family, form)), mixture(spec)),
        expected(family, form),
    )
    assert got.dtype == np.float32
    gaps = np.abs(got - wanted).max(axis=1)
    assert not got[1].any()  # no token, no vector
    if form in CODED:
        assert np.median(gaps) <= FLOATS
        assert gaps.max() <= MOVED
    else:
        assert gaps.max() <= FLOATS


SKIPS = [0, 1, 3, 17, 10**6]


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("include_prompt", [False, True])
@pytest.mark.parametrize("modes", [*((mode,) for mode in POOLING_MODES), POOLING_MODES])
def test_every_pooling_leaves_a_prompt_out_where_it_should(level, modes, include_prompt, skip):
    encoder = encoder_of("bert")
    spec = dataclasses.replace(encoder.spec, stages=(Pooling(modes, include_prompt),))
    tensors = tensors_of("bert", "float32")
    ids = mixture(spec)
    got = run(Native(spec, tensors), ids, skip=skip)
    np.testing.assert_allclose(
        got, run(specification(spec, tensors), ids, skip=skip), rtol=0, atol=FLOATS
    )
    left = [0 if include_prompt else min(skip, len(text)) for text in ids]
    for row, text, skipped in zip(got, ids, left, strict=True):
        assert row.any() == (len(text) > skipped)


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta", "mpnet"])
def test_padding_tokens_inside_a_text_take_no_position(level, family):
    spec, tensors = encoder_of(family).spec, tensors_of(family, "float32")
    pad = spec.positions.offset - 1
    ids = [
        np.array(text, dtype=np.int32)
        for text in (
            [0, pad, 5, pad, pad, 9, 2],
            [pad],
            [pad] * 5,
            [pad, 7, 8],
            [7, 8, pad],
            [pad, *range(4, 4 + spec.max_length - 2), pad],
        )
    ]
    got = run(Native(spec, tensors), ids)
    np.testing.assert_allclose(got, run(specification(spec, tensors), ids), rtol=0, atol=FLOATS)


@pytest.mark.parametrize("form", ["float32", "int8 smoothed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_and_the_last_token_of_the_vocabulary_are_known(level, family, form):
    spec, tensors = encoder_of(family).spec, tensors_of(family, form)
    last = spec.vocab_size - 1
    ids = [np.array(text, dtype=np.int32) for text in ([last], [0], [0, last, 7, last])]
    got, wanted = run(Native(spec, tensors), ids), run(specification(spec, tensors), ids)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=MOVED if form in CODED else FLOATS)


def test_every_length_has_its_own_relative_bias(level):
    spec, tensors = encoder_of("mpnet").spec, tensors_of("mpnet", "float32")
    lengths = [17, 2, spec.max_length, 17, 1, 131, 40, 2]  # not in the order of `batches`
    ids = sequences(spec, lengths)
    native = Native(spec, tensors)
    got, _ = native._model.run(np.concatenate(ids), np.array(lengths), 0, 1)
    np.testing.assert_array_equal(got, run(native, ids))
    np.testing.assert_allclose(got, run(specification(spec, tensors), ids), rtol=0, atol=FLOATS)
    without = {name: array * 0 for name, array in tensors.others.items() if "bias" in name}
    flat = dataclasses.replace(tensors, others={**tensors.others, **without})
    assert np.abs(run(Native(spec, flat), ids) - got)[[0, 2, 5]].max() > 1e-3


def counted(spec, tensors, ids):
    """Return what the specification's codes of static inputs were, (linears, 5)."""
    found = {name: Ends() for name in spec.linears()}

    def tap(name, x):
        name = name.removesuffix(".input")
        linear = tensors.linears.get(name)
        if linear and linear.activation.mode == "static":
            found[name] = found[name].plus(Ends.of(activation_codes(x, linear.activation)[0]))

    run(QuantizedReference(spec, tensors), ids, tap=tap)
    return np.array(list(found.values()))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_static_ends_are_those_of_the_specification(level, family, threads):
    spec, tensors = encoder_of(family).spec, tensors_of(family, "int8 static")
    ids = mixture(spec)
    (batch,) = batches(ids, 10**9)
    _, got = Native(spec, tensors)(batch, threads=threads)
    wanted = counted(spec, tensors, ids)
    np.testing.assert_array_equal(got[:, 0], wanted[:, 0])
    # The first inputs hang on no earlier code; later ones may differ by the codes that moved.
    np.testing.assert_array_equal(got[0], wanted[0])
    assert np.abs(got - wanted).max() <= 2
    assert got[:, 1:3].sum() > 0


def test_minilm_is_that_of_the_specification(minilm, level):
    texts = ["A zero row scores zero.", "", "Words repeat. " * 12]
    ids = minilm.tokenizer.encode(texts).ids
    native = Native(minilm.spec, minilm.tensors)
    wanted = run(specification(minilm.spec, minilm.tensors), ids)
    np.testing.assert_allclose(run(native, ids), wanted, rtol=0, atol=1e-6)


# What follows is exact: every value that becomes a code is a whole number, or the product of whole
# numbers and powers of two, so that nothing before the last norm can be rounded in two ways.

WIDTH = 48


def exact_spec():
    return EncoderSpec(
        family="bert",
        vocab_size=60,
        hidden_size=WIDTH,
        layers=1,
        heads=3,
        intermediate_size=20,
        activation="relu",
        norm_eps=1e-12,
        positions=Positions(8),
        max_length=8,
        stages=(Pooling(("cls",)),),
    )


def exact_model(taken, reach):
    """Return a spec and tensors: rows of +-1 pass the norm as they are, the FFN adds nothing.

    `taken` gives the activation of a linear by its name; weight codes are -reach to reach.
    """
    rng = np.random.default_rng(reach)
    spec = exact_spec()
    weights = {name: np.zeros(shape, F) for name, shape in spec.shapes().items()}
    half = np.repeat([F(-1), F(1)], WIDTH // 2)
    weights["embeddings.word.weight"] = np.stack([rng.permutation(half) for _ in range(60)])
    weights["embeddings.norm.weight"] = rng.integers(1, 60, WIDTH).astype(F)
    weights["embeddings.norm.bias"] = rng.integers(-40, 41, WIDTH).astype(F)
    for norm in ("attention_norm", "ffn_norm"):
        weights[f"layers.0.{norm}.weight"] = np.ones(WIDTH, F)
    tensors = pack_float32(spec, weights)
    linears, recipe = dict(tensors.linears), tensors.recipe
    for name in ("layers.0.qkv", "layers.0.attention_out"):
        n = linears[name].n
        codes = rng.integers(-reach, reach + 1, (n, WIDTH)).astype(np.int8)
        scale = np.exp2(rng.integers(-3, 0, n)).astype(F)
        linears[name] = Linear(
            "int8", pack_panels(codes), n, WIDTH, scale, np.zeros(n, F), taken(name)
        )
        chosen = linears[name].activation
        recipe = recipe.with_row(
            name, weights="int8", activations=chosen.mode, symmetric=chosen.symmetric
        )
    return spec, dataclasses.replace(tensors, recipe=recipe, linears=linears)


def fixed(name):
    scale = 1.0 if name.endswith("qkv") else 0.5
    return Activation("static", False, scale, 77, np.full(WIDTH, 1 / scale, F))


TAKEN = {
    "asymmetric": lambda name: Activation("dynamic"),
    "symmetric": lambda name: Activation("dynamic", symmetric=True),
    "smoothed": lambda name: Activation(
        "dynamic", inverse=np.exp2(np.arange(WIDTH) % 5 - 2).astype(F)
    ),
    "static": fixed,
}


@pytest.mark.parametrize("reach", [1, 11, 127])
@pytest.mark.parametrize("taken", TAKEN)
def test_no_integer_sum_is_off_by_one(level, taken, reach):
    spec, tensors = exact_model(TAKEN[taken], reach)
    ids = [np.array([i], dtype=np.int32) for i in range(60)]
    seen = {}
    forward = QuantizedReference(spec, tensors)
    (batch,) = batches(ids, 10**9)
    wanted = forward(batch, tap=lambda name, x: seen.update({name: x.copy()}))
    got, ends = Native(spec, tensors)(batch)
    name = "layers.0.attention_out"
    context, linear = seen[f"{name}.input"], tensors.linears[name]
    _, row_scale, _ = activation_codes(context, linear.activation)
    spread = (forward.linear(name, context) + seen["layers.0.qkv.input"]).std(axis=1)
    unit = row_scale * linear.scale.min() / spread  # what one more in a sum adds to the vector
    assert (np.abs(got - wanted).max(axis=1) < unit / 4).all()
    if taken == "static":
        np.testing.assert_array_equal(ends, counted(spec, tensors, ids))
        assert ends[1, 1:3].sum() > 0
