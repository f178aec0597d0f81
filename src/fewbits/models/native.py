"""The native executor: packed sequences through the C++ kernels, any recipe, any CPU level.

Threads take whole sequences; a single short text is shared by all threads. Neither the batch nor
the number of threads changes a bit of a text's vector.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits import _native
from fewbits.arrays import Floats
from fewbits.errors import KernelError
from fewbits.models.attention import relative_buckets
from fewbits.models.batching import Batch
from fewbits.models.recipe import tables_of
from fewbits.models.spec import POOLING_MODES, EncoderSpec, Pooling, Stage
from fewbits.models.stages import after_pooling
from fewbits.models.tensors import Linear, Tensors

ACTIVATIONS = {
    "gelu": 0,
    "gelu_new": 1,
    "gelu_pytorch_tanh": 1,
    "relu": 2,
    "silu": 3,
    "swish": 3,
    "tanh": 4,
}
MAX_INPUTS = 65_536
"""Inputs of a linear: 255 * 127 * 65,536 < 2^31."""

_ELEMENTS = {"float32": 0, "float16": 1, "bfloat16": 2, "int8": 3}
_TAKES = {"float32": 0, "dynamic": 1, "static": 2}
_SLOTS = ("qkv", "attention_out", "ffn_in", "ffn_out")
_NO_VALUES = np.empty(0, dtype=np.float32)


class Native:
    """Runs an `EncoderSpec` on its `Tensors`; safe to share by threads.

    Attributes:
        spec: the model as data.
        tensors: its numbers; linears and tables are used where they lie.
    """

    def __init__(self, spec: EncoderSpec, tensors: Tensors) -> None:
        """Hand the tensors to the kernels.

        Raises:
            KernelError: an activation or a size that the kernels do not have.
        """
        if spec.activation not in ACTIVATIONS:
            raise KernelError(
                f"the native executor has the activations {', '.join(ACTIVATIONS)}, "
                f"got {spec.activation!r}; load the model with executor='reference'"
            )
        if max(spec.hidden_size, spec.intermediate_size) > MAX_INPUTS:
            raise KernelError(
                f"the native executor takes layers of at most {MAX_INPUTS:,} inputs, got "
                f"{spec.hidden_size:,} and {spec.intermediate_size:,}; load the model with "
                "executor='reference'"
            )
        self.spec = spec
        self.tensors = tensors
        self._kept: list[object] = []
        self._model = self._build()

    def __call__(
        self,
        batch: Batch,
        *,
        skip: int = 0,
        threads: int | None = None,
        stages: tuple[Stage, ...] | None = None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Return one row per sequence of `batch`, float32 (n, spec.dims), and what was clipped.

        Args:
            batch: packed sequences.
            skip: leading tokens that belong to a prompt, see `Reference`.
            threads: most threads to use; None for every CPU that this process may run on.
            stages: what follows the last layer, instead of the spec's own.

        Returns:
            The vectors, and int64 (linears, 5): per linear of the layers, of the codes that static
            ranges gave, how many there were, how many at 0 and at 255, the least and the most.
        """
        pooling = self.spec.stages[0]
        assert isinstance(pooling, Pooling)  # the spec says so
        lengths = np.concatenate(
            [np.full(run.count, run.length, dtype=np.int64) for run in batch.runs]
            or [np.empty(0, dtype=np.int64)]
        )
        ids = np.ascontiguousarray(batch.ids, dtype=np.int32)
        left_out = 0 if pooling.include_prompt else skip
        pooled, ends = self._model.run(ids, lengths, left_out, threads or usable_cpus())
        return after_pooling(stages or self.spec.stages, pooled, self._dense), ends

    def _dense(self, name: str, x: Floats) -> Floats:
        linear = self.tensors.linears[name]
        out: Floats = x @ linear.dense().T
        return out if linear.bias is None else out + linear.bias

    def _build(self) -> _native.EncoderModel:
        spec = self.spec
        pooling = spec.stages[0]
        assert isinstance(pooling, Pooling)  # the spec says so
        model = _native.EncoderModel(
            hidden=spec.hidden_size,
            heads=spec.heads,
            inner=spec.intermediate_size,
            layers=spec.layers,
            activation=ACTIVATIONS[spec.activation],
            position_offset=spec.positions.offset,
            pooling=[POOLING_MODES.index(mode) for mode in pooling.modes],
        )
        self._set_tables(model)
        self._set_norms(model)
        for i in range(spec.layers):
            for slot, part in enumerate(_SLOTS):
                self._set_linear(model, i, slot, self.tensors.linears[f"layers.{i}.{part}"])
        if spec.positions.buckets:
            model.set_bias(self._keep(self._bias()))
        return model

    def _set_tables(self, model: _native.EncoderModel) -> None:
        for slot, name in enumerate(tables_of(self.spec)):
            table = self.tensors.tables[name]
            model.set_table(
                slot,
                self._bytes(table.values),
                _ELEMENTS[table.weights],
                self._keep(_floats(table.scale)),
                len(table.values),
            )

    def _set_norms(self, model: _native.EncoderModel) -> None:
        places = [(-1, 0, "embeddings.norm")]
        for i in range(self.spec.layers):
            places.append((i, 0, f"layers.{i}.attention_norm"))
            places.append((i, 1, f"layers.{i}.ffn_norm"))
        others = self.tensors.others
        for layer, slot, name in places:
            weight, bias = _floats(others[f"{name}.weight"]), _floats(others[f"{name}.bias"])
            model.set_norm(layer, slot, weight, bias, self.spec.norm_eps)

    def _set_linear(
        self, model: _native.EncoderModel, layer: int, slot: int, linear: Linear
    ) -> None:
        taken = linear.activation
        model.set_linear(
            layer,
            slot,
            self._bytes(linear.values),
            _ELEMENTS[linear.weights],
            linear.n,
            linear.k,
            _floats(linear.scale),
            _floats(linear.bias),
            _TAKES[taken.mode],
            taken.symmetric,
            _floats(taken.inverse),
            taken.scale,
            taken.zero_point,
        )

    def _bias(self) -> Floats:
        """Return the relative bias by distance, (heads, 2 * max_length - 1), key minus query."""
        length = self.spec.max_length
        rows = relative_buckets(self.spec.positions, length)
        by_distance = np.concatenate([rows[-1], rows[0, 1:]])
        table = self.tensors.others["attention.relative_bias.weight"]
        return np.ascontiguousarray(table[by_distance].T, dtype=np.float32)

    def _bytes(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        whole = self._keep(np.ascontiguousarray(values))
        return whole.reshape(-1).view(np.uint8)

    def _keep(self, values: NDArray[Any]) -> NDArray[Any]:
        self._kept.append(values)
        return values


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _floats(values: Floats | None) -> Floats:
    return _NO_VALUES if values is None else np.ascontiguousarray(values, dtype=np.float32)
