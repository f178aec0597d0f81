"""A model folder that is damaged, incomplete or contradicts itself is refused, and says why."""

from __future__ import annotations

import json
import random
import resource

import numpy as np
import pytest
from saved_models import RECIPES, edit_about

from fewbits.errors import FewbitsError, FormatError, ModelError
from fewbits.models import Encoder
from fewbits.storage import container

FILES = ("fewbits.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


def entry(*path, value):
    """Return a change of fewbits.json: the entry at `path` becomes `value`."""

    def change(body):
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = value

    return change


def rewrite(folder, change):
    """Change the arrays, and write everything as a writer would who had made them so."""
    path = folder / "fewbits.safetensors"
    arrays = {n: a.copy() for n, a in container.read(path, kind="model").tensors.items()}
    change(arrays)
    stamp = container.write(path, arrays, kind="model", params={})
    fields = {"name": stamp.name, "size": stamp.size, "header": stamp.header}
    edit_about(folder, entry("tensors", value=fields))


def put(name, index, value):
    def change(arrays):
        arrays[name][index] = value

    return change


def replace(name, make):
    def change(arrays):
        arrays[name] = make(arrays[name])

    return change


def outcome(folder):
    """Return what loading complains about, or the vector of a text."""
    try:
        return "", Encoder.load(folder).encode("text")
    except FewbitsError as error:
        return str(error), None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name, broken):
    folder = broken()
    (folder / name).unlink()
    with pytest.raises(FormatError, match=f"{name} is missing; copy the whole model folder again"):
        Encoder.load(folder)


@pytest.mark.parametrize("name", [*FILES, "fewbits.json"])
def test_every_truncated_file_is_refused(name, broken):
    folder = broken()
    raw = (folder / name).read_bytes()
    last = len(raw.rstrip()) - 1
    for length in {0, 1, 7, 8, len(raw) // 2, last}:
        (folder / name).write_bytes(raw[:length])
        with pytest.raises(FormatError, match=name):
            Encoder.load(folder)
    (folder / name).write_bytes(raw + b" " if name != "fewbits.json" else raw + b"}")
    with pytest.raises(FormatError, match=name):
        Encoder.load(folder)


@pytest.mark.parametrize("name", [*FILES, "fewbits.json"])
def test_flipped_bits_are_refused(name, broken):
    folder = broken("int8-static")
    before = Encoder.load(folder).encode("text")
    raw = (folder / name).read_bytes()
    draw = random.Random(3)
    for _ in range(40):
        damaged = bytearray(raw)
        damaged[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        (folder / name).write_bytes(damaged)
        said, after = outcome(folder)
        if after is None:
            assert name in said
        else:  # white space between the tokens of fewbits.json has no meaning
            assert name == "fewbits.json"
            np.testing.assert_array_equal(after, before)
    (folder / name).write_bytes(raw)
    np.testing.assert_array_equal(Encoder.load(folder).encode("text"), before)


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '"x"', "\x00", "[" * 100_000, "NaN"])
def test_a_file_that_is_no_fewbits_json_is_refused(content, broken):
    folder = broken()
    (folder / "fewbits.json").write_text(content)
    with pytest.raises(FormatError, match=r"fewbits\.json: "):
        Encoder.load(folder)


