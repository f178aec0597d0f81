"""A saved model is the model: bit for bit, in any place, mapped rather than read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, MODELS
from saved_models import RECIPES, TEXTS, edit_about

from fewbits.errors import ConflictError, InputError, ModelError, StorageError
from fewbits.models import Encoder, Recipe, quantize_model
from fewbits.models.stored import ALIGNMENT, split
from fewbits.storage.folder import LOCK
from fewbits.storage.lock import exclusive


def backing(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return getattr(array.base, "obj", array.base)  # the memory view's owner


def same_tensors(a, b):
    assert a.recipe == b.recipe
    left, right = split(a), split(b)
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == right[name].dtype
        np.testing.assert_array_equal(array, right[name], err_msg=name)
    for name, linear in a.linears.items():
        ours, theirs = linear.activation, b.linears[name].activation
        assert (ours.mode, ours.zero_point) == (theirs.mode, theirs.zero_point)
        assert float(ours.scale) == float(theirs.scale)


@pytest.mark.parametrize("key", RECIPES)
def test_every_recipe_comes_back_bit_for_bit(key, saved):
    small, folder = saved(key)
    back = Encoder.load(folder)
    same_tensors(small.tensors, back.tensors)
    assert (back.spec, back.recipe, back.prompts) == (small.spec, small.recipe, small.prompts)
    assert back.calibration == small.calibration
    np.testing.assert_array_equal(back.encode(TEXTS), small.encode(TEXTS))


@pytest.mark.parametrize("variant", ["dense-tanh", "cls"])
def test_the_stages_after_the_transformer_come_back(variant, model_folder, tmp_path):
    small = quantize_model(model_folder(variant=variant).load(), Recipe.int8())
    small.save(tmp_path / "small")
    back = Encoder.load(tmp_path / "small")
    assert back.spec == small.spec
    np.testing.assert_array_equal(back.encode(TEXTS), small.encode(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_comes_back(family, tmp_path):
    small = quantize_model(Encoder.load(MODELS / family), Recipe.int8())
    small.save(tmp_path / "small")
    back = Encoder.load(tmp_path / "small")
    np.testing.assert_array_equal(back.encode(TEXTS), small.encode(TEXTS))


@pytest.mark.parametrize("key", RECIPES)
def test_values_are_mapped_read_only_and_aligned_for_the_kernels(key, saved):
    back = Encoder.load(saved(key)[1])
    for name, array in split(back.tensors).items():
        assert not array.flags.writeable, name
        assert type(backing(array)).__name__ == "mmap", name
    for linear in back.tensors.linears.values():
        assert linear.values.ctypes.data % ALIGNMENT == 0


def test_saving_again_gives_the_same_bytes(saved, tmp_path):
    _, folder = saved("mixed")
    Encoder.load(folder).save(tmp_path / "again")
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert names == sorted(
        p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file()
    )
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_saved_folder_needs_nothing_of_its_source(model_folder, tmp_path):
    folder = model_folder(variant="dense-tanh")
    quantize_model(folder.load(), Recipe.int8()).save(tmp_path / "small")
    shutil.rmtree(folder.path)
    assert Encoder.load(tmp_path / "small").encode("text").shape == (24,)
    assert not list((tmp_path / "small").rglob("vocab.txt"))


def test_the_origin_names_the_source_and_its_weights(saved):
    digest = hashlib.sha256((MODELS / "bert" / "model.safetensors").read_bytes()).hexdigest()
    origin = Encoder.load(saved("fp16")[1]).origin
    assert (origin.name, dict(origin.weights)) == ("bert", {"model.safetensors": digest})


def test_the_weights_of_a_quantized_encoder_are_what_its_codes_stand_for(saved, tiny):
    weights = Encoder.load(saved("int8-dynamic")[1]).weights
    assert weights.keys() == tiny.spec.shapes().keys()
    for name, array in weights.items():
        assert array.dtype == np.float32
        assert np.abs(array - tiny.weights[name]).max() <= 0.02 * np.abs(tiny.weights[name]).max()


def test_an_encoder_made_of_parts_cannot_be_saved(tiny, tmp_path):
    parts = Encoder(tiny.spec, tiny.weights, tiny.tokenizer)
    with pytest.raises(ModelError, match=r"made of parts; start from Encoder\.load"):
        parts.save(tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_a_source_that_changed_since_is_refused(model_folder, tmp_path):
    folder = model_folder("bert")
    encoder = folder.load()
    folder.edit("config.json", hidden_act="relu")
    with pytest.raises(ModelError, match="no longer describes this encoder; load it again"):
        encoder.save(tmp_path / "small")


@pytest.mark.parametrize("content", [{"notes.txt": "mine"}, {"config.json": "{}"}, {"a/b": ""}])
def test_a_folder_that_holds_something_else_is_left_alone(content, saved, tmp_path):
    for name, text in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="is no quantized model; nothing was written"):
        saved("fp16")[0].save(tmp_path)
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == set(
        content
    )


def test_another_model_is_not_written_over(saved, model_folder, tmp_path):
    saved("fp16")[0].save(tmp_path / "small")
    other = quantize_model(model_folder(variant="cls").load(), Recipe.fp16())
    with pytest.raises(InputError, match=r"holds another model \(.*differs\)"):
        other.save(tmp_path / "small")
    assert Encoder.load(tmp_path / "small").recipe == Recipe.fp16()


def test_a_file_in_the_way_is_named(saved, tmp_path):
    (tmp_path / "small").write_text("x")
    with pytest.raises(InputError, match="is a file; a model is a folder"):
        saved("fp16")[0].save(tmp_path / "small")


def test_a_damaged_model_is_not_written_over(saved, broken):
    folder = broken()
    (folder / "fewbits.json").write_text("{}")
    with pytest.raises(InputError, match="choose a new folder or remove this one"):
        saved("fp16")[0].save(folder)


def test_a_saved_model_is_replaced_while_readers_keep_theirs(saved, tmp_path):
    small, _ = saved("int8-dynamic")
    for key in ("int8-dynamic", "fp16", "bf16", "int8-dynamic"):
        saved(key)[0].save(tmp_path / "small")
        assert Encoder.load(tmp_path / "small").recipe == RECIPES[key]
        assert len(list((tmp_path / "small").glob("*.safetensors"))) == 1
    reader = Encoder.load(tmp_path / "small")
    saved("fp16")[0].save(tmp_path / "small")
    same_tensors(reader.tensors, small.tensors)
    Encoder.load(tmp_path / "small").save(tmp_path / "small")  # over its own mapped files
    assert Encoder.load(tmp_path / "small").recipe == Recipe.fp16()


def test_two_writers_of_one_folder_exclude_each_other(saved, broken):
    folder = broken()
    with exclusive(folder / LOCK), pytest.raises(ConflictError, match="is being written"):
        saved("fp16")[0].save(folder)
    assert Encoder.load(folder).recipe == Recipe.int8()


def test_parents_are_made_and_nothing_is_left_beside(saved, tmp_path):
    saved("fp16")[0].save(tmp_path / "a" / "b" / "small")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["small"]
    (tmp_path / "empty").mkdir()
    saved("fp16")[0].save(tmp_path / "empty")
    assert Encoder.load(tmp_path / "empty").recipe == Recipe.fp16()


def test_what_the_system_refuses_leaves_nothing(saved, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        saved("fp16")[0].save(tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_fewbits_json_may_be_spelled_in_any_way(broken):
    folder = broken("int8-static")
    before = Encoder.load(folder)
    edit_about(folder, lambda body: None)  # one line instead of many
    assert Encoder.load(folder).calibration == before.calibration
    body = json.loads((folder / "fewbits.json").read_text())
    assert body["recipe"]["name"] == "int8-static"
    assert body["ranges"]["layers.0.qkv"]["zero_point"] in range(256)


LOAD = """
import sys, resource
from fewbits.models import Encoder
import numpy as np
Encoder.load(sys.argv[1]).encode("warm")
def dirty():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(l.split()[1]) for l in lines if l.startswith("Private_Dirty"))
before = dirty()
kept = [Encoder.load(sys.argv[1]) for _ in range(4)]
print((dirty() - before) / 4, sum(len(t.values.tobytes()) for t in kept[0].tensors.tables.values()))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux")
def test_loading_maps_the_numbers_and_copies_few_of_them(minilm, tmp_path):
    small = minilm.with_tensors(quantize_model(minilm, Recipe.bf16()).tensors)
    small.save(tmp_path / "small")
    size = (tmp_path / "small" / "fewbits.safetensors").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "small")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kib = float(done.stdout.split()[0])
    # The tokenizer is what an encoder keeps in memory of its own: 15 MiB.
    assert kib * 1024 < size / 2, (kib, size)
