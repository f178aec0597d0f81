"""Weights: however they are stored and named, float32 tensors come out, or the gap is named."""

from __future__ import annotations

import json
import re
import struct

import numpy as np
import pytest
from encoder_fixtures import FIXTURES

from fewbits.errors import ModelError

SENTENCES = FIXTURES["sentences"][:3]
WORD = "embeddings.word_embeddings.weight"


def shard(folder):
    """Split model.safetensors of `folder` into two shards and an index."""
    tensors = folder.tensors()
    names = sorted(tensors)
    parts = {"a-1.safetensors": names[::2], "a-2.safetensors": names[1::2]}
    for file, part in parts.items():
        folder.save({name: tensors[name] for name in part}, file)
    (folder.path / "model.safetensors").unlink()
    weight_map = {name: file for file, part in parts.items() for name in part}
    folder.write("model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})


def test_shards_equal_one_file(model_folder, tiny):
    folder = model_folder("bert")
    shard(folder)
    np.testing.assert_array_equal(folder.load().encode(SENTENCES), tiny.encode(SENTENCES))


def test_a_missing_shard_is_named(model_folder):
    folder = model_folder("bert")
    shard(folder)
    (folder.path / "a-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"a-2\.safetensors is missing, yet .*index\.json names"):
        folder.load()


@pytest.mark.parametrize("weight_map", [None, [], {"x": 3}, {"x": "../a-1.safetensors"}])
def test_an_index_names_plain_files_only(weight_map, model_folder):
    folder = model_folder("bert")
    shard(folder)
    folder.edit("model.safetensors.index.json", weight_map=weight_map)
    with pytest.raises(ModelError, match="'weight_map' must map tensor names to file names"):
        folder.load()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_widths_are_converted(dtype, model_folder):
    folder = model_folder("bert")
    tensors = folder.tensors()
    folder.save({name: tensor.astype(dtype) for name, tensor in tensors.items()})
    weights = folder.load().weights
    stored = tensors[WORD].astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(weights["embeddings.word.weight"], stored)
    assert {tensor.dtype for tensor in weights.values()} == {np.dtype(np.float32)}


def test_bfloat16_is_read_as_the_upper_half_of_float32(model_folder):
    folder = model_folder("bert")
    tensors = folder.tensors()
    upper = {name: (t.view(np.uint32) >> 16).astype("<u2") for name, t in tensors.items()}
    header, body = {}, b""
    for name, half in upper.items():
        span = [len(body), len(body) + half.nbytes]
        header[name] = {"dtype": "BF16", "shape": list(half.shape), "data_offsets": span}
        body += half.tobytes()
    text = json.dumps(header).encode()
    path = folder.path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    weights = folder.load().weights
    for stored, name in ((WORD, "embeddings.word"), ("encoder.layer.1.output.dense.weight", "")):
        name = name or "layers.1.ffn_out"
        expected = (upper[stored].astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(weights[f"{name}.weight"], expected)


def test_a_task_head_prefix_and_old_norm_names_are_understood(model_folder, tiny):
    folder = model_folder("bert")
    renamed = {
        "bert."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in folder.tensors().items()
    }
    folder.save({**renamed, "cls.predictions.bias": np.zeros(3, np.float32)})
    np.testing.assert_array_equal(folder.load().encode(SENTENCES), tiny.encode(SENTENCES))


@pytest.mark.parametrize(
    "name",
    [
        WORD,
        "embeddings.token_type_embeddings.weight",
        "embeddings.LayerNorm.bias",
        "encoder.layer.0.attention.self.key.bias",
        "encoder.layer.1.output.dense.weight",
    ],
)
def test_a_missing_tensor_is_named(name, model_folder):
    folder = model_folder("bert")
    tensors = folder.tensors()
    del tensors[name]
    folder.save(tensors)
    with pytest.raises(ModelError, match=f"holds no tensor '{re.escape(name)}'"):
        folder.load()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t[:-1], r"must have shape \(400, 32\) to match config.json, got \(399, 32\)"),
        (lambda t: t.astype(np.int32), "must be stored as F32 or F16 or BF16 or F64, got I32"),
        (lambda t: np.where(t == t.max(), np.nan, t), "holds nan or infinity"),
        (lambda t: np.where(t == t.max(), np.inf, t), "holds nan or infinity"),
    ],
)
def test_an_unusable_tensor_is_named(change, expected, model_folder):
    folder = model_folder("bert")
    tensors = folder.tensors()
    tensors[WORD] = np.ascontiguousarray(change(tensors[WORD]))
    folder.save(tensors)
    with pytest.raises(ModelError, match=f"{re.escape(WORD)}.*{expected}"):
        folder.load()


def test_query_key_and_value_are_stacked_in_this_order(model_folder):
    folder = model_folder("mpnet")
    tensors = folder.tensors()
    parts = [tensors[f"encoder.layer.1.attention.attn.{part}.weight"] for part in "qkv"]
    stacked = folder.load().weights["layers.1.qkv.weight"]
    np.testing.assert_array_equal(stacked, np.concatenate(parts).astype(np.float32))


def test_a_pickle_is_not_opened_and_the_cure_is_named(model_folder):
    folder = model_folder("bert")
    (folder.path / "model.safetensors").rename(folder.path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin, a pickle.*save_file"):
        folder.load()


def test_a_cut_file_is_refused(model_folder):
    folder = model_folder("bert")
    path = folder.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="is not a readable safetensors file"):
        folder.load()
