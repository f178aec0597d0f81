"""An ONNX graph under construction: nodes in the order in which they run, weights by name.

A value is known by its name. Nodes are named after the part of the encoder that they belong to,
`layers.0.ffn_in/MatMul`, so that a profile or a quantizer's report can be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fewbits.arrays import Floats

_AXES_ARE_INPUTS = 18  # opset from which every reduction takes its axes as an input


class Graph:
    """Collects nodes and weights; `model` makes an ONNX model of them.

    Attributes:
        opset: version of the standard operators that the nodes are written for.
        arrays: weights that keep their numpy form, by name; the writer decides where they go.
    """

    def __init__(self, opset: int) -> None:
        """Start empty."""
        self.opset = opset
        self.arrays: dict[str, NDArray[Any]] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._names: Counter[str] = Counter()
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int, shape: Sequence[str | int]) -> str:
        """Declare a graph input; strings in `shape` are free dimensions."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Sequence[str | int]) -> None:
        """Make `value` the graph output `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/Identity"))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def split(self, scope: str, x: str, parts: int) -> tuple[str, ...]:
        """Return `x` cut into equal parts along the last axis."""
        name = self._unique(f"{scope}/Split")
        outputs = [f"{name}.{part}" for part in range(parts)]
        node = helper.make_node("Split", [x], outputs, name=name, axis=-1)
        if self.opset >= _AXES_ARE_INPUTS:
            node.attribute.append(helper.make_attribute("num_outputs", parts))
        self._nodes.append(node)
        return tuple(outputs)

    def op(self, scope: str, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Append a standard operator of one output and return the output's name."""
        name = self._unique(f"{scope}/{kind}")
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def reduce(self, scope: str, kind: str, x: str, axis: int) -> str:
        """Append ReduceMin, ReduceMax or ReduceSum along one axis, which is kept with size 1."""
        if self.opset >= _AXES_ARE_INPUTS or kind == "ReduceSum":
            return self.op(scope, kind, x, self.integers(axis), keepdims=1)
        return self.op(scope, kind, x, axes=[axis], keepdims=1)

    def cast(self, scope: str, x: str, dtype: int) -> str:
        """Append a Cast to one of `TensorProto`'s types."""
        return self.op(scope, "Cast", x, to=dtype)

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Add an array under a name of its own, once."""
        self.arrays.setdefault(name, values)
        return name

    def number(self, value: float, dtype: type[np.generic] = np.float32) -> str:
        """Add a scalar constant."""
        array = np.asarray(value, dtype=dtype)
        return self.weight(f"constant/{array.dtype}/{array}", array)

    def integers(self, *values: int) -> str:
        """Add a 1-D int64 constant: a shape, axes, indices."""
        return self.weight(f"constant/{list(values)}", np.array(values, dtype=np.int64))

    def floats(self, name: str, values: Floats, dtype: type[np.generic]) -> str:
        """Add float32 values narrowed to `dtype`."""
        return self.weight(name, np.ascontiguousarray(values, dtype=dtype))

    def model(self, name: str, weights: Sequence[TensorProto]) -> onnx.ModelProto:
        """Return the model with these initializers."""
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, weights)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets)
        )

    def _unique(self, name: str) -> str:
        self._names[name] += 1
        count = self._names[name]
        return name if count == 1 else f"{name}_{count}"


def as_tensor(name: str, values: NDArray[Any]) -> TensorProto:
    """Return an initializer that holds the values itself."""
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
