"""Token vectors to the sentence vector: pooling under the mask, dense stages, normalization.

Every pooling mode but max is a weighted sum of token vectors, one small matrix product; the weights
come from m, 1 for tokens that count and 0 for padding and for a prompt that is left out, and from
their running count c:  mean m / n,  mean_sqrt_len_tokens m / sqrt(n),  cls [c = 1] m,
lasttoken [c = n] m,  weightedmean i m / sum(i m) with i = 1, 2, ... the token's place,  n = sum(m).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from fewbits.models.onnx.functions import FUNCTIONS
from fewbits.models.onnx.graph import Graph
from fewbits.models.onnx.numbers import Numbers
from fewbits.models.spec import Dense, EncoderSpec, Normalize, Pooling

_LOWEST = float(np.finfo(np.float32).min)
_EPS = 1e-12  # of `fewbits.models.pooling.normalize`


@dataclass(frozen=True)
class _Kept:
    """What pooling knows: m and the tokens' places, float32 (batch, sequence)."""

    graph: Graph
    m: str
    places: str

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        return self.graph.op("pooling", kind, *inputs, **attributes)

    @property
    def n(self) -> str:
        """(batch, 1), at least 1."""
        return self.op("Max", self.sum(self.m), self.graph.number(1))

    @property
    def c(self) -> str:
        return self.op("CumSum", self.m, self.graph.number(1, np.int64))

    def sum(self, x: str) -> str:
        return self.graph.reduce("pooling", "ReduceSum", x, 1)

    def where_count_is(self, wanted: str) -> str:
        """M where c has this value, else 0."""
        at = self.op("Equal", self.c, wanted)
        return self.op("Mul", self.graph.cast("pooling", at, TensorProto.FLOAT), self.m)


def needs_prompt_length(spec: EncoderSpec) -> bool:
    """Whether a pooling leaves out the prompt, whose length the graph must then be told."""
    return any(isinstance(stage, Pooling) and not stage.include_prompt for stage in spec.stages)


def sentence_vector(
    graph: Graph, spec: EncoderSpec, numbers: Numbers, tokens: str, mask: str, prompt: str | None
) -> str:
    """Append all stages.

    Args:
        graph: takes the nodes.
        spec: the encoder.
        numbers: its dense stages' numbers, computed with in float32.
        tokens: float32 (batch, sequence, hidden).
        mask: int64 (batch, sequence).
        prompt: int64 (1,), leading tokens to leave out; None where no pooling does.
    """
    x, dense = tokens, 0
    for stage in spec.stages:
        if isinstance(stage, Pooling):
            x = _pool(graph, stage, x, _kept(graph, stage, mask, prompt))
        elif isinstance(stage, Dense):
            (x,) = numbers.linear(graph, f"dense.{dense}", x)
            x = FUNCTIONS[stage.activation](graph, f"dense.{dense}", x, np.float32)
            dense += 1
        elif isinstance(stage, Normalize):
            x = _normalize(graph, x)
    return x


def _kept(graph: Graph, stage: Pooling, mask: str, prompt: str | None) -> _Kept:
    m = graph.cast("pooling", mask, TensorProto.FLOAT)
    places = graph.op("pooling", "CumSum", m, graph.number(1, np.int64))
    if prompt is None or stage.include_prompt:
        return _Kept(graph, m, places)
    after = graph.op("pooling", "Greater", places, graph.cast("pooling", prompt, TensorProto.FLOAT))
    after = graph.cast("pooling", after, TensorProto.FLOAT)
    return _Kept(graph, graph.op("pooling", "Mul", m, after), places)


def _pool(graph: Graph, stage: Pooling, tokens: str, kept: _Kept) -> str:
    parts = [
        _largest(kept, tokens) if mode == "max" else _sum(kept, tokens, _WEIGHTS[mode](kept))
        for mode in stage.modes
    ]
    return parts[0] if len(parts) == 1 else graph.op("pooling", "Concat", *parts, axis=1)


def _sum(kept: _Kept, tokens: str, weights: str) -> str:
    one = kept.graph.integers(1)
    return kept.op("Squeeze", kept.op("MatMul", kept.op("Unsqueeze", weights, one), tokens), one)


def _largest(kept: _Kept, tokens: str) -> str:
    graph = kept.graph
    counts = graph.cast(
        "pooling", kept.op("Unsqueeze", kept.m, graph.integers(2)), TensorProto.BOOL
    )
    held = kept.op("Where", counts, tokens, graph.number(_LOWEST))
    largest = graph.reduce("pooling", "ReduceMax", held, 1)
    largest = kept.op("Squeeze", largest, graph.integers(1))
    some = graph.cast("pooling", kept.sum(kept.m), TensorProto.BOOL)
    return kept.op("Where", some, largest, graph.number(0))


def _weighted_mean(kept: _Kept) -> str:
    weights = kept.op("Mul", kept.places, kept.m)
    total = kept.op("Max", kept.sum(weights), kept.graph.number(1))
    return kept.op("Div", weights, total)


_WEIGHTS: Mapping[str, Callable[[_Kept], str]] = {
    "cls": lambda kept: kept.where_count_is(kept.graph.number(1)),
    "mean": lambda kept: kept.op("Div", kept.m, kept.n),
    "mean_sqrt_len_tokens": lambda kept: kept.op("Div", kept.m, kept.op("Sqrt", kept.n)),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda kept: kept.where_count_is(kept.n),
}


def _normalize(graph: Graph, x: str) -> str:
    squares = graph.reduce("normalize", "ReduceSum", graph.op("normalize", "Mul", x, x), 1)
    norm = graph.op("normalize", "Sqrt", squares)
    return graph.op("normalize", "Div", x, graph.op("normalize", "Max", norm, graph.number(_EPS)))
