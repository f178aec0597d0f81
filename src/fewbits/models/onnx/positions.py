"""What tells tokens' order: rows of the position table, and the relative bias of MPNet."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from fewbits.models.attention import relative_buckets
from fewbits.models.onnx.graph import Graph
from fewbits.models.onnx.numbers import Numbers
from fewbits.models.spec import EncoderSpec


def position_rows(graph: Graph, spec: EncoderSpec, numbers: Numbers, ids: str, mask: str) -> str:
    """Append the position vectors (batch, sequence, hidden).

    Tokens are counted by the mask, so that padding may stand on either side. Where the table has a
    padding row (RoBERTa, MPNet), counting starts at `offset`, and tokens that are padding, by the
    mask or by their id, take row `offset - 1`.
    """
    name, offset = "embeddings.position", spec.positions.offset
    one = graph.number(1, np.int64)
    if offset == 0:
        count = graph.op(name, "Sub", graph.op(name, "CumSum", mask, one), one)
        return numbers.rows(graph, name, graph.op(name, "Max", count, graph.number(0, np.int64)))
    pad = graph.number(offset - 1, np.int64)
    real = graph.op(name, "Not", graph.op(name, "Equal", ids, pad))
    real = graph.op(name, "Mul", graph.cast(name, real, TensorProto.INT64), mask)
    count = graph.op(name, "CumSum", real, one)
    rows = graph.op(name, "Add", graph.op(name, "Mul", count, real), pad)
    return numbers.rows(graph, name, rows)


def relative_bias(graph: Graph, spec: EncoderSpec, numbers: Numbers, ids: str) -> str:
    """Append the bias (1, heads, sequence, sequence) that MPNet adds to its scores.

    The bucket of a pair depends on `query - key` alone, so the graph holds one bias per difference,
    2 * max_length - 1 of them, and gathers by differences.
    """
    name, most = "attention.relative_bias", spec.positions.capacity
    buckets = relative_buckets(spec.positions, most)
    # Row r: difference query - key = r - (most - 1).
    of_difference = np.concatenate([buckets[0, :0:-1], buckets[:, 0]])
    table = numbers.values(f"{name}.weight")[of_difference].T
    held = graph.floats(f"{name}.by_difference", table, numbers.dtype)
    count = graph.op(
        name, "Squeeze", graph.op(name, "Shape", ids, start=1, end=2), graph.integers(0)
    )
    zero, one = graph.number(0, np.int64), graph.number(1, np.int64)
    steps = graph.op(name, "Range", zero, count, one)
    queries = graph.op(name, "Unsqueeze", steps, graph.integers(1))
    differences = graph.op(
        name, "Sub", queries, graph.op(name, "Unsqueeze", steps, graph.integers(0))
    )
    rows = graph.op(name, "Add", differences, graph.number(most - 1, np.int64))
    bias = graph.op(name, "Gather", held, rows, axis=1)
    return graph.op(name, "Unsqueeze", bias, graph.integers(0))
