"""The last step of a graph: the sentence vector as INT8 codes or as packed bits."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from onnx import TensorProto

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.models.onnx.graph import Graph

Output: TypeAlias = Literal["float32", "int8", "bits"]

CODES = "sentence_codes"
"""Name of the output that holds them."""

_SCOPE = "codes"
_BYTE = 8


def check_output(
    output: Output, scale: ArrayLike | None, mean: ArrayLike | None, dims: int
) -> tuple[Floats | None, Floats | None]:
    """Return scale and mean as float32 of shape () or (dims,), or raise InputError."""
    if output not in ("float32", "int8", "bits"):
        raise InputError(f"output must be 'float32', 'int8' or 'bits', got {output!r}")
    if (scale is not None) != (output == "int8"):
        raise InputError(
            "output='int8' needs output_scale, the step of one code, and no other output takes it; "
            "a fitted fewbits.Int8 quantizer has it as `step`"
        )
    if mean is not None and output == "float32":
        raise InputError("output_mean belongs to output='int8' or 'bits', got output='float32'")
    held = _as_floats(scale, "output_scale", dims)
    if held is not None and not (held > 0).all():
        raise InputError("output_scale must be positive")
    return held, _as_floats(mean, "output_mean", dims)


def append_codes(
    graph: Graph, x: str, dims: int, output: Output, scale: Floats | None, mean: Floats | None
) -> None:
    """Append the codes of `x`, float32 (batch, dims), as one more graph output.

    int8: clip(round((x - mean) / scale), -127, 127). bits: x > mean, most significant bit first,
    the last byte filled up with zeros, as `numpy.packbits` does.
    """
    if mean is not None:
        x = graph.op(_SCOPE, "Sub", x, graph.weight("output_mean", mean))
    if output == "int8":
        assert scale is not None
        places = graph.op(_SCOPE, "Div", x, graph.weight("output_scale", scale))
        places = graph.op(_SCOPE, "Round", places)
        places = graph.op(_SCOPE, "Clip", places, graph.number(-127), graph.number(127))
        codes = graph.cast(_SCOPE, places, TensorProto.INT8)
        graph.output(codes, CODES, TensorProto.INT8, ("batch", dims))
    elif output == "bits":
        graph.output(_bits(graph, x, dims), CODES, TensorProto.UINT8, ("batch", -(-dims // _BYTE)))


def _bits(graph: Graph, x: str, dims: int) -> str:
    size = -(-dims // _BYTE)
    bits = graph.op(_SCOPE, "Greater", x, graph.number(0))
    bits = graph.cast(_SCOPE, bits, TensorProto.FLOAT)
    if dims % _BYTE:
        bits = graph.op(_SCOPE, "Pad", bits, graph.integers(0, 0, 0, size * _BYTE - dims))
    bits = graph.op(_SCOPE, "Reshape", bits, graph.integers(0, size, _BYTE))
    # A sum of powers of two below 256 is exact in float32, whatever its order.
    powers = graph.weight("bit_values", 2.0 ** np.arange(7, -1, -1, dtype=np.float32)[:, None])
    packed = graph.op(_SCOPE, "MatMul", bits, powers)
    packed = graph.op(_SCOPE, "Squeeze", packed, graph.integers(2))
    return graph.cast(_SCOPE, packed, TensorProto.UINT8)


def _as_floats(value: ArrayLike | None, name: str, dims: int) -> Floats | None:
    if value is None:
        return None
    array = np.array(value, dtype=np.float32)
    if array.shape not in ((), (1,), (dims,)) or not np.isfinite(array).all():
        raise InputError(f"{name} must be one finite number or {dims}, got shape {array.shape}")
    return array.reshape(()) if array.size == 1 else array
