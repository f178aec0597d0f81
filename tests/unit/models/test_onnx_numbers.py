"""One linear, one table and the last step, node by node against the specification."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from onnx_fixtures import RUNTIMES, as_int8, as_static

from fewbits.errors import InputError
from fewbits.models.panels import pack_panels
from fewbits.models.quantized import activation_codes, exact_product
from fewbits.models.recipe import Recipe
from fewbits.models.tensors import Activation, Linear, Table, Tensors, narrow_to_bfloat16

onnx = pytest.importorskip("onnx", reason="the exporter needs the package onnx")
coded, graphs, outputs, write = (
    importlib.import_module(f"fewbits.models.onnx.{name}")
    for name in ("coded", "graph", "output", "write")
)

DRAW = np.random.default_rng(5)
X = (DRAW.normal(size=(3, 7, 20)) * DRAW.gamma(1, size=20)).astype(np.float32)
X[0, 0] = 0
X[0, 1] = np.abs(X[0, 1])
X[0, 2] = 2.0**-110
W = DRAW.normal(size=(12, 20)).astype(np.float32)
BIAS = DRAW.normal(size=12).astype(np.float32)


@pytest.fixture(params=RUNTIMES)
def run(request, tmp_path):
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")

    def go(graph, output, x):
        path = tmp_path / "part.onnx"
        write.write_model(graph, path, {})
        onnx.checker.check_model(onnx.load(path), full_check=True)
        return RUNTIMES[request.param](path, {"x": x}, output)

    return go


def linear_of(taken, w=W):
    values, scale = as_int8(w)
    return Linear("int8", pack_panels(values), *w.shape, scale, BIAS, taken)


def tensors(linear=None, table=None):
    linears = {"part": linear} if linear else {}
    return Tensors(Recipe(), linears, {"part": table} if table else {}, {})


def graph_of(linear):
    graph = graphs.Graph(17)
    x = graph.input("x", onnx.TensorProto.FLOAT, ("batch", "sequence", 20))
    (y,) = coded.Coded(tensors(linear)).linear(graph, "part", x)
    graph.output(y, "y", onnx.TensorProto.FLOAT, ("batch", "sequence", 12))
    return graph


def specified(linear):
    rows = X.reshape(-1, 20)
    codes, scale, zero = activation_codes(rows, linear.activation)
    sums = exact_product(codes, zero, linear.codes().T.astype(np.float32))
    return (sums * scale[:, None] * linear.scale + BIAS).reshape(3, 7, 12)


SMOOTH = (1 / DRAW.gamma(3, size=20)).astype(np.float32)


@pytest.mark.parametrize(
    "taken",
    [
        Activation("dynamic"),
        Activation("dynamic", symmetric=True),
        Activation("dynamic", inverse=SMOOTH),
    ],
    ids=["asymmetric", "symmetric", "smoothed"],
)
def test_a_dynamic_linear_equals_the_integers_of_the_specification(taken, run):
    linear = linear_of(taken)
    assert np.abs(run(graph_of(linear), "y", X) - specified(linear)).max() <= 2e-5


def test_a_static_linear_equals_the_integers_of_the_specification(run):
    taken, carried = as_static(X.min(axis=(0, 1)), X.max(axis=(0, 1)), W)
    linear = linear_of(taken, carried)
    assert np.abs(run(graph_of(linear), "y", X) - specified(linear)).max() <= 2e-5


@pytest.mark.parametrize(
    ("weights", "values"),
    [("float32", W), ("float16", W.astype(np.float16)), ("bfloat16", narrow_to_bfloat16(W))],
)
def test_linears_kept_as_floats_multiply_what_is_stored(weights, values, run):
    linear = Linear(weights, pack_panels(values), 12, 20, None, BIAS)
    wanted = X @ linear.dense().T + BIAS
    assert np.abs(run(graph_of(linear), "y", X) - wanted).max() <= 2e-5


def test_int8_weights_alone_multiply_what_they_stand_for(run):
    linear = linear_of(Activation())
    wanted = X @ linear.dense().T + BIAS
    assert np.abs(run(graph_of(linear), "y", X) - wanted).max() <= 2e-5


@pytest.mark.parametrize(
    "table",
    [
        Table("int8", *as_int8(W)),
        Table("float16", W.astype(np.float16)),
        Table("bfloat16", narrow_to_bfloat16(W)),
    ],
    ids=lambda table: table.weights,
)
def test_table_rows_are_those_stored(table, run):
    graph = graphs.Graph(17)
    at = graph.input("x", onnx.TensorProto.INT64, ("batch", "sequence"))
    graph.output(
        coded.Coded(tensors(table=table)).rows(graph, "part", at),
        "y",
        onnx.TensorProto.FLOAT,
        ("a", "b", 20),
    )
    rows = np.array([[0, 11, 3], [3, 3, 1]])
    assert np.array_equal(run(graph, "y", rows), table.dense()[rows])


def codes_of(run, x, output, scale=None, mean=None):
    graph = graphs.Graph(17)
    held = outputs.check_output(output, scale, mean, x.shape[1])
    source = graph.input("x", onnx.TensorProto.FLOAT, ("batch", x.shape[1]))
    outputs.append_codes(graph, source, x.shape[1], output, *held)
    return run(graph, "sentence_codes", x)


@pytest.mark.parametrize("mean", [None, 0.1, DRAW.normal(size=20).astype(np.float32)])
def test_bits_are_those_of_packbits(mean, run):
    x = X[:, 3]
    wanted = np.packbits(x > np.float32(0 if mean is None else mean), axis=1)
    assert np.array_equal(codes_of(run, x, "bits", mean=mean), wanted)


@pytest.mark.parametrize("scale", [0.02, np.linspace(0.01, 0.1, 20)])
def test_int8_codes_are_rounded_and_clipped(scale, run):
    x = X[:, 3]
    step = np.asarray(scale, dtype=np.float32)
    got = codes_of(run, x, "int8", scale=scale)
    assert got.dtype == np.int8
    assert np.array_equal(got, np.clip(np.rint(x / step), -127, 127).astype(np.int8))


@pytest.mark.parametrize(
    "choice",
    [
        {"output": "int4", "scale": None, "mean": None},
        {"output": "int8", "scale": None, "mean": None},
        {"output": "int8", "scale": 0.0, "mean": None},
        {"output": "int8", "scale": [1.0, 2.0], "mean": None},
        {"output": "bits", "scale": 1.0, "mean": None},
        {"output": "bits", "scale": None, "mean": np.nan},
        {"output": "float32", "scale": None, "mean": 0.0},
    ],
)
def test_output_arguments_that_do_not_belong_together_are_refused(choice):
    with pytest.raises(InputError, match="output"):
        outputs.check_output(dims=20, **choice)
