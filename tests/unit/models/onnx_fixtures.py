"""Encoders for the ONNX tests: padded batches, tensors rounded by plain rules, sessions."""

from __future__ import annotations

import numpy as np

from fewbits.models import Encoder
from fewbits.models.batching import batches
from fewbits.models.panels import pack_panels
from fewbits.models.quantized import QuantizedReference
from fewbits.models.recipe import Recipe, tables_of
from fewbits.models.reference import Reference
from fewbits.models.tensors import Activation, Linear, Table, Tensors


def as_int8(w):
    scale = (np.abs(w).max(axis=1) / 127).astype(np.float32)
    scale[scale == 0] = 1
    return np.clip(np.rint(w / scale[:, None]), -127, 127).astype(np.int8), scale


def as_static(low, high, w):
    """Return the activation and the weights that carry its smoothing factors (a = 0.5)."""
    reach = np.maximum(np.maximum(-low, high), 1e-5)
    smooth = np.sqrt(reach / np.maximum(np.abs(w).max(axis=0), 1e-5)).astype(np.float32)
    least, most = (low / smooth).min(), (high / smooth).max()
    scale = np.float32((most - least) / 255)
    inverse = (1 / (scale * smooth)).astype(np.float32)
    return Activation(
        "static", False, float(scale), round(float(-least / scale)), inverse
    ), w * smooth


def quantized(encoder, mode, ids=(), symmetric=False):
    """Return the encoder in 8 bits, its static ranges those of the texts `ids`."""
    spec, weights = encoder.spec, encoder.weights
    ranges = _ranges(encoder, ids)
    linears = {}
    for name in spec.linears():
        w, taken = weights[f"{name}.weight"], Activation(mode, symmetric)
        if mode == "static":
            taken, w = as_static(*ranges[name], w)
        values, scale = as_int8(w)
        bias = weights.get(f"{name}.bias")
        linears[name] = Linear("int8", pack_panels(values), *w.shape, scale, bias, taken)
    tables = {name: Table("int8", *as_int8(weights[f"{name}.weight"])) for name in tables_of(spec)}
    held = {f"{name}.{part}" for name in (*linears, *tables) for part in ("weight", "bias")}
    others = {name: tensor for name, tensor in weights.items() if name not in held}
    tensors = Tensors(Recipe(f"int8-{mode}", Recipe.int8(mode).rows), linears, tables, others)
    return Encoder(spec, tensors, encoder.tokenizer, executor="reference")


def expected(model, ids, skip=0):
    """Return the specification's vectors for a float32 or a quantized encoder."""
    quantized = model.tensors.recipe.name != "float32"
    run = QuantizedReference(model.spec, model.tensors) if quantized else None
    run = run or Reference(model.spec, model.weights)
    out = np.empty((len(ids), model.spec.dims), dtype=np.float32)
    for batch in batches(ids, 2048):
        out[batch.rows] = run(batch, skip=skip)
    return out


def padded(ids, length=None, left=False, pad=0):
    """Return a right- or left-padded batch; padding is spelled `pad` and masked."""
    length = length or max(map(len, ids))
    feed = {
        "input_ids": np.full((len(ids), length), pad, dtype=np.int64),
        "attention_mask": np.zeros((len(ids), length), dtype=np.int64),
        "token_type_ids": np.zeros((len(ids), length), dtype=np.int64),
    }
    for row, text in enumerate(ids):
        at = slice(length - len(text), length) if left else slice(0, len(text))
        feed["input_ids"][row, at] = text
        feed["attention_mask"][row, at] = 1
    return feed


def in_onnxruntime(path, feed, output="sentence_embedding"):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = {known.name for known in session.get_inputs()}
    return session.run([output], {name: feed[name] for name in feed if name in names})[0]


def in_openvino(path, feed, output="sentence_embedding"):
    import openvino

    # Half-width arithmetic is what it takes by default where the CPU has it.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    model = openvino.Core().compile_model(path, "CPU", settings)
    names = {name for known in model.inputs for name in known.names}
    return model({name: feed[name] for name in feed if name in names})[output]


RUNTIMES = {"onnxruntime": in_onnxruntime, "openvino": in_openvino}


def _ranges(encoder, ids):
    ranges = {}

    def tap(name, x):
        name = name.removesuffix(".input")
        low, high = ranges.get(name, (0, 0))
        ranges[name] = np.minimum(low, x.min(axis=0)), np.maximum(high, x.max(axis=0))

    run = Reference(encoder.spec, encoder.weights)
    for batch in batches(list(ids), 2048):
        run(batch, tap=tap)
    return ranges
