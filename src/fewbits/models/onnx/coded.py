"""Numbers as a recipe stores them: int8 linears with their activations, int8 tables, narrow floats.

An int8 linear becomes, by how it takes its input,

    float32   MatMul(x, Cast(values) * scale)
    static    MatMul(DequantizeLinear(QuantizeLinear(x)), DequantizeLinear(values))
    dynamic   codes with a scale and a zero-point per token row, MatMulInteger, scaled

so that padding and the other texts of a batch never touch a range.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from fewbits.arrays import Floats
from fewbits.models.onnx.graph import Graph
from fewbits.models.tensors import Linear, Table, Tensors

_LEAST_SPAN = 2.0**-100  # of a row; smaller ones count as zeros


class Coded:
    """See `fewbits.models.onnx.numbers.Numbers`; between the linears all is float32."""

    dtype: type[np.generic] = np.float32

    def __init__(self, tensors: Tensors) -> None:
        """Take an encoder's tensors under its recipe."""
        self._tensors = tensors

    def linear(self, graph: Graph, name: str, x: str, parts: int = 1) -> tuple[str, ...]:
        """See `Numbers`."""
        linear = self._tensors.linears[name]
        mode = linear.activation.mode
        if mode == "dynamic":
            y = _dynamic(graph, name, linear, x)
        else:
            taken = _static_input(graph, name, linear, x) if mode == "static" else x
            y = graph.op(name, "MatMul", taken, _widened(graph, name, linear))
        if linear.bias is not None:
            y = graph.op(name, "Add", y, graph.weight(f"{name}.bias", linear.bias))
        return (y,) if parts == 1 else graph.split(name, y, parts)

    def rows(self, graph: Graph, name: str, at: str) -> str:
        """See `Numbers`."""
        values, scale = _table(graph, name, self._tensors.tables[name])
        found = graph.cast(name, graph.op(name, "Gather", values, at), TensorProto.FLOAT)
        return (
            found
            if scale is None
            else graph.op(name, "Mul", found, graph.op(name, "Gather", scale, at))
        )

    def values(self, name: str) -> Floats:
        """See `Numbers`."""
        return self._tensors.others[name]


def _table(graph: Graph, name: str, table: Table) -> tuple[str, str | None]:
    """Return the stored rows and their scales (rows, 1); bfloat16 has no numpy type and widens."""
    if table.weights == "bfloat16":
        return graph.weight(f"{name}.weight", table.dense()), None
    values = graph.weight(f"{name}.weight", table.values)
    if table.scale is None:
        return values, None
    return values, graph.weight(f"{name}.scale", table.scale[:, None])


def _widened(graph: Graph, name: str, linear: Linear) -> str:
    """Append what makes float32 (k, n) of the stored weights."""
    codes = linear.codes().T
    if linear.weights == "bfloat16":
        return graph.weight(f"{name}.weight", np.ascontiguousarray(linear.dense().T))
    values = graph.weight(f"{name}.weight", np.ascontiguousarray(codes))
    if linear.scale is None:
        return (
            values if linear.weights == "float32" else graph.cast(name, values, TensorProto.FLOAT)
        )
    scale = graph.weight(f"{name}.scale", linear.scale)
    if linear.activation.mode == "float32":
        # Not DequantizeLinear: ONNX Runtime would make 8-bit codes of the activations, too.
        return graph.op(name, "Mul", graph.cast(name, values, TensorProto.FLOAT), scale)
    zero = graph.weight(f"{name}.zeros", np.zeros(linear.n, dtype=np.int8))
    return graph.op(name, "DequantizeLinear", values, scale, zero, axis=1)


def _static_input(graph: Graph, name: str, linear: Linear, x: str) -> str:
    taken = linear.activation
    assert taken.inverse is not None
    scale = np.asarray(taken.scale, dtype=np.float32)
    smooth = taken.inverse * scale  # 1 / smooth, see `Activation`
    if not np.allclose(smooth, 1, rtol=1e-6, atol=0):
        x = graph.op(name, "Mul", x, graph.floats(f"{name}.smooth", smooth, np.float32))
    held = graph.weight(f"{name}.input_scale", scale)
    zero = graph.weight(f"{name}.input_zero_point", np.asarray(taken.zero_point, dtype=np.uint8))
    codes = graph.op(name, "QuantizeLinear", x, held, zero)
    return graph.op(name, "DequantizeLinear", codes, held, zero)


def _dynamic(graph: Graph, name: str, linear: Linear, x: str) -> str:
    """Append the formulas of `fewbits.models.quantized.row_codes` and the scaled integer product.

    With z the row's zero-point, the integers are code @ values - z * (sum of a channel's values).
    """
    taken = linear.activation
    if taken.inverse is not None:
        x = graph.op(name, "Mul", x, graph.weight(f"{name}.smooth", taken.inverse))
    codes, scale, zero = _row_codes(graph, name, x, taken.symmetric)
    values = linear.codes().T
    held = graph.weight(f"{name}.weight", np.ascontiguousarray(values))
    assert linear.scale is not None
    sums = values.sum(axis=0, dtype=np.int64).astype(np.float32)
    y = graph.cast(name, graph.op(name, "MatMulInteger", codes, held), TensorProto.FLOAT)
    shift = graph.op(name, "Mul", zero, graph.weight(f"{name}.sums", sums))
    y = graph.op(name, "Mul", graph.op(name, "Sub", y, shift), scale)
    return graph.op(name, "Mul", y, graph.weight(f"{name}.scale", linear.scale))


def _row_codes(graph: Graph, name: str, x: str, symmetric: bool) -> tuple[str, str, str]:
    """Return codes uint8, scale and zero float32, the last two of width 1."""
    zero = graph.number(0)
    low = graph.op(name, "Min", graph.reduce(name, "ReduceMin", x, -1), zero)
    high = graph.op(name, "Max", graph.reduce(name, "ReduceMax", x, -1), zero)
    if symmetric:
        span = graph.op(name, "Max", graph.op(name, "Neg", low), high)
    else:
        span = graph.op(name, "Sub", high, low)
    span = graph.op(name, "Max", span, graph.number(_LEAST_SPAN))
    levels = graph.number(127 if symmetric else 255)
    scale, inverse = graph.op(name, "Div", span, levels), graph.op(name, "Div", levels, span)
    places = graph.op(name, "Round", graph.op(name, "Mul", x, inverse))
    if symmetric:
        at = graph.number(128)
    else:
        at = graph.op(name, "Neg", graph.op(name, "Round", graph.op(name, "Mul", low, inverse)))
    codes = graph.op(name, "Add", places, at)
    codes = graph.op(name, "Clip", codes, zero, graph.number(255))
    return graph.cast(name, codes, TensorProto.UINT8), scale, at