def test_a_changed_entry_is_noticed_by_the_checksum(broken):
    folder = broken()
    path = folder / "fewbits.json"
    path.write_text(path.read_text().replace('"int8-dynamic"', '"int8-dynamit"'))
    with pytest.raises(FormatError, match="checksum differs; the file was changed or is damaged"):
        Encoder.load(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (entry("version", value=2), "has format version 2, this fewbits reads 1; open it with"),
        (entry("version", value="1"), "has format version '1'"),
        (entry("format", value="gguf"), "is not of the format 'fewbits-model'"),
        (entry("extra", value=1), "must have the keys calibration, "),
        (entry("recipe", value=[]), "has an entry of the wrong kind"),
        (entry("recipe", "rows", value=[{"match": "*", "weights": "int3"}]), "weights must be one"),
        (entry("recipe", "rows", value=[{"match": "*", "bits": 3}]), "got 'bits'"),
        (entry("recipe", "rows", value=[{"match": "layers.9.*"}]), "'layers.9.*' matches no layer"),
        (entry("recipe", "rows", value=[]), "must be float32"),
        (entry("recipe", "rows", 0, "weights", value="float16"), "needs weights='int8'"),
        (entry("spec", "layers", value=3), "is of a model with layers 3, the folder's configurat"),
        (entry("spec", "hidden_act", value="gelu"), "with hidden_act 'gelu', the folder's config"),
        (entry("spec", value=None), "wrong kind"),
        (entry("tensors", "name", value="../fewbits.safetensors"), "is not spelled like"),
        (entry("tensors", "name", value="fewbits-0123456789abcdef.safetensors"), "is missing"),
        (entry("tensors", "size", value=10), "10 were written"),
        (entry("tensors", "header", value="00000000"), "another file took its place"),
        (entry("tensors", "size", value=-1), "a count must be an integer >= 0, got -1"),
        (entry("files", "../x", value={"size": 1, "crc32": "00000000"}), "no file inside"),
        (entry("files", "/etc/passwd", value={"size": 1, "crc32": "00000000"}), "no file inside"),
        (entry("files", "none", value={"size": 1, "crc32": "00000000"}), "none is missing"),
        (entry("files", "none", value=7), "wrong kind"),
        (entry("source", value={}), "wrong kind"),
        (entry("source", "sha256", value={"model.safetensors": "12"}), "is not spelled like"),
        (entry("ranges", "layers.0.qkv", value={"scale": 1.0, "zero_point": 1}), "must not have a"),
        (entry("calibration", value={"ends": {}, "tokens": "many"}), "a count must be an integer"),
        (entry("calibration", value={"ends": {"a": [1]*6}, "tokens": 1}), "wrong kind"),
    ],
)  # fmt: skip
def test_an_entry_that_contradicts_the_folder_is_named(change, expected, broken):
    folder = broken()
    edit_about(folder, change)
    with pytest.raises((FormatError, ModelError)) as caught:
        Encoder.load(folder)
    assert expected in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (entry("ranges", value={}), "layers.0.qkv must have a static range"),
        (entry("ranges", "layers.0.qkv", "scale", value=0.0), "scale must be finite and > 0"),
        (entry("ranges", "layers.0.qkv", "scale", value=-1), "scale must be finite and > 0"),
        (
            entry("ranges", "layers.0.qkv", "scale", value=True),
            "must be a number, got True",
        ),
        (entry("ranges", "layers.0.qkv", "zero_point", value=256), "zero-point must be 0 to 255"),
        (entry("ranges", "layers.0.qkv", "zero_point", value=1.5), "must be an integer"),
    ],
)
def test_a_static_range_that_is_none_is_refused(change, expected, broken):
    folder = broken("int8-static")
    edit_about(folder, change)
    with pytest.raises(FormatError) as caught:
        Encoder.load(folder)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("key", "change", "expected"),
    [
        ("int8-dynamic", put("layers.0.qkv.scale", 3, np.nan), "finite and > 0"),
        ("int8-dynamic", put("layers.0.qkv.scale", 3, np.inf), "finite and > 0"),
        ("int8-dynamic", put("layers.0.qkv.scale", 3, 0), "finite and > 0"),
        ("int8-dynamic", put("layers.0.qkv.scale", 3, -1), "finite and > 0"),
        ("int8-dynamic", put("embeddings.word.scale", 0, np.nan), "finite and > 0"),
        ("int8-dynamic", put("layers.1.ffn_in.bias", 0, np.nan), "ffn_in.bias must be finite"),
        ("int8-dynamic", put("embeddings.norm.bias", 0, np.inf), "norm.bias must be finite"),
        ("int8-static", put("layers.0.qkv.inverse", 0, np.nan), "qkv.inverse must be finite"),
        ("int8-static", put("layers.0.qkv.inverse", 0, 0), "qkv.inverse must be finite and > 0"),
        ("int8-dynamic", put("layers.0.qkv.values", (0, 0, 0, 0), -128), "hold -128"),
        ("fp16", put("layers.0.qkv.values", (0, 0, 0), np.inf), "hold nan or infinity"),
        ("bf16", put("layers.0.qkv.values", (0, 0, 0), 0x7F81), "hold nan or infinity"),
        ("float32", put("embeddings.word.values", (0, 0), np.nan), "hold nan or infinity"),
        ("int8-dynamic", lambda a: a.pop("layers.0.qkv.values"), "holds no layers.0.qkv.values"),
        ("int8-dynamic", lambda a: a.pop("layers.0.qkv.scale"), "got nothing"),
        ("int8-dynamic", lambda a: a.pop("layers.0.qkv.bias"), "got nothing"),
        ("int8-dynamic", lambda a: a.pop("embeddings.norm.bias"), "got nothing for"),
        ("int8-static", lambda a: a.pop("layers.0.qkv.inverse"), "got nothing"),
        ("fp16", lambda a: a.update({"layers.0.qkv.scale": np.ones(96, "f4")}), "must be absent"),
        ("fp16", lambda a: a.update({"zzz": np.ones(96, "f4")}), "holds 'zzz', which the recipe"),
        ("int8-dynamic", replace("layers.0.qkv.values", lambda v: v[:-1]), "must be int8 (6, 8, 1"),
        ("int8-dynamic", replace("layers.0.qkv.values", lambda v: v.view("u1")), "must be int8"),
        ("int8-dynamic", replace("layers.0.qkv.scale", lambda v: v[:-1]), "must be float32 (96,)"),
        ("int8-dynamic", replace("layers.0.qkv.scale", lambda v: v.astype("f8")), "got float64"),
        ("fp16", replace("layers.0.qkv.values", lambda v: v.astype("f4")), "must be float16"),
        ("bf16", replace("layers.0.qkv.values", lambda v: v.view("f2")), "must be uint16"),
        ("int8-dynamic", replace("embeddings.word.values", lambda v: v[:-1]), "must be int8 (400,"),
    ],
)  # fmt: skip
def test_arrays_that_no_recipe_gives_are_refused(key, change, expected, broken):
    folder = broken(key)
    rewrite(folder, change)
    with pytest.raises(FormatError) as caught:
        Encoder.load(folder)
    assert expected in str(caught.value)
    assert str(folder / "fewbits.safetensors") in str(caught.value)
    assert "quantize the model again" in str(caught.value)


