"""Where a graph's numbers come from: what writes a linear and a table, per precision."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from onnx import TensorProto

from fewbits.arrays import Floats
from fewbits.models.onnx.graph import Graph
from fewbits.models.spec import Weights


class Numbers(Protocol):
    """The numbers of one encoder in one precision.

    Attributes:
        dtype: what the nodes between the linears compute in.
    """

    dtype: type[np.generic]

    def linear(self, graph: Graph, name: str, x: str, parts: int = 1) -> tuple[str, ...]:
        """Append `x @ weight.T + bias`, its channels cut into equal parts."""

    def rows(self, graph: Graph, name: str, at: str) -> str:
        """Append the look-up of table rows by their numbers, int64."""

    def values(self, name: str) -> Floats:
        """Return a tensor that stays as it was: a norm's, or the relative bias."""


class Wide:
    """Float32 or float16 throughout: one matrix product per part, as fusions of attention ask."""

    def __init__(self, weights: Weights, dtype: type[np.generic]) -> None:
        """Take canonical tensors and the type to store and compute in."""
        self.dtype = dtype
        self._weights = weights

    def linear(self, graph: Graph, name: str, x: str, parts: int = 1) -> tuple[str, ...]:
        """See `Numbers`."""
        weights = np.split(self._weights[f"{name}.weight"], parts)
        bias = self._weights.get(f"{name}.bias")
        biases = [None] * parts if bias is None else np.split(bias, parts)
        out = []
        for part, (w, b) in enumerate(zip(weights, biases, strict=True)):
            module = name if parts == 1 else f"{name}.{part}"
            y = graph.op(module, "MatMul", x, graph.floats(f"{module}.weight", w.T, self.dtype))
            if b is not None:
                y = graph.op(module, "Add", y, graph.floats(f"{module}.bias", b, self.dtype))
            out.append(y)
        return tuple(out)

    def rows(self, graph: Graph, name: str, at: str) -> str:
        """See `Numbers`."""
        return graph.op(name, "Gather", self._table(graph, name), at)

    def values(self, name: str) -> Floats:
        """See `Numbers`."""
        return self._weights[name]

    def _table(self, graph: Graph, name: str) -> str:
        return graph.floats(f"{name}.weight", self._weights[f"{name}.weight"], self.dtype)


FLOAT = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16}
"""numpy type -> ONNX type."""
