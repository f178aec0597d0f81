"""Token sequences, tensors of every format and both executors, for tests of the kernels."""

from __future__ import annotations

from functools import cache

import numpy as np
from encoder_fixtures import MODELS
from onnx_fixtures import quantized

from fewbits.models import Encoder, Recipe
from fewbits.models.batching import batches
from fewbits.models.native import Native
from fewbits.models.ptq import quantized_tensors
from fewbits.models.quantized import QuantizedReference
from fewbits.models.reference import Reference

_DYNAMIC = {"weights": "int8", "activations": "dynamic"}
RECIPES = {
    "float32": Recipe.float32(),
    "float16": Recipe.fp16(),
    "bfloat16": Recipe.bf16(),
    "int8 weights": Recipe.int8("float32"),
    "int8 dynamic": Recipe.int8().with_row("layers.*", **_DYNAMIC),
    "int8 symmetric": Recipe.int8().with_row("layers.*", **_DYNAMIC, symmetric=True),
    "int8 smoothed": Recipe.int8(),
}
FORMATS = (*RECIPES, "int8 static")
CODED = tuple(name for name in FORMATS if name.startswith("int8 ") and name != "int8 weights")


@cache
def encoder_of(family):
    return Encoder.load(MODELS / family, executor="reference")


@cache
def tensors_of(family, form):
    """Return a tiny encoder's tensors in one of `FORMATS`; read them, never change them."""
    encoder = encoder_of(family)
    if form == "int8 static":
        return quantized(encoder, "static", sequences(encoder.spec, [9, 30, 61], seed=99)).tensors
    frame = encoder.tokenizer.encode([""]).ids[0]
    return quantized_tensors(encoder.spec, encoder.weights, RECIPES[form], frame)


def sequences(spec, lengths, seed=0):
    """Return random token ids, any of the vocabulary's, one array per length."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, spec.vocab_size, length).astype(np.int32) for length in lengths]


def run(executor, ids, *, budget=10**9, **options):
    """Return float32 (n, dims) in the order of `ids`."""
    out = np.empty((len(ids), executor.spec.dims), dtype=np.float32)
    for batch in batches(ids, budget):
        rows = executor(batch, **options)
        out[batch.rows] = rows[0] if isinstance(executor, Native) else rows
    return out


def specification(spec, tensors):
    """Return the numpy executor of the tensors."""
    if tensors.recipe == Recipe.float32():
        return Reference(spec, tensors.dense())
    return QuantizedReference(spec, tensors)
