"""The forward pass in numpy: the specification that every other executor must agree with.

Sequences lie end to end, (tokens, hidden); only attention looks at them one by one, in runs of
equal length, so that there is no padding and a text's result cannot depend on its neighbours
(BLAS may round the last bits differently for another number of rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.errors import ModelError
from fewbits.models.activations import ACTIVATIONS
from fewbits.models.attention import attend, relative_bias
from fewbits.models.batching import Batch
from fewbits.models.pooling import pool
from fewbits.models.spec import EncoderSpec, Pooling, Weights
from fewbits.models.stages import after_pooling
from fewbits.models.tokenizer import TokenIds

Tap: TypeAlias = Callable[[str, Floats], None]
"""Called with a name and a (rows, width) array that is valid during the call only."""

_TILE = 1024  # rows of the FFN at a time: its wide middle stays out of main memory
_NORM_ROWS = 128  # rows that stay in the L2 cache across the passes of a layer norm


class Reference:
    """Runs an `EncoderSpec` on its `Weights`; stateless between calls, safe to share by threads.

    A tap sees `embeddings.output`, `layers.{i}.output` and, for every linear, `<linear>.input`.
    The FFN runs in tiles of rows, so its names come several times per batch.
    """

    def __init__(self, spec: EncoderSpec, weights: Weights) -> None:
        """Take weights whose names and shapes are those of `spec.shapes()`.

        Raises:
            ModelError: an activation that is not known, a missing tensor, a wrong shape.
        """
        for name in (spec.activation, *(dense.activation for dense in spec.dense)):
            if name not in ACTIVATIONS:
                known = ", ".join(ACTIVATIONS)
                raise ModelError(f"activation {name!r} is not supported; supported: {known}")
        for name, shape in spec.shapes().items():
            got = weights[name].shape if name in weights else "nothing"
            if got != shape:
                raise ModelError(f"weights[{name!r}] must have shape {shape}, got {got}")
        self.spec = spec
        self.weights = weights

    def __call__(self, batch: Batch, *, skip: int = 0, tap: Tap | None = None) -> Floats:
        """Return one row per sequence of `batch`, float32 (n, spec.dims), all stages applied.

        Args:
            batch: packed sequences.
            skip: leading tokens that belong to a prompt; pooling leaves them out where
                `Pooling.include_prompt` is false.
            tap: sees intermediate values, see the class.
        """
        pooling = self.spec.stages[0]
        assert isinstance(pooling, Pooling)  # the spec says so
        hidden = self.hidden(batch, tap=tap)
        pooled = self._pool(hidden, batch, pooling, 0 if pooling.include_prompt else skip)
        return after_pooling(self.spec.stages, pooled, lambda name, x: self.linear(name, x, tap))

    def hidden(self, batch: Batch, *, tap: Tap | None = None) -> Floats:
        """Return the last layer's token vectors, float32 (tokens, hidden)."""
        x = self._embed(batch)
        if tap:
            tap("embeddings.output", x)
        for i in range(self.spec.layers):
            x = self._layer(f"layers.{i}", x, batch, tap)
            if tap:
                tap(f"layers.{i}.output", x)
        return x

    def linear(self, name: str, x: Floats, tap: Tap | None = None) -> Floats:
        """Return `x @ weight.T + bias`; a subclass may compute it otherwise."""
        if tap:
            tap(f"{name}.input", x)
        out: Floats = x @ self.weights[f"{name}.weight"].T
        bias = self.weights.get(f"{name}.bias")
        if bias is not None:
            out += bias
        return out

    def _embed(self, batch: Batch) -> Floats:
        x = self.weights["embeddings.word.weight"][batch.ids]
        table = self.weights["embeddings.position.weight"]
        for run in batch.runs:
            ids = batch.ids[run.tokens].reshape(run.count, run.length)
            x[run.tokens] += table[self._positions(ids)].reshape(-1, x.shape[1])
        if self.spec.token_types:
            x += self.weights["embeddings.token_type.weight"][0]
        self._norm("embeddings.norm", x)
        return x

    def _positions(self, ids: TokenIds) -> NDArray[np.intp]:
        offset = self.spec.positions.offset
        if offset == 0:
            return np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        # A padding token spelled out in a text keeps the padding row and is not counted.
        real = ids != offset - 1
        rows: NDArray[np.intp] = np.cumsum(real, axis=1) * real + (offset - 1)
        return rows

    def _layer(self, layer: str, x: Floats, batch: Batch, tap: Tap | None) -> Floats:
        qkv = self.linear(f"{layer}.qkv", x, tap)
        context = np.empty_like(x)
        for run in batch.runs:
            bias = relative_bias(self.spec, self.weights, run.length)
            attend(qkv, context, run, self.spec.heads, bias)
        y = self.linear(f"{layer}.attention_out", context, tap)
        y += x
        self._norm(f"{layer}.attention_norm", y)
        for start in range(0, len(y), _TILE):
            self._feed_forward(layer, y[start : start + _TILE], tap)
        return y

    def _feed_forward(self, layer: str, y: Floats, tap: Tap | None) -> None:
        inner = self.linear(f"{layer}.ffn_in", y, tap)
        ACTIVATIONS[self.spec.activation](inner)
        y += self.linear(f"{layer}.ffn_out", inner, tap)
        self._norm(f"{layer}.ffn_norm", y)

    def _norm(self, name: str, x: Floats) -> None:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        for start in range(0, len(x), _NORM_ROWS):
            rows = x[start : start + _NORM_ROWS]
            rows -= rows.mean(axis=1, keepdims=True)
            variance = np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])
            rows /= np.sqrt(variance + np.float32(self.spec.norm_eps))[:, None]
            rows *= weight
            rows += bias

    def _pool(self, hidden: Floats, batch: Batch, stage: Pooling, skip: int) -> Floats:
        width = hidden.shape[1]
        parts = [
            pool(hidden[run.tokens].reshape(run.count, run.length, width), stage, skip)
            for run in batch.runs
        ]
        return np.concatenate(parts)
