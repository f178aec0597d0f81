"""ONNX files say what the encoder says, in ONNX Runtime and in OpenVINO."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, FIXTURES, MODELS
from onnx_fixtures import RUNTIMES, expected, in_onnxruntime, padded, quantized

from fewbits.models import Encoder

pytest.importorskip("onnx", reason="the exporter needs the package onnx")
export_onnx = importlib.import_module("fewbits.models.onnx").export_onnx

SENTENCES = FIXTURES["sentences"]
INT8 = ("int8-static", "int8-dynamic")
VARIANTS = ("float32", "float16", *INT8)
# Codes that fall on a rounding border differ between runtimes, and layers amplify that.
LEAST_COSINE = {"float32": 0.99999, "float16": 0.9999, "int8-static": 0.995, "int8-dynamic": 0.995}


@pytest.fixture(params=RUNTIMES)
def run(request):
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return RUNTIMES[request.param]


def least_cosine(got, wanted):
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
    return ((got * wanted).sum(axis=1) / norms).min()


def made(encoder, variant, ids):
    return quantized(encoder, variant.removeprefix("int8-"), ids) if variant in INT8 else encoder


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_agrees_with_the_specification(family, variant, run, tmp_path):
    encoder = Encoder.load(MODELS / family)
    ids = encoder.tokenizer.encode(SENTENCES).ids
    model = made(encoder, variant, ids)
    path = export_onnx(model, tmp_path / "model.onnx", variant=variant)
    pad = max(0, encoder.spec.positions.offset - 1)
    got = run(path, padded(ids, pad=pad))
    assert got.dtype == np.float32
    assert least_cosine(got, expected(model, ids)) >= LEAST_COSINE[variant]


@pytest.mark.parametrize("variant", FIXTURES["variants"])
def test_every_composition_of_stages_agrees_with_the_encoder(variant, run, model_folder, tmp_path):
    encoder = model_folder(variant=variant).load()
    before = encoder.prompts.resolve(FIXTURES["variants"][variant]["prompt_name"], None)
    skip = encoder.tokenizer.prompt_length(before) if before else 0
    ids = encoder.tokenizer.encode([before + text for text in SENTENCES]).ids
    path = export_onnx(encoder, tmp_path / "model.onnx")
    feed = padded(ids) | {"prompt_length": np.array([skip], dtype=np.int64)}
    assert np.abs(run(path, feed) - expected(encoder, ids, skip)).max() <= 2e-5


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_padding_changes_nothing(family, variant, left, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    encoder = Encoder.load(MODELS / family)
    short = encoder.tokenizer.encode(SENTENCES[:1]).ids[0][:12]
    path = export_onnx(made(encoder, variant, [short]), tmp_path / "model.onnx", variant=variant)
    alone = in_onnxruntime(path, padded([short]))
    for length in (16, encoder.max_length):
        got = in_onnxruntime(path, padded([short], length, left, pad=7))
        assert np.abs(got - alone).max() <= (2e-3 if variant == "float16" else 2e-6)


@pytest.mark.parametrize("variant", ["float32", *INT8])
def test_minilm_agrees_with_the_specification(minilm, variant, run, tmp_path):
    ids = [text[:64] for text in minilm.tokenizer.encode(SENTENCES).ids]
    model = made(minilm, variant, ids)
    path = export_onnx(model, tmp_path, variant=variant)
    got, wanted = run(path, padded(ids)), expected(model, ids)
    assert least_cosine(got, wanted) >= {"float32": 0.99999}.get(variant, 0.995)
    # Rounding borders apart, it is the specification: a fraction of what quantization costs.
    if variant in INT8:
        cost = np.square(wanted - expected(minilm, ids)).sum()
        assert np.square(got - wanted).sum() <= cost / 4
    assert path.stat().st_size < (24e6 if variant in INT8 else 91e6)


@pytest.mark.parametrize("opset", [18, 20, 23])
def test_newer_opsets_say_the_same(opset, run, tiny, tmp_path):
    ids = tiny.tokenizer.encode(SENTENCES).ids
    for variant in ("float32", "int8-dynamic"):
        model = made(tiny, variant, ids)
        path = export_onnx(model, tmp_path / f"{variant}.onnx", variant=variant, opset=opset)
        assert least_cosine(run(path, padded(ids)), expected(model, ids)) >= LEAST_COSINE[variant]


def test_an_empty_row_yields_finite_vectors(run, tiny, tmp_path):
    path = export_onnx(tiny, tmp_path / "model.onnx")
    got = run(path, padded([np.array([2, 5, 3]), np.array([], dtype=np.int32)]))
    assert np.isfinite(got).all()
    assert not got[1].any()