def test_padding_must_be_zeros(model_folder, tmp_path):
    folder = model_folder("bert")
    encoder = folder.load()
    # The tiny model has no padding of its own; the 24 outputs of a dense stage have 8 channels.
    padded = model_folder(variant="dense-tanh").load()
    padded.save(tmp_path / "small")
    assert encoder.tensors.linears["layers.0.qkv"].values.shape == (6, 32, 16)
    rewrite(tmp_path / "small", put("dense.0.values", (1, 0, 15), 1))
    with pytest.raises(FormatError, match="must be zero where panels are padded"):
        Encoder.load(tmp_path / "small")


def test_the_container_of_an_index_is_no_model(broken):
    folder = broken()
    path = folder / "fewbits.safetensors"
    arrays = {n: a.copy() for n, a in container.read(path, kind="model").tensors.items()}
    stamp = container.write(path, arrays, kind="segment", params={})
    fields = {"name": stamp.name, "size": stamp.size, "header": stamp.header}
    edit_about(folder, entry("tensors", value=fields))
    with pytest.raises(FormatError):
        Encoder.load(folder)


def test_an_architecture_without_a_family_lists_those_there_are(broken):
    folder = broken()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "t5"}))

    def consistent(body):
        del body["files"]["config.json"]

    edit_about(folder, consistent)
    with pytest.raises(ModelError, match=r"'t5' is not supported; supported: bert, "):
        Encoder.load(folder)


def test_a_changed_configuration_is_refused(broken):
    folder = broken()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.raises(FormatError, match=r"config\.json has .* were written; copy it again"):
        Encoder.load(folder)


@pytest.mark.parametrize("name", ["size", "shape"])
def test_nothing_is_allocated_on_a_files_word(name, broken):
    folder = broken()
    path = folder / "fewbits.safetensors"
    if name == "size":
        edit_about(folder, entry("tensors", "size", value=2**62))
    else:
        raw = path.read_bytes()
        path.write_bytes((2**62).to_bytes(8, "little") + raw[8:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormatError, match=r"fewbits\.safetensors"):
        Encoder.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_a_huge_fewbits_json_is_not_read(broken):
    folder = broken()
    with (folder / "fewbits.json").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(FormatError, match="is longer than"):
        Encoder.load(folder)


def test_the_table_of_recipes_covers_every_format():
    rows = [row for recipe in RECIPES.values() for row in recipe.rows]
    assert {row.weights for row in rows} == {"float32", "float16", "bfloat16", "int8"}
    assert {row.activations for row in rows} == {"float32", "dynamic", "static"}
