"""Activation functions in standard operators, spelled as runtimes look for them to fuse.

The formulas are those of `fewbits.models.activations`; a GELU from opset 20 on is one operator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from fewbits.models.onnx.graph import Graph

_GELU_OPSET = 20

Emit: TypeAlias = Callable[[Graph, str, str, type[np.generic]], str]


def _gelu(graph: Graph, scope: str, x: str, dtype: type[np.generic]) -> str:
    if graph.opset >= _GELU_OPSET:
        return graph.op(scope, "Gelu", x)
    inner = graph.op(scope, "Div", x, graph.number(math.sqrt(2), dtype))
    gate = graph.op(scope, "Add", graph.op(scope, "Erf", inner), graph.number(1, dtype))
    return graph.op(scope, "Mul", graph.op(scope, "Mul", x, gate), graph.number(0.5, dtype))


def _gelu_tanh(graph: Graph, scope: str, x: str, dtype: type[np.generic]) -> str:
    if graph.opset >= _GELU_OPSET:
        return graph.op(scope, "Gelu", x, approximate="tanh")
    cube = graph.op(scope, "Pow", x, graph.number(3, dtype))
    cube = graph.op(scope, "Mul", cube, graph.number(0.044715, dtype))
    inner = graph.op(scope, "Add", x, cube)
    inner = graph.op(scope, "Mul", inner, graph.number(math.sqrt(2 / math.pi), dtype))
    gate = graph.op(scope, "Add", graph.op(scope, "Tanh", inner), graph.number(1, dtype))
    half = graph.op(scope, "Mul", x, graph.number(0.5, dtype))
    return graph.op(scope, "Mul", half, gate)


def _silu(graph: Graph, scope: str, x: str, dtype: type[np.generic]) -> str:
    return graph.op(scope, "Mul", x, graph.op(scope, "Sigmoid", x))


def _plain(kind: str) -> Emit:
    return lambda graph, scope, x, dtype: graph.op(scope, kind, x)


FUNCTIONS: Mapping[str, Emit] = {
    "gelu": _gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "silu": _silu,
    "swish": _silu,
    "relu": _plain("Relu"),
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
    "identity": lambda graph, scope, x, dtype: x,
}
"""Name, as in `fewbits.models.activations.ACTIVATIONS` -> what appends its nodes."""
