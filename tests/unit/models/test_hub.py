"""Models by their name on the Hugging Face Hub, with a stand-in for its client."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from types import ModuleType

import pytest
from encoder_fixtures import MODELS

from fewbits.errors import ModelError
from fewbits.models import Encoder

NAME = "some-owner/tiny.bert_v1"
FETCHED = [
    "config.json", "modules.json", "tokenizer.json", "1_Pooling/config.json", "fewbits.json",
    "fewbits.safetensors", "model.safetensors", "model-00001-of-00002.safetensors",
    "model.safetensors.index.json", "2_Dense/model.safetensors", "0_Transformer/tokenizer.json",
    "sentence_bert_config.json", "0_Transformer/sentence_bert_config.json",
]  # fmt: skip
LEFT = [
    "pytorch_model.bin", "tf_model.h5", "rust_model.ot", "onnx/model.onnx", "vocab.txt",
    "README.md", "openvino/openvino_model.bin", "onnx/config.json", "train_script.py",
]  # fmt: skip


@pytest.fixture
def hub(monkeypatch):
    """Return what the stand-in was asked for, and let a test say what it answers."""
    client = ModuleType("huggingface_hub")
    client.asked = []
    client.answer = str(MODELS / "bert")

    def snapshot_download(name, *, allow_patterns, ignore_patterns):
        client.asked.append((name, allow_patterns, ignore_patterns))
        if isinstance(client.answer, Exception):
            raise client.answer
        return client.answer

    client.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return client


def test_a_name_is_fetched_and_remembered(hub):
    encoder = Encoder.load(NAME)
    assert encoder.name == NAME
    assert encoder.source == MODELS / "bert"
    assert [name for name, _, _ in hub.asked] == [NAME]


def test_only_what_is_read_is_fetched(hub):
    Encoder.load(NAME)
    _, allowed, ignored = hub.asked[0]

    def wanted(path):
        return any(fnmatch(path, p) for p in allowed) and not any(fnmatch(path, p) for p in ignored)

    assert [path for path in FETCHED if not wanted(path)] == []
    assert [path for path in LEFT if wanted(path)] == []


def test_a_local_folder_wins(hub, model_folder, monkeypatch):
    path = model_folder("bert").path
    monkeypatch.chdir(path.parent.parent)
    Encoder.load(f"{path.parent.name}/{path.name}")
    assert hub.asked == []


@pytest.mark.parametrize(
    "name", ["tiny", "a/b/c", "/a/b", "../models", "./a", "a/..", "a b/c", "", "https://x.y/z"]
)
def test_what_is_no_name_of_the_hub_is_a_missing_folder(name, hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        Encoder.load(name)
    assert hub.asked == []


@pytest.mark.parametrize("error", [OSError("no route\nto host"), ValueError(""), KeyError("x")])
def test_what_the_hub_refuses_is_a_model_error(error, hub):
    hub.answer = error
    with pytest.raises(ModelError, match=rf"{type(error).__name__}.*HF_HUB_OFFLINE"):
        Encoder.load(NAME)


def test_without_the_client_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"pip install 'fewbits\[hub\]'"):
        Encoder.load(NAME)
