"""An encoder as data: what the executors run, whichever family the checkpoint came from.

Canonical module names, `i` counting layers and `j` counting dense stages from 0:

    embeddings.word            (vocab_size, hidden)
    embeddings.position        (positions.count, hidden)
    embeddings.token_type      (token_types, hidden), where token_types > 0
    embeddings.norm            layer norm
    attention.relative_bias    (positions.buckets, heads), where positions.buckets > 0
    layers.{i}.qkv             linear: query, key and value rows stacked, (3 * hidden, hidden)
    layers.{i}.attention_out   linear (hidden, hidden)
    layers.{i}.attention_norm  layer norm
    layers.{i}.ffn_in          linear (intermediate, hidden)
    layers.{i}.ffn_out         linear (hidden, intermediate)
    layers.{i}.ffn_norm        layer norm
    dense.{j}                  linear (out_features, in_features)

A module's tensors are `<module>.weight` and, for linears and norms, `<module>.bias`. A linear is
`y = x @ weight.T + bias`; a norm is `y = (x - mean) / sqrt(var + eps) * weight + bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fewbits.arrays import Floats
from fewbits.errors import ModelError

Weights: TypeAlias = Mapping[str, Floats]
"""Canonical tensor name -> C-contiguous float32 array of the shape that the spec declares."""

POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


@dataclass(frozen=True)
class Positions:
    """How an encoder knows the order of its tokens.

    Attributes:
        count: rows of the position table.
        offset: table row of the first token. Where it is above 0 (RoBERTa, MPNet), row
            `offset - 1` belongs to the padding token, whose id is that same number.
        buckets: rows of the relative-bias table shared by all layers (MPNet), 0 for none.
        max_distance: tokens apart from which all distances share the last bucket.
    """

    count: int
    offset: int = 0
    buckets: int = 0
    max_distance: int = 128

    @property
    def capacity(self) -> int:
        """The longest sequence, in tokens, that the table has rows for."""
        return self.count - self.offset


@dataclass(frozen=True)
class Pooling:
    """Token vectors to one vector: each mode's result, concatenated in this order."""

    modes: tuple[str, ...] = ("mean",)
    include_prompt: bool = True

    def __post_init__(self) -> None:
        """Refuse unknown modes."""
        unknown = [mode for mode in self.modes if mode not in POOLING_MODES]
        if unknown or not self.modes:
            got = ", ".join(map(repr, unknown)) or "none"
            raise ModelError(f"pooling mode must be one of {', '.join(POOLING_MODES)}, got {got}")


@dataclass(frozen=True)
class Dense:
    """`activation(x @ weight.T + bias)` on the pooled vector."""

    in_features: int
    out_features: int
    bias: bool = True
    activation: str = "tanh"


@dataclass(frozen=True)
class Normalize:
    """`x / max(|x|, 1e-12)`, the L2 norm taken per row."""


Stage: TypeAlias = Pooling | Dense | Normalize


@dataclass(frozen=True)
class EncoderSpec:
    """A post-norm transformer encoder and what follows it, as data.

    Attributes:
        family: name of the family that read the checkpoint.
        vocab_size, hidden_size, layers, heads, intermediate_size: the usual meaning, counts.
        activation: key of `fewbits.models.activations.ACTIVATIONS`, used between the FFN linears.
        norm_eps: epsilon of every layer norm.
        positions: the position scheme.
        max_length: tokens kept of a text, special tokens included.
        token_types: rows of the token-type table, 0 for none. Single texts use row 0.
        stages: what turns token vectors into the result, in order; the first is a `Pooling`.
    """

    family: str
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    activation: str
    norm_eps: float
    positions: Positions
    max_length: int
    token_types: int = 0
    stages: tuple[Stage, ...] = (Pooling(),)

    def __post_init__(self) -> None:
        """Refuse inconsistent numbers."""
        if self.hidden_size % self.heads:
            raise ModelError(
                f"hidden size must be a multiple of the number of heads, "
                f"got {self.hidden_size} and {self.heads}"
            )
        if not 0 < self.max_length <= self.positions.capacity:
            raise ModelError(
                f"max_length must be 1 to {self.positions.capacity} (rows of the position table), "
                f"got {self.max_length}"
            )
        _check_stages(self.stages, self.hidden_size)

    @property
    def dims(self) -> int:
        """Width of the vectors that the encoder returns."""
        width = self.hidden_size
        for stage in self.stages:
            width = _width_after(stage, width)
        return width

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The dense stages in order; the j-th one's tensors are `dense.{j}.*`."""
        return tuple(stage for stage in self.stages if isinstance(stage, Dense))

    def linears(self) -> tuple[str, ...]:
        """Names of all linears, in the order in which they run."""
        parts = ("qkv", "attention_out", "ffn_in", "ffn_out")
        inside = [f"layers.{i}.{part}" for i in range(self.layers) for part in parts]
        return (*inside, *(f"dense.{j}" for j in range(len(self.dense))))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return canonical tensor name -> shape, for every tensor that the executors need."""
        shapes = dict(self._embedding_shapes())
        for i in range(self.layers):
            shapes.update(self._layer_shapes(f"layers.{i}."))
        for j, dense in enumerate(self.dense):
            shapes[f"dense.{j}.weight"] = (dense.out_features, dense.in_features)
            if dense.bias:
                shapes[f"dense.{j}.bias"] = (dense.out_features,)
        return shapes

    def _embedding_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        hidden = self.hidden_size
        yield "embeddings.word.weight", (self.vocab_size, hidden)
        yield "embeddings.position.weight", (self.positions.count, hidden)
        if self.token_types:
            yield "embeddings.token_type.weight", (self.token_types, hidden)
        yield from _norm("embeddings.norm", hidden)
        if self.positions.buckets:
            yield "attention.relative_bias.weight", (self.positions.buckets, self.heads)

    def _layer_shapes(self, layer: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        hidden, inner = self.hidden_size, self.intermediate_size
        yield from _linear(f"{layer}qkv", 3 * hidden, hidden)
        yield from _linear(f"{layer}attention_out", hidden, hidden)
        yield from _norm(f"{layer}attention_norm", hidden)
        yield from _linear(f"{layer}ffn_in", inner, hidden)
        yield from _linear(f"{layer}ffn_out", hidden, inner)
        yield from _norm(f"{layer}ffn_norm", hidden)


def _linear(name: str, out: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, width)
    yield f"{name}.bias", (out,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _width_after(stage: Stage, width: int) -> int:
    if isinstance(stage, Pooling):
        return width * len(stage.modes)
    return stage.out_features if isinstance(stage, Dense) else width


def _check_stages(stages: tuple[Stage, ...], width: int) -> None:
    poolings = [isinstance(stage, Pooling) for stage in stages]
    if poolings[:1] != [True] or any(poolings[1:]):
        found = ", ".join(type(stage).__name__ for stage in stages) or "nothing"
        raise ModelError(f"exactly one Pooling must come right after the Transformer, got {found}")
    for stage in stages:
        if isinstance(stage, Dense) and stage.in_features != width:
            raise ModelError(f"Dense takes {stage.in_features} features, but {width} reach it")
        width = _width_after(stage, width)
