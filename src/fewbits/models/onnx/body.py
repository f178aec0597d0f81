"""Token ids to token vectors: embeddings and layers, family differences read from the spec."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fewbits.models.onnx.functions import FUNCTIONS
from fewbits.models.onnx.graph import Graph
from fewbits.models.onnx.numbers import FLOAT, Numbers
from fewbits.models.onnx.positions import position_rows, relative_bias
from fewbits.models.spec import EncoderSpec

# Added to the scores of padding: e^-10000 is 0 in every float type, the sum fits float16, and it is
# the constant that BERT was published with, which fusions of attention know.
_MASKED = -10_000.0


@dataclass(frozen=True)
class Inputs:
    """Graph inputs: int64 (batch, sequence); types None where the encoder has none to choose."""

    ids: str
    mask: str
    types: str | None


def token_vectors(graph: Graph, spec: EncoderSpec, numbers: Numbers, inputs: Inputs) -> str:
    """Append everything up to the last layer's output (batch, sequence, hidden)."""
    x = _embed(graph, spec, numbers, inputs)
    added = _added_to_scores(graph, spec, numbers, inputs)
    for i in range(spec.layers):
        x = _layer(graph, spec, numbers, f"layers.{i}", x, added)
    return x


def _embed(graph: Graph, spec: EncoderSpec, numbers: Numbers, inputs: Inputs) -> str:
    x = numbers.rows(graph, "embeddings.word", inputs.ids)
    if spec.token_types:
        row = inputs.types or graph.integers(0)
        types = numbers.rows(graph, "embeddings.token_type", row)
        x = graph.op("embeddings", "Add", x, types)
    x = graph.op(
        "embeddings", "Add", x, position_rows(graph, spec, numbers, inputs.ids, inputs.mask)
    )
    return _norm(graph, spec, numbers, "embeddings.norm", x)


def _added_to_scores(graph: Graph, spec: EncoderSpec, numbers: Numbers, inputs: Inputs) -> str:
    scope, dtype = "attention.mask", numbers.dtype
    mask = graph.op(scope, "Unsqueeze", inputs.mask, graph.integers(1))
    mask = graph.op(scope, "Unsqueeze", mask, graph.integers(2))
    mask = graph.cast(scope, mask, FLOAT[dtype])
    off = graph.op(scope, "Sub", graph.number(1, dtype), mask)
    added = graph.op(scope, "Mul", off, graph.number(_MASKED, dtype))
    if not spec.positions.buckets:
        return added
    bias = relative_bias(graph, spec, numbers, inputs.ids)
    return graph.op("attention.relative_bias", "Add", added, bias)


def _layer(
    graph: Graph, spec: EncoderSpec, numbers: Numbers, layer: str, x: str, added: str
) -> str:
    context = _attend(graph, spec, numbers, layer, x, added)
    (y,) = numbers.linear(graph, f"{layer}.attention_out", context)
    y = graph.op(layer, "Add", y, x)
    y = _norm(graph, spec, numbers, f"{layer}.attention_norm", y)
    (inner,) = numbers.linear(graph, f"{layer}.ffn_in", y)
    inner = FUNCTIONS[spec.activation](graph, layer, inner, numbers.dtype)
    (out,) = numbers.linear(graph, f"{layer}.ffn_out", inner)
    return _norm(graph, spec, numbers, f"{layer}.ffn_norm", graph.op(layer, "Add", out, y))


def _attend(
    graph: Graph, spec: EncoderSpec, numbers: Numbers, layer: str, x: str, added: str
) -> str:
    scope = f"{layer}.attention"
    size = spec.hidden_size // spec.heads
    apart = graph.integers(0, 0, spec.heads, size)
    order = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))  # keys come transposed
    q, k, v = (
        graph.op(scope, "Transpose", graph.op(scope, "Reshape", part, apart), perm=perm)
        for part, perm in zip(numbers.linear(graph, f"{layer}.qkv", x, 3), order, strict=True)
    )
    scores = graph.op(scope, "MatMul", q, k)
    scores = graph.op(scope, "Div", scores, graph.number(math.sqrt(size), numbers.dtype))
    weights = graph.op(scope, "Softmax", graph.op(scope, "Add", scores, added), axis=3)
    out = graph.op(scope, "MatMul", weights, v)
    out = graph.op(scope, "Transpose", out, perm=(0, 2, 1, 3))
    return graph.op(scope, "Reshape", out, graph.integers(0, 0, spec.hidden_size))


def _norm(graph: Graph, spec: EncoderSpec, numbers: Numbers, name: str, x: str) -> str:
    weight, bias = (
        graph.floats(f"{name}.{part}", numbers.values(f"{name}.{part}"), numbers.dtype)
        for part in ("weight", "bias")
    )
    return graph.op(name, "LayerNormalization", x, weight, bias, axis=-1, epsilon=spec.norm_eps)
