"""Where an export goes, what it says of itself, and what it refuses."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from encoder_fixtures import FIXTURES
from onnx_fixtures import RUNTIMES, padded, quantized

from fewbits.errors import InputError, ModelError, StorageError

onnx = pytest.importorskip("onnx", reason="the exporter needs the package onnx")
export_onnx = importlib.import_module("fewbits.models.onnx").export_onnx
write = importlib.import_module("fewbits.models.onnx.write")

IDS = [np.array([2, 5, 9, 3]), np.array([2, 7, 3])]
FILES = {
    "float32": "model.onnx",
    "float16": "model_fp16.onnx",
    "int8-static": "model_qint8_static.onnx",
    "int8-dynamic": "model_qint8_dynamic.onnx",
}


def made(tiny, variant):
    mode = variant.removeprefix("int8-")
    return tiny if mode == variant else quantized(tiny, mode, IDS)


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fewbits.models.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"fewbits\[onnx\]"):
        importlib.import_module("fewbits.models.onnx")


@pytest.mark.parametrize("variant", FILES)
def test_a_folder_gets_the_file_that_sentence_transformers_looks_for(tiny, variant, tmp_path):
    path = export_onnx(made(tiny, variant), tmp_path, variant=variant)
    assert path == tmp_path / "onnx" / FILES[variant]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("variant", FILES)
def test_a_file_passes_the_checker_and_says_what_it_is(tiny, variant, tmp_path):
    path = export_onnx(made(tiny, variant), tmp_path / "m.onnx", variant=variant)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert model.producer_name == "fewbits"
    assert facts["fewbits.variant"] == variant
    assert facts["fewbits.minimum_opset"] == "17"
    assert facts["fewbits.recipe"] == (variant if variant.startswith("int8") else "float32")


def test_the_same_encoder_gives_the_same_bytes(tiny, tmp_path):
    first, second = (export_onnx(tiny, tmp_path / f"{i}.onnx").read_bytes() for i in range(2))
    assert first == second


def test_large_weights_lie_beside_the_model_and_old_ones_go(tiny, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    inside = RUNTIMES["onnxruntime"](export_onnx(tiny, tmp_path / "one.onnx"), padded(IDS))
    monkeypatch.setattr(write, "_INSIDE", 0)
    for _ in range(2):
        path = export_onnx(tiny, tmp_path / "two.onnx")
    assert len(list(tmp_path.glob("two.onnx_data_*"))) == 1
    assert path.stat().st_size < (tmp_path / "one.onnx").stat().st_size / 4
    assert np.array_equal(RUNTIMES["onnxruntime"](path, padded(IDS)), inside)
    onnx.checker.check_model(str(path), full_check=True)


def test_a_failed_write_leaves_the_old_file(tiny, tmp_path, monkeypatch):
    path = export_onnx(tiny, tmp_path / "m.onnx")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="unchanged"):
        export_onnx(tiny, path, output="bits")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("variant", ["int8-static", "int8-dynamic"])
def test_an_int8_file_needs_an_encoder_of_that_recipe(tiny, variant, tmp_path):
    other = "dynamic" if variant == "int8-static" else "static"
    for encoder in (tiny, quantized(tiny, other, IDS)):
        with pytest.raises(ModelError, match="quantize_model"):
            export_onnx(encoder, tmp_path, variant=variant)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("choice", [{"variant": "int4"}, {"opset": 16}, {"opset": 99}])
def test_unknown_choices_are_refused(tiny, choice, tmp_path):
    with pytest.raises(InputError, match=f"{next(iter(choice))} must be"):
        export_onnx(tiny, tmp_path, **choice)


def test_codes_come_beside_the_floats(tiny, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    ids = tiny.tokenizer.encode(FIXTURES["sentences"]).ids
    path = export_onnx(tiny, tmp_path / "m.onnx", output="int8", output_scale=0.01)
    run = RUNTIMES["onnxruntime"]
    x, codes = run(path, padded(ids)), run(path, padded(ids), "sentence_codes")
    assert np.array_equal(codes, np.clip(np.rint(x / np.float32(0.01)), -127, 127))
