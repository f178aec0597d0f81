"""Checkpoints of other shapes, from the folder to the vectors: every executor says the same."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fewbits.models import Encoder, Recipe, quantize_model
from fewbits.models.batching import batches
from fewbits.models.native import Native
from fewbits.models.quantized import QuantizedReference
from fewbits.models.reference import Reference

MODELS = Path(__file__).parents[1] / "data" / "models"


@dataclass(frozen=True)
class Shape:
    hidden: int
    heads: int
    inner: int
    vocab: int = 1000
    family: str = "bert"
    positions: int = 130


SHAPES = {
    "heads of 64, width of BERT base": Shape(768, 12, 1536),
    "heads of 8, vocabulary of XLM-R": Shape(32, 4, 64, 250_002, "xlm-roberta"),
    "heads of 32": Shape(96, 3, 160),
    "heads of 20": Shape(60, 3, 100),
    "heads of 5, odd widths": Shape(35, 7, 51, family="xlm-roberta"),
    "one head": Shape(16, 1, 16),
}
FORMS = ("float32", "int8-dynamic")
LENGTHS = [1, 130, 0, 2, 17, 33, 5]
TEXTS = ["A zero row scores zero.", "", "load network " * 30, "naïve 日本語"]
# Largest gap of a coordinate; in 8 bits a float's last bit may move a code.
FLOATS, MOVED = 2e-5, 0.02


def write_checkpoint(shape, folder):
    """Write a folder in the layout of transformers, random weights, two layers."""
    shutil.copytree(MODELS / shape.family, folder)
    config = json.loads((folder / "config.json").read_text())
    first = 2 if shape.family == "xlm-roberta" else 0
    config |= {
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.positions + first,
        "num_hidden_layers": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(shape.hidden)
    tensors = {}

    def normal(name, *size, around=0.0):
        spread = 0.1 if len(size) == 1 else 1.5 / np.sqrt(size[-1])
        tensors[name] = rng.standard_normal(size, dtype=np.float32) * np.float32(spread) + around

    def linear(name, n, k):
        normal(f"{name}.weight", n, k)
        normal(f"{name}.bias", n)

    def norm(name):
        normal(f"{name}.weight", shape.hidden, around=np.float32(1))
        normal(f"{name}.bias", shape.hidden)

    for name, rows in (
        ("word", shape.vocab),
        ("position", shape.positions + first),
        ("token_type", config["type_vocab_size"]),
    ):
        normal(f"embeddings.{name}_embeddings.weight", rows, shape.hidden)
    norm("embeddings.LayerNorm")
    for i in range(2):
        layer = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{layer}.attention.{part}", shape.hidden, shape.hidden)
        linear(f"{layer}.intermediate.dense", shape.inner, shape.hidden)
        linear(f"{layer}.output.dense", shape.hidden, shape.inner)
        norm(f"{layer}.attention.output.LayerNorm")
        norm(f"{layer}.output.LayerNorm")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a function from a shape's name and a form to an encoder of that kind."""
    known = {}

    def get(name, form):
        if (name, "float32") not in known:
            folder = tmp_path_factory.mktemp("shape") / "model"
            known[name, "float32"] = Encoder.load(write_checkpoint(SHAPES[name], folder))
        if (name, form) not in known:
            known[name, form] = quantize_model(known[name, "float32"], Recipe.int8())
        return known[name, form]

    return get


def sequences(spec):
    rng = np.random.default_rng(5)
    ids = [rng.integers(0, spec.vocab_size, length).astype(np.int32) for length in LENGTHS]
    ids[1][:3] = [spec.vocab_size - 1, 0, 1]
    return ids


def specification(encoder, ids):
    forward = Reference(encoder.spec, encoder.weights)
    if encoder.recipe != Recipe.float32():
        forward = QuantizedReference(encoder.spec, encoder.tensors)
    (batch,) = batches(ids, 10**9)
    out = np.empty((len(ids), encoder.dims), dtype=np.float32)
    out[batch.rows] = forward(batch)
    return out


def native(encoder, ids, budget=10**9, threads=1):
    kernels = Native(encoder.spec, encoder.tensors)
    out = np.empty((len(ids), encoder.dims), dtype=np.float32)
    for batch in batches(ids, budget):
        out[batch.rows], _ = kernels(batch, threads=threads)
    return out


def least_cosine(got, wanted):
    kept = wanted.any(axis=1)
    got, wanted = got[kept], wanted[kept]
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
    return ((got * wanted).sum(axis=1) / norms).min()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SHAPES)
def test_the_kernels_agree_with_the_specification(made, name, form):
    encoder = made(name, form)
    ids = sequences(encoder.spec)
    got, wanted = native(encoder, ids), specification(encoder, ids)
    assert not got[2].any()
    assert np.abs(got - wanted).max() <= (FLOATS if form == "float32" else MOVED)
    assert least_cosine(got, wanted) >= (0.999999 if form == "float32" else 0.9999)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SHAPES)
def test_batches_and_threads_change_no_bit(made, name, form):
    encoder = made(name, form)
    ids = sequences(encoder.spec)
    alone = native(encoder, ids, budget=1)
    for budget, threads in ((40, 2), (10**9, 1), (10**9, 2), (10**9, 7)):
        assert native(encoder, ids, budget, threads).tobytes() == alone.tobytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SHAPES)
def test_a_saved_model_is_the_same_model(made, name, form, tmp_path):
    encoder = made(name, form)
    encoder.save(tmp_path / "small")
    back = Encoder.load(tmp_path / "small")
    assert back.recipe == encoder.recipe
    assert back.spec == encoder.spec
    assert back.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()
    ids = sequences(encoder.spec)
    assert native(back, ids).tobytes() == native(encoder, ids).tobytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SHAPES)
def test_the_exported_graph_agrees_with_the_specification(made, name, form, tmp_path):
    pytest.importorskip("onnx", reason="the exporter needs the package onnx")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    encoder = made(name, form)
    export = importlib.import_module("fewbits.models.onnx").export_onnx
    path = export(encoder, tmp_path / "model.onnx", variant=form)
    ids = [text for text in sequences(encoder.spec) if len(text)]
    feed = padded(ids, max(0, encoder.spec.positions.offset - 1))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 2
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    asked = {known.name: feed[known.name] for known in session.get_inputs()}
    (got,) = session.run(["sentence_embedding"], asked)
    cosine = least_cosine(got, specification(encoder, ids))
    assert cosine >= (0.99999 if form == "float32" else 0.999)


def padded(ids, pad):
    longest = max(map(len, ids))
    feed = {
        "input_ids": np.full((len(ids), longest), pad, dtype=np.int64),
        "attention_mask": np.zeros((len(ids), longest), dtype=np.int64),
        "token_type_ids": np.zeros((len(ids), longest), dtype=np.int64),
    }
    for row, text in enumerate(ids):
        feed["input_ids"][row, : len(text)] = text
        feed["attention_mask"][row, : len(text)] = 1
    return feed
